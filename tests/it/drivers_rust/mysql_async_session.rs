//! mysql_async: text and binary rows, streams, multi-results, LOCAL INFILE, reset, change_user, compression.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use mysql_async::prelude::*;
use mysql_async::{Compression, Conn, Error, IsolationLevel, Opts, OptsBuilder, Row, SslOpts, TxOpts, Value, params};

use super::{BIG, Lines, MANY, Place, WRONG, rolling, setup};
use crate::drivers::{PASSWORD, USER, last_lines};

pub async fn run(place: Place) -> String {
    let mut lines = Lines::new(&place);
    if let Err(error) = session(&place, &mut lines).await {
        panic!("{error}, after:\n{}", last_lines(&lines.text));
    }
    lines.text
}

async fn session(place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let mut conn = Conn::new(Opts::from(options(place).db_name(None::<String>))).await?;
    for sql in setup(&place.schema) {
        conn.query_drop(sql).await?;
    }
    lines.add("server", (conn.server_version(), conn.query_first::<String, _>("SELECT VERSION()").await?));
    conn.disconnect().await?;
    let mut conn = connect(place).await?;
    rows(&mut conn, lines).await?;
    parameters(&mut conn, lines).await?;
    many_and_big(&mut conn, lines).await?;
    results(&mut conn, lines).await?;
    transactions(&mut conn, place, lines).await?;
    errors(&mut conn, lines).await;
    counts(&mut conn, place, lines).await?;
    infile(place, lines).await?;
    resets(&mut conn, lines).await?;
    logins(place, lines).await;
    kill(&mut conn, place, lines).await?;
    conn.query_drop(format!("DROP DATABASE {}", place.schema)).await?;
    conn.disconnect().await
}

fn options(place: &Place) -> OptsBuilder {
    let tls = SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true);
    OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(place.port)
        .prefer_socket(false)
        .user(Some(USER))
        .pass(Some(PASSWORD))
        .db_name(Some(&place.schema))
        .ssl_opts(place.tls.then_some(tls))
}

async fn connect(place: &Place) -> Result<Conn, Error> {
    Conn::new(Opts::from(options(place))).await
}

async fn rows(conn: &mut Conn, lines: &mut Lines) -> Result<(), Error> {
    let text: Vec<Row> = conn.query("SELECT * FROM every_type ORDER BY id").await?;
    let binary: Vec<Row> = conn.exec("SELECT * FROM every_type WHERE id > ? ORDER BY id", (0,)).await?;
    for row in text.into_iter().chain(binary) {
        for column in row.columns_ref() {
            let kind = (column.name_str(), column.column_type(), column.flags(), column.column_length());
            lines.add("column", kind);
        }
        lines.add("row", row.unwrap());
    }
    Ok(())
}

async fn parameters(conn: &mut Conn, lines: &mut Lines) -> Result<(), Error> {
    let every: Vec<u8> = (0..=255).collect();
    let insert = "INSERT INTO param (i, u, d, x, s, b, dt, da, ti) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values: Vec<Value> = vec![
        Value::Int(-1),
        Value::UInt(u64::MAX),
        Value::Double(1.5),
        "-12.34567".into(),
        "Zürich 日本語 😀 ' \" \\ \0 end".into(),
        every.into(),
        Value::Date(2024, 2, 29, 12, 34, 56, 789),
        Value::Date(1999, 12, 31, 0, 0, 0, 0),
        Value::Time(true, 1, 6, 0, 0, 5),
    ];
    conn.exec_drop(insert, values).await?;
    conn.exec_drop(insert, vec![Value::NULL; 9]).await?;
    lines.add("inserted", (conn.affected_rows(), conn.last_insert_id()));
    let found: Vec<Row> = conn.exec("SELECT * FROM param ORDER BY id", ()).await?;
    for row in found {
        lines.add("parameters", row.unwrap());
    }
    let named = "SELECT n FROM digit WHERE n > :low AND n < :high ORDER BY n";
    lines.add("named", conn.exec::<u8, _, _>(named, params! { "low" => 2, "high" => 6 }).await?);
    conn.exec_batch("INSERT INTO loaded VALUES (?, 'x', NULL)", (0..200).map(|n| (n,))).await?;
    let sum = "SELECT COUNT(*), CAST(SUM(a) AS SIGNED) FROM loaded";
    lines.add("batch", conn.query_first::<(u64, i64), _>(sum).await?);
    Ok(())
}

