//! sqlx: prepared statements kept per connection, typed rows, nested transactions, a pool.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, Column, Connection, Error, Executor, Row, TypeInfo, ValueRef};

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
    let mut admin = MySqlConnection::connect_with(&login(place)).await?;
    for sql in setup(&place.schema) {
        admin.execute(AssertSqlSafe(sql)).await?;
    }
    let mut conn = connect(place).await?;
    rows(&mut conn, lines).await?;
    parameters(&mut conn, lines).await?;
    many_and_big(&mut conn, lines).await?;
    transactions(&mut conn, place, lines).await?;
    errors(&mut conn, lines).await;
    logins(place, lines).await;
    pool(place, lines).await?;
    kill(&mut conn, place, lines).await?;
    conn.close().await?;
    admin.execute(AssertSqlSafe(format!("DROP DATABASE {}", place.schema))).await?;
    admin.close().await
}

fn login(place: &Place) -> MySqlConnectOptions {
    let mode = if place.tls { MySqlSslMode::Required } else { MySqlSslMode::Disabled };
    MySqlConnectOptions::new().host("127.0.0.1").port(place.port).username(USER).password(PASSWORD).ssl_mode(mode)
}

async fn connect(place: &Place) -> Result<MySqlConnection, Error> {
    MySqlConnection::connect_with(&login(place).database(&place.schema)).await
}

async fn rows(conn: &mut MySqlConnection, lines: &mut Lines) -> Result<(), Error> {
    let sql = "SELECT * FROM every_type ORDER BY id";
    let text = conn.fetch_all(sqlx::raw_sql(sql)).await?;
    let binary = sqlx::query(sql).fetch_all(&mut *conn).await?;
    for row in text.iter().chain(&binary) {
        for index in 0..row.len() {
            lines.add("cell", cell(row, index)?);
        }
    }
    Ok(())
}

fn cell(row: &MySqlRow, index: usize) -> Result<(String, String, bool, Vec<u8>), Error> {
    let column = row.column(index);
    let value = row.try_get_raw(index)?;
    let bytes = if value.is_null() { Vec::new() } else { row.try_get_unchecked(index)? };
    let names = (column.name().to_owned(), column.type_info().name().to_owned());
    let head = bytes.into_iter().take(300).collect();
    Ok((names.0, names.1, value.is_null(), head))
}

async fn parameters(conn: &mut MySqlConnection, lines: &mut Lines) -> Result<(), Error> {
    let every: Vec<u8> = (0..=255).collect();
    let insert = "INSERT INTO param (i, u, d, x, s, b) VALUES (?, ?, ?, ?, ?, ?)";
    let done = sqlx::query(insert)
        .bind(-1_i64)
        .bind(u64::MAX)
        .bind(1.5_f64)
        .bind("-12.34567")
        .bind("Zürich 日本語 😀 ' \" \\ \0 end")
        .bind(every)
        .execute(&mut *conn)
        .await?;
    lines.add("inserted", (done.rows_affected(), done.last_insert_id()));
    let nothing = sqlx::query(insert)
        .bind(None::<i64>)
        .bind(None::<u64>)
        .bind(None::<f64>)
        .bind(None::<String>)
        .bind(None::<String>)
        .bind(None::<Vec<u8>>);
    lines.add("nulls", nothing.execute(&mut *conn).await?.rows_affected());
    type Parameters = (Option<i64>, Option<u64>, Option<f64>, Option<String>, Option<Vec<u8>>);
    let sql = "SELECT i, u, d, s, b FROM param ORDER BY id";
    let back: Vec<Parameters> = sqlx::query_as(sql).fetch_all(&mut *conn).await?;
    lines.add("back", back);
    let update = "UPDATE account SET amount = amount WHERE id = ?";
    let found = sqlx::query(update).bind(1).execute(&mut *conn).await?;
    lines.add("found rows", found.rows_affected());
    for n in 0..20 {
        let next: i64 = sqlx::query_scalar("SELECT ? + 1").bind(n).fetch_one(&mut *conn).await?;
        assert_eq!(next, n + 1);
    }
    conn.ping().await
}

