//! Runs a program by one way, direct or through a hop, and writes down every reply.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::action::{Action, value};
use super::fixture;
use super::mask::{Known, mask};
use super::program::{Profile, Program};
use super::wire::{BASE, End, FOUND_ROWS, MULTI_STATEMENTS, Reply, Wire};

/// How long a server may take to see that a client is gone.
const GONE: Duration = Duration::from_millis(60);
const RUNNING: Duration = Duration::from_secs(5);

/// One reply for each step, and the logins before it.
pub type Transcript = Vec<Entry>;

/// What a session got for a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The login's end came first where the step began with one.
    Said(Option<Reply>, Reply),
    /// The session's connection had ended before.
    Gone(Option<Reply>),
}

/// By which way.
#[derive(Clone, Copy)]
pub struct Way {
    pub address: SocketAddr,
    /// Whether a session may ask for the server's own id once, behind its login.
    pub ask_ids: bool,
    /// Whether a statement that had a cursor may be executed without one.
    pub may_do_without_cursor: bool,
}

/// Runs it in a schema of its own. `server` is the server itself, where the schema is made and watched.
pub fn run(program: &Program, way: Way, server: SocketAddr) -> Transcript {
    let mut control = Control::new(server);
    let schema = new_schema();
    let put_globals_back = || {
        // By the same way: a hop is to know of settings that logins begin with.
        if program.exclusive {
            Control::new(way.address).all(fixture::GLOBALS, &schema);
        }
    };
    put_globals_back();
    control.must(fixture::MAKE, &schema);
    let mut run = Run::new(program, way, &schema, &mut control);
    let transcript = program.steps.iter().map(|step| run.step(step.session, &step.action)).collect();
    run.end();
    control.all(fixture::REMOVE, &schema);
    put_globals_back();
    transcript
}

fn new_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("tg_{:06x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The test's own connection to the server.
pub struct Control(Wire);

impl Control {
    pub fn new(server: SocketAddr) -> Control {
        let (wire, reply) = Wire::login(server, "root", "", BASE | MULTI_STATEMENTS | FOUND_ROWS, 45);
        let mut wire = wire.unwrap_or_else(|| panic!("root is refused: {reply:?}"));
        wire.query("SET SESSION lock_wait_timeout = 30, sql_mode = ''");
        Control(wire)
    }

    /// All of these, whatever they answer.
    fn all(&mut self, statements: &[&str], schema: &str) {
        for statement in statements {
            self.0.query(&statement.replace("{schema}", schema));
        }
    }

    /// All of these, which must succeed.
    pub fn must(&mut self, statements: &[&str], schema: &str) {
        for statement in statements {
            let reply = self.0.query(&statement.replace("{schema}", schema));
            let first = reply.packets.first().and_then(|packet| packet.payload.first());
            assert!(first.is_some_and(|first| *first != 0xFF), "{statement}: {}", super::compare::show(&reply));
        }
    }

    /// Waits until the statement marked with this schema waits or sleeps at the server.
    fn await_running(&mut self, schema: &str) {
        let limit = Instant::now() + RUNNING;
        let sql = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%/*w{schema}*/%' \
             AND id <> CONNECTION_ID() AND (state LIKE 'User%' OR state LIKE '%user lock%')"
        );
        while Instant::now() < limit {
            let reply = self.0.query(&sql);
            let rows = reply.packets.iter().filter(|packet| packet.payload == b"\x011").count();
            if rows > 0 {
                return;
            }
            sleep(Duration::from_millis(5));
        }
    }
}

struct Session {
    wire: Option<Wire>,
    logged_in: bool,
    started: bool,
    /// Ids that errors of this connection may name.
    statements: Vec<u32>,
}

struct Run<'a> {
    program: &'a Program,
    way: Way,
    schema: &'a str,
    control: &'a mut Control,
    sessions: Vec<Session>,
    ids: Vec<Vec<u32>>,
}

