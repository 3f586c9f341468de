//! A bounded, fair, deadline-aware pool of connections, generic over the connection. Imports nothing of ours.
//!
//! ```text
//! policy, backoff, fate      pure arithmetic: deadlines, retries, what becomes of a returned connection
//! chain, table, queue        pure storage: who holds which slot, what lies idle, who waits
//! core, dispatch, duty       pure pool: one event in, grants and notices out
//! handle, member, lease      tokio: the shared pool, a client of it, what the client holds
//! keeper                     tokio: the janitor
//! ```
//!
//! A *slot* is a permit: `size + max_overflow` of them exist, so the bound holds by construction.

mod allowance;
mod audit;
pub mod backoff;
mod chain;
pub mod connections;
pub mod core;
mod dispatch;
pub mod duty;
pub mod fate;
pub mod handle;
pub mod keeper;
pub mod lease;
pub mod member;
mod pause;
pub mod pins;
pub mod policy;
mod queue;
pub mod snapshot;
mod table;
#[cfg(test)]
mod tests;

pub use self::core::{Facts, IdleId, PoolKey, Use};
pub use fate::{Condition, Fate, Reset, RetireReason};
pub use handle::{CheckoutError, Connect, DialError, Pool, Watch};
pub use keeper::keep;
pub use lease::{Checked, Lease, Permit};
pub use member::Member;
pub use snapshot::{Exhausted, Occupancy, Snapshot};
