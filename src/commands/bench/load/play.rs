//! Playing a trace: each recorded client comes, sends and leaves when it did, but waits for its answers as a driver does.
//!
//! ```text
//! pace: the cues in their time ──> a client's task begins; its backlog has one statement more
//! live: one client: connect, take from the own backlog, send, wait for the answer, .., quit
//! ```

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::super::client::ClientError;
use super::super::pace::{self, Backlog};
use super::super::replay::{Cue, Played, Player, Replay};
use super::super::tally::Done;
use super::{Connection, Shared, Stage, connected};
use crate::net::channel::ChannelError;

/// How long clients may go on behind the trace's end, to send what they could not send in time.
pub(super) const CATCHING_UP: Duration = Duration::from_secs(10);

/// A trace that is being played.
pub(super) struct Playing {
    replay: Arc<Replay>,
    /// In their order.
    cues: Vec<(Duration, Cue)>,
    /// What each client is to send and has not.
    due: Vec<Backlog>,
    /// Statements that are not over, those that are not due yet included.
    left: AtomicUsize,
    /// Clients that came and have no connection.
    alone: AtomicUsize,
    began: OnceLock<Instant>,
}

impl Playing {
    /// To be played for so long. Its time begins later.
    pub fn new(replay: &Arc<Replay>, seconds: Duration) -> Playing {
        Playing {
            cues: replay.cues(),
            due: replay.players.iter().map(|_| Backlog::default()).collect(),
            left: AtomicUsize::new(replay.statements(seconds)),
            alone: AtomicUsize::new(0),
            replay: Arc::clone(replay),
            began: OnceLock::new(),
        }
    }

    /// Its time begins.
    pub fn begin(&self, at: Instant) {
        // It begins once.
        let _ = self.began.set(at);
    }

    /// All its clients, one after the other.
    pub fn clients(&self) -> usize {
        self.due.len()
    }

    /// Clients that came and have no connection.
    pub fn alone(&self) -> usize {
        self.alone.load(Relaxed)
    }

    /// Returns when every statement is over.
    pub async fn played(&self) {
        while self.left.load(Relaxed) > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// What was due and never sent.
    pub fn drain(&self) -> Vec<Instant> {
        self.due.iter().flat_map(Backlog::drain).collect()
    }
}

/// Begins the clients that were there before the recording; how many. They connect before anything is due.
pub(super) fn gather(shared: &Arc<Shared>, playing: &Arc<Playing>, clients: &mut JoinSet<()>) -> usize {
    let before = clients.len();
    for number in playing.replay.present() {
        clients.spawn(live(Arc::clone(shared), Arc::clone(playing), number));
    }
    clients.len() - before
}

/// Gives every cue in its time, from `began` until `end`.
///
/// # Errors
/// There is no timer.
pub(super) async fn pace(
    shared: &Arc<Shared>,
    playing: &Arc<Playing>,
    (began, end): (Instant, Instant),
    clients: &mut JoinSet<()>,
) -> std::io::Result<()> {
    let cue = |due, cue| match cue {
        Cue::Comes(number) => {
            // Those that are gone need no room any more.
            while clients.try_join_next().is_some() {}
            clients.spawn(live(Arc::clone(shared), Arc::clone(playing), number));
        }
        Cue::Sends(number) => playing.due[number].add(due),
    };
    let late = |late| shared.count(|tally| tally.late(late));
    pace::pace(playing.cues.iter().copied(), began, end, late, cue).await
}

/// One client's life. What it sent is over before it leaves.
async fn live(shared: Arc<Shared>, playing: Arc<Playing>, number: usize) {
    let player = &playing.replay.players[number];
    let mut link = Link::default();
    for played in &player.statements {
        let Some(due) = next(&shared, &playing, number, &mut link).await else { break };
        shared.count(|tally| tally.begin(number, due, Instant::now()));
        match send(&mut link, played).await {
            Ok(()) => {
                let done = Done { due, connecting: link.took.take(), ended: Instant::now(), statements: 1 };
                shared.count(|tally| tally.end(number, &done));
            }
            Err(error) => {
                shared.fail(number, &error);
                // What a client does about an error stands in the trace.
                link.connection = link.connection.take().filter(|_| error.is_refusal());
            }
        }
        playing.left.fetch_sub(1, Relaxed);
    }
    stay(&shared, &playing, player, number, &mut link).await;
    if let Some(connection) = link.connection {
        connection.0.quit().await;
    }
}

/// A client's connection, and how long it took to connect if nothing has been sent on it yet.
#[derive(Default)]
struct Link {
    connection: Option<Connection>,
    took: Option<Duration>,
}

/// When the next statement was to be sent; `None`: the end. By then there is a connection.
async fn next(shared: &Arc<Shared>, playing: &Playing, number: usize, link: &mut Link) -> Option<Instant> {
    let coming = async {
        connect(shared, playing, number, link).await;
        playing.due[number].next().await
    };
    unless_closing(shared, coming).await
}

/// Until the client leaves, or the end.
async fn stay(shared: &Arc<Shared>, playing: &Playing, player: &Player, number: usize, link: &mut Link) {
    let staying = async {
        connect(shared, playing, number, link).await;
        let mut stage = shared.stage.clone();
        let _ = stage.wait_for(|stage| *stage != Stage::Connecting).await;
        match (player.leaves, playing.began.get()) {
            (Some(leaves), Some(began)) => sleep_until((*began + leaves).into()).await,
            _ => std::future::pending().await,
        }
    };
    unless_closing(shared, staying).await;
}

async fn unless_closing<T>(shared: &Shared, work: impl Future<Output = T>) -> Option<T> {
    let mut closing = shared.stage.clone();
    tokio::select! {
        biased;
        _ = closing.wait_for(|stage| *stage == Stage::Closing) => None,
        done = work => Some(done),
    }
}

async fn connect(shared: &Arc<Shared>, playing: &Playing, number: usize, link: &mut Link) {
    if link.connection.is_some() {
        return;
    }
    let began = Instant::now();
    playing.alone.fetch_add(1, Relaxed);
    // Who is dropped here was never connected, and still counts as alone.
    link.connection = Some(connected(shared, number).await);
    playing.alone.fetch_sub(1, Relaxed);
    link.took = Some(began.elapsed());
}

/// Meeting the recorded error again is no failure.
async fn send(link: &mut Link, played: &Played) -> Result<(), ClientError> {
    let Some(Connection(client, _)) = &mut link.connection else { return Err(ChannelError::Closed.into()) };
    match client.run(|out| out.extend_from_slice(&played.text)).await {
        Err(ClientError::Refused(error)) if Some(error.code) == played.error => Ok(()),
        ran => ran,
    }
}
