//! One console client's life: command after command.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::login::Entered;
use super::orders::{self, Done};
use super::reply::Reply;
use super::select::{self, Asker};
use super::show::{self, NotShown};
use super::statement::{Statement, parse};
use crate::admin::Admin;
use crate::admin::table::Table;
use crate::net::channel::{Channel, ChannelError};
use crate::proxy::running::host;
use crate::sql::lexer::{Dialect, Kind, Lexer};
use crate::wire::capabilities::Capabilities;
use crate::wire::command;
use crate::wire::fault::{ErrPacket, UNKNOWN_COMMAND};

/// How long a client may be silent, and how long it may take for a reply.
const IDLE: Duration = Duration::from_secs(3600);

/// Prepared statements of one client at once.
const MAX_PREPARED: usize = 64;

/// ER_PARSE_ERROR
const PARSE_ERROR: u16 = 1064;
/// ER_BAD_FIELD_ERROR
const NO_SUCH_COLUMN: u16 = 1054;
/// ER_UNKNOWN_SYSTEM_VARIABLE
const UNKNOWN_VARIABLE: u16 = 1193;
/// ER_UNKNOWN_STMT_HANDLER
const UNKNOWN_STATEMENT: u16 = 1243;
/// ER_UNSUPPORTED_PS
const NOT_PREPARABLE: u16 = 1295;
/// ER_MAX_PREPARED_STMT_COUNT_REACHED
const TOO_MANY_PREPARED: u16 = 1461;

struct Session<'a> {
    admin: &'a Arc<Admin>,
    capabilities: Capabilities,
    /// `name@host`
    who: String,
    id: u32,
    prepared: BTreeMap<u32, Statement>,
    last_prepared: u32,
}

/// Until the client goes.
pub async fn run(admin: &Arc<Admin>, entered: Entered) {
    let Entered { mut channel, capabilities, user, peer, id } = entered;
    let who = format!("{user}@{}", host(&peer));
    let mut session = Session { admin, capabilities, who, id, prepared: BTreeMap::new(), last_prepared: 0 };
    if let Err(error) = session.serve(&mut channel).await {
        debug!(by = session.who, "admin.sql: {error}");
    }
}

