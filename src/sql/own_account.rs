//! Whether a statement about accounts may change how the account that says it logs in: its password, its name, whether there is it
//! at all. Who is in stays in; who would have to log in again may not be let in.

use crate::sql::lexer::{Dialect, Kind, Lexer, Token};

/// Whether the statements of this text, which change accounts, may concern `user`, by its name or as the one who says it.
pub fn may_concern(sql: &[u8], dialect: Dialect, user: &[u8]) -> bool {
    let tokens: Vec<Token> =
        Lexer::new(sql, dialect).filter(|token| !matches!(token.kind, Kind::CodeOpen | Kind::CodeClose)).collect();
    tokens.split(|token| token.kind == Kind::Semicolon).any(|statement| concerns(sql, statement, user))
}

fn concerns(sql: &[u8], tokens: &[Token], user: &[u8]) -> bool {
    let text = |token: &Token| &sql[token.start..token.end];
    let is = |at: usize, word: &str| {
        tokens
            .get(at)
            .is_some_and(|token| token.kind == Kind::Word && text(token).eq_ignore_ascii_case(word.as_bytes()))
    };
    if is(0, "set") {
        // SET PASSWORD FOR another; without FOR, its own. What else stands in the same SET is read like names.
        let own = (1..tokens.len()).any(|at| is(at, "password") && !is(at + 1, "for"));
        return own || names(sql, tokens, user);
    }
    let rights_only = (is(0, "grant") || is(0, "revoke")) && !(1..tokens.len()).any(|at| is(at, "identified"));
    !rights_only && names(sql, tokens, user)
}

/// Whether the account is named, or may be.
fn names(sql: &[u8], tokens: &[Token], user: &[u8]) -> bool {
    tokens.iter().enumerate().any(|(at, token)| {
        let text = &sql[token.start..token.end];
        let calls = tokens.get(at + 1).is_some_and(|next| sql[next.start] == b'(');
        match token.kind {
            Kind::Word if text.eq_ignore_ascii_case(b"current_user") => true,
            Kind::Word if text.eq_ignore_ascii_case(b"user") && calls => true,
            Kind::Word => text == user,
            Kind::String | Kind::QuotedIdentifier => {
                let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                // An escaped byte, or a quote within: it may be the name.
                inner == user || inner.iter().any(|byte| matches!(byte, b'\\' | b'\'' | b'"' | b'`'))
            }
            Kind::Broken => true,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_name_or_itself() {
        for sql in [
            "SET PASSWORD = 'x'",
            "SET PASSWORD FOR 'app'@'%' = PASSWORD('x')",
            "SET PASSWORD FOR CURRENT_USER() = 'x'",
            "set @a = 1, password = 'x'",
            "ALTER USER USER() IDENTIFIED BY 'x'",
            "ALTER USER other, app@localhost IDENTIFIED BY 'x'",
            "DROP USER `app`",
            "RENAME USER 'app'@'%' TO 'b'@'%'",
            "GRANT USAGE ON *.* TO app IDENTIFIED BY 'x'",
            "DO 1; ALTER USER /*!50000 app */ ACCOUNT LOCK",
            r"DROP USER 'a\pp'",
        ] {
            assert!(may_concern(sql.as_bytes(), Dialect::default(), b"app"), "{sql}");
        }
        for sql in [
            "SET PASSWORD FOR other = 'x'",
            "ALTER USER other IDENTIFIED BY 'x'",
            "GRANT SELECT ON app.* TO app",
            "REVOKE SELECT ON *.* FROM app",
            "CREATE USER other IDENTIFIED BY 'x'",
        ] {
            assert!(!may_concern(sql.as_bytes(), Dialect::default(), b"app"), "{sql}");
        }
    }
}
