//! What a statement is and what it does to its session, without a parser. Pure.
