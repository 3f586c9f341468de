//! MariaDB's `mysql.user` is a view in a schema that is seldom the current one: the server looks into it for a moment, and announces
//! that something in the session has changed. Tools read it with each of their pages.

use super::dialect::Dialect;
use super::lexer::{Kind, Lexer};

/// Whether the text is a plain SELECT from `mysql.user` and from nothing else: no function, no other table, no other query.
pub fn reads_accounts_alone(sql: &[u8], dialect: Dialect) -> bool {
    let name = |text: &[u8]| text.iter().filter(|byte| **byte != b'`').map(u8::to_ascii_lowercase).collect::<Vec<u8>>();
    let mut words = Vec::new();
    for token in Lexer::new(sql, dialect) {
        match token.kind {
            Kind::Word | Kind::QuotedIdentifier => words.push(name(&sql[token.start..token.end])),
            Kind::Punct => words.push(sql[token.start..token.end].to_vec()),
            Kind::String | Kind::Number => words.push(Vec::new()),
            _ => return false,
        }
    }
    let is = |word: &[u8], text: &str| word == text.as_bytes();
    let count = |text: &str| words.iter().filter(|word| is(word, text)).count();
    let Some(from) = words.iter().position(|word| is(word, "from")) else { return false };
    let (fields, tables) = words.split_at(from);
    let is_one = fields.first().is_some_and(|word| is(word, "select")) && count("select") == 1 && count("from") == 1;
    let is_clause =
        |word: &Vec<u8>| ["where", "order", "group", "having", "limit"].iter().any(|clause| is(word, clause));
    let has_other = tables.get(4).is_some_and(|next| !is_clause(next)) || count("(") > 0 || count("into") > 0;
    let is_users =
        tables.get(1..4).is_some_and(|name| is(&name[0], "mysql") && is(&name[1], ".") && is(&name[2], "user"));
    dialect.mariadb && is_one && is_users && !has_other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accounts_and_nothing_else() {
        let mariadb = Dialect { mariadb: true, version: 101_119, ..Dialect::PLAIN };
        for sql in [
            "SELECT 1 FROM mysql.user LIMIT 1",
            "select `User`, Host FROM `mysql`.`user` WHERE user = 'a' ORDER BY host",
        ] {
            assert!(reads_accounts_alone(sql.as_bytes(), mariadb), "{sql}");
            assert!(!reads_accounts_alone(sql.as_bytes(), Dialect::PLAIN), "{sql}");
        }
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
        ] {
            assert!(!reads_accounts_alone(sql.as_bytes(), mariadb), "{sql}");
        }
    }
}
