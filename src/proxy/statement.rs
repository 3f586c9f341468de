//! tidegate's own few statements on a backend: whole small results, never the clients' data path.

use crate::net::channel::{Channel, ChannelError};
use crate::proxy::error::Fault;
use crate::session::statements::Shape;
use crate::session::user_values::Column;
use crate::wire::capabilities::{
    Capabilities, DEPRECATE_EOF, MARIADB_EXTENDED_METADATA, OPTIONAL_RESULTSET_METADATA, QUERY_ATTRIBUTES,
};
use crate::wire::command;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::{Fields, HEADER, put_packet};
use crate::wire::reply::{Reply, Verdict};
use crate::wire::status;

/// The most rows that are kept of a result; tidegate asks for few.
const MAX_ROWS: usize = 10_000;

/// The most columns that a server's result can have.
const MAX_COLUMNS: u64 = 4096;

/// A text result's row; `None` is NULL. One that is too long to be read ([`Channel::read_unless_long`]) has no values at all.
pub type Row = Vec<Option<Vec<u8>>>;

/// A text result's rows.
pub type Rows = Vec<Row>;

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
    answer(channel).await
}

async fn answer(channel: &mut Channel) -> Result<Result<Vec<u8>, ErrPacket>, Fault> {
    let reply = channel.read().await.map_err(Fault::of_backend)?;
    match reply.first() {
        Some(0xFF) => Ok(Err(ErrPacket::parse(&reply).ok_or_else(malformed)?)),
        Some(_) => Ok(Ok(reply)),
        None => Err(malformed()),
    }
}

/// Runs one statement and reads its whole result (no rows for an OK). Not cancel safe.
pub async fn query(channel: &mut Channel, caps: Capabilities, sql: &str) -> Result<Result<Rows, ErrPacket>, Fault> {
    channel.command(&payload(caps, sql)).await.map_err(Fault::of_backend)?;
    result(channel, caps).await
}

/// Sends these statements in one go and reads their results in order: one does not keep the next from running.
/// Not cancel safe.
pub async fn several(
    channel: &mut Channel,
    caps: Capabilities,
    statements: &[impl AsRef<str>],
) -> Result<Vec<Result<Rows, ErrPacket>>, Fault> {
    let mut bytes = Vec::new();
    for sql in statements {
        put_packet(&mut bytes, 0, &payload(caps, sql.as_ref()));
    }
    channel.stream.send(&bytes).await.map_err(Fault::backend_io)?;
    let mut results = Vec::with_capacity(statements.len());
    for _ in statements {
        channel.seq = 1;
        results.push(result(channel, caps).await?);
    }
    Ok(results)
}

/// Sends a command behind others that are answered by an OK each, in one go, and reads its result. Not cancel safe.
pub async fn query_behind(
    channel: &mut Channel,
    caps: Capabilities,
    before: &[&[u8]],
    asked: &[u8],
) -> Result<Result<Rows, ErrPacket>, Fault> {
    let mut bytes = Vec::new();
    for payload in before.iter().chain([&asked]) {
        put_packet(&mut bytes, 0, payload);
    }
    channel.stream.send(&bytes).await.map_err(Fault::backend_io)?;
    let mut refused = None;
    for _ in before {
        channel.seq = 1;
        refused = refused.or(answer(channel).await?.err());
    }
    channel.seq = 1;
    let found = result(channel, caps).await?;
    Ok(refused.map_or(found, Err))
}

/// Sends these commands, each of which is answered by one packet, in one go. The OK payloads, or the server's errors.
/// Not cancel safe.
pub async fn commands(channel: &mut Channel, payloads: &[Vec<u8>]) -> Result<Vec<Result<Vec<u8>, ErrPacket>>, Fault> {
    let mut bytes = Vec::new();
    for payload in payloads {
        put_packet(&mut bytes, 0, payload);
    }
    channel.stream.send(&bytes).await.map_err(Fault::backend_io)?;
    let mut answers = Vec::with_capacity(payloads.len());
    for _ in payloads {
        channel.seq = 1;
        answers.push(answer(channel).await?);
    }
    Ok(answers)
}

/// The COM_QUERY of a statement of tidegate's own.
pub fn payload(caps: Capabilities, sql: &str) -> Vec<u8> {
    let mut payload = vec![command::QUERY];
    if caps.has(QUERY_ATTRIBUTES) {
        payload.extend_from_slice(&[0, 1]);
    }
    payload.extend_from_slice(sql.as_bytes());
    payload
}

async fn result(channel: &mut Channel, caps: Capabilities) -> Result<Result<Rows, ErrPacket>, Fault> {
    Ok(table_of(channel, caps).await?.map(|table| table.rows))
}

/// As [`query`], with the columns' types. Not cancel safe.
pub async fn table(channel: &mut Channel, caps: Capabilities, sql: &str) -> Result<Result<Table, ErrPacket>, Fault> {
    channel.command(&payload(caps, sql)).await.map_err(Fault::of_backend)?;
    table_of(channel, caps).await
}

/// A text result whose columns have names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The columns' names.
    pub names: Vec<String>,
    /// Its rows.
    pub rows: Rows,
}

