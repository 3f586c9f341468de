//! The proxy itself: one server, one task per client, one command at a time.
//!
//! ```text
//! server -> listen -> workers -> client -> entry (login) -> lease, relayed -> place, backend
//!                                   |                 \-> share (mode transaction) -> setup, acquire
//!                                   \-> query (one command) -> kill, kill_meant
//!                                          \-> run_shared: acquire -> ask, prepared -> query -> note -> release
//! ```

pub mod accounts;
mod acquire;
mod added;
mod ask;
pub mod backend;
mod balance;
mod change_user;
pub mod check;
pub mod client;
pub mod clients;
pub mod connect;
pub mod descriptors;
pub mod dialed;
pub mod entrants;
mod entry;
pub mod error;
mod exchange;
mod execution;
mod explain;
mod found_rows;
pub mod health;
mod kill;
mod kill_among;
mod kill_client;
mod kill_meant;
mod kill_user;
pub mod lease;
mod leaving;
mod listen;
mod live;
pub mod logins;
mod lost;
mod note;
mod own_trackers;
mod packets;
mod place;
pub mod pool_key;
mod preparation;
mod prepared;
mod processlist;
mod proof;
mod query;
mod record;
mod relayed;
mod release;
mod reply;
mod report;
mod reset;
mod routines;
mod run_shared;
pub mod running;
pub mod server;
pub mod settings;
pub mod setup;
mod share;
pub mod shared;
pub mod statement;
mod statements;
mod thread_clock;
mod times;
mod told;
mod trace;
mod tunnel;
mod unseen;
mod user_locks;
mod variable_text;
mod was_reset;
mod workers;
