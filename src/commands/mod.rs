//! The commands beside `serve`.

pub mod hist;
