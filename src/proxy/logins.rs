//! What logins were seen to begin with lately: another login of the same account then needs no server to say so again.

use std::sync::Mutex;

use rustc_hash::FxHashMap;

use crate::proxy::setup::{Fresh, lock};
use crate::wire::ok::Ok;
use crate::wire::status;

/// How many accounts and character sets are remembered.
const MAX_LOGINS: usize = 10_000;

/// A login's beginning.
#[derive(Debug, Clone)]
pub struct Seen {
    /// State and settings, without a schema.
    pub fresh: Fresh,
    /// The status flags of its OK.
    pub status: u16,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Logins(Mutex<FxHashMap<(Vec<u8>, u16), Seen>>);

impl Logins {
    /// How this account's logins with this character set begin.
    pub fn seen(&self, user: &[u8], charset: u16) -> Option<Seen> {
        lock(&self.0).get(&(user.to_vec(), charset)).cloned()
    }

    /// One has just begun so.
    pub fn note(&self, user: &[u8], charset: u16, fresh: &Fresh, ok: &[u8]) {
        let mut fresh = fresh.clone();
        fresh.state.set_schema(None);
        let status = Ok::parse(ok).map_or(0, |ok| ok.status & status::OF_SESSION & !status::SESSION_STATE_CHANGED);
        let mut all = lock(&self.0);
        if all.len() >= MAX_LOGINS {
            all.clear();
        }
        all.insert((user.to_vec(), charset), Seen { fresh, status });
    }

    /// Something that logins begin with has changed (SET GLOBAL, an account).
    pub fn forget(&self) {
        lock(&self.0).clear();
    }
}