/// As [`query`], with the columns' names. Not cancel safe.
pub async fn named(channel: &mut Channel, caps: Capabilities, sql: &str) -> Result<Result<Named, ErrPacket>, Fault> {
    channel.command(&payload(caps, sql)).await.map_err(Fault::of_backend)?;
    let (count, definitions) = match definitions(channel, caps).await? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    if count == 0 {
        return Ok(Ok(Named::default()));
    }
    let names = definitions.iter().map(|definition| name(definition)).collect::<Option<_>>().ok_or_else(malformed)?;
    Ok(rows(channel, count).await?.map(|rows| Named { names, rows }))
}

async fn table_of(channel: &mut Channel, caps: Capabilities) -> Result<Result<Table, ErrPacket>, Fault> {
    let (count, definitions) = match definitions(channel, caps).await? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    if count == 0 {
        return Ok(Ok(Table::default()));
    }
    let columns = definitions.iter().map(|definition| column(definition, caps));
    let columns = columns.collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    Ok(rows(channel, count).await?.map(|rows| Table { columns, rows }))
}

/// How many columns, and their definitions, where the session has them sent.
type Head = (u64, Vec<Vec<u8>>);

/// No columns for an OK.
async fn definitions(channel: &mut Channel, caps: Capabilities) -> Result<Result<Head, ErrPacket>, Fault> {
    let head = match answer(channel).await? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut definitions = Vec::new();
    if head.first() == Some(&0) {
        return Ok(Ok((0, definitions)));
    }
    let mut fields = Fields::new(&head);
    let count = fields.lenenc().filter(|&n| n <= MAX_COLUMNS).ok_or_else(malformed)?;
    let are_left_out = caps.has(OPTIONAL_RESULTSET_METADATA) && fields.u8() == Some(0);
    for _ in 0..if are_left_out { 0 } else { count } {
        definitions.push(next(channel).await?);
    }
    if !caps.has(DEPRECATE_EOF) {
        next(channel).await?;
    }
    Ok(Ok((count, definitions)))
}

/// Behind catalog, schema, table and the table's own name.
fn name(definition: &[u8]) -> Option<String> {
    let mut fields = Fields::new(definition);
    for _ in 0..4 {
        fields.lenenc_bytes()?;
    }
    fields.lenenc_bytes().map(|name| String::from_utf8_lossy(name).into_owned())
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
    let keep = |row| {
        if rows.len() < MAX_ROWS {
            rows.push(row);
        }
    };
    Ok(each_row(channel, columns, keep).await?.map(|()| rows))
}

/// As [`query`], but none of the rows is kept, however many there are. Not cancel safe.
pub async fn query_each(
    channel: &mut Channel,
    caps: Capabilities,
    sql: &str,
    take: impl FnMut(Row),
) -> Result<Result<(), ErrPacket>, Fault> {
    channel.command(&payload(caps, sql)).await.map_err(Fault::of_backend)?;
    match definitions(channel, caps).await? {
        Ok((0, _)) => Ok(Ok(())),
        Ok((count, _)) => each_row(channel, count, take).await,
        Err(refused) => Ok(Err(refused)),
    }
}

async fn each_row(
    channel: &mut Channel,
    columns: u64,
    mut take: impl FnMut(Row),
) -> Result<Result<(), ErrPacket>, Fault> {
    loop {
        let Some(packet) = channel.read_unless_long().await.map_err(Fault::of_backend)? else {
            take(Row::new());
            continue;
        };
        match packet.first() {
            Some(0xFE) => return Ok(Ok(())),
            Some(0xFF) => return Ok(Err(ErrPacket::parse(&packet).ok_or_else(malformed)?)),
            _ => take(row(&packet, columns).ok_or_else(malformed)?),
        }
    }
}

fn row(packet: &[u8], columns: u64) -> Option<Row> {
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

/// Prepares a statement: its id and shape, or the server's error. Not cancel safe.
pub async fn prepare(
    channel: &mut Channel,
    caps: Capabilities,
    text: &[u8],
) -> Result<Result<(u32, Shape), ErrPacket>, Fault> {
    channel.command(&[&[command::STMT_PREPARE], text].concat()).await.map_err(Fault::of_backend)?;
    let mut reply = Reply::new(command::Shape::Prepare, caps, 1);
    let mut refused = Vec::new();
    loop {
        channel.fill().await.map_err(Fault::of_backend)?;
        let (pass, verdict) = reply.scan(channel.buffer.filled());
        if reply.facts.error.is_some() {
            refused.extend_from_slice(&channel.buffer.filled()[..pass]);
        }
        channel.buffer.consume(pass);
        match verdict {
            Verdict::Done => break,
            Verdict::More if channel.buffer.is_full() => channel.buffer.grow(2 * channel.buffer.capacity()),
            Verdict::More => {}
            _ => return Err(malformed()),
        }
    }
    match reply.facts.prepared {
        Some((id, params)) => Ok(Ok((id, Shape { params, columns: reply.facts.prepared_columns }))),
        None => Ok(Err(refused.get(HEADER..).and_then(ErrPacket::parse).ok_or_else(malformed)?)),
    }
}

/// Whether an OK payload says that a transaction is open.
pub fn in_transaction(ok: &[u8]) -> bool {
    crate::wire::ok::Ok::parse(ok).is_some_and(|ok| ok.status & status::IN_TRANS != 0)
}

fn malformed() -> Fault {
    Fault::backend("the server sent a malformed reply to a statement of tidegate's own")
}
