//! All integration tests, one binary: each module's first line says what it proves.
mod effects;
mod fingerprint;
