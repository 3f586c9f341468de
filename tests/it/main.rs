//! All integration tests, one binary: each module's first line says what it proves.

// The harness: what it offers is more than the tests of one day use.
#[allow(dead_code)]
mod certificates;
#[allow(dead_code)]
mod crowd;
#[allow(dead_code)]
mod ports;
#[allow(dead_code)]
mod raw;
#[allow(dead_code)]
mod relay;
#[allow(dead_code)]
mod scratch;
#[allow(dead_code)]
mod servers;
#[allow(dead_code)]
mod tidegate;

// The tests.
mod admin;
mod answers;
mod arrows;
mod bad_input;
mod bench;
mod charsets;
mod collations;
mod compare;
mod config;
mod conformance;
mod credentials;
mod crossing;
mod driver_suites;
mod drivers;
mod drivers_rust;
mod effects;
mod fingerprint;
mod frameworks;
mod hlog;
mod identity;
mod inherited;
mod killing;
mod leaving;
mod limits;
mod links;
mod lost_backend;
mod lost_schema;
mod on_record;
mod pins;
mod pool_handle;
mod pool_simulation;
mod pooling;
mod prepared_settings;
mod protocol;
mod recording;
mod recycling;
mod restore;
mod seed_cases;
mod servers_smoke;
mod short_packets;
mod silence;
mod simulate;
mod slow_log;
mod statement_ids;
mod stats_memory;
mod transparency;
mod unseen;
mod variables;
