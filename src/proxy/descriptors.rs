//! File descriptors: each client has one, and so has each connection to the server.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// For files, listeners, the console and what else there is.
const OTHERS: u64 = 64;

/// Lets this process have so many open at once, as far as the system lets it.
///
/// # Errors
/// How many it can have, where these are fewer.
pub fn allow(needed: u64) -> Result<(), u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current.filter(|current| *current < needed) else { return Ok(()) };
    let wanted = maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    let allowed = if raised.is_ok() { wanted } else { current };
    if allowed < needed { Err(allowed) } else { Ok(()) }
}

/// The same for so many clients and connections to the server; said where that cannot be.
pub fn allow_clients(clients: usize, connections: usize) {
    let needed = clients as u64 + connections as u64 + OTHERS;
    if let Err(allowed) = allow(needed) {
        warn!(
            "the system allows {allowed} open files, too few for listen.max_clients = {clients} and {connections} connections to \
             the server: set `ulimit -Hn`, or LimitNOFILE of the systemd unit, to {needed}, or lower listen.max_clients"
        );
    }
}
