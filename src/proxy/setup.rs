//! What follows a login in mode `transaction`: what the login gave is read, and the server is told to announce every change.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::debug;

use crate::net::channel::Channel;
use crate::proxy::backend::BackendFacts;
use crate::proxy::error::Fault;
use crate::proxy::server::Proxy;
use crate::proxy::statement::{self, Row, Rows};
use crate::session::baseline::{Baseline, NAMES};
use crate::session::carried::{Variable, rule};
use crate::session::pieces::{ALWAYS_TAKEN, pieces};
use crate::session::quote::{put_name, put_value};
use crate::session::restore::own_trackers;
use crate::session::state::{CLIENT_COLLATION, State};
use crate::sql::dialect::Dialect;
use crate::wire::announce::Asked;
use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF, MULTI_STATEMENTS, SESSION_TRACK};
use crate::wire::command;
use crate::wire::trackers::{Tracked, Tracker};
use crate::wire::variable_names::announced_as;

/// A name or a value, as the server wrote it.
type Bytes = Box<[u8]>;

/// What a login gave.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The session's state: the character sets of the login, the schema.
    pub state: State,
    /// The values of all that was not set.
    pub baseline: Arc<Baseline>,
    /// The connection's own `@@wait_timeout`.
    pub wait_timeout: Duration,
    /// What the server would announce to a client by itself.
    pub asked: Asked,
    /// The server's `init_connect` is empty: a reset is as good as a login.
    pub resets_whole: bool,
    /// MySQL 5.6: a change of user leaves LAST_INSERT_ID(), FOUND_ROWS() and warnings as they were, the time that was set, the next
    /// insert id and RAND()'s seeds.
    pub keeps_last: bool,
    /// How long the statements are that the connection takes.
    pub room: Room,
}

/// What of tidegate's own statements goes to a connection as one, by its `max_allowed_packet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// Any of them.
    #[default]
    Ample,
    /// What every server takes ([`ALWAYS_TAKEN`]): the rest is cut.
    Short,
}

impl Room {
    /// Bytes of a statement.
    pub fn bytes(self) -> usize {
        match self {
            Room::Ample => usize::MAX,
            Room::Short => ALWAYS_TAKEN,
        }
    }
}

/// What is asked of every connection of this server, made when the first one is there.
#[derive(Debug)]
pub struct Questions {
    names: Vec<Box<str>>,
    ample: Statements,
    short: Statements,
    /// The character sets' own collations.
    collations: Vec<(Bytes, Bytes)>,
    /// The collations' numbers.
    numbers: Vec<(Bytes, Bytes)>,
    mariadb: bool,
    one_name_for_flags: bool,
}

/// Statements for a connection that has room for them.
#[derive(Debug)]
struct Statements {
    read: Vec<String>,
    trackers: Option<String>,
    /// The same for connections whose results end in a legacy EOF.
    trackers_at_eof: Option<String>,
}

impl Statements {
    /// `asked`: expressions; `tracked`: names of variables, where the server has trackers.
    fn of(asked: &[String], tracked: Option<&str>, room: Room) -> Statements {
        let trackers = |all| tracked.map(|tracked| own_trackers(tracked, all));
        Statements {
            read: pieces("SELECT ", asked, " LIMIT 1", room.bytes()),
            trackers: trackers(true),
            trackers_at_eof: trackers(false),
        }
    }

    /// Bytes of the longest.
    fn longest(&self) -> usize {
        let trackers = [&self.trackers, &self.trackers_at_eof].into_iter().flatten();
        self.read.iter().chain(trackers).map(String::len).max().unwrap_or(0)
    }
}

/// The role in force, beside the variables: see [`crate::session::state::ROLE`].
const ROLE_NAME: &str = "role";
/// The variables of the client's own announcements.
const TRACKERS: [&str; 5] = [
    "session_track_gtids",
    "session_track_schema",
    "session_track_state_change",
    "session_track_system_variables",
    "session_track_transaction_info",
];

