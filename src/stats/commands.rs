//! The protocol's command bytes, as far as the record needs them: their names, and which of them have a reply.

/// The names that the server itself writes behind `# administrator command:`, by command byte.
const NAMES: [&str; 32] = [
    "Sleep",
    "Quit",
    "Init DB",
    "Query",
    "Field List",
    "Create DB",
    "Drop DB",
    "Refresh",
    "Shutdown",
    "Statistics",
    "Processlist",
    "Connect",
    "Kill",
    "Debug",
    "Ping",
    "Time",
    "Delayed insert",
    "Change user",
    "Binlog Dump",
    "Table Dump",
    "Connect Out",
    "Register Slave",
    "Prepare",
    "Execute",
    "Long Data",
    "Close stmt",
    "Reset stmt",
    "Set option",
    "Fetch",
    "Daemon",
    "Binlog Dump GTID",
    "Reset Connection",
];

/// The server's name for a command byte; `Unknown` for those that this table lacks.
pub fn name(command: u8) -> &'static str {
    match command {
        0xFA => "Bulk execute",
        _ => NAMES.get(usize::from(command)).copied().unwrap_or("Unknown"),
    }
}

/// Whether the server answers this command at all: COM_QUIT, COM_STMT_SEND_LONG_DATA and COM_STMT_CLOSE have no reply,
/// so there is no latency to speak of.
pub fn has_reply(command: u8) -> bool {
    !matches!(command, 0x01 | 0x18 | 0x19)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_servers_names() {
        assert_eq!(name(0x03), "Query");
        assert_eq!(name(0x0E), "Ping");
        assert_eq!(name(0x17), "Execute");
        assert_eq!(name(0x1F), "Reset Connection");
        assert_eq!(name(0x20), "Unknown");
    }

    #[test]
    fn only_three_commands_are_never_answered() {
        let silent: Vec<u8> = (0..=u8::MAX).filter(|c| !has_reply(*c)).collect();
        assert_eq!(silent, [0x01, 0x18, 0x19]);
    }
}
