//! Authentication methods: how a client proves that it knows a password, and how tidegate proves it to the backend.
//!
//! Only bytes in, bytes out: which packet carries them is `greet`'s and `dial`'s affair.

pub mod caching_sha2;
pub mod ed25519;
pub mod fingerprint;
pub mod native;
pub mod rsa_key;
pub mod secret;

/// Bytes of the scramble in the greeting and in an auth switch (the NUL behind it is not part of it).
pub const SCRAMBLE_LEN: usize = 20;

/// The random bytes that the server sends and that every answer is made from.
pub type Scramble = [u8; SCRAMBLE_LEN];

/// The scramble in the data of a greeting or an auth switch: 20 bytes, with or without the NUL that servers append.
///
/// `None` if the data has another shape (`client_ed25519` sends 32 bytes, others send what they like).
pub fn scramble_from(data: &[u8]) -> Option<Scramble> {
    match data {
        [scramble @ .., 0] if scramble.len() == SCRAMBLE_LEN => scramble.try_into().ok(),
        scramble => scramble.try_into().ok(),
    }
}

/// An authentication method, by the name that goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// `mysql_native_password`: two rounds of SHA-1.
    Native,
    /// `caching_sha2_password`: SHA-256 while the server remembers the password, the password itself otherwise.
    CachingSha2,
    /// `sha256_password`: the password itself, over TLS or encrypted by the server's RSA key.
    Sha256,
    /// `client_ed25519` (MariaDB): a signature.
    Ed25519,
    /// `mysql_clear_password`: the password itself (PAM, LDAP).
    ClearPassword,
    /// Any other: relayed, never answered by tidegate.
    Other(String),
}

impl Method {
    /// The name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Method::Native => "mysql_native_password",
            Method::CachingSha2 => "caching_sha2_password",
            Method::Sha256 => "sha256_password",
            Method::Ed25519 => "client_ed25519",
            Method::ClearPassword => "mysql_clear_password",
            Method::Other(name) => name,
        }
    }

    /// The method of this name, from the wire or from the server's account table (there MariaDB says `ed25519`).
    ///
    /// No name means `mysql_native_password`, both for peers without `CLIENT_PLUGIN_AUTH` and in MySQL 5.6's table.
    pub fn from_name(name: &[u8]) -> Method {
        match name {
            b"" | b"mysql_native_password" => Method::Native,
            b"caching_sha2_password" => Method::CachingSha2,
            b"sha256_password" => Method::Sha256,
            b"client_ed25519" | b"ed25519" => Method::Ed25519,
            b"mysql_clear_password" => Method::ClearPassword,
            other => Method::Other(String::from_utf8_lossy(other).into_owned()),
        }
    }

    /// Whether the client's answers hold the password in clear, which the server asks for whatever the link is.
    pub fn reveals_password(&self) -> bool {
        match self {
            Method::ClearPassword => true,
            Method::Other(name) => name == "dialog" || name == "authentication_openid_connect_client",
            _ => false,
        }
    }

    /// Whether the server judges where the peer sits and as whom its process runs, not what it knows.
    ///
    /// Answered by tidegate, such a method would let a client in by tidegate's place. The names are those of the wire
    /// and of the account tables: `unix_socket` and `auth_socket` have no client side and appear only in the tables.
    pub fn is_by_place(&self) -> bool {
        const BY_PLACE: [&str; 10] = [
            "unix_socket",
            "auth_socket",
            "gssapi",
            "auth_gssapi",
            "auth_gssapi_client",
            "authentication_kerberos",
            "authentication_kerberos_client",
            "authentication_windows",
            "authentication_windows_client",
            "named_pipe",
        ];
        matches!(self, Method::Other(name) if BY_PLACE.contains(&name.as_str()))
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an answer says "my password is empty": no bytes, or the one NUL that libmysqlclient sends for the SHA-2
/// methods.
pub fn is_empty_password_answer(answer: &[u8]) -> bool {
    matches!(answer, [] | [0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in [
            "mysql_native_password",
            "caching_sha2_password",
            "sha256_password",
            "client_ed25519",
            "mysql_clear_password",
            "dialog",
        ] {
            assert_eq!(Method::from_name(name.as_bytes()).to_string(), name);
        }
        assert_eq!(Method::from_name(b"ed25519"), Method::Ed25519);
        assert_eq!(Method::from_name(b""), Method::Native);
    }

    #[test]
    fn place_is_no_password() {
        for name in ["unix_socket", "auth_socket", "auth_gssapi_client"] {
            assert!(Method::from_name(name.as_bytes()).is_by_place(), "{name}");
        }
        for name in ["mysql_native_password", "dialog", "parsec", ""] {
            assert!(!Method::from_name(name.as_bytes()).is_by_place(), "{name}");
        }
    }

    #[test]
    fn scramble_with_and_without_nul() {
        let mut data = [7u8; 21];
        data[20] = 0;
        assert_eq!(scramble_from(&data), Some([7; 20]));
        assert_eq!(scramble_from(&data[..20]), Some([7; 20]));
        assert_eq!(scramble_from(&[7; 21]), None);
        assert_eq!(scramble_from(&[7; 19]), None);
        assert_eq!(scramble_from(&[]), None);
    }
}
