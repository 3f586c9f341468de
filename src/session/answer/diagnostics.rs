//! GET DIAGNOSTICS as a SET of the same user variables.

use std::fmt::Write;

use crate::session::last::Saved;
use crate::session::quote::{is_word, put_hex};
use crate::sql::dialect::Dialect;
use crate::sql::effects::Statement;
use crate::sql::lexer::Kind;

const UNKNOWN: &str = "GET DIAGNOSTICS in a form that cannot be answered on another backend";

/// GET [CURRENT] DIAGNOSTICS @a = NUMBER, @b = ROW_COUNT
/// GET [CURRENT] DIAGNOSTICS CONDITION n @a = MYSQL_ERRNO, @b = MESSAGE_TEXT
pub(super) fn set(
    sql: &[u8],
    dialect: Dialect,
    statement: &Statement,
    row_count: Option<i64>,
    saved: &Saved,
) -> Result<Vec<u8>, &'static str> {
    let mut tokens = statement
        .tokens(sql, dialect)
        .filter(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose))
        .map(|token| (token.kind, &sql[token.start..token.end]))
        .peekable();
    let is = |text: &[u8], word: &str| text.eq_ignore_ascii_case(word.as_bytes());
    let _get = tokens.next();
    tokens.next_if(|(_, text)| is(text, "current"));
    tokens.next().filter(|(_, text)| is(text, "diagnostics")).ok_or(UNKNOWN)?;
    let condition = match tokens.next_if(|(_, text)| is(text, "condition")) {
        None => None,
        Some(_) => {
            let number = tokens.next().and_then(|(_, text)| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
            let at = number.and_then(|number| number.checked_sub(1)).ok_or(UNKNOWN)?;
            Some(saved.conditions.get(at).ok_or(UNKNOWN)?)
        }
    };
    let mut out = b"SET ".to_vec();
    loop {
        let (_, variable) = tokens.next().filter(|(kind, _)| *kind == Kind::UserVariable).ok_or(UNKNOWN)?;
        tokens.next().filter(|(_, text)| *text == b"=").ok_or(UNKNOWN)?;
        let (_, what) = tokens.next().ok_or(UNKNOWN)?;
        out.extend_from_slice(variable);
        let mut value = String::from("=");
        let known = match condition {
            None if is(what, "number") => put_unsigned(&mut value, saved.conditions.len() as u64),
            None if is(what, "row_count") => row_count.map(|count| put(&mut value, format_args!("{count}"))),
            Some(one) if is(what, "mysql_errno") => put_unsigned(&mut value, one.code.into()),
            Some(one) if is(what, "message_text") => put_message(&mut value, &one.message, &saved.charset, dialect),
            _ => None,
        };
        known.ok_or(UNKNOWN)?;
        out.extend_from_slice(value.as_bytes());
        match tokens.next() {
            None => return Ok(out),
            Some((_, b",")) => out.push(b','),
            Some(_) => return Err(UNKNOWN),
        }
    }
}

fn put(out: &mut String, value: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(value);
}

fn put_unsigned(out: &mut String, value: u64) -> Option<()> {
    put(out, format_args!("CAST({value} AS UNSIGNED)"));
    Some(())
}

/// Messages are utf8mb3 in the server, whatever they were shown in. MySQL 8 and later warn of every mention of it: there
/// a system constant's character set is lent to the literal, which works for ASCII.
fn put_message(out: &mut String, message: &[u8], charset: &[u8], dialect: Dialect) -> Option<()> {
    let charset = if charset.is_empty() { b"utf8" } else { charset };
    let charset = std::str::from_utf8(charset).ok().filter(|name| is_word(name.as_bytes()))?;
    if !dialect.mariadb && !(1..80_000).contains(&dialect.version) {
        message.is_ascii().then_some(())?;
        out.push_str("CONCAT(LEFT(VERSION(),0),_utf8mb4 ");
        put_hex(out, message);
        out.push(')');
        return Some(());
    }
    put(out, format_args!("CONVERT(_{charset} "));
    put_hex(out, message);
    out.push_str(" USING utf8");
    // MariaDB's names may mean utf8mb4, and its default collations are the operator's.
    match dialect.mariadb && dialect.version >= 100_600 {
        true => out.push_str("mb3) COLLATE utf8mb3_general_ci"),
        false => out.push_str(") COLLATE utf8_general_ci"),
    }
    Some(())
}
