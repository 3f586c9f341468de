//! Statements that may carry an account's password: their text is never put on record, their fingerprint is.

/// Whether a statement may hold a password of an account (CREATE USER, GRANT, SET PASSWORD, CHANGE MASTER, START REPLICA,
/// CREATE SERVER, PASSWORD(), a table at another server: CONNECTION='mysql://user:password@..'). Judged by words alone, comments
/// included: rather once too often.
pub(crate) fn may_hold_password(sql: &[u8]) -> bool {
    let (mut sets, mut makes, mut starts) = (false, false, false);
    let (mut password, mut connection) = (false, false);
    for (word, next) in words(sql) {
        match () {
            () if is(word, b"identified") || ends_in(word, b"_password") => return true,
            () if is(word, b"password") && next == Some(b'(') => return true,
            () if is(word, b"password") => password = true,
            () if is(word, b"set") => sets = true,
            () if is(word, b"create") || is(word, b"alter") => makes = true,
            () if is(word, b"start") => starts = true,
            () if is(word, b"connection") => connection = true,
            () => {}
        }
    }
    password && (sets || makes || starts) || connection && makes
}

/// Each word with the byte behind it.
fn words(sql: &[u8]) -> impl Iterator<Item = (&[u8], Option<u8>)> {
    sql.chunk_by(|a, b| is_word(*a) == is_word(*b)).filter(|chunk| is_word(chunk[0])).map(|word| {
        let end = word.as_ptr_range().end as usize - sql.as_ptr() as usize;
        (word, sql.get(end).copied())
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is(word: &[u8], lower: &[u8]) -> bool {
    word.eq_ignore_ascii_case(lower)
}

fn ends_in(word: &[u8], lower: &[u8]) -> bool {
    word.len() >= lower.len() && is(&word[word.len() - lower.len()..], lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_statements_are_recognized() {
        for sql in [
            "CREATE USER a IDENTIFIED BY 'x'",
            "alter user a identified/**/with caching_sha2_password by 'x'",
            "GRANT ALL ON *.* TO a IDENTIFIED  BY 'x'",
            "SET PASSWORD FOR a = 'x'",
            "SELECT PASSWORD('x')",
            "CHANGE MASTER TO MASTER_PASSWORD = 'x'",
            "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD 'x')",
            "START SLAVE USER='u' PASSWORD='x'",
            "start replica until source_log_pos = 4 user = 'u' password = 'x'",
            "START GROUP_REPLICATION USER='u', PASSWORD='x'",
            "CREATE TABLE t (a INT) ENGINE=FEDERATED CONNECTION='mysql://u:x@h/d/t'",
            "ALTER TABLE t CONNECTION = 'mysql://u:x@h/d/t'",
            "CREATE TABLE t (a INT) ENGINE=CONNECT OPTION_LIST='user=u,password=x'",
            "CREATE TABLE t (a INT) ENGINE=SPIDER COMMENT='user \"u\", password \"x\"'",
        ] {
            assert!(may_hold_password(sql.as_bytes()), "{sql}");
        }
    }

    #[test]
    fn common_statements_are_not() {
        for sql in [
            "SELECT password FROM t WHERE id = 1",
            "SET NAMES utf8mb4",
            "",
            "INSERT INTO t VALUES ('a')",
            "START TRANSACTION",
            "START SLAVE",
            "CREATE TABLE t (id INT, connection_id BIGINT)",
        ] {
            assert!(!may_hold_password(sql.as_bytes()), "{sql}");
        }
    }
}
