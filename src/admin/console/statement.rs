//! What a statement to the console asks for. Pure.

use super::select::{self, Item};
use super::words::Words;
use crate::sql::lexer::Kind;

/// A statement that the console knows.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// A table.
    Show(Show),
    /// `SELECT` of values alone.
    Select(Vec<Item>),
    /// Something to be done.
    Order(Order),
    /// What drivers send and nothing depends on: `SET`, `USE`, `BEGIN`, ..
    Nothing,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// `KILL [CONNECTION | QUERY] id`
    Kill {
        /// The client.
        id: u32,
        /// Its statement alone.
        query_only: bool,
    },
    /// `PAUSE`
    Pause,
    /// `RESUME`
    Resume,
    /// `DRAIN`
    Drain,
    /// `RELOAD`
    Reload,
    /// `RESET STATS`
    ResetStats,
    /// `RECORD START 'file' [LITERALS]`
    StartRecording {
        /// The file.
        path: String,
        /// With the statements' literals.
        literals: bool,
    },
    /// `RECORD STOP`
    StopRecording,
}

/// A table, and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Show {
    /// Its name in upper case: `CLIENTS`, `PIN CAUSES`.
    pub what: String,
    /// `LIKE`
    pub like: Option<String>,
    /// The names in a `WHERE` as drivers write it: `WHERE Variable_name = 'a' OR Variable_name = 'b'`.
    pub among: Option<Vec<String>>,
    /// `ORDER BY`: columns, and whether they descend.
    pub order: Vec<(String, bool)>,
    /// `LIMIT`: how many rows are passed over, and how many are wanted.
    pub limit: Option<(usize, usize)>,
}

/// What the statement asks for; `None`: nothing that the console knows.
pub fn parse(sql: &[u8]) -> Option<Statement> {
    let mut words = Words::new(sql);
    let verb = words.word()?;
    let statement = match verb.as_str() {
        "SHOW" => return show(words).map(Statement::Show),
        "DESC" | "DESCRIBE" | "EXPLAIN" => return None,
        "HELP" => Statement::Show(Show { what: "HELP".into(), ..Show::default() }),
        "SELECT" => return selected(words),
        // What they hold is nobody's affair here.
        "SET" | "USE" | "BEGIN" | "START" | "COMMIT" | "ROLLBACK" => return Some(Statement::Nothing),
        "KILL" => Statement::Order(kill(&mut words)?),
        "PAUSE" => Statement::Order(Order::Pause),
        "RESUME" => Statement::Order(Order::Resume),
        "DRAIN" => Statement::Order(Order::Drain),
        "RELOAD" => {
            words.take("CONFIG");
            Statement::Order(Order::Reload)
        }
        "RECORD" => Statement::Order(record(&mut words)?),
        "RESET" => words.take("STATS").then_some(Statement::Order(Order::ResetStats))?,
        _ => return None,
    };
    words.is_at_end().then_some(statement)
}

fn kill(words: &mut Words<'_>) -> Option<Order> {
    let query_only = !words.take("CONNECTION") && words.take("QUERY");
    Some(Order::Kill { id: words.number()?, query_only })
}

fn record(words: &mut Words<'_>) -> Option<Order> {
    if words.take("STOP") {
        return Some(Order::StopRecording);
    }
    words.take("START").then_some(())?;
    Some(Order::StartRecording { path: words.string()?, literals: words.take("LITERALS") })
}

/// The names of two words.
const TWO_WORDS: &[(&str, &str)] = &[
    ("PIN", "CAUSES"),
    ("CHARACTER", "SET"),
    ("STORAGE", "ENGINES"),
    ("FUNCTION", "STATUS"),
    ("PROCEDURE", "STATUS"),
    ("TABLE", "STATUS"),
];

fn show(mut words: Words<'_>) -> Option<Show> {
    while ["FULL", "GLOBAL", "SESSION", "LOCAL", "EXTENDED"].iter().any(|word| words.take(word)) {}
    let first = words.word()?;
    let second = TWO_WORDS.iter().find(|(one, two)| *one == first && words.take(two));
    let what = second.map_or_else(|| first.clone(), |(one, two)| format!("{one} {two}"));
    clauses(words, what)
}

/// `SELECT * FROM clients ..` is `SHOW CLIENTS ..`; else a list of values.
fn selected(words: Words<'_>) -> Option<Statement> {
    let mut from = words.clone();
    if from.take_punct(b'*') {
        from.take("FROM").then_some(())?;
        let mut name = from.name()?;
        if from.take_punct(b'.') {
            name = from.name()?;
        }
        return clauses(from, name.to_uppercase().replace('_', " ")).map(Statement::Show);
    }
    select::items(words).map(Statement::Select)
}

