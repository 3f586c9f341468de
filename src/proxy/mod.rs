//! The proxy itself: one server, one task per client, one command at a time.
//!
//! ```text
//! server -> listen -> workers -> client -> entry (login) -> lease, relayed -> place, backend
//!                                  \-> query (one command) -> kill
//! ```

pub mod accounts;
pub mod backend;
mod balance;
mod change_user;
pub mod check;
pub mod client;
pub mod clients;
pub mod entry;
pub mod error;
pub mod health;
mod kill;
pub mod lease;
mod listen;
mod packets;
mod place;
mod processlist;
mod query;
mod relayed;
mod report;
pub mod server;
pub mod settings;
pub mod statement;
mod statements;
mod thread_clock;
mod tunnel;
mod workers;
