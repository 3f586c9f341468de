//! KILLs of a number among several statements in one text.

use std::ops::Range;

use memchr::memchr;

use super::effects::statements;
use super::flags::Flags;
use super::kill::{Kill, Target, kill};
use super::lexer::Dialect;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Among {
    /// Which of the text's statements, counted from 0.
    pub place: usize,
    /// Every statement before it has exactly one result, so that the results tell whether it was reached.
    pub countable: bool,
    /// Where it stands, without `;`.
    pub span: Range<usize>,
    /// The KILL, its number by its place in the whole text.
    pub kill: Kill,
}

/// What has any number of results.
const MANY_RESULTS: Flags = Flags::CALLS
    .with(Flags::EXECUTES)
    .with(Flags::EXECUTE_IMMEDIATE)
    .with(Flags::COMPOUND)
    .with(Flags::UNEXPLAINED)
    .with(Flags::STORED_PROGRAM);

/// The KILLs of connections' ids in a text of several statements; none in a text of one.
pub fn kills(sql: &[u8], dialect: Dialect) -> Vec<Among> {
    let (mut found, mut countable, mut count) = (Vec::new(), true, 0);
    for statement in statements(sql, dialect) {
        let span = statement.span.start..statement.span.end;
        let own = kill(&sql[span.clone()], dialect).filter(|kill| kill.target != Target::QueryId);
        if let Some(kill) = own.filter(|_| statement.flags.has(Flags::KILLS)) {
            let number = span.start + kill.number.start..span.start + kill.number.end;
            found.push(Among { place: count, countable, span, kill: Kill { number, ..kill } });
        }
        countable &= !statement.flags.any(MANY_RESULTS);
        count += 1;
    }
    if count > 1 { found } else { Vec::new() }
}

/// The same where the session's SQL mode is not known: none, unless they are the same under every one.
pub fn kills_in_any_mode(sql: &[u8], dialect: Dialect) -> Vec<Among> {
    let found = kills(sql, dialect);
    let modes = [(true, false), (false, true), (true, true)];
    let is_sure = modes.into_iter().all(|(ansi_quotes, no_backslash_escapes)| {
        kills(sql, Dialect { ansi_quotes, no_backslash_escapes, ..dialect }) == found
    });
    if is_sure { found } else { Vec::new() }
}

/// Whether the text may hold one: a cheap test before [`kills`].
pub fn may_hold_kills(sql: &[u8]) -> bool {
    memchr(b';', sql).is_some() && sql.windows(4).any(|word| word.eq_ignore_ascii_case(b"kill"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(sql: &str) -> Vec<String> {
        let tell = |found: &Among| {
            let Among { place, countable, span, kill } = found;
            assert_eq!(sql[kill.number.clone()].parse(), Ok(kill.id));
            format!("{place} {countable} {:?} [{}]", kill.target, &sql[span.clone()])
        };
        assert!(may_hold_kills(sql.as_bytes()) || !sql.contains(';'), "{sql}");
        kills(sql.as_bytes(), Dialect::default()).iter().map(tell).collect()
    }

    #[test]
    fn each_is_found_where_it_stands() {
        assert_eq!(told("KILL 5; SELECT 1"), ["0 true Connection [KILL 5]"]);
        assert_eq!(
            told("SELECT ';'; kill /* it */ query 5 ;; KILL 6;"),
            ["1 true Query [kill /* it */ query 5]", "2 true Connection [KILL 6]"]
        );
        assert_eq!(told("CALL p(); KILL 5"), ["1 false Connection [KILL 5]"]);
        for sql in
            ["KILL 5", "KILL 5;", "SELECT 'a; KILL 5'; SELECT 1", "SELECT 1; KILL QUERY ID 5", "SELECT 1; KILL @a"]
        {
            assert_eq!(told(sql), [""; 0], "{sql}");
        }
    }

    #[test]
    fn what_a_mode_could_read_otherwise_is_left_alone() {
        let sure = |sql: &str| kills_in_any_mode(sql.as_bytes(), Dialect::default()).len();
        assert_eq!(sure("SELECT 'a'; KILL 5"), 1);
        assert_eq!(sure(r"SELECT 'a\'; KILL 5; SELECT '"), 0);
        assert_eq!(sure(r"SELECT 'a\''; KILL 5; SELECT 'b'"), 0);
        assert!(!may_hold_kills(b"SELECT 'skill'") && !may_hold_kills(b"SELECT 1; SELECT 2"));
    }

    proptest! {
        #[test]
        fn no_text_panics(sql: Vec<u8>, words in "(kill|query|call p|select|'|\"|;|[0-9]{1,22}| |/\\*|\\*/|\\\\){0,14}") {
            kills(&sql, Dialect::default());
            kills_in_any_mode(words.as_bytes(), Dialect::default());
        }
    }
}
