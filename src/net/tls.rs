//! TLS on both sides: what tidegate shows to clients, and what it asks of the backend. TLS 1.2 and 1.3.

mod backend;
mod error;
mod files;
mod server;
mod verify;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

pub use backend::BackendTlsConfig;
pub use error::{Side, TlsError};
pub use server::ServerTls;

/// One provider for all configurations; nothing depends on a process-wide default.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

#[cfg(test)]
mod tests;