impl Questions {
    fn statements(&self, room: Room) -> &Statements {
        match room {
            Room::Ample => &self.ample,
            Room::Short => &self.short,
        }
    }

    /// The statements that read all of it.
    pub fn sql(&self, room: Room) -> &[String] {
        &self.statements(room).read
    }

    /// The statement after which the server announces what tidegate must know. `None`: it cannot (MySQL 5.6).
    ///
    /// MariaDB announces in a legacy EOF *that* something has changed, and not what. A SELECT in a transaction changes the
    /// transaction's state: there the lexer alone must tell of those.
    pub fn trackers(&self, caps: Capabilities, room: Room) -> Option<&str> {
        let statements = self.statements(room);
        match self.mariadb && !caps.has(DEPRECATE_EOF) {
            true => statements.trackers_at_eof.as_deref(),
            false => statements.trackers.as_deref(),
        }
    }

    /// Whether the server announces what changes in a session.
    pub fn announces(&self) -> bool {
        self.ample.trackers.is_some()
    }

    /// Whether the server announces one flag for all of them, see [`crate::wire::variable_names`].
    pub fn has_one_name_for_flags(&self) -> bool {
        self.one_name_for_flags
    }

    /// Whether the variable of this name, in small letters, is among those that are read.
    pub fn reads(&self, name: &[u8]) -> bool {
        self.names.iter().any(|own| own.as_bytes() == name || own.as_bytes() == announced_as(name))
    }

    /// By a connection's `max_allowed_packet`.
    fn room(&self, max_packet: usize) -> Room {
        let beside = ALWAYS_TAKEN / 10;
        if self.ample.longest() + beside < max_packet { Room::Ample } else { Room::Short }
    }

    /// The collation that `SET NAMES` with this character set alone brings, where no variable says otherwise.
    pub fn collation_of(&self, charset: &[u8]) -> Option<&[u8]> {
        let at = self.collations.binary_search_by(|(name, _)| (**name).cmp(charset)).ok()?;
        Some(&self.collations[at].1)
    }

    /// How a login with this collation, which is not the character set's own, has its results described: a SET of the
    /// character set's name would describe them by the character set's own.
    fn results_of_login(&self, charset: &[u8], collation: &[u8]) -> Option<Vec<u8>> {
        if self.collation_of(charset) == Some(collation) && !self.maps_collations() {
            return None;
        }
        self.results_with(charset, collation)
    }

    /// The value of character_set_results after SET NAMES with this collation. MySQL takes the collation's number for it,
    /// MariaDB knows but SET NAMES.
    pub fn results_with(&self, charset: &[u8], collation: &[u8]) -> Option<Vec<u8>> {
        if self.mariadb {
            return Some([charset, b" COLLATE ", collation].concat());
        }
        // MySQL 8.0 and later still take the older name of this character set's collations.
        let newer = collation.strip_prefix(b"utf8_").map(|rest| [b"utf8mb3_", rest].concat());
        let at = |name: &[u8]| self.numbers.binary_search_by(|(own, _)| (**own).cmp(name)).ok();
        let at = at(collation).or_else(|| at(&newer?))?;
        Some(self.numbers[at].1.to_vec())
    }

    /// Whether this value of character_set_results, which names a collation, shows as this character set.
    pub fn describes(&self, results: &[u8], charset: &[u8]) -> bool {
        if results.strip_prefix(charset).is_some_and(|rest| rest.starts_with(b" COLLATE ")) {
            return true;
        }
        let named = self.numbers.iter().find(|(_, number)| **number == *results);
        named.is_some_and(|(name, _)| name.strip_prefix(charset).is_some_and(|rest| rest.first() == Some(&b'_')))
    }

    /// MariaDB 11: a character set's collation is a setting, which counts at logins and for SET NAMES alone.
    pub fn maps_collations(&self) -> bool {
        self.names.iter().any(|name| **name == *"character_set_collations")
    }

