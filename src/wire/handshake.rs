//! The packets of a login: greeting, response, auth switch, change user. Reading and writing only, no decisions.

use crate::wire::capabilities::*;
use crate::wire::command::CHANGE_USER;
use crate::wire::frame::{Fields, put_lenenc, put_lenenc_bytes};

/// Bytes of a challenge.
pub const SALT_LEN: usize = 20;

/// A challenge of 20 bytes.
pub type Salt = [u8; SALT_LEN];

/// HandshakeV10: the server's first packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The version text as sent (MariaDB's `5.5.5-` prefix included).
    pub version: Vec<u8>,
    /// Connection id.
    pub connection_id: u32,
    /// The challenge. Servers make it of bytes that are neither 0 nor `$`.
    pub salt: Salt,
    /// What the server offers.
    pub capabilities: Capabilities,
    /// The server's default collation id.
    pub charset: u8,
    /// Status flags.
    pub status: u16,
    /// The method that the challenge is for.
    pub method: Vec<u8>,
}

impl Greeting {
    /// Reads a payload; `None` if it is no HandshakeV10 of a 4.1 server.
    pub fn parse(payload: &[u8]) -> Option<Greeting> {
        let mut fields = Fields::new(payload);
        (fields.u8()? == 10).then_some(())?;
        let version = fields.nul_bytes()?.to_vec();
        let connection_id = fields.u32()?;
        let mut salt = [0; SALT_LEN];
        salt[..8].copy_from_slice(fields.bytes(8)?);
        fields.u8()?;
        let low = u32::from(fields.u16()?);
        let charset = fields.u8()?;
        let status = fields.u16()?;
        let low = low | u32::from(fields.u16()?) << 16;
        fields.u8()?;
        fields.bytes(6)?;
        let extended = fields.u32()?;
        // MySQL's reserved bytes are zero; MariaDB says by a clear bit 0 that they are capabilities.
        let extended = if low & LONG_PASSWORD.low() == 0 { extended } else { 0 };
        salt[8..].copy_from_slice(fields.bytes(12)?);
        fields.u8();
        let method = fields.nul_or_rest().to_vec();
        let capabilities = Capabilities::from_halves(low, extended);
        capabilities.has(PROTOCOL_41 | SECURE_CONNECTION).then_some(Greeting {
            version,
            connection_id,
            salt,
            capabilities,
            charset,
            status,
            method,
        })
    }

    /// The payload on the wire.
    pub fn payload(&self) -> Vec<u8> {
        let mut out = vec![10];
        out.extend_from_slice(&self.version);
        out.push(0);
        out.extend_from_slice(&self.connection_id.to_le_bytes());
        out.extend_from_slice(&self.salt[..8]);
        out.push(0);
        let low = self.capabilities.low();
        out.extend_from_slice(&(low as u16).to_le_bytes());
        out.push(self.charset);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&((low >> 16) as u16).to_le_bytes());
        out.push(if self.capabilities.has(PLUGIN_AUTH) { SALT_LEN as u8 + 1 } else { 0 });
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&self.capabilities.extended().to_le_bytes());
        out.extend_from_slice(&self.salt[8..]);
        out.push(0);
        if self.capabilities.has(PLUGIN_AUTH) {
            out.extend_from_slice(&self.method);
            out.push(0);
        }
        out
    }

    /// Whether the server is MariaDB: it alone leaves bit 0 clear or prefixes its version.
    pub fn is_mariadb(&self) -> bool {
        !self.capabilities.has(LONG_PASSWORD) || memchr::memmem::find(&self.version, b"MariaDB").is_some()
    }
}

/// HandshakeResponse41, or the short SSLRequest that is its head.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// What the client asks for.
    pub capabilities: Capabilities,
    /// The largest packet that the client takes.
    pub max_packet: u32,
    /// Collation id.
    pub charset: u8,
    /// Account name.
    pub user: Vec<u8>,
    /// The answer to the greeting's challenge.
    pub answer: Vec<u8>,
    /// Schema, if `CONNECT_WITH_DB`.
    pub schema: Option<Vec<u8>>,
    /// The answer's method, if `PLUGIN_AUTH`.
    pub method: Option<Vec<u8>>,
    /// Connect attributes as they stand in the packet (pairs of length-encoded strings), if `CONNECT_ATTRS`.
    pub attributes: Option<Vec<u8>>,
    /// The zstd level, if `ZSTD_COMPRESSION`.
    pub zstd_level: Option<u8>,
}

