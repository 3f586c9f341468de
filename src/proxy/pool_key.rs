//! Which connections of the pool fit a client.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use crate::login::methods::Method;
use crate::login::methods::secret::Secret;
use crate::pool::core::PoolKey;
use crate::proxy::backend::Params;
use crate::wire::capabilities::Capabilities;

/// Its user's, logged in by the same secret, with the capabilities that cannot be changed later.
///
/// A name alone is no account: it may be dropped and made anew, by another password and with other rights, and who came in before
/// must not come to have these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    user: Vec<u8>,
    account: String,
    capabilities: Capabilities,
    proved: Option<Proved>,
}

/// What the client has proved, which its connections are made by.
#[derive(Debug, Clone)]
struct Proved {
    secret: Arc<Secret>,
    /// Equal where the secrets log in alike; means nothing outside of this process.
    print: u64,
}

impl PartialEq for Proved {
    fn eq(&self, other: &Proved) -> bool {
        self.print == other.print
    }
}

impl Eq for Proved {}

impl Hash for Proved {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

impl Key {
    /// For these words of a login. `secret`: where connections are made by it alone; without, each one is made the client's by a
    /// login of its own.
    pub fn of(params: &Params, secret: Option<&Secret>) -> Key {
        Key {
            user: params.user.clone(),
            account: String::from_utf8_lossy(&params.user).into_owned(),
            capabilities: params.capabilities,
            proved: secret.map(|secret| Proved { secret: Arc::new(secret.clone()), print: print(secret) }),
        }
    }

    /// Before it is known who comes.
    pub fn of_nobody() -> Key {
        Key { user: Vec::new(), account: String::new(), capabilities: Capabilities::NONE, proved: None }
    }

    /// The account's name.
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// What the connection agrees on with the server.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// What its clients have proved.
    pub fn secret(&self) -> Option<&Secret> {
        self.proved.as_ref().map(|proved| &*proved.secret)
    }
}

impl PoolKey for Key {
    fn account(&self) -> &str {
        &self.account
    }
}

fn print(secret: &Secret) -> u64 {
    static RANDOM: OnceLock<RandomState> = OnceLock::new();
    let answer = secret.answer(&Method::Native, &[1; 20]);
    RANDOM.get_or_init(RandomState::new).hash_one(answer.map(|answer| answer.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_proved_the_same_shares_connections() {
        let params = Params::bare(b"app", Capabilities::NONE);
        let key = |password: &[u8]| Key::of(&params, Some(&Secret::password(password)));
        assert_eq!(key(b"one"), key(b"one"));
        assert_ne!(key(b"one"), key(b"two"));
        assert_ne!(key(b"one"), Key::of(&params, None));
        assert!(!format!("{:?}", key(b"hunter2")).contains("hunter2"));
    }
}
