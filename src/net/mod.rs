//! Bytes move here and nowhere else: sockets, TLS, compression, buffers, the relay.

pub mod buffer;
pub mod channel;
pub mod compression;
pub mod dial;
pub mod proxy_protocol;
pub mod settings;
pub mod stream;
pub mod tls;
pub mod unix_socket;
