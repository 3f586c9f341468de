//! The variables that drivers ask for when they begin. The console has no settings: these are what a plain server says. Pure.

use super::login::VERSION;
use crate::admin::table::{Cell, Kind, Table};

/// Sorted by name.
#[rustfmt::skip]
const VARIABLES: &[(&str, &str)] = &[
    ("auto_increment_increment", "1"), ("auto_increment_offset", "1"), ("autocommit", "1"),
    ("character_set_client", "utf8mb4"), ("character_set_connection", "utf8mb4"), ("character_set_database", "utf8mb4"),
    ("character_set_results", "utf8mb4"), ("character_set_server", "utf8mb4"), ("character_set_system", "utf8mb3"),
    ("collation_connection", "utf8mb4_general_ci"), ("collation_database", "utf8mb4_general_ci"),
    ("collation_server", "utf8mb4_general_ci"), ("default_storage_engine", "tidegate"), ("have_query_cache", "NO"),
    ("hostname", "tidegate"), ("init_connect", ""), ("interactive_timeout", "3600"), ("license", "MIT"),
    ("lower_case_file_system", "OFF"), ("lower_case_table_names", "0"), ("max_allowed_packet", "1048576"),
    ("net_buffer_length", "16384"), ("net_read_timeout", "30"), ("net_write_timeout", "30"),
    ("performance_schema", "0"), ("protocol_version", "10"), ("query_cache_size", "0"), ("query_cache_type", "OFF"),
    ("session_track_schema", "0"), ("socket", ""), ("sql_auto_is_null", "0"), ("sql_mode", ""), ("sql_select_limit", "18446744073709551615"),
    ("system_time_zone", "UTC"), ("time_zone", "SYSTEM"), ("transaction_isolation", "REPEATABLE-READ"),
    ("transaction_read_only", "0"), ("tx_isolation", "REPEATABLE-READ"), ("tx_read_only", "0"), ("version", VERSION),
    ("version_comment", "tidegate's console"), ("version_compile_machine", ""), ("version_compile_os", ""),
    ("wait_timeout", "3600"),
];

/// One variable's value; whole numbers are numbers.
pub fn get(name: &str) -> Option<Cell> {
    let (_, value) = VARIABLES.iter().find(|(own, _)| *own == name)?;
    Some(value.parse::<u64>().map_or_else(|_| Cell::text(*value), Cell::Count))
}

/// `SHOW VARIABLES`
pub fn table() -> Table {
    let mut table = Table::new(&[("Variable_name", Kind::Text), ("Value", Kind::Text)]);
    VARIABLES.iter().for_each(|(name, value)| table.push(vec![(*name).into(), (*value).into()]));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_single() {
        assert!(VARIABLES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(get("wait_timeout"), Some(Cell::Count(3600)));
        assert_eq!(get("WAIT_TIMEOUT"), None, "the parser makes names lower case");
    }
}
