//! Whom tidegate knows: the resolved form of `[[user]]` and `[auth]`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// One `[[user]]`.
#[derive(Debug, Clone)]
pub struct User {
    /// The account's name, as the server knows it.
    pub name: String,
    /// Its password; `Debug` shows nothing of it.
    pub password: SecretString,
    /// The most backend connections for this user; `None`: the pool's.
    pub pool_size: Option<usize>,
    /// The most clients of this user at once; `None`: the listener's.
    pub max_clients: Option<usize>,
}

/// The account that reads the server's account tables.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: SecretString,
}

/// The resolved `[auth]` and all `[[user]]`.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// Accounts named in the file; names are unique.
    pub users: Vec<User>,
    /// `auth.service_user`.
    pub service: Option<ServiceAccount>,
    /// How old a learned or read secret may be before it is verified again (default 10 s).
    pub recheck: Duration,
    /// tidegate's RSA key (PEM) for clients that ask for one; made at start if absent.
    pub rsa_private_key: Option<PathBuf>,
    /// Clients from elsewhere may use a loopback backend's local accounts (default false).
    pub allow_local_accounts: bool,
}
