//! What a statement is and what it does to its session, without a parser. Pure.

pub mod assign;
pub mod catalog_reads;
pub mod clauses;
pub mod details;
pub mod dialect;
pub mod digest;
pub mod dynamic;
pub mod effects;
pub mod explain;
pub mod familiar;
pub mod flags;
mod functions;
pub mod interruptible;
pub mod kill;
pub mod kills;
pub mod lexer;
pub mod locks;
pub mod outlives;
pub mod own_account;
pub mod routines;
pub mod schema;
pub mod shape;
pub mod strings;
pub mod verb;
pub mod word;