impl Session<'_> {
    async fn serve(&mut self, channel: &mut Channel) -> Result<(), ChannelError> {
        loop {
            channel.patience = Some(IDLE);
            channel.seq = 0;
            let payload = match channel.read().await {
                Ok(payload) => payload,
                Err(ChannelError::Closed | ChannelError::Silent) => return Ok(()),
                Err(error) => return Err(error),
            };
            let Some((&code, rest)) = payload.split_first() else { return Ok(()) };
            if code == command::QUIT {
                return Ok(());
            }
            if let Some(reply) = self.answer(code, rest).await {
                let sent = tokio::time::timeout(IDLE, channel.stream.send(&reply.bytes())).await;
                sent.map_err(|_| ChannelError::TimedOut)??;
            }
        }
    }

    /// `None`: the command has no reply.
    async fn answer(&mut self, code: u8, rest: &[u8]) -> Option<Reply> {
        let reply = self.reply();
        let id = rest.first_chunk::<4>().map(|id| u32::from_le_bytes(*id));
        Some(match code {
            command::QUERY => self.query(rest).await,
            command::STMT_PREPARE => self.prepare(rest),
            command::STMT_EXECUTE => match id.and_then(|id| self.prepared.get(&id)).cloned() {
                Some(statement) => self.run(&statement, Reply::binary).await,
                None => refused(reply, UNKNOWN_STATEMENT, "Unknown prepared statement handler given to EXECUTE"),
            },
            command::STMT_CLOSE => {
                id.and_then(|id| self.prepared.remove(&id));
                return None;
            }
            command::STMT_SEND_LONG_DATA => return None,
            command::PING | command::INIT_DB | command::STMT_RESET => reply.ok(""),
            command::RESET_CONNECTION => {
                self.prepared.clear();
                reply.ok("")
            }
            command::FIELD_LIST | command::SET_OPTION => reply.end(),
            command::STATISTICS => {
                let (up, clients) = (self.admin.running.uptime().as_secs(), self.admin.running.client_count());
                reply.packet(format!("Uptime: {up}  Clients: {clients}").as_bytes())
            }
            command::PROCESS_INFO => self.query(b"SHOW CLIENTS").await,
            command::PROCESS_KILL => self.query(format!("KILL {}", id.unwrap_or_default()).as_bytes()).await,
            _ => refused(reply, UNKNOWN_COMMAND, "Unknown command"),
        })
    }

    fn reply(&self) -> Reply {
        Reply::new(self.capabilities)
    }

    async fn query(&self, sql: &[u8]) -> Reply {
        match parse(sql) {
            Some(statement) => self.run(&statement, Reply::text).await,
            None => unknown(self.reply(), sql),
        }
    }

    async fn run(&self, statement: &Statement, rows: fn(Reply, &Table) -> Reply) -> Reply {
        let reply = self.reply();
        if let Statement::Order(order) = statement {
            return match orders::carry_out(self.admin, order, &self.who).await {
                Ok(Done::Ok(info)) => reply.ok(&info),
                Ok(Done::Shown(table)) => rows(reply, &table),
                Err(refused) => reply.packet(&refused.cut().payload()),
            };
        }
        match self.table(statement) {
            Ok(Some(table)) => rows(reply, &table),
            Ok(None) => reply.ok(""),
            Err(refused) => reply.packet(&refused.payload()),
        }
    }

    /// What a statement shows; `None`: nothing.
    fn table(&self, statement: &Statement) -> Result<Option<Table>, ErrPacket> {
        match statement {
            Statement::Show(show) => show::table(self.admin, show).map(Some).map_err(|why| not_shown(why, &show.what)),
            Statement::Select(items) => {
                let asker = Asker { user: &self.who, id: self.id };
                select::answer(items, &asker).map(Some).map_err(|name| {
                    ErrPacket::new(UNKNOWN_VARIABLE, b"HY000", format!("Unknown system variable '{name}'"))
                })
            }
            Statement::Order(_) | Statement::Nothing => Ok(None),
        }
    }

    fn prepare(&mut self, sql: &[u8]) -> Reply {
        let reply = self.reply();
        if Lexer::new(sql, Dialect::default()).any(|token| token.kind == Kind::Placeholder) {
            return refused(reply, NOT_PREPARABLE, "the console's statements have no parameters");
        }
        let Some(statement) = parse(sql) else { return unknown(reply, sql) };
        let table = match self.table(&statement) {
            Ok(table) => table,
            Err(refused) => return reply.packet(&refused.payload()),
        };
        if self.prepared.len() >= MAX_PREPARED {
            return refused(reply, TOO_MANY_PREPARED, "too many prepared statements: close some");
        }
        self.last_prepared = self.last_prepared.wrapping_add(1);
        self.prepared.insert(self.last_prepared, statement);
        reply.prepared(self.last_prepared, table.as_ref())
    }
}

fn refused(reply: Reply, code: u16, text: &str) -> Reply {
    reply.packet(&ErrPacket::new(code, b"HY000", text).payload())
}

fn unknown(reply: Reply, sql: &[u8]) -> Reply {
    const SHOWN: usize = 80;
    let text: String = String::from_utf8_lossy(sql).chars().take(SHOWN).collect();
    let text =
        format!("tidegate's console does not know this statement; SHOW HELP lists what it knows (near '{text}')");
    reply.packet(&ErrPacket::new(PARSE_ERROR, b"42000", text).payload())
}

fn not_shown(why: NotShown, what: &str) -> ErrPacket {
    match why {
        NotShown::Unknown => {
            let text = format!("tidegate's console has no '{what}'; SHOW HELP lists what it has");
            ErrPacket::new(PARSE_ERROR, b"42000", text).cut()
        }
        NotShown::Where => {
            let text = "WHERE is not known here, but LIKE, ORDER BY and LIMIT are; SHOW HELP tells how";
            ErrPacket::new(PARSE_ERROR, b"42000", text)
        }
        NotShown::Column(name) => {
            ErrPacket::new(NO_SUCH_COLUMN, b"42S22", format!("Unknown column '{name}' in 'order clause'")).cut()
        }
    }
}
