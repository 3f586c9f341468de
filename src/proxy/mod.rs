//! The proxy itself: one server, one task per client, one command at a time.

pub mod server;
pub mod settings;
