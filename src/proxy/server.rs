//! One running proxy: what all its clients share, its signals, its end.

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use arc_swap::ArcSwapOption;
use tokio::sync::{OnceCell, mpsc};
use tracing::{info, warn};

use crate::login::credentials::Credentials;
use crate::login::greet::{Face, salt_from};
use crate::login::methods::Method;
use crate::login::methods::fingerprint::PROOF_LEN;
use crate::login::methods::rsa_key::RsaKey;
use crate::login::methods::secret::Secret;
use crate::net::channel::Channel;
use crate::net::settings::Address;
use crate::net::tls::{BackendTlsConfig, ServerTls};
use crate::pool;
use crate::proxy::accounts::Accounts;
use crate::proxy::clients::Clients;
use crate::proxy::connect::Connector;
use crate::proxy::descriptors;
use crate::proxy::entrants::Entrants;
use crate::proxy::error::Fault;
use crate::proxy::lease::Pool;
use crate::proxy::listen::{self, Listeners};
use crate::proxy::live::Live;
use crate::proxy::logins::Logins;
use crate::proxy::proof::first_right;
use crate::proxy::report::Reporter;
use crate::proxy::running::{Order, Running};
use crate::proxy::settings::ProxySettings;
use crate::proxy::setup::Questions;
use crate::proxy::unseen::UnseenTriggers;
use crate::proxy::workers::Workers;
use crate::session::baseline::Baselines;
use crate::session::statements::Registry;
use crate::sql::digest::fingerprint;
use crate::sql::flags::Flags;
use crate::stats::recorder::{RecorderSettings, Recorders};
use crate::stats::slow_log::SlowLog;
use crate::stats::trace::Traces;
use crate::wire::fault::{self, ErrPacket};
use crate::wire::handshake::Salt;

/// How long clients may take to end their commands after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);

/// The time is told at least so often: servers close idle connections after one second at the soonest.
const MOST_PAUSE: Duration = Duration::from_millis(250);

/// How many prepared statements are kept open on one backend at first: with the usual number of backends far below the
/// servers' usual `max_prepared_stmt_count`, 16382.
const MAX_STATEMENTS: usize = 150;

/// What all clients of one proxy share.
pub struct Proxy {
    /// The configuration.
    pub settings: ProxySettings,
    /// What the backend last said of itself.
    pub face: ArcSwapOption<Face>,
    /// TLS towards clients.
    pub tls: Option<ServerTls>,
    /// TLS towards the backend.
    pub backend_tls: Option<BackendTlsConfig>,
    /// What is known of accounts.
    pub credentials: Credentials,
    /// The server's account tables.
    pub accounts: Accounts,
    /// Who is connected.
    pub clients: Arc<Clients>,
    /// The backend connections.
    pub pool: Pool,
    /// What logins begin with, in mode `transaction`.
    pub baselines: Mutex<Baselines>,
    /// What logins were seen to begin with lately.
    pub logins: Logins,
    /// What is asked of a new connection.
    pub questions: ArcSwapOption<Questions>,
    /// All prepared statements, in mode `transaction`.
    pub registry: Mutex<Registry>,
    /// There are triggers, on a server that announces nothing of what they set.
    pub unseen_triggers: UnseenTriggers,
    /// Logins that hold a connection before their client has proved who it is.
    pub entrants: Entrants,
    /// How many prepared statements are kept open on one backend.
    pub max_statements: AtomicUsize,
    /// Held by whoever uses the one connection beside the pool's bound.
    pub control: tokio::sync::Mutex<()>,
    /// Slow statements go here.
    pub slow_log: Option<SlowLog>,
    /// The traffic goes into a trace, while one is recorded.
    pub traces: Traces,
    /// The settings that may change while it runs.
    pub live: Live,
    rsa: OnceCell<RsaKey>,
}