/// Bytes of an SSLRequest, and of the fixed head of a HandshakeResponse41.
pub const LOGIN_HEAD: usize = 32;

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("capabilities", &self.capabilities)
            .field("user", &String::from_utf8_lossy(&self.user))
            .field("schema", &self.schema.as_deref().map(String::from_utf8_lossy))
            .field("method", &self.method.as_deref().map(String::from_utf8_lossy))
            .finish_non_exhaustive()
    }
}

impl Login {
    /// Reads the fixed head alone: enough for an SSLRequest.
    pub fn parse_head(payload: &[u8]) -> Option<Login> {
        let mut fields = Fields::new(payload);
        let low = fields.u32()?;
        let max_packet = fields.u32()?;
        let charset = fields.u8()?;
        fields.bytes(19)?;
        let extended = fields.u32()?;
        let extended = if low & LONG_PASSWORD.low() == 0 { extended } else { 0 };
        let capabilities = Capabilities::from_halves(low, extended);
        capabilities.has(PROTOCOL_41).then_some(Login { capabilities, max_packet, charset, ..Login::default() })
    }

    /// Whether a payload is an SSLRequest: the head alone, with the SSL flag.
    pub fn is_ssl_request(payload: &[u8]) -> bool {
        payload.len() == LOGIN_HEAD && Login::parse_head(payload).is_some_and(|head| head.capabilities.has(SSL))
    }

    /// Reads a whole HandshakeResponse41.
    pub fn parse(payload: &[u8]) -> Option<Login> {
        let mut login = Login::parse_head(payload)?;
        let caps = login.capabilities;
        let mut fields = Fields::new(payload.get(LOGIN_HEAD..)?);
        login.user = without_quotes(fields.nul_bytes()?).to_vec();
        login.answer = match () {
            () if caps.has(PLUGIN_AUTH_LENENC) => fields.lenenc_bytes()?.to_vec(),
            () if caps.has(SECURE_CONNECTION) => {
                let n = fields.u8()?;
                fields.bytes(usize::from(n))?.to_vec()
            }
            () => fields.nul_or_rest().to_vec(),
        };
        if caps.has(CONNECT_WITH_DB) {
            login.schema = Some(fields.nul_or_rest().to_vec()).filter(|schema| !schema.is_empty());
        }
        if caps.has(PLUGIN_AUTH) {
            login.method = Some(fields.nul_or_rest().to_vec());
        }
        if caps.has(CONNECT_ATTRS) {
            login.attributes = read_attributes(&mut fields);
        }
        if caps.has(ZSTD_COMPRESSION) {
            login.zstd_level = fields.u8();
        }
        Some(login)
    }

    /// The fixed head: an SSLRequest where the SSL flag is set.
    pub fn head(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&self.capabilities.low().to_le_bytes());
        out.extend_from_slice(&self.max_packet.to_le_bytes());
        out.push(self.charset);
        out.extend_from_slice(&[0; 19]);
        out.extend_from_slice(&self.capabilities.extended().to_le_bytes());
        out
    }

    /// The payload on the wire, in the form that the capabilities say.
    pub fn payload(&self) -> Vec<u8> {
        let caps = self.capabilities;
        let mut out = self.head();
        out.extend_from_slice(&self.user);
        out.push(0);
        if caps.has(PLUGIN_AUTH_LENENC) {
            put_lenenc_bytes(&mut out, &self.answer);
        } else {
            out.push(self.answer.len() as u8);
            out.extend_from_slice(&self.answer);
        }
        if caps.has(CONNECT_WITH_DB) {
            out.extend_from_slice(self.schema.as_deref().unwrap_or_default());
            out.push(0);
        }
        if caps.has(PLUGIN_AUTH) {
            out.extend_from_slice(self.method.as_deref().unwrap_or_default());
            out.push(0);
        }
        if caps.has(CONNECT_ATTRS) {
            put_lenenc_bytes(&mut out, self.attributes.as_deref().unwrap_or_default());
        }
        out
    }
}

