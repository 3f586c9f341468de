//! Logins: towards the client (`greet`), towards the backend (`dial`), and what both need to know. Pure.

pub mod credentials;
pub mod dial;
pub mod greet;
pub mod methods;
pub mod settings;
