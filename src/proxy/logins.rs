//! What logins were seen to begin with lately: another login of the same account then needs no server to say so again.

use std::sync::Mutex;

use rustc_hash::FxHashMap;

use crate::proxy::backend::Params;
use crate::proxy::setup::{Fresh, lock};
use crate::wire::capabilities::Capabilities;
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
pub struct Logins(Mutex<FxHashMap<Words, Seen>>);

/// The account, the character set, and the capabilities, some of which are settings (IGNORE_SPACE, INTERACTIVE).
type Words = (Vec<u8>, u16, Capabilities);

impl Logins {
    /// How logins with these words begin.
    pub fn seen(&self, params: &Params) -> Option<Seen> {
        lock(&self.0).get(&words(params)).cloned()
    }

    /// One has just begun so.
    pub fn note(&self, params: &Params, fresh: &Fresh, ok: &[u8]) {
        let mut fresh = fresh.clone();
        fresh.state.set_schema(None);
        let status = Ok::parse(ok).map_or(0, |ok| ok.status & status::OF_SESSION & !status::SESSION_STATE_CHANGED);
        let mut all = lock(&self.0);
        if all.len() >= MAX_LOGINS {
            all.clear();
        }
        all.insert(words(params), Seen { fresh, status });
    }

    /// The `wait_timeout` that they begin with; the shortest where they differ.
    pub fn wait_timeout(&self) -> Option<std::time::Duration> {
        lock(&self.0).values().map(|seen| seen.fresh.wait_timeout).min()
    }

    /// Something that logins begin with has changed (SET GLOBAL, an account).
    pub fn forget(&self) {
        lock(&self.0).clear();
    }
}

fn words(params: &Params) -> Words {
    (params.user.clone(), params.charset, params.capabilities)
}
