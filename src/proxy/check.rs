//! `tidegate check --connect`: looks at the backend with the eyes of the proxy, and says how each account would fare.

use std::fmt::Write;

use secrecy::ExposeSecret;

use crate::login::methods::Method;
use crate::login::methods::secret::Secret;
use crate::login::settings::{ServiceAccount, User};
use crate::net::channel::Channel;
use crate::proxy::accounts::{self, Account};
use crate::proxy::backend::{self, Backend, BackendFacts, Greeted, Params};
use crate::proxy::error::Fault;
use crate::proxy::lease;
use crate::proxy::server::Proxy;
use crate::proxy::settings::{Mode, ProxySettings};
use crate::proxy::statement;
use crate::wire::capabilities::{DEPRECATE_EOF, PROTOCOL_41, SSL};
use crate::wire::handshake::Greeting;

/// What was found, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines, with an end of line each.
    pub text: String,
    /// The backend can be reached, and refuses nothing that the file asks of it.
    pub is_good: bool,
}

/// Logs in to the backend as the proxy would, at most once for each account that the file has a password of. Blocks,
/// for as long as `backend.connect_timeout` for each login. Writes no file.
///
/// # Errors
/// A certificate or key cannot be used.
pub fn connect(settings: &ProxySettings) -> Result<Report, anyhow::Error> {
    let mut settings = settings.clone();
    // A check leaves nothing behind.
    settings.slow_log.path = None;
    let proxy = Proxy::new(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report { text: String::new(), is_good: true };
    runtime.block_on(look(&proxy, &mut report));
    Ok(report)
}

impl Report {
    fn say(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{line}");
    }

    fn fail(&mut self, line: impl std::fmt::Display) {
        self.is_good = false;
        self.say(format_args!("ERROR: {line}"));
    }
}

async fn look(proxy: &Proxy, report: &mut Report) {
    let greeted = match backend::greet(proxy, None).await {
        Ok(greeted) => greeted,
        Err(fault) => return report.fail(format_args!("the backend: {}", fault.why)),
    };
    let greeting = greeted.greeting.clone();
    report.say(format_args!("backend: {}, {}", family(&greeting), tls(proxy, &greeting)));
    // The connection that greeted is the first login: one that is left counts against this host at the server.
    let mut greeted = Some(greeted);
    let service = proxy.settings.auth.service.as_ref();
    let seen = match service {
        Some(service) => read_accounts(proxy, service, greeted.take(), report).await,
        None => None,
    };
    for user in &proxy.settings.auth.users {
        let line = try_user(proxy, user, greeted.take()).await;
        match line {
            Ok(handling) => report.say(format_args!("  {}: {handling}", user.name)),
            Err(fault) => report.fail(format_args!("[[user]] {}: {}", user.name, fault.why)),
        }
    }
    match seen {
        Some(accounts) => tell_accounts(proxy, &accounts, report),
        None => tell_unseen(proxy, &greeting, report),
    }
}

fn family(greeting: &Greeting) -> String {
    let version = String::from_utf8_lossy(&greeting.version).into_owned();
    let version = version.strip_prefix("5.5.5-").unwrap_or(&version);
    match greeting.is_mariadb() {
        true => format!("MariaDB {version}"),
        false => format!("MySQL {version}"),
    }
}

fn tls(proxy: &Proxy, greeting: &Greeting) -> &'static str {
    match (greeting.capabilities.has(SSL), &proxy.backend_tls) {
        (true, Some(_)) => "by TLS",
        (true, None) => "without TLS (it offers TLS; backend.tls is \"off\")",
        (false, _) => "without TLS (it offers none)",
    }
}

/// All accounts that the service user can see; `None`: it sees none, and the report says why.
async fn read_accounts(
    proxy: &Proxy,
    service: &ServiceAccount,
    greeted: Option<Greeted>,
    report: &mut Report,
) -> Option<Vec<(String, Account)>> {
    let (mut channel, facts) = match log_in(proxy, &service.name, service.password.expose_secret(), greeted).await {
        Ok(connection) => connection,
        Err(fault) => {
            report.fail(format_args!("auth.service_user {}: {}", service.name, fault.why));
            return None;
        }
    };
    let me = current_user(&mut channel, facts).await;
    let read = accounts::all(&mut channel, facts).await;
    lease::close(Backend::from_channel(channel, facts), read.is_ok()).await;
    match read {
        Ok(accounts) => {
            report.say(format_args!("auth.service_user {}: reads the account tables", service.name));
            Some(accounts)
        }
        Err(fault) => {
            let me = me.unwrap_or_else(|| quoted(&service.name, "%"));
            report.fail(format_args!(
                "auth.service_user {}: {}\n  type: GRANT SELECT ON mysql.user TO {me};",
                service.name, fault.why
            ));
            None
        }
    }
}

async fn log_in(
    proxy: &Proxy,
    name: &str,
    password: &str,
    greeted: Option<Greeted>,
) -> Result<(Channel, BackendFacts), Fault> {
    let greeted = greeted_or_new(proxy, greeted).await?;
    greeted.login_as_tidegate(proxy, &params(name, proxy), &Secret::password(password.as_bytes())).await
}

async fn greeted_or_new(proxy: &Proxy, greeted: Option<Greeted>) -> Result<Greeted, Fault> {
    match greeted {
        Some(greeted) => Ok(greeted),
        None => backend::greet(proxy, None).await,
    }
}

fn params(name: &str, proxy: &Proxy) -> Params {
    let offered = proxy.face().map(|face| face.greeting.capabilities).unwrap_or(PROTOCOL_41);
    Params::bare(name.as_bytes(), PROTOCOL_41 | DEPRECATE_EOF & offered)
}