impl Proxy {
    pub(super) fn new(settings: ProxySettings) -> anyhow::Result<Proxy> {
        let rsa = match &settings.auth.rsa_private_key {
            Some(path) => OnceCell::new_with(Some(RsaKey::from_pem_file(path).context("auth.rsa_private_key")?)),
            None => OnceCell::new(),
        };
        Ok(Proxy {
            face: ArcSwapOption::empty(),
            tls: ServerTls::new(&settings.listen).context("listen.tls")?,
            backend_tls: BackendTlsConfig::new(&settings.backend).context("backend.tls")?,
            credentials: Credentials::new(&settings.auth),
            accounts: Accounts::default(),
            clients: Arc::default(),
            pool: Pool::new(settings.pool.clone()),
            baselines: Mutex::default(),
            logins: Logins::default(),
            questions: ArcSwapOption::empty(),
            registry: Mutex::default(),
            unseen_triggers: UnseenTriggers::default(),
            entrants: Entrants::default(),
            max_statements: AtomicUsize::new(MAX_STATEMENTS),
            control: tokio::sync::Mutex::new(()),
            slow_log: SlowLog::open(&settings.slow_log, fingerprint).context("slow_log.path")?,
            traces: Traces::default(),
            live: Live::new(&settings),
            rsa,
            settings,
        })
    }

    /// The backend's greeting, if any was seen.
    pub fn face(&self) -> Option<Arc<Face>> {
        self.face.load_full()
    }

    /// The backend has greeted. Another version is another server: nothing that was asked of the one before counts.
    pub fn meet(&self, face: Face) {
        let is_other = self.face().is_some_and(|before| before.greeting.version != face.greeting.version);
        if is_other {
            self.questions.store(None);
            self.logins.forget();
        }
        if self.face.load().is_none() || is_other {
            self.trace_server(&face.greeting.version);
        }
        self.face.store(Some(Arc::new(face)));
    }

    /// A statement has run that changes what logins are, or begin with.
    pub fn note_effects(&self, flags: Flags) {
        if flags.any(Flags::SETS_GLOBAL.with(Flags::CREDENTIALS)) {
            self.logins.forget();
        }
        if flags.has(Flags::CREDENTIALS) {
            self.credentials.expire_all();
            self.pool.retire_all();
        }
    }

    /// Whether the backend is reached by a Unix socket, where accounts can be entered by place.
    pub fn backend_is_unix(&self) -> bool {
        matches!(self.settings.backend.address, Address::Unix(_))
    }

    /// A fresh challenge.
    pub fn new_salt(&self) -> Result<Salt, Fault> {
        let mut random = Salt::default();
        aws_lc_rs::rand::fill(&mut random).map_err(|_| {
            Fault::own("no random numbers", ErrPacket::new(fault::BAD_HANDSHAKE, b"08S01", "Bad handshake"))
        })?;
        Ok(salt_from(random))
    }

    /// tidegate's RSA key, made when it is first needed.
    pub async fn rsa_key(&self) -> Result<&RsaKey, Fault> {
        let failed = |why: String| Fault::own(why, ErrPacket::new(fault::BAD_HANDSHAKE, b"08S01", "Bad handshake"));
        self.rsa
            .get_or_try_init(|| async {
                // A fraction of a second of arithmetic, which must not hold up the worker's other clients.
                let made = tokio::task::spawn_blocking(RsaKey::generate).await;
                made.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
            })
            .await
    }

    /// What is known of an account beside `[[user]]`: learned at a login, or read from the account tables.
    pub async fn known_secrets(&self, user: &[u8], now: Instant) -> Vec<Secret> {
        let learned = self.credentials.undoubted(user);
        let read = match self.credentials.read(user, now) {
            Some(read) => read,
            None => self.accounts.read(self, user).await,
        };
        learned.into_iter().chain(read).collect()
    }

    /// An answer did not agree with what was known of the account: by the account tables as they are now, is it right? Where they
    /// tell nothing, the next client is judged by the server.
    pub async fn right_by_fresh_reading(
        &self,
        user: &[u8],
        method: &Method,
        salt: &Salt,
        answer: &[u8],
    ) -> Option<Secret> {
        self.credentials.forget_read(user);
        let read = self.accounts.read(self, user).await;
        if read.is_empty() {
            self.credentials.doubt(user);
        }
        first_right(&read, method, salt, answer)
    }