async fn many_and_big(conn: &mut MySqlConnection, lines: &mut Lines) -> Result<(), Error> {
    let mut total = (0, 0);
    let mut stream = sqlx::query_as::<_, (i64, String)>(MANY).fetch(&mut *conn);
    while let Some((n, text)) = stream.try_next().await? {
        total = (total.0 + 1, rolling(total.1, n as u64, &text));
    }
    drop(stream);
    lines.add("streamed", total);
    let mut stream = sqlx::query(MANY).fetch(&mut *conn);
    lines.add("left early", stream.try_next().await?.is_some());
    drop(stream);
    for size in [0xFF_FFFF - 5, 0xFF_FFFF - 4, 0xFF_FFFF - 3, BIG] {
        let sent = "x".repeat(size);
        let back: String = sqlx::query_scalar("SELECT ?").bind(&sent).fetch_one(&mut *conn).await?;
        lines.add("there and back", (size, back == sent));
    }
    Ok(())
}

async fn transactions(conn: &mut MySqlConnection, place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let mut other = connect(place).await?;
    other.execute("SET innodb_lock_wait_timeout = 1").await?;
    let mut outer = conn.begin().await?;
    outer.execute("UPDATE account SET amount = 50 WHERE id = 1").await?;
    let mut inner = outer.begin().await?;
    inner.execute("UPDATE account SET amount = 60 WHERE id = 1").await?;
    inner.rollback().await?;
    lines.add("inside, outside", (amount(&mut outer).await?, amount(&mut other).await?));
    let blocked = other.execute("UPDATE account SET amount = 6 WHERE id = 1").await;
    lines.add("lock wait", blocked.map_err(server_error).map(|done| done.rows_affected()));
    outer.commit().await?;
    lines.add("committed", amount(&mut other).await?);
    let mut dropped = conn.begin().await?;
    dropped.execute("DELETE FROM account").await?;
    drop(dropped);
    lines.add("rolled back by drop", amount(conn).await?);
    other.close().await
}

async fn amount(conn: &mut MySqlConnection) -> Result<i32, Error> {
    sqlx::query_scalar("SELECT amount FROM account WHERE id = 1").fetch_one(conn).await
}

async fn errors(conn: &mut MySqlConnection, lines: &mut Lines) {
    for sql in WRONG {
        let text = conn.execute(sqlx::raw_sql(sql)).await;
        lines.add(sql, text.map_err(server_error).map(|done| done.rows_affected()));
        let prepared = sqlx::query(sql).execute(&mut *conn).await;
        lines.add("prepared", prepared.map_err(server_error).map(|done| done.rows_affected()));
    }
    lines.add("alive", amount(conn).await.map_err(server_error));
}

async fn logins(place: &Place, lines: &mut Lines) {
    for (what, options) in [
        ("wrong password", login(place).password("wrong")),
        ("unknown user", login(place).username("tidegate_nobody")),
        ("unknown schema", login(place).database("tidegate_no_such_schema")),
    ] {
        let outcome = MySqlConnection::connect_with(&options).await.map(drop);
        lines.add(what, outcome.map_err(server_error));
    }
}

async fn pool(place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let options = login(place).database(&place.schema);
    let pool = MySqlPoolOptions::new().max_connections(4).connect_with(options).await?;
    let tasks = (0..40_i64).map(|n| {
        let pool = pool.clone();
        async move { sqlx::query_scalar::<_, i64>("SELECT ? * 2").bind(n).fetch_one(&pool).await }
    });
    lines.add("pool", futures_util::future::try_join_all(tasks).await?);
    pool.close().await;
    Ok(())
}

async fn kill(conn: &mut MySqlConnection, place: &Place, lines: &mut Lines) -> Result<(), Error> {
    let id: u64 = sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(&mut *conn).await?;
    let mut other = connect(place).await?;
    let began = Instant::now();
    let schema = &place.schema;
    let killer = async {
        let running = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%{schema}%' AND state = 'User sleep'"
        );
        while sqlx::query_scalar::<_, i64>(AssertSqlSafe(running.clone())).fetch_one(&mut other).await? != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        other.execute(AssertSqlSafe(format!("KILL QUERY {id}"))).await
    };
    let sleep = sqlx::raw_sql(AssertSqlSafe(format!("SELECT SLEEP(30), '{schema}'")));
    let (outcome, killed) = tokio::join!(conn.fetch_all(sleep), killer);
    killed?;
    lines.add("killed", outcome.map_err(server_error).map(|rows| rows.len()));
    lines.add("at once", began.elapsed() < Duration::from_secs(15));
    other.close().await
}

fn server_error(error: Error) -> String {
    match error {
        Error::Database(error) => format!("{:?} {}", error.code(), error.message()),
        other => other.to_string(),
    }
}
