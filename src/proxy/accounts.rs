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
use crate::proxy::error::Fault;
use crate::proxy::server::Proxy;
use crate::proxy::statement::{self, Rows};
use crate::wire::capabilities::{DEPRECATE_EOF, PROTOCOL_41};
use crate::wire::fault::ACCESS_DENIED;

/// After a failure the service account is left alone for so long: it must not lock itself out.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Bytes of an account's name: no server has a longer one. What a client says may be too long to be asked for.
const MAX_NAME: usize = 512;

/// The control connection, made when it is first needed and again when it broke.
#[derive(Default)]
pub struct Accounts {
    control: Mutex<Control>,
}

#[derive(Default)]
struct Control {
    connection: Option<(Channel, BackendFacts)>,
    failed_at: Option<Instant>,
    /// The server refused this name and password: they are never tried again.
    is_refuted: bool,
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
    /// One row's words.
    pub fn new(host: &str, method: &str, stored: &[u8]) -> Account {
        Account { host: host.to_owned(), method: method.to_owned(), stored: stored.to_vec() }
    }

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
        let Some(service) = proxy.settings.auth.service.as_ref().filter(|_| user.len() <= MAX_NAME) else {
            return Vec::new();
        };
        match self.of(proxy, service, user).await {
            Ok(Some(accounts)) => {
                let secrets: Vec<_> = accounts.iter().filter_map(Account::secret).collect();
                proxy.credentials.set_read(user, secrets.clone(), Instant::now());
                secrets
            }
            Ok(None) => Vec::new(),
            Err(fault) => {
                warn!("{}", why_unreadable(&fault));
                Vec::new()
            }
        }
    }

    /// All rows of one account; `None` where reading failed a moment ago, or is given up.
    async fn of(&self, proxy: &Proxy, service: &ServiceAccount, user: &[u8]) -> Result<Option<Vec<Account>>, Fault> {
        let hex: String = user.iter().map(|byte| format!("{byte:02x}")).collect();
        // An empty hexadecimal literal is a syntax error; an anonymous account is nobody's to pool.
        if hex.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let condition = format!(" WHERE User = CONVERT(0x{hex} USING utf8)");
        let found = self.select(proxy, service, &condition).await?;
        Ok(found.map(|rows| rows.into_iter().map(|(_, account)| account).collect()))
    }

    async fn select(
        &self,
        proxy: &Proxy,
        service: &ServiceAccount,
        rest: &str,
    ) -> Result<Option<Vec<(String, Account)>>, Fault> {
        let mut control = self.control.lock().await;
        if control.is_refuted || control.failed_at.is_some_and(|at| at.elapsed() < RETRY_AFTER) {
            return Ok(None);
        }
        // A connection that was idle too long is noticed by its failure; a fresh one is tried once.
        if let Some((mut channel, facts)) = control.connection.take()
            && let Ok(rows) = in_time(proxy, rows(&mut channel, facts, rest)).await
        {
            control.connection = Some((channel, facts));
            return Ok(Some(accounts(&rows)));
        }
        let fresh = async {
            let (mut channel, facts) = connect(proxy, service).await?;
            let rows = in_time(proxy, rows(&mut channel, facts, rest)).await?;
            Ok::<_, Fault>(((channel, facts), rows))
        };
        match fresh.await {
            Ok((connection, rows)) => {
                *control = Control { connection: Some(connection), ..Control::default() };
                Ok(Some(accounts(&rows)))
            }
            Err(fault) => {
                control.failed_at = Some(Instant::now());
                control.is_refuted = fault.is_refusal_of(ACCESS_DENIED);
                Err(fault)
            }
        }
    }
}

/// A frozen server must not hold up the logins that wait for its tables.
async fn in_time<T>(proxy: &Proxy, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let limit = proxy.settings.backend.connect_timeout;
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Fault::backend(format!("the server was silent for {limit:?} (backend.connect_timeout)")))
    })
}

/// For the log: what is wrong, and what follows.
fn why_unreadable(fault: &Fault) -> String {
    let follows = match fault.is_refusal_of(ACCESS_DENIED) {
        true => "its password is not tried again: correct it and start tidegate anew; until then",
        false => "`tidegate check --connect` shows what to grant; meanwhile",
    };
    format!("auth.service_user cannot read the account tables: {}; {follows} accounts are relayed", fault.why)
}

/// Every account that this connection's own may read, by name.
pub async fn all(channel: &mut Channel, facts: BackendFacts) -> Result<Vec<(String, Account)>, Fault> {
    Ok(accounts(&rows(channel, facts, " ORDER BY User, Host").await?))
}

/// Logs in as `auth.service_user`.
async fn connect(proxy: &Proxy, service: &ServiceAccount) -> Result<(Channel, BackendFacts), Fault> {
    let greeted = backend::greet(proxy, None).await?;
    let params = Params::bare(service.name.as_bytes(), PROTOCOL_41 | DEPRECATE_EOF & greeted.greeting.capabilities);
    let secret = Secret::password(service.password.expose_secret().as_bytes());
    greeted.login_as_tidegate(proxy, &params, &secret).await
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
    Some((text(user), Account::new(&text(host), &method, &stored)))
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}