    /// For MariaDB's newer clients: that tidegate's certificate is the one of who knows the password's hash.
    pub fn certificate_proof(&self, client: &Channel, login: &ProofOf<'_>) -> Option<[u8; PROOF_LEN]> {
        client.stream.tls_info()?;
        login.secret.fingerprint_proof(login.method, login.salt, self.tls.as_ref()?.fingerprint())
    }

    /// `pool_size` of a `[[user]]`.
    pub fn pool_size_of(&self, user: &[u8]) -> Option<usize> {
        self.live.pool_size_of(user)
    }
}

/// By what a login was proved.
pub struct ProofOf<'a> {
    /// The secret.
    pub secret: &'a Secret,
    /// The method of the client's answer.
    pub method: &'a Method,
    /// The challenge that it answered.
    pub salt: &'a Salt,
}

/// What SIGHUP does beside opening the files anew. It is called on the proxy's own task and must not block for long.
pub type OnHangup = Box<dyn Fn()>;

/// Runs a proxy until SIGTERM or SIGINT, then lets its clients finish. Blocks. `attach` is given the running proxy before its
/// first client.
///
/// # Errors
/// `attach` has failed; a listener cannot be bound, a certificate or key cannot be used, a thread or a file cannot be had.
pub fn serve(
    settings: ProxySettings,
    attach: impl FnOnce(Running) -> anyhow::Result<OnHangup>,
) -> Result<(), anyhow::Error> {
    run_on_this_thread(settings, Signals::new, |running| {
        let on_hangup = attach(running)?;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        Ok(on_hangup)
    })
}

/// Runs a proxy within another program, whose signals stay its own, until [`Running::drain`]. Blocks. `attach` is given the
/// running proxy before its first client.
///
/// # Errors
/// As [`serve`].
pub fn embed(settings: ProxySettings, attach: impl FnOnce(Running) -> anyhow::Result<()>) -> Result<(), anyhow::Error> {
    run_on_this_thread(
        settings,
        || Ok(Signals::none()),
        |running| attach(running).map(|()| Box::new(|| {}) as OnHangup),
    )
}

