//! Mode `transaction`: a client's own `session_track_*`. tidegate's are in force on every backend, so that it hears of every
//! change; where a statement shows or sets these variables, the client's are put there for its time.

use crate::proxy::client::Session;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::session::restore::client_trackers;
use crate::sql::dialect::Dialect;
use crate::sql::flags::Flags;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::verb::Verb;
use crate::wire::command;

impl Session {
    /// Whether the statement shows or sets `session_track_*`.
    pub(super) fn concerns_trackers(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        let Some(shared) = self.shared.as_ref().filter(|_| exchange.code == command::QUERY) else { return false };
        let summary = exchange.summary;
        let sql = || commands.get(exchange.text.clone()).unwrap_or_default();
        let names_any = summary.flags.any(Flags::SETS_TRACKERS.with(Flags::USES_SYSTEM_VARIABLE));
        let is_about = || match summary.verb {
            _ if summary.flags.has(Flags::SETS_TRACKERS) => true,
            Verb::Show => summary.statements > 1 || may_list_trackers(sql()),
            _ => names_trackers(sql()),
        };
        shared.announcing.trackers && names_any && is_about()
    }

    /// The client's settings instead of tidegate's.
    pub(super) async fn put_own_trackers(&mut self) -> Result<(), Fault> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let sql = client_trackers(&shared.asked);
        self.run_own(&sql).await?.map(drop).map_err(Fault::of_question)
    }

    /// tidegate's settings again. `were_set`: the statement may have changed the client's, and other settings unheard.
    pub(super) async fn put_trackers_again(&mut self, were_set: bool) -> Result<(), Fault> {
        let room = self.lease.backend().kept.room;
        if were_set && let Some(questions) = self.shared.as_ref().map(|shared| shared.questions(room)) {
            let answers = self.run_all(&questions).await?;
            if let Some(shared) = &mut self.shared {
                shared.read(answers, true);
            }
        }
        if let Some(sql) = self.shared.as_ref().and_then(|shared| shared.trackers(room)).map(str::to_owned) {
            self.run_own(&sql).await?.map_err(Fault::of_question)?;
        }
        if let Some(shared) = &mut self.shared {
            shared.ledger.sees_again();
        }
        Ok(())
    }
}

const WORD: &[u8] = b"session_track";

fn names_trackers(sql: &[u8]) -> bool {
    has_word(sql, WORD)
}

fn has_word(sql: &[u8], word: &[u8]) -> bool {
    sql.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// Whether SHOW VARIABLES may show one of them. To change them costs two round trips, and MySQL forgets of an open transaction what
/// it has told: not where `LIKE 'sql_mode'` and the like, plainly said, ask for others.
fn may_list_trackers(sql: &[u8]) -> bool {
    if ["--", "#", "/*", "\\"].iter().any(|mark| has_word(sql, mark.as_bytes())) {
        return true;
    }
    match has_word(sql, b"where") {
        true => !names_others(sql),
        false => like_pattern(sql).is_none_or(may_match),
    }
}

/// Whether a pattern may be about one of them, by what stands before its first wildcard.
fn may_match(pattern: &[u8]) -> bool {
    let len = pattern.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count().min(WORD.len());
    pattern[..len].eq_ignore_ascii_case(&WORD[..len])
}

/// Whether a text is a WHERE of names of others, equal to one or in a list: so ask drivers as they connect.
fn names_others(sql: &[u8]) -> bool {
    let tokens = Lexer::new(sql, Dialect::default()).map(|token| (token.kind, &sql[token.start..token.end]));
    let mut behind = tokens.skip_while(|(_, text)| !text.eq_ignore_ascii_case(b"where")).skip(1).peekable();
    let names_one = |text: &[u8]| {
        let name = text.get(1..text.len() - 1).unwrap_or_default();
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') && !may_match(name)
    };
    behind.peek().is_some()
        && behind.all(|(kind, text)| match kind {
            Kind::Word => ["variable_name", "in", "or"].iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes())),
            Kind::String => names_one(text),
            _ => matches!(text, b"=" | b"(" | b")" | b"," | b";"),
        })
}

/// What a text that ends in `LIKE '..'` has there.
fn like_pattern(sql: &[u8]) -> Option<&[u8]> {
    let sql = sql.trim_ascii_end();
    let sql = sql.strip_suffix(b";").unwrap_or(sql).trim_ascii_end();
    let (quote, head) = sql.split_last().filter(|(quote, _)| matches!(quote, b'\'' | b'"'))?;
    let begin = head.iter().rposition(|byte| byte == quote)?;
    let before = head[..begin].trim_ascii_end();
    let like = before.len().checked_sub(5)?;
    let is_like = before[like].is_ascii_whitespace() && before[like + 1..].eq_ignore_ascii_case(b"like");
    is_like.then_some(&head[begin + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_pattern_rules_them_out() {
        let lists = [
            "SHOW VARIABLES",
            "SHOW VARIABLES LIKE '%'",
            "SHOW VARIABLES LIKE 'session_track_schema'",
            "SHOW VARIABLES LIKE 'SESS%'",
            "SHOW VARIABLES LIKE 'session\\_track\\_%'",
            "SHOW VARIABLES LIKE '_ession_track_schema';",
            "SHOW VARIABLES WHERE 1 OR variable_name LIKE 'lc_time'",
            "SHOW VARIABLES -- LIKE 'lc_time'",
            "SHOW VARIABLES LIKE 'it''s'",
            "SHOW VARIABLES LIKE ''",
            "SHOW VARIABLES UNLIKE 'a'",
            "SHOW VARIABLES WHERE Variable_name IN ('sql_mode', 'session_track_schema')",
            "SHOW VARIABLES WHERE Variable_name = 'sql_mode' OR 1",
            "SHOW VARIABLES WHERE Variable_name <> 'sql_mode'",
            "SHOW VARIABLES WHERE Variable_name = 'a' OR Value = 'ON'",
            "SHOW VARIABLES WHERE Variable_name = ''",
            "SHOW VARIABLES WHERE",
        ];
        let others = [
            "SHOW VARIABLES LIKE 'lc_time_names'",
            "show session variables\nlike \"sql_mode\" ; ",
            "SHOW VARIABLES LIKE 'server%'",
            "SHOW VARIABLES WHERE Variable_name ='language' OR Variable_name = \"net_write_timeout\";",
            "show session variables where variable_name in ('div_precision_increment','sql_mode')",
        ];
        assert_eq!(lists.map(|sql| may_list_trackers(sql.as_bytes())), [true; 17]);
        assert_eq!(others.map(|sql| may_list_trackers(sql.as_bytes())), [false; 5]);
    }
}
