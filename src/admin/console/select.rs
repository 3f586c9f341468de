//! `SELECT` of values without a table, as clients and drivers send it first: variables, a few functions, literals. Pure.

use super::login::VERSION;
use super::variables;
use super::words::{Words, unquoted};
use crate::admin::table::{Cell, Column, Kind, Table};
use crate::sql::lexer::Kind as Token;

/// One value that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The column's name.
    pub name: String,
    /// What it is.
    pub value: Value,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `@@name`, in lower case.
    Variable(String),
    /// `DATABASE()` and its like.
    Database,
    /// `USER()` and its like.
    User,
    /// `CONNECTION_ID()`
    ConnectionId,
    /// A literal, `VERSION()`, `@a` (which is NULL).
    Constant(Cell),
}

/// Who asks.
pub struct Asker<'a> {
    /// `name@host`
    pub user: &'a str,
    /// The connection's id.
    pub id: u32,
}

/// The list's items; `None`: something that the console cannot answer.
pub fn items(mut words: Words<'_>) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    loop {
        items.push(item(&mut words)?);
        if !words.take_punct(b',') {
            break;
        }
    }
    if words.take("FROM") {
        words.take("DUAL").then_some(())?;
    }
    if words.take("LIMIT") {
        words.number::<u64>()?;
    }
    words.is_at_end().then_some(items)
}

fn item(words: &mut Words<'_>) -> Option<Item> {
    let first = words.token()?;
    let text = words.bytes(first);
    let mut end = first.end;
    let value = match first.kind {
        Token::SystemVariable => Value::Variable(variable(text)),
        Token::UserVariable => Value::Constant(Cell::Null),
        Token::String => Value::Constant(Cell::Text(unquoted(text))),
        Token::Number => Value::Constant(number(text)),
        Token::Word => {
            let word = String::from_utf8_lossy(text).to_uppercase();
            if words.take_punct(b'(') {
                end = words.peek()?.end;
                words.take_punct(b')').then_some(())?;
            }
            function(&word)?
        }
        _ => return None,
    };
    let typed = words.between(first.start, end).into_owned();
    let name = alias(words)?.unwrap_or(typed);
    Some(Item { name, value })
}

/// `Some(None)`: there is none.
fn alias(words: &mut Words<'_>) -> Option<Option<String>> {
    if words.take("AS") {
        return words.name().or_else(|| words.string()).map(Some);
    }
    let is_name = words.peek().is_some_and(|token| match token.kind {
        Token::Word => !["FROM", "LIMIT"].iter().any(|word| words.bytes(token).eq_ignore_ascii_case(word.as_bytes())),
        kind => kind == Token::QuotedIdentifier,
    });
    Some(if is_name { words.name() } else { None })
}

fn variable(text: &[u8]) -> String {
    let name = String::from_utf8_lossy(text).trim_start_matches('@').replace('`', "").to_lowercase();
    let scopes = ["session.", "global.", "local."];
    scopes.iter().find_map(|scope| name.strip_prefix(scope)).unwrap_or(&name).to_owned()
}

fn number(text: &[u8]) -> Cell {
    let text = String::from_utf8_lossy(text);
    match (text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(count), _) => Cell::Count(count),
        (_, Ok(real)) => Cell::Real(real),
        _ => Cell::Text(text.into_owned()),
    }
}

fn function(word: &str) -> Option<Value> {
    Some(match word {
        "DATABASE" | "SCHEMA" => Value::Database,
        "USER" | "CURRENT_USER" | "SESSION_USER" | "SYSTEM_USER" => Value::User,
        "CONNECTION_ID" => Value::ConnectionId,
        "VERSION" => Value::Constant(VERSION.into()),
        "NULL" => Value::Constant(Cell::Null),
        "TRUE" => Value::Constant(Cell::Count(1)),
        "FALSE" => Value::Constant(Cell::Count(0)),
        _ => return None,
    })
}

/// The one row of the answer.
///
/// # Errors
/// The name of a variable that the console does not have.
pub fn answer(items: &[Item], asker: &Asker<'_>) -> Result<Table, String> {
    let cell = |item: &Item| match &item.value {
        Value::Variable(name) => variables::get(name).ok_or_else(|| name.clone()),
        Value::Database => Ok(Cell::Null),
        Value::User => Ok(asker.user.into()),
        Value::ConnectionId => Ok(asker.id.into()),
        Value::Constant(cell) => Ok(cell.clone()),
    };
    let row = items.iter().map(cell).collect::<Result<Vec<_>, _>>()?;
    let kind = |cell: &Cell| match cell {
        Cell::Count(_) => Kind::Count,
        Cell::Real(_) => Kind::Real,
        Cell::Null | Cell::Text(_) => Kind::Text,
    };
    let columns = items.iter().zip(&row).map(|(item, cell)| Column { name: item.name.clone(), kind: kind(cell) });
    Ok(Table { columns: columns.collect(), rows: vec![row], named_by: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = Vec<(String, Option<String>)>;

    fn answered(sql: &str) -> Option<Result<Row, String>> {
        let mut words = Words::new(sql.as_bytes());
        words.take("SELECT");
        let asker = Asker { user: "admin@127.0.0.1", id: 7 };
        let table = answer(&items(words)?, &asker);
        let pairs = |table: Table| {
            let cells = table.rows.into_iter().flatten().map(|cell| cell.shown());
            table.columns.into_iter().map(|column| column.name).zip(cells).collect()
        };
        Some(table.map(pairs))
    }

    #[test]
    fn what_drivers_ask_first_is_answered() {
        let one = |name: &str, value: Option<&str>| Some(Ok(vec![(name.to_owned(), value.map(str::to_owned))]));
        assert_eq!(answered("select @@version_comment limit 1"), one("@@version_comment", Some("tidegate's console")));
        assert_eq!(answered("SELECT DATABASE()"), one("DATABASE()", None));
        assert_eq!(answered("select CURRENT_USER"), one("CURRENT_USER", Some("admin@127.0.0.1")));
        assert_eq!(answered("SELECT CONNECTION_ID() AS id FROM DUAL"), one("id", Some("7")));
        assert_eq!(answered("SELECT 'x''y' AS `a b`"), one("a b", Some("x'y")));
        let two = "/* mysql-connector-java */ SELECT  @@session.auto_increment_increment AS auto_increment_increment, \
                   @@transaction_isolation AS transaction_isolation";
        let told: Vec<_> = answered(two).unwrap().unwrap();
        assert_eq!(told[0], ("auto_increment_increment".into(), Some("1".into())));
        assert_eq!(told[1].0, "transaction_isolation");
        assert_eq!(answered("SELECT @@no_such"), Some(Err("no_such".into())));
    }

    #[test]
    fn what_is_more_than_values_is_not_answered() {
        for sql in ["SELECT 1 + 1", "SELECT a FROM b", "SELECT SLEEP(5)", "SELECT", "SELECT 1, ", "SELECT (1)"] {
            assert_eq!(answered(sql), None, "{sql}");
        }
    }
}
