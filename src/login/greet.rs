//! What tidegate says of itself towards clients: the backend's greeting, less what it cannot do, plus what is its own.

use crate::wire::capabilities::*;
use crate::wire::handshake::{Greeting, Salt};

/// The first id that tidegate gives to a client; no server counts so far.
pub const FIRST_CLIENT_ID: u32 = 0x4000_0000;

/// What tidegate cannot do, whatever the backend offers.
const CANNOT: Capabilities = MULTI_FACTOR_AUTH.with(CAPABILITY_EXTENSION).with(MARIADB_COM_MULTI);

/// Capabilities of one link alone, or of the login's own form: never part of what both sides must agree on.
const LINK: Capabilities = SSL
    .with(COMPRESS)
    .with(ZSTD_COMPRESSION)
    .with(SSL_VERIFY_SERVER_CERT)
    .with(CONNECT_WITH_DB)
    .with(PLUGIN_AUTH)
    .with(PLUGIN_AUTH_LENENC)
    .with(CONNECT_ATTRS)
    .with(SECURE_CONNECTION);

/// What the backend's last greeting said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The greeting as it came.
    pub greeting: Greeting,
}

impl Face {
    /// The greeting for a client, with tidegate's own id and challenge.
    pub fn greeting(&self, connection_id: u32, salt: Salt, tls: bool) -> Greeting {
        Greeting {
            connection_id,
            salt,
            capabilities: offered(self.greeting.capabilities, tls),
            ..self.greeting.clone()
        }
    }
}

/// What a client is offered before a backend that offers `backend`.
pub fn offered(backend: Capabilities, tls: bool) -> Capabilities {
    let own = if tls { SSL | COMPRESS } else { COMPRESS };
    // zstd is understood by the clients of servers that have it; it is no secret of any one backend's.
    backend.without(CANNOT | SSL) | own
}

/// What a client and its backend agree on, apart from each link's own affairs.
pub fn agreed(client: Capabilities, backend: Capabilities) -> Capabilities {
    (client & backend).without(LINK | CANNOT)
}

/// What tidegate asks of a backend for a client: what they agree on, and the login's form that tidegate speaks.
pub fn asked(client: Capabilities, backend: Capabilities, with_schema: bool) -> Capabilities {
    let form = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | PLUGIN_AUTH_LENENC | CONNECT_ATTRS;
    let schema = if with_schema { CONNECT_WITH_DB } else { Capabilities::NONE };
    // Bit 0 is no offer: clear, it says that the extended half is meant.
    agreed(client, backend | LONG_PASSWORD) | (form & backend) | (schema & backend)
}

/// A challenge from random bytes: none of them NUL or `$`, which clients take for an end.
pub fn salt_from(random: Salt) -> Salt {
    random.map(|byte| match byte & 0x7F {
        0 => b'0',
        b'$' => b'%',
        byte => byte,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_has_no_byte_that_ends_it() {
        for byte in 0..=255 {
            let salt = salt_from([byte; 20]);
            assert!(salt.iter().all(|&b| b != 0 && b != b'$' && b < 0x80));
        }
    }

    #[test]
    fn tls_and_compression_are_tidegates_own() {
        let backend = PROTOCOL_41 | SECURE_CONNECTION | SSL | FOUND_ROWS | MULTI_FACTOR_AUTH;
        assert_eq!(offered(backend, false), PROTOCOL_41 | SECURE_CONNECTION | FOUND_ROWS | COMPRESS);
        assert!(offered(backend, true).has(SSL | COMPRESS));
    }

    #[test]
    fn both_sides_agree_on_the_same() {
        let client = LONG_PASSWORD | PROTOCOL_41 | FOUND_ROWS | DEPRECATE_EOF | SSL | COMPRESS | CONNECT_WITH_DB;
        let backend = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | DEPRECATE_EOF | CONNECT_WITH_DB;
        let asked = asked(client, backend, false);
        assert!(asked.has(LONG_PASSWORD | PROTOCOL_41 | DEPRECATE_EOF | PLUGIN_AUTH));
        assert_eq!(asked & (FOUND_ROWS | SSL | COMPRESS | CONNECT_WITH_DB), Capabilities::NONE);
    }
}
