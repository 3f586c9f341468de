//! Statements that ask the server about itself. To answer them MariaDB looks into views of other schemas than the current one
//! (`mysql.user` is one, those of `sys` are others), and announces each time that something in the session has changed. It opens
//! such a view and runs nothing of it. Tools and frameworks send them with each of their pages.

use super::dialect::Dialect;
use super::lexer::{Kind, Lexer};

/// Whether the text is one SHOW without a function, or one SELECT whose tables are all in `information_schema`, or `mysql.user` without a function:
/// nothing else can be behind MariaDB's announcement than that it has looked. Functions of the text are for others to judge.
pub fn reads_catalog_alone(sql: &[u8], dialect: Dialect) -> bool {
    if !dialect.mariadb {
        return false;
    }
    let Some(words) = words(sql, dialect) else { return false };
    match words.first().map(Vec::as_slice) {
        // Its WHERE may call anything.
        Some(b"show") => !words.iter().any(|word| word == b"("),
        Some(b"select") => has_tables_of_the_catalog_alone(&words),
        _ => false,
    }
}

/// The text's words and marks in small letters; literals are empty. `None`: there is more in it.
fn words(sql: &[u8], dialect: Dialect) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    for token in Lexer::new(sql, dialect) {
        let text = &sql[token.start..token.end];
        words.push(match token.kind {
            // What is quoted, or stands behind a point, is a name.
            Kind::Word if words.last().is_none_or(|last: &Vec<u8>| last != b".") => text.to_ascii_lowercase(),
            Kind::Word | Kind::QuotedIdentifier => catalogs_own(text),
            Kind::Punct => text.to_vec(),
            Kind::String | Kind::Number | Kind::Placeholder | Kind::SystemVariable => Vec::new(),
            _ => return None,
        });
    }
    Some(words)
}

/// A name if it is one of those that matter, without its quotes.
fn catalogs_own(name: &[u8]) -> Vec<u8> {
    let bare = name.strip_prefix(b"`").and_then(|name| name.strip_suffix(b"`")).unwrap_or(name).to_ascii_lowercase();
    if [&b"information_schema"[..], b"mysql", b"user"].contains(&&bare[..]) { bare } else { b"`".to_vec() }
}

fn has_tables_of_the_catalog_alone(words: &[Vec<u8>]) -> bool {
    let word = |at: usize| words.get(at).map_or(&b""[..], Vec::as_slice);
    let has_parens = words.iter().any(|word| word == b"(");
    // At which depths of parentheses a list of tables goes on.
    let mut lists = Vec::new();
    let mut depth = 0_u32;
    let mut has_table = false;
    for at in 0..words.len() {
        let begins = match word(at) {
            b"(" => {
                depth += 1;
                false
            }
            b")" => {
                lists.retain(|list| *list < depth);
                depth = depth.saturating_sub(1);
                false
            }
            b"from" => {
                lists.push(depth);
                true
            }
            b"join" | b"straight_join" => true,
            b"," => lists.contains(&depth),
            b"into" | b"table" | b"with" => return false,
            b"where" | b"order" | b"group" | b"having" | b"limit" | b"union" | b"except" | b"intersect" | b"select" => {
                lists.retain(|list| *list != depth);
                false
            }
            _ => false,
        };
        if !begins {
            continue;
        }
        let is_qualified = word(at + 2) == b".";
        let is_of_catalog = is_qualified && word(at + 1) == b"information_schema";
        let is_accounts = is_qualified && word(at + 1) == b"mysql" && word(at + 3) == b"user" && !has_parens;
        if !is_of_catalog && !is_accounts {
            return false;
        }
        has_table = true;
    }
    has_table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_the_server_about_itself() {
        let mariadb = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };
        for sql in [
            "SELECT 1 FROM mysql.user LIMIT 1",
            "select `User`, Host FROM `mysql`.`user` WHERE user = 'a' ORDER BY host",
            "SELECT * FROM information_schema.tables LIMIT 1",
            "select exists (select 1 from information_schema.tables where table_schema = schema() and table_type in ('a', 'b')) as `e`",
            "SELECT c.a, COUNT(*) FROM INFORMATION_SCHEMA.COLUMNS c, `information_schema`.`tables` AS t WHERE c.x = t.x GROUP BY 1, 2",
            "SELECT a FROM information_schema.a LEFT JOIN information_schema.b ON a.x = b.x AND a.y IN (1, 2) ORDER BY 1, 2",
            "SELECT a FROM information_schema.a UNION SELECT b, c FROM information_schema.b WHERE b = ?",
            "SHOW TABLE STATUS FROM sys LIKE 'a'",
            "SHOW FULL COLUMNS FROM v FROM other",
        ] {
            assert!(reads_catalog_alone(sql.as_bytes(), mariadb), "{sql}");
            assert!(!reads_catalog_alone(sql.as_bytes(), Dialect::PLAIN), "{sql}");
        }
    }

    #[test]
    fn what_may_run_a_view() {
        let mariadb = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };
        for sql in [
            "SELECT 1 FROM mysql.user, v",
            "SELECT 1 FROM mysql.user JOIN v",
            "SELECT 1 FROM mysql.user STRAIGHT_JOIN v",
            "SELECT 1 FROM mysql.user u NATURAL JOIN v",
            "SELECT 1 FROM mysql.user WHERE f(1)",
            "SELECT 1 FROM mysql.users",
            "SELECT 1 FROM shop.user",
            "SELECT @a FROM mysql.user",
            "SELECT user FROM mysql.user UNION SELECT a FROM v",
            "SELECT user FROM mysql.user; SELECT 1",
            "SELECT 1 FROM mysql.user INTO x",
            "SELECT 1",
            "SELECT 1 FROM information_schema.tables t, shop.v",
            "SELECT 1 FROM information_schema.a JOIN information_schema.b ON a.x = b.x, v",
            "SELECT 1 FROM information_schema.a USE INDEX (x, y), v",
            "SELECT 1 FROM (information_schema.a, v)",
            "SELECT 1 FROM (SELECT 1 FROM v) d",
            "SELECT (SELECT 1 FROM v), 2 FROM information_schema.a",
            "SELECT 1 FROM information_schema.a WHERE x IN (SELECT x FROM v)",
            "SELECT 1 FROM information_schema.a WHERE x IN (TABLE v)",
            "WITH c AS (SELECT 1 FROM v) SELECT 1 FROM information_schema.a",
            "SELECT /*! 1 FROM v, */ 1 FROM information_schema.a",
            "SELECT 1 FROM tables",
            "SELECT 1 FROM information_schema.a `where`, v",
            "SELECT 1 FROM information_schema.a JOIN information_schema.b ON a.where = b.x, v",
            "SHOW TABLES; SELECT 1 FROM v",
            "SHOW TABLES WHERE f(1)",
            "DELETE FROM information_schema.a",
        ] {
            assert!(!reads_catalog_alone(sql.as_bytes(), mariadb), "{sql}");
        }
    }
}
