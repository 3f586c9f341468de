//! Numbers among the session's variables that tidegate goes by itself.

use std::str::FromStr;
use std::time::Duration;

use super::Shared;

impl Shared {
    /// As many conditions as the client's session keeps.
    pub(in crate::proxy) fn max_error_count(&self) -> u64 {
        self.number(b"max_error_count").unwrap_or(u64::MAX)
    }

    /// How long the server waits for a client that takes nothing of its reply.
    pub(in crate::proxy) fn net_write_timeout(&self) -> Option<Duration> {
        self.number(b"net_write_timeout").map(Duration::from_secs)
    }

    fn number<T: FromStr>(&self, name: &[u8]) -> Option<T> {
        let value = self.state.variable(name).or_else(|| self.baseline.get(name))?;
        std::str::from_utf8(value).ok()?.parse().ok()
    }
}
