//! What a client's session is, what holds it on one backend, and how it is brought to another. Pure.

pub mod answer;
pub mod baseline;
pub mod carried;
pub mod charset;
pub mod last;
pub mod outcome;
pub mod pieces;
pub mod pins;
pub mod prepared_kills;
pub mod quote;
pub mod reason;
pub mod restore;
pub mod state;
pub mod statements;
pub mod type_history;
pub mod user_values;
pub mod wide;
