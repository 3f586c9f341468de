//! The commands beside `serve`.

pub mod bench;
mod chart;
pub mod check;
pub mod hist;
pub mod simulate;