/// Attributes are a courtesy: a packet whose attributes are cut short is a login without them.
fn read_attributes(fields: &mut Fields<'_>) -> Option<Vec<u8>> {
    fields.lenenc_bytes().map(<[u8]>::to_vec)
}

/// Appends one pair to a block of connect attributes.
pub fn put_attribute(block: &mut Vec<u8>, name: &str, value: &str) {
    put_lenenc_bytes(block, name.as_bytes());
    put_lenenc_bytes(block, value.as_bytes());
}

/// AuthSwitchRequest: the server asks for another method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSwitch {
    /// The method's name; empty for the short form (0xFE alone), which asks for the pre-4.1 method.
    pub method: Vec<u8>,
    /// The challenge as it came: most methods put a NUL behind it, client_ed25519 and parsec do not.
    pub data: Vec<u8>,
}

impl AuthSwitch {
    /// Reads a payload that begins with 0xFE.
    pub fn parse(payload: &[u8]) -> Option<AuthSwitch> {
        let mut fields = Fields::new(payload);
        (fields.u8()? == 0xFE).then_some(())?;
        let method = fields.nul_or_rest().to_vec();
        Some(AuthSwitch { method, data: fields.rest().to_vec() })
    }

    /// The payload on the wire.
    pub fn payload(&self) -> Vec<u8> {
        let mut out = vec![0xFE];
        out.extend_from_slice(&self.method);
        out.push(0);
        out.extend_from_slice(&self.data);
        out
    }

    /// The challenge's first 20 bytes, where it has so many.
    pub fn salt(&self) -> Option<Salt> {
        self.data.first_chunk::<SALT_LEN>().copied()
    }
}

/// COM_CHANGE_USER.
#[derive(Clone, PartialEq, Eq)]
pub struct ChangeUser {
    /// Account name.
    pub user: Vec<u8>,
    /// The answer to the last challenge of this connection.
    pub answer: Vec<u8>,
    /// Schema; empty: none.
    pub schema: Vec<u8>,
    /// Collation id; `None` where the client ended before it.
    pub charset: Option<u16>,
    /// The answer's method.
    pub method: Option<Vec<u8>>,
    /// Connect attributes as they stand in the packet.
    pub attributes: Option<Vec<u8>>,
}

impl std::fmt::Debug for ChangeUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChangeUser").field("user", &String::from_utf8_lossy(&self.user)).finish_non_exhaustive()
    }
}

impl ChangeUser {
    /// Reads a payload that begins with the command byte; what follows the schema depends on the login's capabilities.
    pub fn parse(payload: &[u8], caps: Capabilities) -> Option<ChangeUser> {
        let mut fields = Fields::new(payload);
        (fields.u8()? == CHANGE_USER).then_some(())?;
        let user = fields.nul_bytes()?.to_vec();
        let n = usize::from(fields.u8()?);
        let answer = fields.bytes(n)?.to_vec();
        let schema = fields.nul_or_rest().to_vec();
        let charset = fields.u16();
        let method = (caps.has(PLUGIN_AUTH) && !fields.rest().is_empty()).then(|| fields.nul_or_rest().to_vec());
        let attributes = if caps.has(CONNECT_ATTRS) { read_attributes(&mut fields) } else { None };
        Some(ChangeUser { user, answer, schema, charset, method, attributes })
    }

    /// The payload on the wire for a connection with these capabilities.
    pub fn payload(&self, caps: Capabilities) -> Vec<u8> {
        let mut out = vec![CHANGE_USER];
        out.extend_from_slice(&self.user);
        out.push(0);
        out.push(self.answer.len() as u8);
        out.extend_from_slice(&self.answer);
        out.extend_from_slice(&self.schema);
        out.push(0);
        let Some(charset) = self.charset else { return out };
        out.extend_from_slice(&charset.to_le_bytes());
        if caps.has(PLUGIN_AUTH) {
            out.extend_from_slice(self.method.as_deref().unwrap_or_default());
            out.push(0);
            if caps.has(CONNECT_ATTRS) {
                let attributes = self.attributes.as_deref().unwrap_or_default();
                put_lenenc(&mut out, attributes.len() as u64);
                out.extend_from_slice(attributes);
            }
        }
        out
    }
}