async fn many_and_big(conn: &mut Conn, lines: &mut Lines) -> Result<(), Error> {
    let mut total = (0, 0);
    let mut result = conn.query_iter(MANY).await?;
    result.for_each(|row| add(&mut total, row)).await?;
    lines.add("text rows", total);
    total = (0, 0);
    let mut result = conn.exec_iter(MANY, ()).await?;
    result.for_each(|row| add(&mut total, row)).await?;
    lines.add("binary rows", total);
    for size in [0xFF_FFFF - 5, 0xFF_FFFF - 4, 0xFF_FFFF - 3, BIG] {
        let sent = "x".repeat(size);
        let back: Option<String> = conn.exec_first("SELECT ?", (sent.as_str(),)).await?;
        lines.add("there and back", (size, back.as_deref() == Some(sent.as_str())));
    }
    Ok(())
}

fn add(total: &mut (u64, u64), row: Row) {
    let (n, text): (u64, String) = mysql_async::from_row(row);
    *total = (total.0 + 1, rolling(total.1, n, &text));
}

async fn results(conn: &mut Conn, lines: &mut Lines) -> Result<(), Error> {
    for sql in [
        "SELECT 1; UPDATE account SET amount = amount WHERE id = 1; SELECT 2, 3; DO 1; SELECT n FROM digit WHERE n < 2 ORDER BY n",
        "CALL three_results(7, @b)",
        "SELECT 1; SELECT * FROM missing; SELECT 2",
        "CALL fails_half_way()",
        "SELECT 'abc' + 0, 1/0",
        "DROP TABLE IF EXISTS missing",
    ] {
        let outcome = all_results(conn, sql, lines).await;
        lines.add(sql, outcome.map_err(server_error));
        // An error in a later result comes with the next statement.
        let warnings = conn.query::<(String, u16, String), _>("SHOW WARNINGS").await;
        lines.add("warnings", warnings.map_err(server_error));
    }
    Ok(())
}

async fn all_results(conn: &mut Conn, sql: &str, lines: &mut Lines) -> Result<(), Error> {
    let mut result = conn.query_iter(sql).await?;
    while !result.is_empty() {
        let rows: Vec<Row> = result.collect().await?;
        let counts = (result.affected_rows(), result.warnings(), result.info().into_owned());
        lines.add("result", (rows.into_iter().map(Row::unwrap).collect::<Vec<_>>(), counts));
    }
    Ok(())
}

async fn transactions(conn: &mut Conn, place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let amount = "SELECT amount FROM account WHERE id = 1";
    let mut other = connect(place).await?;
    other.query_drop("SET innodb_lock_wait_timeout = 1").await?;
    for level in [IsolationLevel::ReadCommitted, IsolationLevel::RepeatableRead] {
        let mut options = TxOpts::default();
        options.with_isolation_level(level);
        let mut transaction = conn.start_transaction(options).await?;
        let before: Option<i32> = transaction.query_first(amount).await?;
        other.query_drop("UPDATE account SET amount = amount + 1 WHERE id = 1").await?;
        let after: Option<i32> = transaction.query_first(amount).await?;
        lines.add("isolation", (before, after));
        transaction.query_drop("UPDATE account SET amount = 50 WHERE id = 2").await?;
        let blocked = other.query_drop("UPDATE account SET amount = 6 WHERE id = 2").await;
        lines.add("lock wait", blocked.map_err(server_error));
        match level {
            IsolationLevel::ReadCommitted => transaction.rollback().await?,
            _ => transaction.commit().await?,
        }
        let ended = other.query::<i32, _>("SELECT amount FROM account ORDER BY id").await?;
        lines.add("ended", ended);
    }
    let mut leaving = connect(place).await?;
    leaving.query_drop("BEGIN").await?;
    leaving.query_drop("UPDATE account SET amount = 0 WHERE id = 1").await?;
    drop(leaving);
    let waited: Option<i32> = wait_for_the_lock(&mut other, amount).await?;
    lines.add("a dropped connection rolls back", waited);
    other.disconnect().await
}

async fn wait_for_the_lock(conn: &mut Conn, amount: &str) -> Result<Option<i32>, Error> {
    conn.query_drop("SET innodb_lock_wait_timeout = 30").await?;
    conn.query_first(format!("{amount} FOR UPDATE")).await
}

async fn errors(conn: &mut Conn, lines: &mut Lines) {
    for sql in WRONG {
        lines.add(sql, conn.query_drop(sql).await.map_err(server_error));
        lines.add("prepared", conn.exec_drop(sql, ()).await.map_err(server_error));
    }
    lines.add("alive", conn.query_first::<u8, _>("SELECT 1").await.map_err(server_error));
}

