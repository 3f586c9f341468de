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
pub struct Logins(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    seen: FxHashMap<Words, Seen>,
    age: Age,
}

/// How often everything was forgotten so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Age(u64);

/// The account, the character set, and the capabilities, some of which are settings (IGNORE_SPACE, INTERACTIVE).
type Words = (Vec<u8>, u16, Capabilities);

impl Logins {
    /// How logins with these words begin.
    pub fn seen(&self, params: &Params) -> Option<Seen> {
        lock(&self.0).seen.get(&words(params)).cloned()
    }

    /// To be asked before a login that is to be noted.
    pub fn age(&self) -> Age {
        lock(&self.0).age
    }

    /// One has just begun so; what has changed since this age counts, not it.
    pub fn note(&self, age: Age, params: &Params, fresh: &Fresh, ok: &[u8]) {
        let mut fresh = fresh.clone();
        fresh.state.set_schema(None);
        let status = Ok::parse(ok).map_or(0, |ok| ok.status & status::OF_SESSION & !status::SESSION_STATE_CHANGED);
        let mut lately = lock(&self.0);
        if lately.age != age {
            return;
        }
        if lately.seen.len() >= MAX_LOGINS {
            lately.seen.clear();
        }
        lately.seen.insert(words(params), Seen { fresh, status });
    }

    /// The `wait_timeout` that they begin with; the shortest where they differ.
    pub fn wait_timeout(&self) -> Option<std::time::Duration> {
        lock(&self.0).seen.values().map(|seen| seen.fresh.wait_timeout).min()
    }

    /// Something that logins begin with has changed (SET GLOBAL, an account).
    pub fn forget(&self) {
        let mut lately = lock(&self.0);
        lately.seen.clear();
        lately.age.0 += 1;
    }
}

fn words(params: &Params) -> Words {
    (params.user.clone(), params.charset, params.capabilities)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::proxy::setup::Room;
    use crate::session::baseline::Baseline;
    use crate::session::state::State;
    use crate::wire::announce::Asked;

    fn fresh() -> Fresh {
        Fresh {
            state: State::fresh(1, None, false),
            baseline: Arc::<Baseline>::default(),
            wait_timeout: Duration::from_secs(5),
            asked: Asked::default(),
            resets_whole: true,
            keeps_last: false,
            room: Room::Ample,
        }
    }

    #[test]
    fn what_began_before_everything_was_forgotten_is_not_noted_behind_it() {
        let (logins, params) = (Logins::default(), Params::bare(b"app", Capabilities::NONE));
        let before = logins.age();
        logins.note(before, &params, &fresh(), &[]);
        assert!(logins.seen(&params).is_some());
        logins.forget();
        logins.note(before, &params, &fresh(), &[]);
        assert!(logins.seen(&params).is_none(), "it may have begun with the old settings");
        logins.note(logins.age(), &params, &fresh(), &[]);
        assert!(logins.seen(&params).is_some());
    }
}
