//! One run's load: all clients on this one thread's runtime, an open or a closed loop, warm-up, the measured time, the end.
//!
//! ```text
//!  connect ──> warm-up ──> measured time ──> what is under way may end ──> quit
//!             (stage Running)               (stage Closing)
//! ```

mod play;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use self::play::{CATCHING_UP, Playing};
use super::client::{Client, ClientError, Door};
use super::pace::{Backlog, Schedule, pace};
use super::plan::Arrivals;
use super::tally::{Done, Tally};
use super::workload::{Request, Workload};

/// How long a login may take: longer than the pool lets anybody wait.
const LOGIN_LIMIT: Duration = Duration::from_secs(75);
/// How long clients may take to connect before the load begins. Who waits longer (for a pool in mode `session` that others
/// have) goes on waiting beside it.
const CONNECTING: Duration = Duration::from_secs(2);
/// How long what is under way at the end may take.
const GRACE: Duration = Duration::from_secs(3);
/// How long a client waits after a failed login.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// How long clients may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What is to be done.
pub(super) struct Load<'a> {
    pub door: Door,
    pub workload: &'a Arc<Workload>,
    pub clients: usize,
    pub arrivals: Arrivals,
    pub warm_up: Duration,
    pub seconds: Duration,
    /// Equal seeds make equal requests at equal times.
    pub seed: u64,
}

/// What the clients have seen.
pub(super) struct Seen {
    pub tally: Tally,
    /// Clients that had no connection when the measured time was over.
    pub without_connection: usize,
    /// The most connections that clients had at once.
    pub most_connections: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Running,
    Closing,
}

struct Shared {
    door: Door,
    workload: Arc<Workload>,
    arrivals: Arrivals,
    backlog: Backlog,
    /// The trace that is the load.
    playing: Option<Arc<Playing>>,
    stage: watch::Receiver<Stage>,
    tally: Mutex<Option<Tally>>,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    open: usize,
    most: usize,
}

/// Puts the server, or tidegate before it, under load. `turn` is told when the measured time begins (`false`) and ends (`true`).
///
/// # Errors
/// There is no timer.
pub(super) async fn run(load: Load<'_>, mut turn: impl FnMut(bool)) -> std::io::Result<Seen> {
    let (stage, watched) = watch::channel(Stage::Connecting);
    let playing = load.workload.replay.as_ref().map(|replay| Arc::new(Playing::new(replay, load.seconds)));
    let shared = Arc::new(Shared {
        door: load.door,
        workload: Arc::clone(load.workload),
        arrivals: load.arrivals,
        backlog: Backlog::default(),
        playing: playing.clone(),
        stage: watched,
        tally: Mutex::default(),
        connections: Mutex::default(),
    });
    let mut clients = JoinSet::new();
    let present = match &playing {
        Some(playing) => play::gather(&shared, playing, &mut clients),
        None => {
            for number in 0..load.clients {
                clients.spawn(live(Arc::clone(&shared), number, load.seed ^ ((number as u64 + 1) << 32)));
            }
            load.clients
        }
    };
    if !shared.workload.connects {
        shared.all_connected(present).await;
    }
    let began = Instant::now();
    let from = began + load.warm_up;
    let due_until = from + load.seconds;
    let (all_clients, until) = match &playing {
        Some(playing) => {
            playing.begin(began);
            (playing.clients(), due_until + CATCHING_UP)
        }
        None => (load.clients, due_until),
    };
    *shared.tally() = Some(Tally::new(all_clients, from, until));
    let _ = stage.send(Stage::Running);
    let pacing = async {
        let late = |late| shared.count(|tally| tally.late(late));
        match (&playing, load.arrivals) {
            (Some(playing), _) => play::pace(&shared, playing, (began, due_until), &mut clients).await,
            (None, Arrivals::Open { per_second }) => {
                let schedule = Schedule::new(per_second, load.seed).map(|at| (at, ()));
                pace(schedule, began, due_until, late, |due, ()| shared.backlog.add(due)).await
            }
            (None, Arrivals::Closed { .. } | Arrivals::Recorded) => Ok(()),
        }
    };
    let timing = async {
        sleep_until(from.into()).await;
        turn(false);
        sleep_until(due_until.into()).await;
        if let Some(playing) = &playing {
            let _ = timeout(CATCHING_UP, playing.played()).await;
        }
        turn(true);
        Ok(())
    };
    tokio::try_join!(pacing, timing)?;
    let without_connection = shared.without_connection(load.clients);
    let _ = stage.send(Stage::Closing);
    let _ = timeout(GRACE, shared.none_under_way()).await;
    let tally = shared.close();
    let _ = timeout(GOODBYE, async { while clients.join_next().await.is_some() {} }).await;
    let most_connections = shared.connections().most;
    Ok(Seen { tally, without_connection, most_connections })
}

