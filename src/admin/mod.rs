//! The view into a running proxy: HTTP, console, reload.

pub mod settings;
