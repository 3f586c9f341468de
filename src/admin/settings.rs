//! Where a running proxy can be looked into, and by whom: the resolved form of `[admin]`.

use std::net::SocketAddr;

use secrecy::SecretString;

/// Who may use the console and the HTTP pages.
#[derive(Debug, Clone)]
pub struct AdminLogin {
    /// The name.
    pub user: String,
    /// Its password; `Debug` shows nothing of it.
    pub password: SecretString,
}

/// The resolved `[admin]`. An address that others can reach has a login (or, for `http`, a token).
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// The HTTP pages; `None`: off.
    pub http: Option<SocketAddr>,
    /// The console, in the MySQL protocol; `None`: off.
    pub sql: Option<SocketAddr>,
    /// Who may log in; `None`: no login is asked for.
    pub login: Option<AdminLogin>,
    /// A bearer token for HTTP; `None`: no token opens it.
    pub token: Option<SecretString>,
}