/// One client's life.
async fn live(shared: Arc<Shared>, number: usize, seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut stage = shared.stage.clone();
    let mut connection = None;
    while let Some(due) = next_request(&shared, number, &mut stage, &mut connection, &mut random).await {
        shared.count(|tally| tally.begin(number, due, Instant::now()));
        let request = shared.workload.pick(&mut random);
        match perform(&shared, &mut connection, request, &mut random).await {
            Ok(connecting) => {
                let statements = request.statements.len() as u64;
                let done = Done { due, connecting, ended: Instant::now(), statements };
                shared.count(|tally| tally.end(number, &done));
            }
            Err(error) => {
                shared.fail(number, &error);
                connection = recovered(connection, &error).await;
            }
        }
    }
    if let Some(connection) = connection {
        connection.0.quit().await;
    }
}

/// When the next request was to begin; `None`: the end. By then there is a connection, unless each request makes its own.
async fn next_request(
    shared: &Arc<Shared>,
    number: usize,
    stage: &mut watch::Receiver<Stage>,
    connection: &mut Option<Connection>,
    random: &mut Rng,
) -> Option<Instant> {
    let coming = async {
        if !shared.workload.connects && connection.is_none() {
            *connection = Some(connected(shared, number).await);
        }
        // The sender outlives all clients but those that are dropped with it.
        let _ = stage.wait_for(|stage| *stage != Stage::Connecting).await;
        match shared.arrivals {
            Arrivals::Open { .. } | Arrivals::Recorded => shared.backlog.next().await,
            Arrivals::Closed { think } => {
                if !think.is_zero() {
                    sleep(think.mul_f64(0.5 + random.f64())).await;
                }
                Instant::now()
            }
        }
    };
    let mut closing = shared.stage.clone();
    tokio::select! {
        biased;
        _ = closing.wait_for(|stage| *stage == Stage::Closing) => None,
        due = coming => Some(due),
    }
}

/// Tries until it succeeds.
async fn connected(shared: &Arc<Shared>, number: usize) -> Connection {
    loop {
        match Client::connect(&shared.door, LOGIN_LIMIT).await {
            Ok(client) => return shared.opened(client),
            Err(error) => shared.fail(number, &error),
        }
        sleep(AFTER_FAILURE).await;
    }
}

/// One request's statements; how long connecting took, if it connected for them.
async fn perform(
    shared: &Arc<Shared>,
    connection: &mut Option<Connection>,
    request: &Request,
    random: &mut Rng,
) -> Result<Option<Duration>, ClientError> {
    let began = Instant::now();
    let mut connecting = None;
    if connection.is_none() {
        *connection = Some(shared.opened(Client::connect(&shared.door, LOGIN_LIMIT).await?));
        connecting = Some(began.elapsed());
    }
    if let Some(Connection(client, _)) = connection {
        for statement in &request.statements {
            client.run(|out| statement.write(random, out)).await?;
        }
    }
    if shared.workload.connects
        && let Some(Connection(client, _open)) = connection.take()
    {
        client.quit().await;
    }
    Ok(connecting)
}

/// After an error: the connection without an open transaction, or none.
async fn recovered(connection: Option<Connection>, error: &ClientError) -> Option<Connection> {
    let mut connection = connection.filter(|_| error.is_refusal())?;
    let rolled_back = connection.0.run(|out| out.extend_from_slice(b"ROLLBACK")).await;
    rolled_back.is_ok().then_some(connection)
}

/// A connection, which is counted while it is there.
struct Connection(Client, Open);

struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections().open -= 1;
    }
}

impl Shared {
    fn opened(self: &Arc<Self>, client: Client) -> Connection {
        let mut connections = self.connections();
        connections.open += 1;
        connections.most = connections.most.max(connections.open);
        drop(connections);
        Connection(client, Open(Arc::clone(self)))
    }

    /// Returns when every client has a connection, or has waited long enough.
    async fn all_connected(&self, clients: usize) {
        let all = async {
            while self.connections().open < clients {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(CONNECTING, all).await;
    }

    fn without_connection(&self, clients: usize) -> usize {
        match &self.playing {
            Some(playing) => playing.alone(),
            None if self.workload.connects => 0,
            None => clients - self.connections().open.min(clients),
        }
    }

    async fn none_under_way(&self) {
        while self.tally().as_ref().is_some_and(|tally| tally.under_way() > 0) {
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Nothing counts any more.
    fn close(&self) -> Tally {
        let now = Instant::now();
        let tally = self.tally().take();
        let mut tally = tally.unwrap_or_else(|| Tally::new(0, now, now));
        let waiting = self.playing.as_ref().map_or_else(|| self.backlog.drain(), |playing| playing.drain());
        tally.close(now, waiting);
        tally
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        if let Some(tally) = &mut *self.tally() {
            count(tally);
        }
    }

    fn fail(&self, client: usize, error: &ClientError) {
        self.count(|tally| tally.fail(client, Instant::now(), &error.kind(), &error.to_string()));
    }

    fn tally(&self) -> MutexGuard<'_, Option<Tally>> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
