//! The commands beside `serve`.
