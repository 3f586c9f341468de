//! The worker threads: each has its own runtime and recorder, and serves the clients that it was given or that another
//! worker, having too many, gave to it. [`balance`](crate::proxy::balance) decides; here is what it decides on and what
//! follows.
//!
//! Nobody measures at rest: the loads are looked at when a client comes and between commands, at most once in a window.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::proxy::balance::{self, Balancer, Load, Move, Share, WINDOW};
use crate::proxy::client::{self, Session};
use crate::proxy::listen::{self, Accepted};
use crate::proxy::server::Proxy;
use crate::proxy::thread_clock::ThreadClock;
use crate::stats::recorder::{Recorder, Recorders};

/// After so many commands of its own a worker looks whether a window is over.
const COMMANDS_PER_LOOK: u32 = 16;

/// Who comes to a worker.
pub enum Arrival {
    /// A new client.
    New(Accepted),
    /// A client between two commands, from another worker.
    Moved(Box<Session>),
    /// Nobody comes any more, and who is here goes.
    End,
}

/// One worker thread's own things.
pub struct Worker {
    /// Where its commands are recorded.
    pub recorder: Arc<Recorder>,
    /// How many clients it serves.
    clients: AtomicUsize,
    arrivals: mpsc::UnboundedSender<Arrival>,
    clock: OnceLock<ThreadClock>,
    busy: AtomicU16,
    /// Commands so far, wrapping.
    commands: AtomicU32,
    /// Clients that had a command in this window.
    active: AtomicU32,
    /// How many clients are to go in this window, and to whom.
    surplus: AtomicU32,
    taker: AtomicUsize,
    /// Counts the windows.
    window: Arc<AtomicU32>,
    /// Of its workers a team is the owner.
    team: Weak<Team>,
}

/// What all workers share.
#[derive(Default)]
struct Team {
    workers: OnceLock<Box<[Arc<Worker>]>>,
    /// Counts the windows, so that a client knows whether it was counted in this one.
    window: Arc<AtomicU32>,
    /// Some thread's time is not to be had.
    blind: AtomicBool,
    watch: OnceLock<Mutex<Watch>>,
}

/// Whoever finds a window over holds this while it looks.
struct Watch {
    began: Instant,
    /// When it was looked last, since the start.
    last: Duration,
    /// The threads' clocks then.
    clocks: Vec<Duration>,
    balancer: Balancer,
}

thread_local! {
    static HOME: Cell<u16> = const { Cell::new(u16::MAX) };
}

/// The number of the worker that this thread is; sockets that are made here belong to it.
pub fn home() -> u16 {
    HOME.get()
}

/// All workers, as the acceptor sees them.
#[derive(Clone)]
pub struct Workers(Arc<Team>);

impl Workers {
    /// Starts the threads, one per recorder.
    ///
    /// # Errors
    /// A thread cannot be had.
    pub fn start(proxy: &Arc<Proxy>, recorders: &Recorders) -> anyhow::Result<Workers> {
        let count = proxy.settings.listen.workers;
        let team = Arc::new(Team::default());
        let (workers, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|index| Worker::new(recorders.of_worker(index), &team)).unzip();
        let _ = team.workers.set(workers.into());
        let _ = team.watch.set(Mutex::new(Watch {
            began: Instant::now(),
            last: Duration::ZERO,
            clocks: vec![Duration::ZERO; count],
            balancer: Balancer::new(count),
        }));
        for (index, receiver) in receivers.into_iter().enumerate() {
            let (proxy, team, worker) = (Arc::clone(proxy), Arc::clone(&team), Arc::clone(&team.workers()[index]));
            std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || {
                    HOME.set(u16::try_from(index).unwrap_or(u16::MAX));
                    work(proxy, worker, receiver);
                    drop(team);
                })
                .context("a worker thread")?;
        }
        Ok(Workers(team))
    }

    /// Gives a new client to the worker that should take it.
    pub fn take(&self, accepted: Accepted) {
        self.0.look();
        let workers = self.0.workers();
        if let Some(worker) = workers.get(self.0.place()) {
            // A worker that is gone takes the socket with it: the client sees a closed connection.
            let _ = worker.send(Arrival::New(accepted));
        }
    }

    /// Ends the threads, with every client that is left.
    pub fn end(&self) {
        for worker in self.0.workers() {
            // One that is gone has ended.
            let _ = worker.arrivals.send(Arrival::End);
        }
    }
}

impl Worker {
    fn new(recorder: Arc<Recorder>, team: &Arc<Team>) -> (Arc<Worker>, mpsc::UnboundedReceiver<Arrival>) {
        let (arrivals, receiver) = mpsc::unbounded_channel();
        let worker = Worker {
            recorder,
            clients: AtomicUsize::new(0),
            arrivals,
            clock: OnceLock::new(),
            busy: AtomicU16::new(0),
            commands: AtomicU32::new(0),
            active: AtomicU32::new(0),
            surplus: AtomicU32::new(0),
            taker: AtomicUsize::new(0),
            window: Arc::clone(&team.window),
            team: Arc::downgrade(team),
        };
        (Arc::new(worker), receiver)
    }