fn clauses(mut words: Words<'_>, what: String) -> Option<Show> {
    let mut show = Show { what, ..Show::default() };
    // SHOW TABLES FROM tidegate, SHOW COLUMNS FROM a FROM b
    while words.take("FROM") || words.take("IN") {
        words.name()?;
        if words.take_punct(b'.') {
            words.name()?;
        }
    }
    if words.take("LIKE") {
        show.like = Some(words.string()?);
    } else if words.take("WHERE") {
        show.among = Some(strings_of_condition(&mut words)?);
    }
    if words.take("ORDER") {
        words.take("BY").then_some(())?;
        loop {
            let column = words.name()?;
            let descending = !words.take("ASC") && words.take("DESC");
            show.order.push((column, descending));
            if !words.take_punct(b',') {
                break;
            }
        }
    }
    if words.take("LIMIT") {
        let first = words.number()?;
        show.limit = Some(if words.take_punct(b',') {
            (first, words.number()?)
        } else if words.take("OFFSET") {
            (words.number()?, first)
        } else {
            (0, first)
        });
    }
    words.is_at_end().then_some(show)
}

/// The strings of `name = 'a' OR name = 'b'`, `name IN ('a', 'b')`; any other condition is not known.
fn strings_of_condition(words: &mut Words<'_>) -> Option<Vec<String>> {
    let mut strings = Vec::new();
    while let Some(token) = words.peek() {
        match token.kind {
            Kind::String => strings.push(words.string()?),
            Kind::Punct if matches!(words.bytes(token), b"=" | b"(" | b")" | b",") => drop(words.token()),
            Kind::QuotedIdentifier => drop(words.token()),
            Kind::Word => {
                let word = String::from_utf8_lossy(words.bytes(token)).to_uppercase();
                match word.as_str() {
                    "ORDER" | "LIMIT" => break,
                    "AND" | "NOT" | "LIKE" | "BETWEEN" => return None,
                    _ => drop(words.token()),
                }
            }
            _ => return None,
        }
    }
    (!strings.is_empty()).then_some(strings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(sql: &str) -> Option<Show> {
        match parse(sql.as_bytes())? {
            Statement::Show(show) => Some(show),
            _ => None,
        }
    }

    #[test]
    fn tables_are_asked_for_in_each_form() {
        let plain = |what: &str| Some(Show { what: what.into(), ..Show::default() });
        for (sql, what) in [
            ("show clients", "CLIENTS"),
            ("SHOW PIN CAUSES;", "PIN CAUSES"),
            ("/* tool */ Show\nPins ; ", "PINS"),
            ("SHOW FULL TABLES FROM `tidegate`", "TABLES"),
            ("SELECT * FROM clients", "CLIENTS"),
            ("select * from tidegate.pin_causes", "PIN CAUSES"),
            ("HELP", "HELP"),
        ] {
            assert_eq!(shown(sql), plain(what), "{sql}");
        }
        let all = shown("SHOW DIGESTS LIKE '%it''s%' ORDER BY count DESC, 2 LIMIT 5, 10").unwrap();
        assert_eq!(all.like.as_deref(), Some("%it's%"));
        assert_eq!(all.order, [("count".into(), true), ("2".into(), false)]);
        assert_eq!(all.limit, Some((5, 10)));
        assert_eq!(shown("SHOW PINS LIMIT 7").unwrap().limit, Some((0, 7)));
        assert_eq!(shown("SHOW PINS LIMIT 7 OFFSET 3").unwrap().limit, Some((3, 7)));
        let among = shown("SHOW VARIABLES WHERE Variable_name ='language' OR Variable_name = 'wait_timeout'").unwrap();
        assert_eq!(among.among, Some(vec!["language".into(), "wait_timeout".into()]));
    }

    #[test]
    fn orders_are_told_from_what_is_none() {
        for (sql, order) in [
            ("KILL 1073741825", Order::Kill { id: 1_073_741_825, query_only: false }),
            ("kill connection 7", Order::Kill { id: 7, query_only: false }),
            ("KILL QUERY 7;", Order::Kill { id: 7, query_only: true }),
            ("pause", Order::Pause),
            ("RESUME", Order::Resume),
            ("DRAIN", Order::Drain),
            ("RELOAD", Order::Reload),
            ("reload config", Order::Reload),
            ("RESET STATS", Order::ResetStats),
            ("RECORD START 'a.trace'", Order::StartRecording { path: "a.trace".into(), literals: false }),
            ("record start \"b\" literals;", Order::StartRecording { path: "b".into(), literals: true }),
            ("RECORD STOP", Order::StopRecording),
        ] {
            assert_eq!(parse(sql.as_bytes()), Some(Statement::Order(order)), "{sql}");
        }
        for sql in [
            "",
            "KILL",
            "KILL x",
            "KILL 99999999999",
            "KILL 7 8",
            "PAUSE; DRAIN",
            "RESET",
            "RECORD",
            "RECORD START",
            "RECORD START x",
            "RECORD START 'x' y",
            "RECORD STOP 'x'",
            "DROP TABLE x",
            "SHOW",
            "SHOW CLIENTS WHERE id > 5",
            "SHOW CLIENTS LIKE x",
            "SHOW PINS LIMIT x",
            "SELECT * FROM",
        ] {
            assert_eq!(parse(sql.as_bytes()), None, "{sql}");
        }
        for sql in ["SET NAMES utf8mb4", "use x", "/*!40101 SET @@SQL_MODE = '' */", "START TRANSACTION"] {
            assert_eq!(parse(sql.as_bytes()), Some(Statement::Nothing), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, head in "(SHOW |SELECT |KILL |select \\* from |)") {
            let _ = parse(&[head.as_bytes(), &bytes].concat());
        }
    }
}
