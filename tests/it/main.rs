//! All integration tests, one binary: each module's first line says what it proves.

mod hlog;
mod slow_log;
mod stats_memory;