async fn counts(conn: &mut Conn, place: &Place, lines: &mut Lines) -> Result<(), Error> {
    conn.query_drop("INSERT INTO ticket (name) VALUES ('a'), ('b'), ('c')").await?;
    let id = conn.last_insert_id();
    let same: Option<u8> = conn.exec_first("SELECT LAST_INSERT_ID() = ?", (id,)).await?;
    lines.add("inserted", (conn.affected_rows(), same));
    let update = "UPDATE ticket SET name = 'a' WHERE name = 'a'";
    let mut result = conn.query_iter(update).await?;
    lines.add("changed", (result.affected_rows(), result.info().into_owned()));
    result.for_each(drop).await?;
    let mut found = Conn::new(Opts::from(options(place).client_found_rows(true))).await?;
    found.query_drop(update).await?;
    lines.add("found", found.affected_rows());
    found.disconnect().await?;
    let fast = options(place).compression(Compression::fast());
    let mut compressed = Conn::new(Opts::from(fast)).await?;
    let mut total = (0, 0);
    let mut result = compressed.query_iter(MANY).await?;
    result.for_each(|row| add(&mut total, row)).await?;
    let big: Option<u64> = compressed.exec_first("SELECT LENGTH(?)", ("z".repeat(BIG),)).await?;
    lines.add("compressed", (total, big));
    compressed.disconnect().await
}

async fn infile(place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let load = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE loaded FIELDS TERMINATED BY ';'";
    let mut conn = connect(place).await?;
    conn.query_drop("DELETE FROM loaded").await?;
    let refused = conn.query_drop(load).await;
    lines.add("no handler", refused.is_err());
    let mut conn = connect(place).await?;
    conn.set_infile_handler(async {
        let rows = (0..20_000_u32).map(|n| Ok(format!("{n};name {n};{}\n", n % 7).into()));
        Ok(futures_util::stream::iter(rows).boxed())
    });
    conn.query_drop(load).await?;
    lines.add("loaded", conn.affected_rows());
    conn.disconnect().await
}

async fn resets(conn: &mut Conn, lines: &mut Lines) -> Result<(), Error> {
    let state = "SELECT @a, @@autocommit, @@sql_mode, DATABASE()";
    conn.query_drop("SET @a = 1, autocommit = 0, sql_mode = 'ANSI'").await?;
    lines.add("state", conn.query_first::<Row, _>(state).await?.map(Row::unwrap));
    lines.add("reset", conn.reset().await?);
    lines.add("state", conn.query_first::<Row, _>(state).await?.map(Row::unwrap));
    conn.query_drop("SET @a = 1").await?;
    conn.change_user(mysql_async::ChangeUserOpts::new()).await?;
    lines.add("changed", conn.query_first::<Row, _>(state).await?.map(Row::unwrap));
    conn.ping().await
}

async fn logins(place: &Place, lines: &mut Lines) {
    for (what, options) in [
        ("wrong password", options(place).pass(Some("wrong"))),
        ("no password", options(place).pass(None::<String>)),
        ("unknown schema", options(place).db_name(Some("tidegate_no_such_schema"))),
    ] {
        let outcome = Conn::new(Opts::from(options)).await.map(drop);
        lines.add(what, outcome.map_err(server_error));
    }
    // MySQL 9 pretends any method for an account that it does not have, at times one that this driver lacks.
    let nobody = Conn::new(Opts::from(options(place).user(Some("tidegate_nobody")))).await;
    lines.add("unknown user is refused", nobody.is_err());
}

async fn kill(conn: &mut Conn, place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let id = conn.id();
    let mut other = connect(place).await?;
    let began = Instant::now();
    let schema = &place.schema;
    let killer = async {
        let running = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%{schema}%' AND state = 'User sleep'"
        );
        while other.query_first::<u8, _>(&running).await? != Some(1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        other.query_drop(format!("KILL QUERY {id}")).await
    };
    let sleep = format!("SELECT SLEEP(30), '{schema}'");
    let (outcome, killed) = tokio::join!(conn.query_drop(sleep), killer);
    killed?;
    lines.add("killed", outcome.map_err(server_error));
    lines.add("at once", began.elapsed() < Duration::from_secs(15));
    other.disconnect().await
}

fn server_error(error: Error) -> String {
    match error {
        Error::Server(error) => format!("{} {} {}", error.code, error.state, error.message),
        other => other.to_string(),
    }
}
