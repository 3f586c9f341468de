//! The table of the built-in workloads, in the schema that was named.

use std::fmt::Write;

use super::client::{Client, ClientError};
use super::workload::{ROWS, TABLE};

/// By this a later bench knows a table that was left behind.
const COMMENT: &str = "made by tidegate bench";
/// Held by who works in this schema.
const LOCK: &str = "SELECT GET_LOCK(CONCAT('tidegate_bench.', DATABASE()), 0)";
/// Rows of one INSERT.
const BATCH: u32 = 500;

/// Makes it, in the place of one that another bench left behind. The lock is held while the connection is there.
///
/// # Errors
/// Another bench is at work there, somebody else's table has that name, or the account may not make one.
pub(super) async fn make(control: &mut Client) -> Result<(), String> {
    let said = |error: ClientError| error.to_string();
    if control.value(LOCK).await.map_err(said)?.as_deref() != Some("1") {
        return Err("another tidegate bench is at work in this schema".to_owned());
    }
    let query = format!(
        "SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{TABLE}'"
    );
    match control.value(&query).await.map_err(said)? {
        Some(comment) if comment != COMMENT => {
            return Err(format!("there is a table {TABLE} that no bench made: rename it"));
        }
        Some(_) => drop_it(control).await.map_err(said)?,
        None => {}
    }
    let create = format!(
        "CREATE TABLE {TABLE} (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL) ENGINE = InnoDB COMMENT = '{COMMENT}'"
    );
    control.rows(&create).await.map_err(|error| format!("the table {TABLE} cannot be made: {error}"))?;
    for first in (1..=ROWS).step_by(BATCH as usize) {
        control.rows(&rows(first)).await.map_err(said)?;
    }
    Ok(())
}

/// Drops it.
pub(super) async fn drop_it(control: &mut Client) -> Result<(), ClientError> {
    control.rows(&format!("DROP TABLE IF EXISTS {TABLE}")).await.map(drop)
}

fn rows(first: u32) -> String {
    let mut sql = format!("INSERT INTO {TABLE} VALUES ");
    for id in first..(first + BATCH).min(ROWS + 1) {
        let comma = if id == first { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(sql, "{comma}({id},{},REPEAT('{:08}',15))", id % 1000, id);
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_made_once() {
        let all: String = (1..=ROWS).step_by(BATCH as usize).map(rows).collect();
        assert_eq!(all.matches(",REPEAT(").count() as u32, ROWS);
        assert!(all.contains("(1,1,REPEAT('00000001',15))") && all.contains(&format!("({ROWS},0,")));
    }
}
