//! The load as it might be: more clients, a slower backend.

use super::load::{Load, Script};
use super::setting::Factor;

/// Clients that are added do the same as others, up to so many nanoseconds later: at once they would be one herd.
const MOST_SHIFT: u64 = 60_000_000_000;

impl Load {
    /// So many times the clients: some are there several times, at different times, or are left out.
    pub fn with_clients(mut self, factor: Factor) -> Load {
        let whole = factor.0.floor() as u64;
        let part = factor.0.fract();
        let most = MOST_SHIFT.min(u64::try_from(self.span.as_nanos()).unwrap_or(MOST_SHIFT)).max(1);
        let mut scripts = Vec::new();
        for (number, script) in (0_u64..).zip(self.scripts) {
            // By number, so that each part of a crowd is thinned alike.
            let once_more = ((number + 1) as f64 * part).floor() > (number as f64 * part).floor();
            let copies = whole + u64::from(once_more);
            scripts.extend(
                (0..copies).map(|copy| shifted(&script, if copy == 0 { 0 } else { mixed(number, copy) % most })),
            );
        }
        scripts.sort_by_key(|script| script.comes);
        self.scripts = scripts;
        self
    }

    /// Statements take so many times as long at the server.
    pub fn with_server_time(mut self, factor: Factor) -> Load {
        for step in self.scripts.iter_mut().flat_map(|script| &mut script.steps) {
            step.server = (step.server as f64 * factor.0) as u64;
        }
        self
    }
}

fn shifted(script: &Script, by: u64) -> Script {
    Script { comes: script.comes + by, ..script.clone() }
}

/// A number that looks like none in particular (SplitMix64's finish).
pub(super) fn mixed(one: u64, two: u64) -> u64 {
    let mut x = one.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(two.wrapping_mul(0xD134_2543_DE82_EF95));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
