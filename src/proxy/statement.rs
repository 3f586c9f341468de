//! tidegate's own few statements on a backend: whole small results, never the clients' data path.

use crate::net::channel::{Channel, ChannelError};
use crate::proxy::error::Fault;
use crate::session::user_values::Column;
use crate::wire::capabilities::{Capabilities, DEPRECATE_EOF, MARIADB_EXTENDED_METADATA, QUERY_ATTRIBUTES};
use crate::wire::command;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::Fields;
use crate::wire::status;

/// The most rows that are kept of a result; tidegate asks for few.
const MAX_ROWS: usize = 10_000;

/// The most columns that a server's result can have.
const MAX_COLUMNS: u64 = 4096;

/// A text result's rows; `None` is NULL.
pub type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// A text result with its columns' types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// None for an OK.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Rows,
}

/// Sends one command and reads its one-packet reply: the OK payload, or the server's error.
/// Not cancel safe: a connection left in between must be closed.
pub async fn simple(channel: &mut Channel, payload: &[u8]) -> Result<Result<Vec<u8>, ErrPacket>, Fault> {
    channel.command(payload).await.map_err(Fault::of_backend)?;
    let reply = channel.read().await.map_err(Fault::of_backend)?;
    match reply.first() {
        Some(0xFF) => Ok(Err(ErrPacket::parse(&reply).ok_or_else(malformed)?)),
        Some(_) => Ok(Ok(reply)),
        None => Err(malformed()),
    }
}

/// Runs one statement and reads its whole result (no rows for an OK). Not cancel safe.
pub async fn query(channel: &mut Channel, caps: Capabilities, sql: &str) -> Result<Result<Rows, ErrPacket>, Fault> {
    Ok(table(channel, caps, sql).await?.map(|table| table.rows))
}

/// The same with its columns' types. Not cancel safe.
pub async fn table(channel: &mut Channel, caps: Capabilities, sql: &str) -> Result<Result<Table, ErrPacket>, Fault> {
    let mut payload = vec![command::QUERY];
    if caps.has(QUERY_ATTRIBUTES) {
        payload.extend_from_slice(&[0, 1]);
    }
    payload.extend_from_slice(sql.as_bytes());
    let head = match simple(channel, &payload).await? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    if head.first() == Some(&0) {
        return Ok(Ok(Table::default()));
    }
    let count = Fields::new(&head).lenenc().filter(|&n| n <= MAX_COLUMNS).ok_or_else(malformed)?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push(column(&next(channel).await?, caps).ok_or_else(malformed)?);
    }
    if !caps.has(DEPRECATE_EOF) {
        next(channel).await?;
    }
    Ok(rows(channel, count).await?.map(|rows| Table { columns, rows }))
}

/// Type and flags of a column definition.
fn column(definition: &[u8], caps: Capabilities) -> Option<Column> {
    let mut fields = Fields::new(definition);
    for _ in 0..6 + usize::from(caps.has(MARIADB_EXTENDED_METADATA)) {
        fields.lenenc_bytes()?;
    }
    // The fixed part's length, character set and display length.
    fields.bytes(1 + 2 + 4)?;
    Some(Column { kind: fields.u8()?, flags: fields.u16()? })
}

async fn rows(channel: &mut Channel, columns: u64) -> Result<Result<Rows, ErrPacket>, Fault> {
    let mut rows = Rows::new();
    loop {
        let packet = next(channel).await?;
        match packet.first() {
            Some(0xFE) if packet.len() < 0xFF_FFFF => return Ok(Ok(rows)),
            Some(0xFF) => return Ok(Err(ErrPacket::parse(&packet).ok_or_else(malformed)?)),
            _ if rows.len() < MAX_ROWS => rows.push(row(&packet, columns).ok_or_else(malformed)?),
            _ => {}
        }
    }
}

fn row(packet: &[u8], columns: u64) -> Option<Vec<Option<Vec<u8>>>> {
    let mut fields = Fields::new(packet);
    (0..columns)
        .map(|_| {
            if fields.rest().first() == Some(&0xFB) {
                fields.u8();
                return Some(None);
            }
            fields.lenenc_bytes().map(|value| Some(value.to_vec()))
        })
        .collect()
}

async fn next(channel: &mut Channel) -> Result<Vec<u8>, Fault> {
    channel.read().await.map_err(|error: ChannelError| Fault::of_backend(error))
}

/// Whether an OK payload says that a transaction is open.
pub fn in_transaction(ok: &[u8]) -> bool {
    crate::wire::ok::Ok::parse(ok).is_some_and(|ok| ok.status & status::IN_TRANS != 0)
}

fn malformed() -> Fault {
    Fault::backend("the server sent a malformed reply to a statement of tidegate's own")
}
