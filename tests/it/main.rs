//! All integration tests, one binary: each module's first line says what it proves.
mod pool_handle;
mod pool_simulation;
