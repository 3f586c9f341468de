//! A running proxy as its admin view sees it: what can be looked at, and what it can be told to do. Nothing here costs a query
//! anything but the moment in which a reader copies what it looks at.

mod kill;
mod probe;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tracing::{info, warn};

pub use self::kill::{KillError, Killed};
use self::probe::Probe;
pub use crate::net::settings::Peer;
use crate::net::tls::ServerTls;
use crate::pool::connections::ConnectionUse;
use crate::pool::snapshot::Snapshot as PoolSnapshot;
pub use crate::proxy::clients::about::ClientView;
pub use crate::proxy::error::{access_denied, host};
pub use crate::proxy::pool_key::Key;
use crate::proxy::server::Proxy;
pub use crate::proxy::settings::Mode;
use crate::proxy::settings::ProxySettings;
use crate::sql::digest::fingerprint;
use crate::stats::recorder::Recorders;
use crate::stats::slow_log::SlowLogCounts;
use crate::stats::snapshot::Snapshot;
use crate::stats::trace::{TraceCounts, TraceSettings};
use crate::wire::handshake::Salt;

/// The recorders are copied no more often than this, however many look.
const STATS_LIFE: Duration = Duration::from_millis(100);

/// What the proxy's own task is asked to do.
pub(super) enum Order {
    /// As SIGTERM.
    Drain,
    /// Another `histogram.interval`.
    Interval(Duration),
}

/// A handle; clones are of the same proxy.
#[derive(Clone)]
pub struct Running(Arc<Inner>);

struct Inner {
    proxy: Arc<Proxy>,
    recorders: Arc<Recorders>,
    orders: mpsc::UnboundedSender<Order>,
    addresses: Vec<SocketAddr>,
    began: Instant,
    started: Duration,
    draining: AtomicBool,
    stats: Mutex<Option<(Instant, Arc<Snapshot>)>>,
    probe: Probe,
}

impl Running {
    pub(super) fn new(
        proxy: Arc<Proxy>,
        recorders: Arc<Recorders>,
        orders: mpsc::UnboundedSender<Order>,
        addresses: Vec<SocketAddr>,
    ) -> Running {
        Running(Arc::new(Inner {
            proxy,
            recorders,
            orders,
            addresses,
            began: Instant::now(),
            started: now(),
            draining: AtomicBool::new(false),
            stats: Mutex::new(None),
            probe: Probe::default(),
        }))
    }

    /// When it began, since 1970.
    pub fn started(&self) -> Duration {
        self.0.started
    }

    /// How long it has been running.
    pub fn uptime(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Where it listens by TCP, with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.0.addresses
    }

    /// `pool.mode`
    pub fn mode(&self) -> Mode {
        self.0.proxy.settings.mode
    }

    /// The backend's address.
    pub fn backend(&self) -> String {
        self.0.proxy.settings.backend.address.to_string()
    }

    /// The server's version as its last greeting said it; `None`: it has not greeted yet.
    pub fn server_version(&self) -> Option<String> {
        let face = self.0.proxy.face()?;
        Some(String::from_utf8_lossy(&face.greeting.version).into_owned())
    }

    /// `listen.max_clients`
    pub fn max_clients(&self) -> usize {
        self.0.proxy.live.max_clients()
    }

    /// TLS as clients of the proxy get it; `None`: off.
    pub fn tls(&self) -> Option<ServerTls> {
        self.0.proxy.tls.clone()
    }

    /// A fresh challenge for a login; `None`: there are no random numbers.
    pub fn new_salt(&self) -> Option<Salt> {
        self.0.proxy.new_salt().ok()
    }

    /// How many clients are connected.
    pub fn client_count(&self) -> usize {
        self.0.proxy.clients.count()
    }

    /// All clients.
    pub fn clients(&self) -> Vec<ClientView> {
        self.0.proxy.clients.list()
    }

    /// The pool.
    pub fn pool(&self) -> PoolSnapshot<Key> {
        self.0.proxy.pool.snapshot()
    }

    /// Every permit of the pool that is in use.
    pub fn connections(&self) -> Vec<ConnectionUse<Key>> {
        self.0.proxy.pool.connections(|backend| backend.id)
    }

    /// The sessions' `wait_timeout` at a login, as the server said it last; `None`: nobody has logged in yet.
    pub fn wait_timeout(&self) -> Option<Duration> {
        self.0.proxy.logins.wait_timeout()
    }

    /// How many prepared statements the registry has.
    pub fn prepared_statements(&self) -> usize {
        lock(&self.0.proxy.registry).len()
    }

    /// What became of slow statements; `None`: there is no slow log.
    pub fn slow_log(&self) -> Option<SlowLogCounts> {
        self.0.proxy.slow_log.as_ref().map(|log| log.counts())
    }

