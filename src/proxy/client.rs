//! One client's life: in by its login, then one command after the other, out with its backend returned.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use tracing::{Instrument, Level, Span, debug, debug_span, enabled, field, info, warn};

use crate::net::buffer::Buffer;
use crate::net::channel::Channel;
use crate::net::settings::{Peer, SendProxyProtocol};
use crate::net::stream::Stream;
use crate::pool::fate::RetireReason;
use crate::proxy::backend::Params;
use crate::proxy::clients::Admission;
use crate::proxy::entry::{self, Entered};
use crate::proxy::error::{self, Fault, Whose};
use crate::proxy::lease::Lease;
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::shared::Shared;
use crate::proxy::statements::Statements;
use crate::proxy::times::Times;
use crate::proxy::trace::Traced;
use crate::proxy::workers::Worker;
use crate::session::prepared_kills::PreparedKills;
use crate::stats::record::Identity;
use crate::wire::capabilities::Capabilities;
use crate::wire::fault::{self, ErrPacket};
use crate::wire::frame::put_packet;
use crate::wire::handshake::Salt;

/// A logged-in client with the backend that serves it.
pub struct Session {
    pub(super) proxy: Arc<Proxy>,
    pub(super) worker: Arc<Worker>,
    pub(super) admission: Admission,
    pub(super) peer: Peer,
    pub(super) identity: Identity,
    pub(super) client: Stream,
    pub(super) lease: Lease,
    /// The replies' shape, which both sides agreed on.
    pub(super) capabilities: Capabilities,
    /// What the client said at login of how its logins are built.
    pub(super) login_form: Capabilities,
    pub(super) params: Params,
    /// The challenge that the client was shown last.
    pub(super) salt: Salt,
    pub(super) schema: String,
    pub(super) statements: Statements,
    pub(super) prepared_kills: PreparedKills,
    /// It has left what a reset or a change of user may leave there: a resource group; on a backend that is its own a prepared XA
    /// transaction, too, which survives the connection's end alone, or the choice of COM_SET_OPTION.
    pub(super) left_what_stays: bool,
    /// The backend is between two commands: it may be reset and given to another client.
    pub(super) in_step: bool,
    /// Changes of its user that were refused.
    pub(super) refused_changes: u8,
    /// Mode `transaction`: what the client is, whichever backend serves it. `None`: its backend is its own.
    pub(super) shared: Option<Box<Shared>>,
    /// What the pool was told that the backend is held for.
    pub(super) held_for: &'static str,
    /// What the client may be late with.
    pub(super) times: Times,
    /// The backend died with an open transaction, and the client was not told yet.
    pub(super) lost_transaction: bool,
    /// The backend is free but for a KILL that is under way.
    pub(super) parks_later: bool,
    /// Not all of what the last command left can be saved: it is not offered before the next.
    pub(super) stays: bool,
    /// The backend, by the server's id, that ran the command under way, until its record is made; 0: none yet.
    pub(super) ran_on: u32,
    /// What traces are to know of it.
    pub(super) traced: Traced,
    /// The last window of the workers' balance in which this client was counted.
    window: u32,
}

