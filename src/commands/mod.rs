//! The commands beside `serve`.

pub mod check;