fn run_on_this_thread(
    settings: ProxySettings,
    signals: impl FnOnce() -> std::io::Result<Signals>,
    attach: impl FnOnce(Running) -> anyhow::Result<OnHangup>,
) -> Result<(), anyhow::Error> {
    let recorders = Arc::new(Recorders::new(
        settings.listen.workers,
        RecorderSettings {
            redact: settings.slow_log.redact,
            ..RecorderSettings::for_workers(settings.listen.workers, fingerprint)
        },
    ));
    let proxy = Arc::new(Proxy::new(settings)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime")?;
    runtime.block_on(async { run(proxy, recorders, signals().context("signal handlers")?, attach).await })
}

async fn run(
    proxy: Arc<Proxy>,
    recorders: Arc<Recorders>,
    mut signals: Signals,
    attach: impl FnOnce(Running) -> anyhow::Result<OnHangup>,
) -> anyhow::Result<()> {
    let bound = proxy.pool.settings().bound();
    descriptors::allow_clients(proxy.settings.listen.max_clients, bound);
    let listeners = Listeners::bind(&proxy.settings.listen).await?;
    let mut reporter = Reporter::open(&proxy.settings.histogram, Arc::clone(&recorders)).context("histogram.path")?;
    let (sender, mut orders) = mpsc::unbounded_channel();
    let running = Running::new(Arc::clone(&proxy), Arc::clone(&recorders), sender, listeners.addresses());
    let on_hangup = attach(running.clone())?;
    let workers = Workers::start(&proxy, &recorders)?;
    let keeper = tokio::spawn(pool::keeper::keep(proxy.pool.clone(), Connector::new(&proxy)));
    let watching = tokio::spawn(tell_time(Arc::clone(&proxy)));
    announce(&proxy);
    let accepting = tokio::spawn(listen::accept(listeners, workers.clone()));
    loop {
        tokio::select! {
            () = reporter.interval() => reporter.write_interval(),
            signal = signals.next() => match signal {
                Signal::Dump => reporter.dump(),
                Signal::Reopen => {
                    if let Some(slow_log) = &proxy.slow_log { slow_log.reopen(); }
                    reporter.reopen();
                    on_hangup();
                }
                Signal::End => break,
            },
            Some(order) = orders.recv() => match order {
                Order::Interval(interval) => reporter.set_interval(interval),
                Order::Drain => break,
            },
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    accepting.abort();
    running.set_draining();
    drain(&proxy, &mut signals).await;
    workers.end();
    keeper.abort();
    watching.abort();
    reporter.dump();
    running.stop_recording(Duration::from_secs(2));
    if let Some(slow_log) = &proxy.slow_log {
        let _ = slow_log.shutdown(Duration::from_secs(2));
    }
    Ok(())
}

/// Looks at all clients now and then: the more often, the shorter the shortest limit is.
async fn tell_time(proxy: Arc<Proxy>) {
    let pause_and_limit = || {
        let (limits, idle) = (proxy.live.limits(), proxy.live.idle_timeout());
        let set = [idle, limits.query_timeout, limits.transaction_timeout, limits.idle_transaction_timeout];
        let pause = set.into_iter().flatten().map(|limit| limit / 10).fold(MOST_PAUSE, Duration::min);
        (pause.max(Duration::from_millis(10)), idle)
    };
    proxy.clients.tell_time(pause_and_limit).await;
}

fn announce(proxy: &Proxy) {
    let listen: Vec<_> = proxy.settings.listen.addresses.iter().map(ToString::to_string).collect();
    info!(listen = listen.join(", "), backend = %proxy.settings.backend.address, mode = ?proxy.settings.mode, "tidegate is up");
    let auth = &proxy.settings.auth;
    if auth.users.is_empty() && auth.service.is_none() {
        info!(
            "no [[user]] and no auth.service_user: accounts with mysql_native_password over plain TCP get a connection of \
             their own and are not pooled. To pool them: CREATE USER 'tidegate'@'..' IDENTIFIED BY '..'; GRANT SELECT ON \
             mysql.user TO 'tidegate'@'..'; and name it in auth.service_user (`tidegate check --connect` says more)"
        );
    }
}

/// Ends all clients at their next command boundary; waits, but not for ever, and not after a second signal.
async fn drain(proxy: &Proxy, signals: &mut Signals) {
    let asked = proxy.clients.ask_all_to_leave();
    info!(clients = asked, "draining: each client may finish its command");
    proxy.pool.close();
    let empty = async {
        while proxy.clients.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(2), proxy.pool.drained()).await;
    };
    tokio::select! {
        () = empty => info!("drained"),
        () = tokio::time::sleep(DRAIN) => warn!(clients = proxy.clients.count(), "some clients did not end in time"),
        () = signals.ended() => warn!(clients = proxy.clients.count(), "second signal: not waiting any longer"),
    }
}

enum Signal {
    End,
    Dump,
    Reopen,
}

/// What a process is told by signals; `None`: this proxy is told nothing that way.
struct Signals(Option<Listened>);

struct Listened {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
    usr1: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals(Some(Listened {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
        })))
    }

    fn none() -> Signals {
        Signals(None)
    }

    async fn next(&mut self) -> Signal {
        let Some(listened) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = listened.term.recv() => Signal::End,
            _ = listened.int.recv() => Signal::End,
            _ = listened.hup.recv() => Signal::Reopen,
            _ = listened.usr1.recv() => Signal::Dump,
        }
    }

    async fn ended(&mut self) {
        while !matches!(self.next().await, Signal::End) {}
    }
}
