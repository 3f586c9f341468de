//! What a client's session is, what holds it on one backend, and how it is brought to another. Pure.

pub mod carried;
pub mod quote;
pub mod restore;
pub mod state;