    /// Names and values of the answers to [`Questions::sql`].
    pub fn values(&self, answers: Vec<Rows>) -> Option<Vec<(Box<str>, Bytes)>> {
        let rows = answers.into_iter().map(|rows| rows.into_iter().next()).collect::<Option<Vec<_>>>()?;
        let values: Vec<Bytes> =
            rows.into_iter().flatten().map(|value| value.unwrap_or_default().into_boxed_slice()).collect();
        (values.len() == self.names.len()).then(|| self.names.iter().cloned().zip(values).collect())
    }

    async fn of(channel: &mut Channel, facts: BackendFacts) -> Result<Questions, Fault> {
        let caps = facts.capabilities;
        let known = rows(statement::query(channel, caps, "SHOW VARIABLES").await?)?;
        let known: Vec<Box<str>> = known.iter().filter_map(|row| text(row.first()?)).collect();
        // MySQL warns of who reads this one.
        let is_quiet = |name: &str| facts.mariadb || name != "profiling";
        let is_known = |name: &&str| is_quiet(name) && known.iter().any(|own| **own == **name);
        let extra = TRACKERS.into_iter().chain(["init_connect"]);
        let mut names: Vec<Box<str>> = NAMES.iter().copied().chain(extra).filter(is_known).map(Box::from).collect();
        let mut asked: Vec<String> = names.iter().map(|name| format!("@@{name}")).collect();
        if facts.mariadb || is_known(&"activate_all_roles_on_login") {
            names.push(ROLE_NAME.into());
            asked.push("CURRENT_ROLE()".to_owned());
        }
        let tracks = caps.has(SESSION_TRACK) && known.iter().any(|name| **name == *TRACKERS[3]);
        let listed = announced(&known, facts.mariadb);
        // No list of all the names is short.
        let [ample, short] = [(Room::Ample, &*listed), (Room::Short, "*")]
            .map(|(room, tracked)| Statements::of(&asked, Some(tracked).filter(|_| tracks), room));
        let sets = "SELECT character_set_name, default_collate_name FROM information_schema.character_sets LIMIT 10000";
        let sets = rows(statement::query(channel, caps, sets).await?)?;
        let mut collations: Vec<_> = sets.into_iter().filter_map(pair).collect();
        collations.sort();
        let numbers = "SELECT collation_name, id FROM information_schema.collations LIMIT 10000";
        let numbers = rows(statement::query(channel, caps, numbers).await?)?;
        let mut numbers: Vec<_> = numbers.into_iter().filter(|row| row.len() == 2).filter_map(pair).collect();
        numbers.sort();
        let one_name_for_flags = tracks && facts.mariadb && names_one_flag_for_all(channel, caps).await?;
        Ok(Questions { names, ample, short, collations, numbers, mariadb: facts.mariadb, one_name_for_flags })
    }
}

/// Whether a server that is to announce one flag does so when another one changes. What was to be announced before is so again:
/// it is read as the login's own.
async fn names_one_flag_for_all(channel: &mut Channel, caps: Capabilities) -> Result<bool, Fault> {
    let before = rows(statement::query(channel, caps, "SELECT @@session_track_system_variables LIMIT 1").await?)?;
    let before = before.into_iter().next().and_then(|row| row.into_iter().next()).flatten().ok_or_else(malformed)?;
    rows(statement::query(channel, caps, "SET session_track_system_variables='autocommit'").await?)?;
    let other = statement::payload(caps, "SET unique_checks=@@unique_checks");
    let ok = statement::simple(channel, &other).await?.map_err(Fault::of_question)?;
    let mut trackers = Tracked::parse(&ok).ok_or_else(malformed)?.trackers;
    let named = trackers.any(|tracker| matches!(tracker, Tracker::Variable { name: b"autocommit", .. }));
    let mut again = "SET session_track_system_variables=".to_owned();
    put_value(&mut again, &before);
    rows(statement::query(channel, caps, &again).await?)?;
    Ok(named)
}

