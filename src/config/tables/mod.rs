//! Each table of the file, resolved: every key with its default stands in exactly one place here.

pub mod admin;
pub mod auth;
pub mod backend;
pub mod listen;
pub mod log;
pub mod pool;
pub mod record;