/// The account as the server names it, quoted for a GRANT.
async fn current_user(channel: &mut Channel, facts: BackendFacts) -> Option<String> {
    let rows = statement::query(channel, facts.capabilities, "SELECT CURRENT_USER()").await.ok()?.ok()?;
    let text = String::from_utf8_lossy(rows.first()?.first()?.as_deref()?).into_owned();
    text.rsplit_once('@').map(|(name, host)| quoted(name, host))
}

fn quoted(name: &str, host: &str) -> String {
    format!("'{}'@'{}'", name.replace('\'', "''"), host.replace('\'', "''"))
}

async fn try_user(proxy: &Proxy, user: &User, greeted: Option<Greeted>) -> Result<&'static str, Fault> {
    let greeted = greeted_or_new(proxy, greeted).await?;
    let secret = Secret::password(user.password.expose_secret().as_bytes());
    let (backend, _) = greeted.login(proxy, &params(&user.name, proxy), &secret).await?;
    lease::close(backend, true).await;
    Ok(match proxy.settings.mode {
        Mode::Observe => OBSERVED,
        _ => "pooled by [[user]]",
    })
}

const OBSERVED: &str = "relayed (mode observe: each client has its own connection)";

fn tell_accounts(proxy: &Proxy, accounts: &[(String, Account)], report: &mut Report) {
    let named = |name: &str| proxy.settings.auth.users.iter().any(|user| user.name == name);
    // A role has no host and no login.
    let logins = accounts.iter().filter(|(name, account)| !account.host.is_empty() && !named(name));
    for (name, account) in logins {
        let handling = match proxy.settings.mode {
            Mode::Observe if account.fate() != Fate::ByPlace => OBSERVED,
            _ => account.fate().describe(),
        };
        report.say(format_args!("  {} ({}): {handling}", quoted(name, &account.host), account.method));
    }
}

/// Without a look into the account tables: what would be needed for it.
fn tell_unseen(proxy: &Proxy, greeting: &Greeting, report: &mut Report) {
    if proxy.settings.mode == Mode::Observe || proxy.settings.auth.service.is_some() {
        return;
    }
    report.say("accounts that the file does not name:");
    report.say(
        "  caching_sha2_password, sha256_password: pooled after the first login that tells the password (TLS, RSA)",
    );
    report.say("  every other method: relayed (own connection each)");
    if !has_native(greeting) {
        return report.say("this server has no mysql_native_password: auth.service_user would gain nothing");
    }
    let host = if proxy.settings.backend.address.is_local() { "localhost" } else { "%" };
    let account = quoted("tidegate", host);
    report.say("to have mysql_native_password accounts pooled too, type at the server:");
    report.say(format_args!("  CREATE USER {account} IDENTIFIED BY '...';"));
    report.say(format_args!("  GRANT SELECT ON mysql.user TO {account};"));
    report.say("and write auth.service_user = \"tidegate\" and auth.service_password = \"...\"");
}

/// MySQL has dropped it in 9.0.
fn has_native(greeting: &Greeting) -> bool {
    let digits = greeting.version.split(|byte| *byte == b'.').next().unwrap_or_default();
    let major = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
    greeting.is_mariadb() || major.is_none_or(|major| major < 9)
}

/// What becomes of an account's clients in the pooled modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    ByTables,
    NoPassword,
    Learned,
    Unopenable,
    ByPlace,
    Relayed,
}

impl Fate {
    fn describe(self) -> &'static str {
        match self {
            Fate::ByTables => "pooled by the account tables",
            Fate::NoPassword => "pooled (it has no password)",
            Fate::Learned => "pooled after its first login over TLS, a Unix socket or RSA",
            Fate::Unopenable => "refused (no password opens it)",
            Fate::ByPlace => "refused (it logs in by the place of its process)",
            Fate::Relayed => "relayed (own connection each); [[user]] or another method would pool it",
        }
    }
}

impl Account {
    fn fate(&self) -> Fate {
        let method = Method::from_name(self.method.as_bytes());
        let secret = self.secret();
        match (&method, secret) {
            (method, _) if method.is_by_place() => Fate::ByPlace,
            (_, Some(secret)) if secret.is_empty_password() => Fate::NoPassword,
            (Method::Native, Some(_)) => Fate::ByTables,
            (Method::Native | Method::CachingSha2, None) => Fate::Unopenable,
            (Method::CachingSha2, Some(_)) | (Method::Sha256, _) => Fate::Learned,
            _ => Fate::Relayed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_fate() {
        let fate = |method: &str, stored: &[u8]| Account::new("%", method, stored).fate();
        let native = b"*5BCB3E6AC345B435C7C2E6B7949A04CE6F6563D3";
        let sha2 = b"$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED";
        assert_eq!(fate("mysql_native_password", native), Fate::ByTables);
        assert_eq!(fate("mysql_native_password", b""), Fate::NoPassword);
        assert_eq!(fate("mysql_native_password", b"invalid"), Fate::Unopenable);
        assert_eq!(fate("caching_sha2_password", sha2), Fate::Learned);
        assert_eq!(fate("sha256_password", b"$5$x"), Fate::Learned);
        assert_eq!(fate("unix_socket", b""), Fate::ByPlace);
        assert_eq!(fate("auth_socket", b""), Fate::ByPlace);
        assert_eq!(fate("ed25519", b"x"), Fate::Relayed);
        assert_eq!(fate("parsec", b"x"), Fate::Relayed);
    }

    #[test]
    fn names_are_quoted_for_the_server() {
        assert_eq!(quoted("o'neil", "%"), "'o''neil'@'%'");
    }
}