/// All variables where that costs nothing. MySQL announces `statement_id` with every statement if it is asked for all.
fn announced(known: &[Box<str>], mariadb: bool) -> String {
    let frozen = ["timestamp", "insert_id", "last_insert_id", "identity", "rand_seed1", "rand_seed2", "gtid_next"];
    match mariadb {
        true => "*".to_owned(),
        false => {
            let own = known.iter().map(|name| &**name).filter(|name| !frozen.contains(name) && is_of_use(name));
            own.chain(frozen).collect::<Vec<_>>().join(",")
        }
    }
}

fn is_of_use(name: &str) -> bool {
    rule(name.as_bytes()) != Variable::Nothing && !name.contains("performance_schema") && !name.starts_with("mysqlx")
}

async fn look_for_triggers(
    proxy: &Proxy,
    channel: &mut Channel,
    facts: BackendFacts,
    announces: bool,
    room: Room,
) -> Result<(), Fault> {
    // Their bodies need not fit into a packet of the connection's.
    let with_bodies = matches!(room, Room::Ample);
    let Some(sql) = proxy.unseen_triggers.question(announces, with_bodies, Instant::now()) else { return Ok(()) };
    let dialect = Dialect { mariadb: facts.mariadb, ..Dialect::default() };
    let take = |row: Row| {
        if let [Some(table), body] = row.as_slice() {
            proxy.unseen_triggers.add(table, body.as_deref().unwrap_or_default(), announces, dialect);
        }
    };
    match statement::query_each(channel, facts.capabilities, &sql, take).await?.map_err(Fault::of_question) {
        Ok(()) => {}
        // A limit of the server's (`max_join_size`) keeps nobody out.
        Err(fault) if announces => debug!("triggers cannot be looked up: {}", fault.why),
        Err(fault) => return Err(fault),
    }
    Ok(())
}

/// Reads what the login, reset or change of user that has just ended gave, and has changes announced from now on.
/// `schema`: what it was told. Not cancel safe.
pub async fn fresh(
    proxy: &Proxy,
    channel: &mut Channel,
    facts: BackendFacts,
    schema: Option<&[u8]>,
) -> Result<Fresh, Fault> {
    let questions = questions(proxy, channel, facts).await?;
    let caps = facts.capabilities;
    let max_packet = max_packet(channel, caps).await?;
    let room = if facts.room == Room::Short { Room::Short } else { questions.room(max_packet) };
    look_for_triggers(proxy, channel, facts, questions.announces(), room).await?;
    let read = questions.sql(room);
    let sql: Vec<&str> = read.iter().map(|sql| &**sql).chain(questions.trackers(caps, room)).collect();
    let mut answers = statement::several(channel, caps, &sql).await?;
    if let Some(refused) = answers.split_off(read.len()).into_iter().find_map(Result::err) {
        return Err(Fault::backend(format!("session_track_* cannot be set: {}", refused.text())));
    }
    let read = answers.into_iter().map(rows).collect::<Result<_, _>>()?;
    let values = questions.values(read).ok_or_else(malformed)?;
    Ok(Fresh { room, ..built(proxy, &questions, values, schema, caps.has(MULTI_STATEMENTS)) })
}

/// The connection's `max_allowed_packet`, in bytes; on the way, several statements in one text are allowed.
async fn max_packet(channel: &mut Channel, caps: Capabilities) -> Result<usize, Fault> {
    let asked = statement::payload(caps, "SELECT @@max_allowed_packet LIMIT 1");
    // Servers differ in whether a change of user keeps the choice of COM_SET_OPTION.
    let before: &[&[u8]] = if caps.has(MULTI_STATEMENTS) { &[&[command::SET_OPTION, 0, 0]] } else { &[] };
    let found = rows(statement::query_behind(channel, caps, before, &asked).await?)?;
    let value = found.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
    value.and_then(|value| std::str::from_utf8(&value).ok()?.parse().ok()).ok_or_else(malformed)
}

/// The same where the schema is not known either.
pub async fn schema_and_fresh(proxy: &Proxy, channel: &mut Channel, facts: BackendFacts) -> Result<Fresh, Fault> {
    let found = rows(statement::query(channel, facts.capabilities, "SELECT DATABASE() LIMIT 1").await?)?;
    let schema = found.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
    fresh(proxy, channel, facts, schema.as_deref()).await
}