    /// To be called when a client has done a command and says nothing yet: counts, and says who shall serve the client from
    /// here on, if it is to go. `seen` is the client's own, 0 at first. Costs a few nanoseconds.
    #[inline]
    pub fn between_commands(&self, seen: &mut u32) -> Option<usize> {
        // Only this thread counts here: no addition that is atomic for others is needed.
        let commands = self.commands.load(Relaxed).wrapping_add(1);
        self.commands.store(commands, Relaxed);
        let window = self.window.load(Relaxed);
        if *seen != window {
            *seen = window;
            self.active.fetch_add(1, Relaxed);
        }
        if commands.is_multiple_of(COMMANDS_PER_LOOK)
            && let Some(team) = self.team.upgrade()
        {
            team.look();
        }
        if self.surplus.load(Relaxed) == 0 { None } else { self.give() }
    }

    #[cold]
    fn give(&self) -> Option<usize> {
        self.surplus.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).ok()?;
        Some(self.taker.load(Relaxed))
    }

    fn cpu_time(&self) -> Option<Duration> {
        self.clock.get()?.read()
    }

    /// Gives one of this worker's clients to another; back if that one's thread is gone.
    pub fn hand_over(&self, to: usize, session: Box<Session>) -> Result<(), Box<Session>> {
        let Some(team) = self.team.upgrade() else { return Err(session) };
        match team.workers()[to].send(Arrival::Moved(session)) {
            Err(Arrival::Moved(session)) => Err(session),
            _ => Ok(()),
        }
    }

    #[allow(clippy::result_large_err, reason = "the error is the client itself, given back")]
    fn send(&self, arrival: Arrival) -> Result<(), Arrival> {
        self.clients.fetch_add(1, Relaxed);
        self.arrivals.send(arrival).map_err(|refused| {
            self.clients.fetch_sub(1, Relaxed);
            refused.0
        })
    }
}

impl Team {
    fn workers(&self) -> &[Arc<Worker>] {
        self.workers.get().map_or(&[], |workers| workers)
    }

    /// Who takes a new client. Where the threads' times are not to be had: who has the fewest.
    fn place(&self) -> usize {
        let workers = self.workers();
        if self.blind.load(Relaxed) {
            let fewest = (0..workers.len()).min_by_key(|&worker| workers[worker].clients.load(Relaxed));
            return fewest.unwrap_or(0);
        }
        balance::place(&workers.iter().map(|worker| Share(worker.busy.load(Relaxed))).collect::<Vec<_>>())
    }

    /// If a window is over: what each worker did in it, and who must give clients away. One thread looks, the others go on.
    fn look(&self) {
        let Some(Ok(mut watch)) = self.watch.get().map(Mutex::try_lock) else { return };
        let now = watch.began.elapsed();
        let elapsed = now.saturating_sub(watch.last);
        if elapsed < WINDOW || self.workers().len() < 2 {
            return;
        }
        watch.last = now;
        let loads = self.loads(&mut watch.clocks, elapsed);
        self.blind.store(loads.is_none(), Relaxed);
        let Some(loads) = loads else { return };
        self.window.fetch_add(1, Relaxed);
        for worker in self.workers() {
            worker.surplus.store(0, Relaxed);
        }
        for made in watch.balancer.decide(elapsed, &loads) {
            self.order(made, &loads);
        }
    }

    /// `None` where some thread's time is not to be had.
    fn loads(&self, clocks: &mut [Duration], elapsed: Duration) -> Option<Vec<Load>> {
        let each = self.workers().iter().zip(clocks).map(|(worker, clock)| {
            let before = std::mem::replace(clock, worker.cpu_time()?);
            let busy = Share::of(clock.saturating_sub(before), elapsed);
            worker.busy.store(busy.0, Relaxed);
            Some(Load { busy, active: worker.active.swap(0, Relaxed) })
        });
        each.collect()
    }

    fn order(&self, made: Move, loads: &[Load]) {
        debug!(?made, from = ?loads[made.from], to = ?loads[made.to], "clients change their worker");
        let giver = &self.workers()[made.from];
        giver.taker.store(made.to, Relaxed);
        giver.surplus.store(made.clients, Relaxed);
    }
}

/// A worker's life: one runtime, one task per client.
fn work(proxy: Arc<Proxy>, worker: Arc<Worker>, mut arrivals: mpsc::UnboundedReceiver<Arrival>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return warn!(%error, "a worker could not start"),
    };
    if let Ok(clock) = ThreadClock::of_this_thread() {
        let _ = worker.clock.set(clock);
    }
    runtime.block_on(async {
        while let Some(arrival @ (Arrival::New(_) | Arrival::Moved(_))) = arrivals.recv().await {
            let (proxy, worker) = (Arc::clone(&proxy), Arc::clone(&worker));
            let counted = Counted(Arc::clone(&worker));
            tokio::spawn(async move {
                match arrival {
                    Arrival::New(accepted) => listen::serve(proxy, worker, accepted).await,
                    // Boxed, for a task is as large as the largest of its waits.
                    Arrival::Moved(session) => Box::pin(client::go_on(worker, session)).await,
                    Arrival::End => {}
                }
                drop(counted);
            });
        }
    });
}

/// One of a worker's clients, however its task ends.
struct Counted(Arc<Worker>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Relaxed);
    }
}