impl<'a> Run<'a> {
    fn new(program: &'a Program, way: Way, schema: &'a str, control: &'a mut Control) -> Run<'a> {
        let new = || Session { wire: None, logged_in: false, started: false, statements: Vec::new() };
        let sessions = program.sessions.iter().map(|_| new()).collect();
        Run { program, way, schema, control, sessions, ids: vec![Vec::new(); program.sessions.len()] }
    }

    fn step(&mut self, at: usize, action: &Action) -> Entry {
        let login = if self.sessions[at].logged_in { None } else { Some(self.log_in(at)) };
        if matches!(action, Action::Reconnect | Action::Abort) {
            self.leave(at, action);
            return Entry::Said(login, self.log_in(at));
        }
        let Some(mut wire) = self.sessions[at].wire.take() else { return Entry::Gone(login) };
        let shows_ids = match action {
            Action::Execute { slot, .. } | Action::Fetch(slot, _) => wire.statement(*slot).shows_ids,
            other => other.shows_ids(),
        };
        let reply = self.act(at, &mut wire, action);
        if reply.end == End::Whole {
            self.sessions[at].wire = Some(wire);
        }
        let known = Known { schema: self.schema, ids: &self.ids, statements: &self.sessions[at].statements, shows_ids };
        Entry::Said(login, mask(reply, action, &known))
    }

    fn log_in(&mut self, at: usize) -> Reply {
        let Profile { user, in_schema, capabilities, charset } = &self.program.sessions[at];
        let schema = if *in_schema { self.schema } else { "" };
        let (wire, reply) = Wire::login(self.way.address, user, schema, *capabilities, *charset);
        self.ids[at].clear();
        self.sessions[at] = Session { wire, logged_in: true, started: false, statements: Vec::new() };
        if let Some(wire) = &mut self.sessions[at].wire {
            self.ids[at].push(wire.id);
            if self.way.ask_ids {
                self.ids[at].extend(server_id(wire));
            }
        }
        let known = Known { schema: self.schema, ids: &self.ids, statements: &[], shows_ids: false };
        mask(reply, &Action::Ping, &known)
    }

    fn leave(&mut self, at: usize, how: &Action) {
        if let Some(wire) = self.sessions[at].wire.take() {
            match how {
                Action::Abort => drop(wire),
                _ => wire.quit(),
            }
            sleep(GONE);
        }
    }

    fn act(&mut self, at: usize, wire: &mut Wire, action: &Action) -> Reply {
        if self.sessions[at].started && *action != Action::Await {
            wire.finish();
            self.sessions[at].started = false;
        }
        let charset = self.program.sessions[at].charset;
        match action {
            Action::Query(sql) => wire.query(&self.text(sql)),
            Action::Start(sql) => self.start(at, wire, sql),
            Action::Await if self.sessions[at].started => {
                self.sessions[at].started = false;
                wire.finish()
            }
            Action::Await => silence(),
            Action::AwaitClose => wire.until_closed(),
            Action::InitDb(name) => wire.single(&[&[2], self.text(name).as_bytes()].concat()),
            Action::Ping => wire.single(&[0x0E]),
            Action::Statistics => wire.single(&[9]),
            Action::FieldList(table) => {
                let (table, wild) = table.split_once(' ').unwrap_or((table, ""));
                wire.field_list(table, wild)
            }
            Action::SetOption(on) => wire.single(&[0x1B, u8::from(!on), 0]),
            Action::ResetConnection => {
                let reply = wire.single(&[0x1F]);
                if reply.packets.first().is_some_and(|packet| packet.payload[0] == 0) {
                    wire.statements.clear();
                }
                reply
            }
            Action::ChangeUser { user, schema, right } => wire.change_user(user, &self.text(schema), *right, charset),
            Action::ProcessKill(session) => {
                let id = self.shown_id(*session).to_le_bytes();
                wire.single(&[&[0x0C], &id[..]].concat())
            }
            Action::Prepare(slot, sql) => {
                let reply = wire.prepare(*slot, &self.text(sql), action.shows_ids());
                self.sessions[at].statements.extend(wire.statements.values().map(|statement| statement.id));
                reply
            }
            Action::Execute { slot, cursor: false, .. }
                if wire.statement(*slot).had_cursor && !self.way.may_do_without_cursor =>
            {
                silence()
            }
            Action::Execute { slot, cursor, values } => {
                let values: Vec<_> = values.iter().map(|text| (text != "long").then(|| value(text))).collect();
                wire.execute(*slot, *cursor, &values)
            }
            Action::Fetch(slot, rows) => wire.fetch(*slot, *rows),
            Action::LongData(slot, parameter, text) => wire.long_data(*slot, *parameter, text),
            Action::ResetStatement(slot) => wire.reset_statement(*slot),
            Action::CloseStatement(slot) => wire.close_statement(*slot),
            Action::Unknown(code) => wire.single(&[*code]),
            Action::Reconnect | Action::Abort => unreachable!("done before"),
        }
    }

    fn start(&mut self, at: usize, wire: &mut Wire, sql: &str) -> Reply {
        if wire.start(&self.text(sql)).is_ok() {
            self.sessions[at].started = true;
            self.control.await_running(self.schema);
        }
        silence()
    }

    /// The text with the schema's name and the sessions' ids in it.
    fn text(&self, text: &str) -> String {
        let mut text = text.replace("{schema}", self.schema);
        for session in 0..self.ids.len() {
            text = text.replace(&format!("{{id:{session}}}"), &self.shown_id(session).to_string());
            text = text.replace(&format!("{{seen:{session}}}"), &self.seen_id(session).to_string());
        }
        text
    }

    /// What the session believes its id to be; one that nobody has before it came.
    fn shown_id(&self, session: usize) -> u32 {
        self.ids[session].first().copied().unwrap_or(0x3FFF_FF00)
    }

    /// What the server's functions say of it: its own id, unless the hop maps it.
    fn seen_id(&self, session: usize) -> u32 {
        self.ids[session].last().copied().unwrap_or(0x3FFF_FF00)
    }

    fn end(self) {
        for session in self.sessions {
            if let Some(wire) = session.wire {
                wire.quit();
            }
        }
    }
}

fn silence() -> Reply {
    Reply { packets: Vec::new(), end: End::Whole }
}

/// The server's own id of a connection, in both runs at the same place.
fn server_id(wire: &mut Wire) -> Option<u32> {
    let reply = wire.query("SELECT CONNECTION_ID()");
    let mut ids = reply.packets.iter().filter_map(|packet| {
        let length = usize::from(*packet.payload.first()?);
        (packet.payload.len() == length + 1).then(|| std::str::from_utf8(&packet.payload[1..]).ok()?.parse().ok())?
    });
    ids.next_back()
}
