//! All integration tests, one binary: each module's first line says what it proves.

mod arrows;
mod config;
mod hlog;
mod slow_log;
// The harness: what it offers is more than the tests of one day use.
#[allow(dead_code)]
mod certificates;
#[allow(dead_code)]
mod ports;
#[allow(dead_code)]
mod relay;
#[allow(dead_code)]
mod scratch;
#[allow(dead_code)]
mod servers;
#[allow(dead_code)]
mod tidegate;

// The tests.
mod drivers;
mod effects;
mod fingerprint;
mod pool_simulation;
mod servers_smoke;
mod stats_memory;
mod transparency;
