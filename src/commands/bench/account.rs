//! Which server, as whom: `USER:PASSWORD@HOST:PORT/SCHEMA`. Pure.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::net::settings::Address;

/// The server and the account there. `Debug` and `Display` show no password.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Where the server is.
    pub address: Address,
    /// The account's name.
    pub user: String,
    /// Its password; may be empty.
    pub password: SecretString,
    /// The schema in which statements run.
    pub schema: String,
}

impl Account {
    /// Reads `USER:PASSWORD@HOST:PORT/SCHEMA`. The password may hold `@` and `:`, and may be left out; so may the port.
    ///
    /// # Errors
    /// What is missing; never with the password in it.
    pub fn parse(text: &str) -> Result<Account, String> {
        let wrong = |what: &str| format!("--server: {what}; write USER:PASSWORD@HOST:PORT/SCHEMA");
        let (login, place) = text.rsplit_once('@').ok_or_else(|| wrong("there is no @"))?;
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (address, schema) = place.split_once('/').ok_or_else(|| wrong("there is no /SCHEMA"))?;
        if user.is_empty() {
            return Err(wrong("there is no user"));
        }
        if schema.is_empty() {
            return Err(wrong("there is no schema behind the /"));
        }
        let address = address_of(address).ok_or_else(|| wrong("there is no HOST:PORT"))?;
        let (user, schema) = (user.to_owned(), schema.to_owned());
        Ok(Account { address: Address::Tcp(address), user, password: password.into(), schema })
    }

    /// The same account at another address.
    pub fn at(&self, address: Address) -> Account {
        Account { address, ..self.clone() }
    }

    /// The password's bytes.
    pub fn password(&self) -> &[u8] {
        self.password.expose_secret().as_bytes()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.user, self.address, self.schema)
    }
}

fn address_of(text: &str) -> Option<String> {
    const USUAL_PORT: u16 = 3306;
    let has_port = text.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let (host, port) = match text.rsplit_once(':').filter(|_| has_port) {
        Some((host, port)) => (host, port.parse().ok().filter(|&port: &u16| port > 0)?),
        None => (text, USUAL_PORT),
    };
    (!host.is_empty()).then(|| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String, String, String) {
        let account = Account::parse(text).expect(text);
        let password = String::from_utf8(account.password().to_vec()).expect("UTF-8");
        (account.user.clone(), password, account.address.to_string(), account.schema.clone())
    }

    #[test]
    fn all_parts_are_read() {
        let of = |u: &str, p: &str, a: &str, s: &str| (u.to_owned(), p.to_owned(), a.to_owned(), s.to_owned());
        assert_eq!(parts("app:pw@db.example:3307/shop"), of("app", "pw", "db.example:3307", "shop"));
        assert_eq!(parts("app:p@s:s@127.0.0.1:3306/shop"), of("app", "p@s:s", "127.0.0.1:3306", "shop"));
        assert_eq!(parts("app@localhost/shop"), of("app", "", "localhost:3306", "shop"));
        assert_eq!(parts("app:@[::1]:3306/shop"), of("app", "", "[::1]:3306", "shop"));
        assert_eq!(parts("app@[::1]/shop"), of("app", "", "[::1]:3306", "shop"));
    }

    #[test]
    fn what_is_missing_is_said_without_the_password() {
        for (text, said) in [
            ("shop", "no @"),
            ("app:secret@127.0.0.1:3306", "no /SCHEMA"),
            ("app:secret@127.0.0.1:3306/", "no schema"),
            (":secret@127.0.0.1:3306/shop", "no user"),
            ("app:secret@:3306/shop", "no HOST:PORT"),
            ("app:secret@127.0.0.1:port/shop", "no HOST:PORT"),
            ("app:secret@127.0.0.1:0/shop", "no HOST:PORT"),
        ] {
            let error = Account::parse(text).expect_err(text);
            assert!(error.contains(said) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let account = Account::parse("app:secret@127.0.0.1:3306/shop").expect("an account");
        assert_eq!(account.to_string(), "app@127.0.0.1:3306/shop");
        assert!(!format!("{account:?}").contains("secret"));
    }
}
