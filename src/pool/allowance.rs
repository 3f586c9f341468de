//! How many connections the server allows an account (`MAX_USER_CONNECTIONS`): nobody can ask for it, a refused login tells.

use std::time::{Duration, Instant};

use super::core::{Core, PoolKey, SlotId};

/// How long a refusal is believed. Then one more is tried: others may have left the server, or it allows more now.
pub const BELIEVED: Duration = Duration::from_secs(1);

/// What the server allows an account.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// So many connections.
    pub most: usize,
    /// Until then.
    pub until: Instant,
}

impl<K: PoolKey, C> Core<K, C> {
    /// The server has refused a dial, for its account has as many connections there as it may have. Whether others of them are
    /// here, for whose return the waiter can wait.
    pub fn is_at_most(&mut self, slot: SlotId, now: Instant) -> bool {
        let group = self.table.slot(slot).group;
        let account = self.table.group(group).account as usize;
        let account = &mut self.table.accounts[account];
        let others = account.slots.saturating_sub(1);
        if others == 0 {
            return false;
        }
        let until = now + BELIEVED;
        account.allowance = Some(Allowance { most: others, until });
        self.arm_for(until);
        true
    }

    /// Tries one more of each account whose last refusal is old.
    pub(super) fn raise_allowances(&mut self, now: Instant) {
        let bound = self.settings.bound();
        for account in &mut self.table.accounts {
            let Some(allowance) = account.allowance.filter(|allowance| allowance.until <= now) else { continue };
            let most = allowance.most + 1;
            account.allowance = (most < bound).then_some(Allowance { most, until: now + BELIEVED });
        }
    }

    /// When the next one is tried.
    pub(super) fn next_allowance(&self) -> Option<Instant> {
        self.table.accounts.iter().filter_map(|account| Some(account.allowance?.until)).min()
    }
}
