//! Mode `session`: the text that a `PREPARE .. FROM @text` prepares.
//!
//! The connection is the client's own, and a SELECT would change what FOUND_ROWS() tells it. A SET that the server must
//! refuse changes nothing that the PREPARE behind it leaves as it was, and its refusal holds the value.

use crate::net::channel::Channel;
use crate::proxy::error::Fault;
use crate::proxy::statement;
use crate::sql::dialect::Dialect;
use crate::sql::lexer::{Kind, Lexer};
use crate::wire::capabilities::Capabilities;

/// What stands around the value. No SQL mode's name has it in it.
const MARKS: (&str, &str) = ("<~", "~>");

/// The statement that tells; `None`: the expression is more than a variable.
pub(super) fn question(expression: &[u8]) -> Option<String> {
    let mut tokens = Lexer::new(expression, Dialect::default());
    let is_variable = |kind| kind == Some(Kind::UserVariable);
    let is_one = is_variable(tokens.next().map(|token| token.kind)) && tokens.next().is_none();
    let variable = std::str::from_utf8(expression).ok().filter(|_| is_one)?;
    Some(format!("SET SESSION sql_mode = CONCAT('{}', {variable}, '{}')", MARKS.0, MARKS.1))
}

/// Asks for it. `None`: it cannot be told, as the server shows some 200 bytes of a value up to its first comma. Not cancel safe.
pub(super) async fn ask(channel: &mut Channel, caps: Capabilities, question: &str) -> Result<Option<Vec<u8>>, Fault> {
    let answer = statement::query(channel, caps, question).await?;
    Ok(answer.err().and_then(|refused| between_marks(&refused.message).map(<[u8]>::to_vec)))
}

fn between_marks(message: &[u8]) -> Option<&[u8]> {
    let (open, close) = (MARKS.0.as_bytes(), MARKS.1.as_bytes());
    let begin = memchr::memmem::find(message, open)? + open.len();
    let end = memchr::memmem::rfind(message, close)?;
    message.get(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_is_asked_for() {
        let asked = |text: &str| question(text.as_bytes());
        assert_eq!(asked("@a"), Some("SET SESSION sql_mode = CONCAT('<~', @a, '~>')".into()));
        assert_eq!(asked("@`a b`"), Some("SET SESSION sql_mode = CONCAT('<~', @`a b`, '~>')".into()));
        for other in ["@a + 1", "@a := 'x'", "@@sql_mode", "f()", "a", ""] {
            assert_eq!(asked(other), None, "{other}");
        }
    }

    #[test]
    fn a_value_is_known_whole_or_not_at_all() {
        let told =
            |message: &str| between_marks(message.as_bytes()).map(|text| String::from_utf8_lossy(text).into_owned());
        let refused = "Variable 'sql_mode' can't be set to the value of '<~KILL QUERY 5 /* ~> */~>'";
        assert_eq!(told(refused).as_deref(), Some("KILL QUERY 5 /* ~> */"));
        assert_eq!(told("Variable 'sql_mode' can't be set to the value of '<~KILL 5 /* a'"), None);
        assert_eq!(told("Variable 'sql_mode' can't be set to the value of 'NULL'"), None);
        assert_eq!(told("~> <~"), None);
    }
}
