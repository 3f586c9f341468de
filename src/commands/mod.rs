//! The commands beside `serve`.

pub mod check;
pub mod health;
pub mod hist;