/// All servers (MariaDB 10.11, 11.8, MySQL 5.6, 9.7 seen) take a login as `'app'` for one as `app`; so it is the same account's.
fn without_quotes(user: &[u8]) -> &[u8] {
    let inner = user.strip_prefix(b"'").and_then(|user| user.strip_suffix(b"'"));
    inner.unwrap_or(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_around_a_name_are_no_part_of_it() {
        for (said, meant) in [("'app'", "app"), ("app", "app"), ("'", "'"), ("''", ""), ("'a", "'a"), ("''a''", "'a'")]
        {
            assert_eq!(without_quotes(said.as_bytes()), meant.as_bytes());
        }
    }

    fn login(caps: Capabilities) -> Login {
        Login {
            capabilities: caps | PROTOCOL_41 | SECURE_CONNECTION,
            max_packet: 1 << 24,
            charset: 45,
            user: b"app".to_vec(),
            answer: vec![9; 20],
            schema: caps.has(CONNECT_WITH_DB).then(|| b"shop".to_vec()),
            method: caps.has(PLUGIN_AUTH).then(|| b"mysql_native_password".to_vec()),
            attributes: caps.has(CONNECT_ATTRS).then(|| b"\x01a\x01b".to_vec()),
            zstd_level: None,
        }
    }

    #[test]
    fn logins_of_every_form_read_back() {
        let flags = [CONNECT_WITH_DB, PLUGIN_AUTH, PLUGIN_AUTH_LENENC, CONNECT_ATTRS, MARIADB_STMT_BULK, LONG_PASSWORD];
        for mask in 0..1u32 << flags.len() {
            let caps = flags
                .iter()
                .enumerate()
                .filter(|(i, _)| mask >> i & 1 == 1)
                .fold(Capabilities::NONE, |all, (_, &c)| all | c);
            // A MySQL client has no extended capabilities.
            let caps = if caps.has(LONG_PASSWORD) { caps.without(MARIADB_STMT_BULK) } else { caps };
            let login = login(caps);
            assert_eq!(Login::parse(&login.payload()), Some(login));
        }
    }

    #[test]
    fn a_greeting_reads_back_with_mariadbs_extended_capabilities() {
        let greeting = Greeting {
            version: b"5.5.5-10.11.19-MariaDB".to_vec(),
            connection_id: 0x4000_0001,
            salt: *b"abcdefghijklmnopqrst",
            capabilities: PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | MARIADB_PROGRESS,
            charset: 8,
            status: 2,
            method: b"mysql_native_password".to_vec(),
        };
        assert_eq!(Greeting::parse(&greeting.payload()), Some(greeting.clone()));
        assert!(greeting.is_mariadb());
    }

    #[test]
    fn a_switch_reads_back() {
        // A random challenge may end in a zero of its own.
        for data in [vec![7; 20], vec![0; 21], vec![0; 32]] {
            let switch = AuthSwitch { method: b"caching_sha2_password".to_vec(), data };
            assert_eq!(AuthSwitch::parse(&switch.payload()), Some(switch));
        }
        assert_eq!(AuthSwitch::parse(&[0xFE]), Some(AuthSwitch { method: vec![], data: vec![] }));
    }

    #[test]
    fn change_user_reads_back() {
        let caps = PLUGIN_AUTH | CONNECT_ATTRS;
        let change = ChangeUser {
            user: b"app".to_vec(),
            answer: vec![1; 20],
            schema: b"shop".to_vec(),
            charset: Some(45),
            method: Some(b"mysql_native_password".to_vec()),
            attributes: Some(b"\x01a\x01b".to_vec()),
        };
        assert_eq!(ChangeUser::parse(&change.payload(caps), caps), Some(change));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Greeting::parse(&bytes);
            let _ = Login::parse(&bytes);
            let _ = AuthSwitch::parse(&bytes);
            let _ = ChangeUser::parse(&bytes, Capabilities(u64::MAX));
        }
    }
}
