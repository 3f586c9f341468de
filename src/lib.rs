//! tidegate: a MySQL protocol-aware proxy.
//!
//! The arrows between the folders point one way; `tests/it/arrows.rs` keeps them true:
//! `wire`, `sql` and `pool` import nothing of ours; `login` and `session` stand on `wire` and `sql`;
//! `net` on `wire` and `login`; `stats` on `wire` and `sql`; `proxy` on all of these;
//! `config` knows each module's `Settings`, none knows `config`.

pub mod admin;
pub mod cli;
pub mod commands;
pub mod config;
pub mod login;
pub mod net;
pub mod pool;
pub mod proxy;
pub mod serve;
pub mod session;
pub mod sql;
pub mod stats;
pub mod wire;
