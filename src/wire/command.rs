//! The commands a client may send, and the shape of the reply to each.

/// COM_SLEEP: internal, refused by servers.
pub const SLEEP: u8 = 0x00;
/// COM_QUIT
pub const QUIT: u8 = 0x01;
/// COM_INIT_DB
pub const INIT_DB: u8 = 0x02;
/// COM_QUERY
pub const QUERY: u8 = 0x03;
/// COM_FIELD_LIST
pub const FIELD_LIST: u8 = 0x04;
/// COM_REFRESH
pub const REFRESH: u8 = 0x07;
/// COM_SHUTDOWN
pub const SHUTDOWN: u8 = 0x08;
/// COM_STATISTICS
pub const STATISTICS: u8 = 0x09;
/// COM_PROCESS_INFO
pub const PROCESS_INFO: u8 = 0x0a;
/// COM_PROCESS_KILL
pub const PROCESS_KILL: u8 = 0x0c;
/// COM_DEBUG
pub const DEBUG: u8 = 0x0d;
/// COM_PING
pub const PING: u8 = 0x0e;
/// COM_CHANGE_USER
pub const CHANGE_USER: u8 = 0x11;
/// COM_BINLOG_DUMP
pub const BINLOG_DUMP: u8 = 0x12;
/// COM_TABLE_DUMP
pub const TABLE_DUMP: u8 = 0x13;
/// COM_REGISTER_SLAVE
pub const REGISTER_SLAVE: u8 = 0x15;
/// COM_STMT_PREPARE
pub const STMT_PREPARE: u8 = 0x16;
/// COM_STMT_EXECUTE
pub const STMT_EXECUTE: u8 = 0x17;
/// COM_STMT_SEND_LONG_DATA
pub const STMT_SEND_LONG_DATA: u8 = 0x18;
/// COM_STMT_CLOSE
pub const STMT_CLOSE: u8 = 0x19;
/// COM_STMT_RESET
pub const STMT_RESET: u8 = 0x1a;
/// COM_SET_OPTION
pub const SET_OPTION: u8 = 0x1b;
/// COM_STMT_FETCH
pub const STMT_FETCH: u8 = 0x1c;
/// COM_BINLOG_DUMP_GTID
pub const BINLOG_DUMP_GTID: u8 = 0x1e;
/// COM_RESET_CONNECTION
pub const RESET_CONNECTION: u8 = 0x1f;
/// COM_STMT_BULK_EXECUTE (MariaDB)
pub const STMT_BULK_EXECUTE: u8 = 0xfa;

/// How the reply to a command is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// OK, ERR, a file request, or result sets: text or binary rows alike.
    Results,
    /// A prepared statement's head, then its parameters' and columns' definitions.
    Prepare,
    /// Rows or definitions up to the end marker, without a head (COM_STMT_FETCH, COM_FIELD_LIST).
    Rows,
    /// One packet, whatever it says.
    Single,
    /// Nothing.
    None,
    /// A login's exchange (COM_CHANGE_USER).
    Login,
    /// The server sends for as long as it likes, and the client may speak in between (replication, unknown commands).
    Stream,
    /// The connection ends (COM_QUIT).
    End,
}

/// The shape of the reply to `command`.
pub fn shape(command: u8) -> Shape {
    match command {
        QUERY | STMT_EXECUTE | STMT_BULK_EXECUTE | PROCESS_INFO => Shape::Results,
        STMT_PREPARE => Shape::Prepare,
        STMT_FETCH | FIELD_LIST => Shape::Rows,
        SLEEP | INIT_DB | REFRESH | SHUTDOWN | STATISTICS | PROCESS_KILL | DEBUG | PING | REGISTER_SLAVE
        | STMT_RESET | SET_OPTION | RESET_CONNECTION => Shape::Single,
        STMT_SEND_LONG_DATA | STMT_CLOSE => Shape::None,
        CHANGE_USER => Shape::Login,
        QUIT => Shape::End,
        _ => Shape::Stream,
    }
}

/// The command's name as the servers' own logs write it ("administrator command: ..").
pub fn name(command: u8) -> &'static str {
    match command {
        SLEEP => "Sleep",
        QUIT => "Quit",
        INIT_DB => "Init DB",
        QUERY => "Query",
        FIELD_LIST => "Field List",
        REFRESH => "Refresh",
        SHUTDOWN => "Shutdown",
        STATISTICS => "Statistics",
        PROCESS_INFO => "Processlist",
        PROCESS_KILL => "Kill",
        DEBUG => "Debug",
        PING => "Ping",
        CHANGE_USER => "Change user",
        BINLOG_DUMP => "Binlog Dump",
        TABLE_DUMP => "Table Dump",
        REGISTER_SLAVE => "Register Slave",
        STMT_PREPARE => "Prepare",
        STMT_EXECUTE => "Execute",
        STMT_SEND_LONG_DATA => "Long Data",
        STMT_CLOSE => "Close stmt",
        STMT_RESET => "Reset stmt",
        SET_OPTION => "Set option",
        STMT_FETCH => "Fetch",
        BINLOG_DUMP_GTID => "Binlog Dump GTID",
        RESET_CONNECTION => "Reset connection",
        STMT_BULK_EXECUTE => "Bulk Execute",
        _ => "Unknown",
    }
}