/// The questions for this server.
pub async fn questions(proxy: &Proxy, channel: &mut Channel, facts: BackendFacts) -> Result<Arc<Questions>, Fault> {
    if let Some(known) = proxy.questions.load_full() {
        return Ok(known);
    }
    let made = Arc::new(Questions::of(channel, facts).await?);
    proxy.questions.store(Some(Arc::clone(&made)));
    Ok(made)
}

fn built(
    proxy: &Proxy,
    questions: &Questions,
    values: Vec<(Box<str>, Bytes)>,
    schema: Option<&[u8]>,
    multi: bool,
) -> Fresh {
    let mut asked = Asked::default();
    let mut of_login = Vec::new();
    let mut resets_whole = true;
    let mut rest = Vec::new();
    for (name, value) in values {
        match &*name {
            "character_set_client" | "character_set_results" | "character_set_connection" | "collation_connection" => {
                of_login.push((name, value));
            }
            "init_connect" => resets_whole = value.is_empty(),
            // What SET ROLE takes; a role that cannot be written down is not gone back to.
            ROLE_NAME => {
                rest.extend(role_words(&value, questions.mariadb).map(|words| (name, words.into_bytes().into())))
            }
            own if own.starts_with("session_track_") => {
                asked.set(own.as_bytes(), &value);
            }
            _ => rest.push((name, value)),
        }
    }
    let (generation, baseline) = lock(&proxy.baselines).intern(Baseline::new(rest));
    let mut state = State::fresh(generation, schema, multi);
    // The collation last: the character set takes it away.
    of_login.sort_by_key(|(name, _)| &**name == "collation_connection");
    for (name, value) in &of_login {
        // Four short values fit into an empty state.
        let _ = state.set(name.as_bytes(), value);
    }
    let of = |name: &[u8]| state.variable(name).unwrap_or_default().to_vec();
    let [client, results, connection] =
        [&b"character_set_client"[..], b"character_set_results", b"character_set_connection"].map(of);
    if let Some(named) = questions.results_of_login(&connection, &of(b"collation_connection")) {
        if client == connection {
            let _ = state.set(CLIENT_COLLATION, &named);
        }
        if results == connection {
            let _ = state.set(b"character_set_results", &named);
        }
    }
    let seconds = baseline.get(b"wait_timeout").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let wait_timeout = Duration::from_secs(seconds.unwrap_or(28_800));
    let (keeps_last, room) = (!questions.announces(), Room::default());
    Fresh { state, baseline, wait_timeout, asked, resets_whole, keeps_last, room }
}

/// CURRENT_ROLE() as SET ROLE takes it. `None`: its name cannot be written down in every character set.
pub fn role_words(role: &[u8], mariadb: bool) -> Option<String> {
    if role.is_empty() {
        return Some("NONE".to_owned());
    }
    if !mariadb {
        // MySQL shows a list of accounts, quoted as SET ROLE takes them.
        return std::str::from_utf8(role).ok().filter(|role| role.is_ascii()).map(str::to_owned);
    }
    let mut words = String::new();
    put_name(&mut words, role).map(|()| words)
}

/// An account that may not ask, since its password has expired or for another reason, is refused in the server's words.
fn rows(answer: Result<Rows, crate::wire::fault::ErrPacket>) -> Result<Rows, Fault> {
    answer.map_err(Fault::of_question)
}

fn text(value: &Option<Vec<u8>>) -> Option<Box<str>> {
    std::str::from_utf8(value.as_deref()?).ok().map(Box::from)
}

fn pair(row: Vec<Option<Vec<u8>>>) -> Option<(Bytes, Bytes)> {
    let mut values = row.into_iter().map(|value| value.map(Vec::into_boxed_slice));
    Some((values.next()??, values.next()??))
}

/// A panic elsewhere leaves what is behind these locks whole: every change is one call.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn malformed() -> Fault {
    Fault::backend("the server answered a question of tidegate's own with something else")
}