/// How a session ended without anybody's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client quit, or closed between two commands.
    Quit,
    /// tidegate is shutting down.
    Leaving,
    /// The client was silent for longer than this.
    Idle(&'static str),
    /// Its transaction has lasted longer than this.
    Transaction(&'static str),
    /// The backend closed between two commands; its last words were passed on.
    BackendClosed,
    /// Another client killed it.
    Killed,
    /// It has not ended: this worker serves it from here on.
    Moved(usize),
}

/// Serves one connection from its accept to its end.
pub async fn serve(proxy: Arc<Proxy>, worker: Arc<Worker>, stream: Stream, peer: Peer, admission: Admission) {
    let id = admission.id;
    let began = Instant::now();
    match Box::pin(admit(&proxy, stream, peer, &admission)).await {
        Ok(entered) => {
            debug!(client = id, peer = %error::host(&peer), user = error::printable(&String::from_utf8_lossy(&entered.params.user)), "client is in");
            let (mut session, ahead) = Session::new(proxy, worker, peer, admission, entered);
            session.trace_login(began);
            let span = session.span();
            Box::pin(stay(session, ahead)).instrument(span).await;
        }
        Err(fault) => log_fault(&Of { id, peer: &peer, user: None, backend: None }, &fault, "login", began),
    }
}

/// The login, within `listen.login_timeout`; a refusal is told to the client here.
async fn admit(proxy: &Arc<Proxy>, stream: Stream, peer: Peer, admission: &Admission) -> Result<Entered, Fault> {
    let mut client = Channel { patience: Some(proxy.live.login_timeout()), ..Channel::new(stream) };
    match entry::enter(proxy, &mut client, peer, admission.id).await {
        Ok(found) => {
            if let Err(fault) = found.take_place(proxy, admission) {
                found.leave(proxy).await;
                tell(&mut client, &fault).await;
                return Err(fault);
            }
            // Before the client knows that it is in: from then on its id may be used.
            admission.set_backend(found.backend_id());
            found.welcome(proxy, client).await
        }
        Err(fault) => {
            tell(&mut client, &fault).await;
            Err(fault)
        }
    }
}

async fn tell(client: &mut Channel, fault: &Fault) {
    if let Some(answer) = &fault.answer {
        let answer = if client.seq == 0 { answer.before_greeting() } else { answer.clone() };
        // One packet into an empty queue: it waits for nobody.
        client.patience = None;
        let _ = client.write(&answer.payload()).await;
    }
    linger(&mut client.stream).await;
}

/// Closes so that the peer reads what was written last, even where it had sent more than was read.
pub(super) async fn linger(stream: &mut Stream) {
    use tokio::io::AsyncWriteExt;
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);
    const MAX_BYTES: usize = 1 << 20;
    let drain = async {
        let _ = stream.shutdown().await;
        let mut buffer = Buffer::take();
        let mut seen = 0;
        while seen < MAX_BYTES {
            match stream.fill(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => {
                    buffer.consume(n);
                    seen += n;
                }
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, drain).await;
}

/// Goes on with a client that another worker served before.
pub async fn go_on(worker: Arc<Worker>, mut session: Box<Session>) {
    session.worker = worker;
    match session.rehome() {
        Ok(()) => {
            let span = session.span();
            stay(session, None).instrument(span).await;
        }
        Err(fault) => Box::pin(session.end(Err(fault))).await,
    }
}

/// A client's life on one worker.
async fn stay(mut session: Box<Session>, mut ahead: Option<Buffer>) {
    loop {
        match session.run(ahead.take()).await {
            Ok(End::Moved(to)) => match Arc::clone(&session.worker).hand_over(to, session) {
                Ok(()) => return,
                Err(back) => session = back,
            },
            // What happens once in a client's life takes no room in it.
            ended => return Box::pin(session.end(ended)).await,
        }
    }
}

/// How long a client may be silent without giving back the room that its commands need, in milliseconds.
const KEEPS_ROOM: u64 = 1_000;

/// What became of a look for commands.
enum Turn {
    Served,
    /// There was none: a false alarm.
    Nothing,
    Ended(End),
}

/// Why no more commands are served for now.
enum Served {
    /// The session is over, or another worker's.
    Ended(End),
    /// There is something else to do, or nothing.
    Woken(Wake),
}

enum Wake {
    Client,
    Backend,
    /// Another client waits for the backend.
    Wanted,
    Killed,
    Leaving,
    Overdue,
    /// Something of it is due.
    Alarm,
}

impl Session {
    /// A session right after its login, and what the client sent ahead. No task's frame holds what is made of the login.
    fn new(
        proxy: Arc<Proxy>,
        worker: Arc<Worker>,
        peer: Peer,
        admission: Admission,
        entered: Entered,
    ) -> (Box<Session>, Option<Buffer>) {
        let Entered { client, capabilities, login_form, params, salt, lease, shared } = entered;
        let Channel { stream, buffer, .. } = client;
        let identity = Identity {
            client_id: lease.shown_id(admission.id),
            user: String::from_utf8_lossy(&params.user).into_owned(),
            host: error::host(&peer),
        };
        let schema = params.schema.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        admission.note_login(peer, &schema, stream.is_secure(), own_backend(&proxy, &lease, shared.is_some()));
        let session = Box::new(Session {
            schema,
            proxy,
            worker,
            admission,
            peer,
            identity,
            client: stream,
            lease,
            capabilities,
            login_form,
            params,
            salt,
            statements: Statements::default(),
            prepared_kills: PreparedKills::default(),
            left_what_stays: false,
            in_step: true,
            refused_changes: 0,
            shared,
            held_for: "",
            times: Times::default(),
            parks_later: false,
            lost_transaction: false,
            stays: false,
            ran_on: 0,
            traced: Traced::default(),
            window: 0,
        });
        (session, (!buffer.is_empty()).then_some(buffer))
    }

    /// From the login to the end.
    async fn run(&mut self, mut ahead: Option<Buffer>) -> Result<End, Fault> {
        self.note_waker().await;
        loop {
            let mut wake = match ahead.is_some() {
                true => Wake::Client,
                false => self.idle(None).await,
            };
            if matches!(wake, Wake::Client) {
                // Boxed, so that an idle client does not hold the room that a command needs; for many commands, so that a busy
                // one does not ask for it each time.
                match Box::pin(self.serve(ahead.take())).await? {
                    Served::Ended(end) => return Ok(end),
                    Served::Woken(by) => wake = by,
                }
            }
            if let Some(end) = Box::pin(self.awake(wake)).await? {
                return Ok(end);
            }
        }
    }

    /// Does what an idle client is woken for, but for its own next command. `Some`: the session is over.
    async fn awake(&mut self, wake: Wake) -> Result<Option<End>, Fault> {
        Ok(match wake {
            Wake::Client => None,
            Wake::Leaving => Some(End::Leaving),
            Wake::Overdue => Some(End::Idle("listen.idle_timeout")),
            Wake::Killed => Some(End::Killed),
            Wake::Alarm => self.time_has_come().await,
            Wake::Backend => self.backend_spoke().await?.then_some(End::BackendClosed),
            Wake::Wanted => {
                self.give_up().await;
                None
            }
        })
    }

    /// Command after command, until the client is silent for a while or something else wakes it.
    async fn serve(&mut self, mut ahead: Option<Buffer>) -> Result<Served, Fault> {
        loop {
            match self.serve_turn(ahead.take()).await? {
                Turn::Served => {}
                // Many who come at once, and say nothing, must not all have room.
                Turn::Nothing => return Ok(Served::Woken(Wake::Client)),
                Turn::Ended(end) => return Ok(Served::Ended(end)),
            }
            if let Some(to) = self.worker.between_commands(&mut self.window) {
                return Ok(Served::Ended(End::Moved(to)));
            }
            match self.idle(Some(KEEPS_ROOM)).await {
                Wake::Client => {}
                wake => return Ok(Served::Woken(wake)),
            }
        }
    }

    /// The commands that have come.
    async fn serve_turn(&mut self, ahead: Option<Buffer>) -> Result<Turn, Fault> {
        let mut started = Instant::now();
        let mut buffer = ahead.unwrap_or_else(Buffer::take);
        if buffer.is_empty() {
            match fill_now(&mut self.client, &mut buffer).await.map_err(Fault::client_io)? {
                None => return Ok(Turn::Nothing),
                Some(0) => return Ok(Turn::Ended(End::Quit)),
                Some(_) => {}
            }
        }
        self.times.client_spoke();
        self.stays = false;
        loop {
            let ended = match enabled!(Level::DEBUG) {
                false => self.command(&mut buffer, started).await?,
                true => Box::pin(self.command(&mut buffer, started).instrument(query_span())).await?,
            };
            if let Some(end) = ended {
                return Ok(Turn::Ended(end));
            }
            if self.admission.is_killed() {
                return Ok(Turn::Ended(End::Killed));
            }
            if self.times.is_over {
                return Ok(Turn::Ended(End::Transaction("pool.transaction_timeout")));
            }
            if buffer.is_empty() {
                return Ok(Turn::Served);
            }
            started = Instant::now();
        }
    }

    /// Its sockets wake this thread from here on.
    fn rehome(&mut self) -> Result<(), Fault> {
        self.lease.rehome().map_err(|error| {
            self.in_step = false;
            Fault::backend_io(error)
        })?;
        self.client.rehome().map(drop).map_err(Fault::client_io)
    }

    /// Waits for whoever speaks first, holding no buffer; `at_most` so many milliseconds, about.
    async fn idle(&mut self, at_most: Option<u64>) -> Wake {
        self.admission.await_client();
        self.offer();
        self.await_times(at_most);
        let wake = std::future::poll_fn(|cx| {
            if self.admission.is_leaving() {
                return Poll::Ready(Wake::Leaving);
            }
            if self.admission.is_overdue() {
                return Poll::Ready(Wake::Overdue);
            }
            if self.admission.has_rung() {
                return Poll::Ready(Wake::Alarm);
            }
            if self.lease.is_held() && self.lease.backend_mut().stream.poll_readable(cx).is_ready() {
                return Poll::Ready(Wake::Backend);
            }
            if self.admission.is_killed() {
                return Poll::Ready(Wake::Killed);
            }
            // As long as somebody kills it, it cannot go: to try would be to try for ever.
            let is_wanted = if self.parks_later { !self.admission.is_being_killed() } else { self.is_asked(cx) };
            if is_wanted {
                return Poll::Ready(Wake::Wanted);
            }
            self.client.poll_readable(cx).map(|_| Wake::Client)
        })
        .await;
        self.admission.client_moved();
        if matches!(wake, Wake::Alarm) {
            self.admission.stop_alarm();
        }
        if !matches!(wake, Wake::Wanted) {
            self.keep();
        }
        wake
    }

    /// So that this task can be woken by those who ask something of it.
    async fn note_waker(&self) {
        std::future::poll_fn(|cx| {
            self.admission.set_waker(cx.waker());
            Poll::Ready(())
        })
        .await;
    }

    /// A backend that speaks unasked says goodbye (a timeout, a KILL, a shutdown): its words are passed on.
    /// `false`: it was a false alarm.
    pub(super) async fn backend_spoke(&mut self) -> Result<bool, Fault> {
        let mut buffer = Buffer::take();
        let said = fill_now(&mut self.lease.backend_mut().stream, &mut buffer).await;
        // Whatever it says, a client that can take another backend need not hear it.
        // An open transaction is gone with it: that the client hears, once, with its next command.
        // In the middle of a command there is no other backend to take.
        let may_change = self.in_step && self.outlives_backend();
        if !matches!(said, Ok(None)) && may_change {
            self.lost_transaction = !self.can_change_backend();
            self.forget();
            self.drop_backend(RetireReason::ServerClosed);
            return Ok(false);
        }
        match said {
            Ok(None) => Ok(false),
            Ok(Some(n)) => {
                self.in_step = false;
                if n > 0 {
                    self.client.send(buffer.filled()).await.map_err(Fault::client_io)?;
                }
                Ok(true)
            }
            Err(error) => {
                self.in_step = false;
                Err(Fault { answer: None, ..Fault::backend_io(error) })
            }
        }
    }

    async fn end(mut self: Box<Self>, ended: Result<End, Fault>) {
        let began = Instant::now();
        self.trace_end();
        let (client, user) = (self.admission.id, error::printable(&self.identity.user));
        let backend = Some(self.record_backend()).filter(|id| *id != 0);
        match &ended {
            Ok(End::Killed) => {
                info!(client, user, backend, "killed by another client");
                self.in_step = false;
            }
            Ok(End::Quit | End::Moved(_)) => debug!(client, user, backend, "client quit"),
            Ok(End::Leaving) => self.say(0, &shutting_down()).await,
            Ok(End::Idle(limit) | End::Transaction(limit)) => {
                let what = if matches!(ended, Ok(End::Idle(_))) { "idle" } else { "its transaction" };
                info!(client, user, backend, "closed: {what} for longer than {limit}");
                if says_why_it_closes(&self.proxy) {
                    self.say(0, &idle_for_too_long()).await;
                }
            }
            Ok(End::BackendClosed) => {
                info!(client, user, backend, "the backend closed this client's connection");
            }
            Err(fault) => {
                log_fault(&Of { id: client, peer: &self.peer, user: Some(&user), backend }, fault, "session", began);
                if let Some(answer) = &fault.answer {
                    self.say(1, answer).await;
                }
            }
        }
        self.admission.set_backend(0);
        // A KILL of it that comes late must not hit the backend's next client.
        self.admission.until_not_being_killed().await;
        self.in_step &= !self.admission.is_killed() && !self.left_what_stays;
        self.let_go();
        let Session { proxy, mut client, lease, in_step, .. } = *self;
        // Neither waits for the other: the client not for the backend's reset, nor who waits for its place for the client.
        let goodbye = async move {
            if !matches!(ended, Ok(End::Quit)) {
                linger(&mut client).await;
            }
        };
        tokio::join!(goodbye, lease.end(&proxy, in_step));
    }

    /// Around all that is logged of this client; nothing where that is not asked for.
    fn span(&self) -> Span {
        debug_span!("client", id = self.admission.id, user = error::printable(&self.identity.user))
    }

    /// Tells the client, if it is still there to listen.
    pub(super) async fn say(&mut self, seq: u8, answer: &ErrPacket) {
        let mut packet = Vec::new();
        put_packet(&mut packet, seq, &answer.payload());
        let _ = self.client.send(&packet).await;
    }
}

/// Why a client shares no backends with others, in the words of `SHOW CLIENTS`; empty: it does.
fn own_backend(proxy: &Proxy, lease: &Lease, shares: bool) -> &'static str {
    match proxy.settings.mode {
        Mode::Observe => "pool.mode = observe",
        _ if shares => "",
        _ if lease.secret.is_none() => "its login was relayed: tidegate does not know the password",
        _ if proxy.settings.backend.send_proxy_protocol != SendProxyProtocol::Off => "backend.send_proxy_protocol",
        // Lent for as long as the client stays.
        Mode::Session | Mode::Transaction => "",
    }
}

/// Reads once; `None` if there was nothing to read after all.
pub(super) async fn fill_now(stream: &mut Stream, buffer: &mut Buffer) -> std::io::Result<Option<usize>> {
    std::future::poll_fn(|cx| match stream.poll_fill(cx, buffer) {
        Poll::Ready(read) => Poll::Ready(read.map(Some)),
        Poll::Pending => Poll::Ready(Ok(None)),
    })
    .await
}

/// MySQL 8 and later send an ERR before they close an idle connection; the others just close it.
fn says_why_it_closes(proxy: &Proxy) -> bool {
    proxy.face().is_some_and(|face| {
        let major = face.greeting.version.split(|&b| b == b'.').next().unwrap_or_default();
        let major: Option<u32> = std::str::from_utf8(major).ok().and_then(|major| major.parse().ok());
        !face.greeting.is_mariadb() && major.is_some_and(|major| major >= 8)
    })
}

fn idle_for_too_long() -> ErrPacket {
    let text = "The client was disconnected by the server because of inactivity. See wait_timeout and \
                interactive_timeout for configuring this behavior.";
    ErrPacket::new(fault::CLIENT_IDLE, b"HY000", text)
}

/// ERR 1053, as servers say it.
pub(super) fn shutting_down() -> ErrPacket {
    ErrPacket::new(fault::SERVER_SHUTDOWN, b"08S01", "Server shutdown in progress")
}

/// Around one command; what it was is filled in where its record is made.
fn query_span() -> Span {
    debug_span!("query", command = field::Empty, digest = field::Empty, backend = field::Empty)
}

/// Whose fault it was.
struct Of<'a> {
    id: u32,
    peer: &'a Peer,
    /// From the login on.
    user: Option<&'a str>,
    /// While it has one.
    backend: Option<u32>,
}

fn log_fault(of: &Of<'_>, fault: &Fault, during: &str, began: Instant) {
    let Of { id: client, user, backend, .. } = *of;
    let (peer, why, after) = (error::host(of.peer), error::printable(&fault.why), began.elapsed());
    match fault.whose {
        // A health checker connects and closes, again and again.
        Whose::Client if fault.quiet => {
            debug!(client, peer, user, backend, during, ?after, fault = "client", "{why}");
        }
        Whose::Client => info!(client, peer, user, backend, during, ?after, fault = "client", "{why}"),
        Whose::Backend => warn!(client, peer, user, backend, during, ?after, fault = "backend", "{why}"),
        Whose::Tidegate => warn!(client, peer, user, backend, during, ?after, fault = "tidegate", "{why}"),
    }
}
