//! What the two links carry beside statements: replication, TLS, Unix sockets, PROXY headers, long silence.

mod replication;
