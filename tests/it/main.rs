//! All integration tests, one binary: each module's first line says what it proves.

mod arrows;
mod config;
mod hlog;
mod slow_log;
