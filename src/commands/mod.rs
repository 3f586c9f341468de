//! The commands beside `serve`.

pub mod check;
pub mod hist;
pub mod simulate;
