//! The server's account tables, read by `auth.service_user` over the control connection.
//!
//! MariaDB and MySQL 5.7+ keep the stored hash in `mysql.user.authentication_string`, MySQL 5.6 in `Password` (or
//! there too). Several hosts may have an account of the same name: all its hashes are candidates, and the server
//! itself decides at tidegate's own login which one counts.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tracing::warn;

use secrecy::ExposeSecret;

use crate::login::methods::secret::Secret;
use crate::login::methods::{Method, caching_sha2, native};
use crate::login::settings::ServiceAccount;
use crate::net::channel::Channel;
use crate::proxy::backend::{self, BackendFacts, Params};
use crate::proxy::error::{Fault, printable};
use crate::proxy::server::Proxy;
use crate::proxy::statement::{self, Rows};
use crate::wire::capabilities::{DEPRECATE_EOF, PROTOCOL_41};

/// After a failure the service account is left alone for so long: it must not lock itself out.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The control connection, made when it is first needed and again when it broke.
#[derive(Default)]
pub struct Accounts {
    control: Mutex<Control>,
}

#[derive(Default)]
struct Control {
    connection: Option<(Channel, BackendFacts)>,
    failed_at: Option<Instant>,
}

/// One row of the account tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The host part.
    pub host: String,
    /// The method.
    pub method: String,
    /// What is stored of the password; a hash, never shown.
    stored: Vec<u8>,
}

impl Account {
    /// What a login can be checked against, if tidegate can use this method's hash.
    pub fn secret(&self) -> Option<Secret> {
        match Method::from_name(self.method.as_bytes()) {
            Method::Native => native::Stored::parse(&self.stored).map(Secret::NativeStored),
            Method::CachingSha2 => caching_sha2::Stored::parse(&self.stored).map(Secret::CachingSha2Stored),
            _ => None,
        }
    }
}

impl Accounts {
    /// The usable secrets of one account, remembered for `auth.recheck`; none without a service user or with a broken one.
    pub async fn read(&self, proxy: &Proxy, user: &[u8]) -> Vec<Secret> {
        let Some(service) = &proxy.settings.auth.service else { return Vec::new() };
        match self.of(proxy, service, user).await {
            Ok(accounts) => {
                let secrets: Vec<_> = accounts.iter().filter_map(Account::secret).collect();
                proxy.credentials.set_read(user, secrets.clone(), Instant::now());
                secrets
            }
            Err(fault) => {
                warn!(
                    user = printable(&String::from_utf8_lossy(user)),
                    "auth.service_user cannot read the account tables: {}", fault.why
                );
                Vec::new()
            }
        }
    }

    /// All rows of one account.
    pub async fn of(&self, proxy: &Proxy, service: &ServiceAccount, user: &[u8]) -> Result<Vec<Account>, Fault> {
        let hex: String = user.iter().map(|byte| format!("{byte:02x}")).collect();
        // An empty hexadecimal literal is a syntax error; an anonymous account is nobody's to pool.
        if hex.is_empty() {
            return Ok(Vec::new());
        }
        let condition = format!(" WHERE User = CONVERT(0x{hex} USING utf8)");
        Ok(self.select(proxy, service, &condition).await?.into_iter().map(|(_, account)| account).collect())
    }

    /// Every account, by name.
    pub async fn all(&self, proxy: &Proxy, service: &ServiceAccount) -> Result<Vec<(String, Account)>, Fault> {
        self.select(proxy, service, " ORDER BY User, Host").await
    }

    async fn select(
        &self,
        proxy: &Proxy,
        service: &ServiceAccount,
        rest: &str,
    ) -> Result<Vec<(String, Account)>, Fault> {
        let mut control = self.control.lock().await;
        if control.failed_at.is_some_and(|at| at.elapsed() < RETRY_AFTER) {
            return Err(Fault::backend("it failed a moment ago"));
        }
        // A connection that was idle too long is noticed by its failure; a fresh one is tried once.
        if let Some((mut channel, facts)) = control.connection.take()
            && let Ok(rows) = rows(&mut channel, facts, rest).await
        {
            control.connection = Some((channel, facts));
            return Ok(accounts(&rows));
        }
        let fresh = async {
            let (mut channel, facts) = connect(proxy, service).await?;
            let rows = rows(&mut channel, facts, rest).await?;
            Ok::<_, Fault>(((channel, facts), rows))
        };
        match fresh.await {
            Ok((connection, rows)) => {
                *control = Control { connection: Some(connection), failed_at: None };
                Ok(accounts(&rows))
            }
            Err(fault) => {
                control.failed_at = Some(Instant::now());
                Err(fault)
            }
        }
    }
}

async fn connect(proxy: &Proxy, service: &ServiceAccount) -> Result<(Channel, BackendFacts), Fault> {
    let greeted = backend::greet(proxy, None).await?;
    let params = Params::bare(service.name.as_bytes(), PROTOCOL_41 | DEPRECATE_EOF & greeted.greeting.capabilities);
    let secret = Secret::password(service.password.expose_secret().as_bytes());
    let (mut connection, _) = greeted.login(proxy, &params, &secret).await?;
    Ok(connection.borrow())
}

/// MySQL 5.6 and old accounts have the hash in `Password`, which newer servers do not have.
async fn rows(channel: &mut Channel, facts: BackendFacts, rest: &str) -> Result<Rows, Fault> {
    let columns = "SELECT User, Host, plugin, authentication_string";
    let both = format!("{columns}, Password FROM mysql.user{rest}");
    let result = match statement::query(channel, facts.capabilities, &both).await? {
        Ok(rows) => Ok(rows),
        Err(refused) if refused.code == NO_SUCH_COLUMN => {
            statement::query(channel, facts.capabilities, &format!("{columns} FROM mysql.user{rest}")).await?
        }
        Err(refused) => Err(refused),
    };
    result.map_err(Fault::refused)
}

/// ER_BAD_FIELD_ERROR
const NO_SUCH_COLUMN: u16 = 1054;

fn accounts(rows: &Rows) -> Vec<(String, Account)> {
    rows.iter().filter_map(|row| account(row)).collect()
}

fn account(row: &[Option<Vec<u8>>]) -> Option<(String, Account)> {
    let [user, host, method, stored, old @ ..] = row else { return None };
    let text = |value: &Option<Vec<u8>>| String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned();
    let filled = |value: &Option<Vec<u8>>| value.clone().filter(|value| !value.is_empty());
    let stored = filled(stored).or_else(|| old.first().and_then(filled)).unwrap_or_default();
    // MySQL 5.6: no method named is the native one.
    let method = Some(text(method)).filter(|name| !name.is_empty()).unwrap_or_else(|| Method::Native.name().to_owned());
    Some((text(user), Account { host: text(host), method, stored }))
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}