    /// Everything that was recorded since the start, or a reset; as old as 100 ms.
    pub fn stats(&self) -> Arc<Snapshot> {
        let mut stats = lock(&self.0.stats);
        if let Some((at, snapshot)) = &*stats
            && at.elapsed() < STATS_LIFE
        {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(self.0.recorders.snapshot());
        *stats = Some((Instant::now(), Arc::clone(&snapshot)));
        snapshot
    }

    /// Begins a trace. Meets the disk.
    ///
    /// # Errors
    /// One is being recorded already, or its file cannot be made.
    pub fn start_recording(&self, settings: TraceSettings) -> io::Result<()> {
        let proxy = &self.0.proxy;
        let (path, literals) = (settings.path.display().to_string(), settings.literals);
        proxy.traces.start(settings, proxy.origin(literals))?;
        info!(path, literals, "recording a trace");
        Ok(())
    }

    /// Ends the trace that is being recorded, and waits until it is written, but no longer than `timeout`. Blocks the thread.
    /// `None`: there is none.
    pub fn stop_recording(&self, timeout: Duration) -> Option<(TraceSettings, TraceCounts)> {
        let (settings, counts, is_written) = self.0.proxy.traces.stop(timeout)?;
        let TraceCounts { written, lost, .. } = counts;
        match is_written {
            true => info!(path = %settings.path.display(), written, lost, "the trace is written"),
            false => {
                warn!(path = %settings.path.display(), written, lost, "the trace is not written yet: the disk is slow")
            }
        }
        Some((settings, counts))
    }

    /// The trace that is being recorded.
    pub fn recording(&self) -> Option<(TraceSettings, TraceCounts)> {
        let recording = self.0.proxy.traces.current()?;
        Some((recording.settings().clone(), recording.counts()))
    }

    /// Forgets what was recorded: counters, histograms, digests. What the pool counts goes on.
    pub fn reset_stats(&self) {
        let mut stats = lock(&self.0.stats);
        self.0.recorders.reset();
        *stats = None;
    }

    /// A statement without its literals, for those who look.
    pub fn without_literals(&self, statement: &[u8]) -> String {
        fingerprint(statement)
    }

    /// Whether the proxy is on its way to its end.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    pub(super) fn set_draining(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server can be reached.
    ///
    /// # Errors
    /// It cannot: why.
    pub async fn reach(&self) -> Result<(), String> {
        let inner = &self.0;
        inner.probe.look(&inner.proxy).await
    }

    /// Ends a client, or its statement, as its own account may.
    ///
    /// # Errors
    /// See [`KillError`].
    pub async fn kill(&self, id: u32, query_only: bool) -> Result<Killed, KillError> {
        kill::kill(&self.0.proxy, id, query_only).await
    }

    /// Nobody gets a backend any more: who needs one waits. `false`: each client has its own backend, and nobody waits.
    pub fn pause(&self) -> bool {
        let has_pool = self.mode() != Mode::Observe;
        if has_pool {
            self.0.proxy.pool.pause();
            info!("paused: clients that need a backend wait");
        }
        has_pool
    }

    /// Ends a pause; whether there was one.
    pub fn resume(&self) -> bool {
        let was_paused = self.0.proxy.pool.resume();
        if was_paused {
            info!("the pause is over");
        }
        was_paused
    }

    /// Ends the proxy as SIGTERM does: no new clients, those that are here finish their commands.
    pub fn drain(&self) {
        let _ = self.0.orders.send(Order::Drain);
    }

    /// Puts into force what may change while it runs ([`is_live`]).
    pub fn reconfigure(&self, settings: &ProxySettings) {
        let proxy = &self.0.proxy;
        let users_before: Vec<String> = proxy.live.capped_users();
        proxy.live.apply(settings);
        proxy.pool.reconfigure(settings.pool.clone());
        for user in &settings.auth.users {
            proxy.pool.set_cap(&user.name, user.pool_size);
        }
        let is_gone = |name: &&String| settings.auth.users.iter().all(|user| user.name != **name);
        users_before.iter().filter(is_gone).for_each(|name| proxy.pool.set_cap(name, None));
        for user in proxy.credentials.reconfigure(&settings.auth) {
            proxy.pool.retire_account(&String::from_utf8_lossy(&user));
        }
        if let Some(slow_log) = &proxy.slow_log {
            slow_log.reconfigure(&settings.slow_log);
        }
        if self.0.orders.send(Order::Interval(settings.histogram.interval)).is_err() {
            warn!("histogram.interval is as before: tidegate is ending");
        }
    }
}

/// Whether a change of this key (`pool.size`, `user.password`) is put into force while the proxy runs.
pub fn is_live(key: &str) -> bool {
    const POOL_BUT: &str = "pool.mode";
    const LIVE: &[&str] = &[
        "listen.max_clients",
        "listen.login_timeout",
        "listen.idle_timeout",
        "auth.recheck",
        "slow_log.threshold",
        "slow_log.basis",
        "slow_log.sample",
        "slow_log.user_thresholds",
        "slow_log.rate",
        "histogram.interval",
    ];
    (key.starts_with("pool.") && key != POOL_BUT) || key.starts_with("user.") || LIVE.contains(&key)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A panic elsewhere leaves these whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
