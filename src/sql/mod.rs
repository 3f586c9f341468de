//! What a statement is and what it does to its session, without a parser. Pure.

pub mod digest;
pub mod kill;
pub mod lexer;
pub mod schema;
pub mod word;
