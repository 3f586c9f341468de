//! What a session can do, and how a line of the catalog says it.
//!
//! A line is SQL for COM_QUERY, or begins with a dot and names another command: `.ping`, `.prepare 1 SELECT ?`.

use std::fmt;

/// A value for a parameter of a prepared statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Double(f64),
    Text(String),
}

/// One thing that a session does. Texts may hold `{schema}` and `{id:2}`, the connection id
/// of session 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Query(String),
    /// Sent, and known to run at the server, but not waited for.
    Start(String),
    /// The reply to what was started.
    Await,
    /// Waits until the server closes: after a KILL.
    AwaitClose,
    InitDb(String),
    Ping,
    Statistics,
    FieldList(String),
    SetOption(bool),
    ResetConnection,
    ChangeUser {
        user: String,
        schema: String,
        right: bool,
    },
    ProcessKill(usize),
    Prepare(usize, String),
    Execute {
        slot: usize,
        cursor: bool,
        values: Vec<String>,
    },
    Fetch(usize, u32),
    LongData(usize, u16, String),
    ResetStatement(usize),
    CloseStatement(usize),
    /// A command that no server knows.
    Unknown(u8),
    /// Says goodbye and logs in again.
    Reconnect,
    /// Vanishes without a word and logs in again.
    Abort,
}

impl Action {
    /// Reads a line of the catalog, its placeholders filled.
    pub fn parse(line: &str) -> Action {
        let Some(command) = line.strip_prefix('.') else { return Action::Query(line.to_owned()) };
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (first, last) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = || first.parse::<usize>().unwrap_or_else(|_| panic!("no number: {line}"));
        match name {
            "start" => Action::Start(rest.to_owned()),
            "await" => Action::Await,
            "await_close" => Action::AwaitClose,
            "init_db" => Action::InitDb(rest.to_owned()),
            "ping" => Action::Ping,
            "statistics" => Action::Statistics,
            "field_list" => Action::FieldList(rest.to_owned()),
            "set_option" => Action::SetOption(rest == "on"),
            "reset" => Action::ResetConnection,
            "change_user" | "change_user_wrong" => {
                Action::ChangeUser { user: first.to_owned(), schema: last.to_owned(), right: name == "change_user" }
            }
            "kill" => Action::ProcessKill(number()),
            "prepare" => Action::Prepare(number(), last.to_owned()),
            "execute" | "cursor" => Action::Execute {
                slot: number(),
                cursor: name == "cursor",
                values: last.split_whitespace().map(str::to_owned).collect(),
            },
            "fetch" => Action::Fetch(number(), last.parse().expect("a number of rows")),
            "long" => Action::LongData(number(), 0, last.to_owned()),
            "reset_statement" => Action::ResetStatement(number()),
            "close" => Action::CloseStatement(number()),
            "unknown" => Action::Unknown(0x7F),
            "reconnect" => Action::Reconnect,
            "abort" => Action::Abort,
            _ => panic!("no such line: {line}"),
        }
    }

    /// Whether its reply may hold connection ids: only there are they masked.
    pub fn shows_ids(&self) -> bool {
        let text = match self {
            Action::Query(text) | Action::Prepare(_, text) | Action::Start(text) => text,
            Action::ProcessKill(_) => return true,
            _ => return false,
        };
        let text = text.to_ascii_lowercase();
        ["connection_id", "used_lock", "pseudo_thread_id", "{id:", "{seen:"].iter().any(|&word| text.contains(word))
    }
}

/// Reads `null`, `int:5`, `double:1.5`, `text:abc`.
pub fn value(text: &str) -> Value {
    match text.split_once(':') {
        Some(("int", number)) => Value::Int(number.parse().expect("a number")),
        Some(("double", number)) => Value::Double(number.parse().expect("a number")),
        Some(("text", text)) => Value::Text(text.to_owned()),
        _ => Value::Null,
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Query(sql) => f.write_str(sql),
            Action::Start(sql) => write!(f, ".start {sql}"),
            Action::Await => f.write_str(".await"),
            Action::AwaitClose => f.write_str(".await_close"),
            Action::InitDb(schema) => write!(f, ".init_db {schema}"),
            Action::Ping => f.write_str(".ping"),
            Action::Statistics => f.write_str(".statistics"),
            Action::FieldList(table) => write!(f, ".field_list {table}"),
            Action::SetOption(on) => write!(f, ".set_option {}", if *on { "on" } else { "off" }),
            Action::ResetConnection => f.write_str(".reset"),
            Action::ChangeUser { user, schema, right: true } => write!(f, ".change_user {user} {schema}"),
            Action::ChangeUser { user, schema, right: false } => write!(f, ".change_user_wrong {user} {schema}"),
            Action::ProcessKill(session) => write!(f, ".kill {session}"),
            Action::Prepare(slot, sql) => write!(f, ".prepare {slot} {sql}"),
            Action::Execute { slot, cursor, values } => {
                write!(f, ".{} {slot} {}", if *cursor { "cursor" } else { "execute" }, values.join(" "))
            }
            Action::Fetch(slot, rows) => write!(f, ".fetch {slot} {rows}"),
            Action::LongData(slot, _, text) => write!(f, ".long {slot} {text}"),
            Action::ResetStatement(slot) => write!(f, ".reset_statement {slot}"),
            Action::CloseStatement(slot) => write!(f, ".close {slot}"),
            Action::Unknown(_) => f.write_str(".unknown"),
            Action::Reconnect => f.write_str(".reconnect"),
            Action::Abort => f.write_str(".abort"),
        }
    }
}

#[test]
fn every_line_is_what_it_prints() {
    let lines = [
        "SELECT 1",
        ".start SELECT SLEEP(3)",
        ".change_user ta {schema}",
        ".change_user_wrong tb ",
        ".execute 2 int:5 null text:x",
        ".cursor 1 double:1.5",
        ".long 1 abc",
        ".field_list t1",
    ];
    for line in lines {
        assert_eq!(Action::parse(line).to_string(), line);
    }
    assert_eq!(value("int:-5"), Value::Int(-5));
    assert_eq!(value("double:1.5"), Value::Double(1.5));
    assert_eq!(value("text:a:b"), Value::Text("a:b".into()));
}
