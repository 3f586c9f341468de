//! Variables that a server announces by another's name, or not at all.
//!
//! MariaDB 11 tells which word of the session has changed, by the name of whichever of its variables changed first in that
//! session: of all flags, which share a word, it announces one. MariaDB 10.11 announces no variable of a storage engine.

/// Flags in one word of MariaDB's sessions.
const FLAGS: [&[u8]; 19] = [
    b"autocommit",
    b"big_tables",
    b"check_constraint_checks",
    b"explicit_defaults_for_timestamp",
    b"foreign_key_checks",
    b"profiling",
    b"skip_parallel_replication",
    b"skip_replication",
    b"sql_auto_is_null",
    b"sql_big_selects",
    b"sql_buffer_result",
    b"sql_if_exists",
    b"sql_log_off",
    b"sql_notes",
    b"sql_quote_show_create",
    b"sql_safe_updates",
    b"sql_warnings",
    b"system_versioning_insert_history",
    b"unique_checks",
];

/// The character set, from the collation's name.
pub fn charset_of(collation: &[u8]) -> &[u8] {
    collation.split(|&byte| byte == b'_').next().unwrap_or_default()
}

/// Whether the variable of this name, in small letters, shares its word with others.
pub fn is_flag(name: &[u8]) -> bool {
    FLAGS.contains(&name)
}

/// The name that a server with several for one variable announces. `name` in small letters.
pub fn announced_as(name: &[u8]) -> &[u8] {
    match name {
        b"tx_isolation" => b"transaction_isolation",
        b"tx_read_only" => b"transaction_read_only",
        b"storage_engine" => b"default_storage_engine",
        b"tmp_table_size" => b"tmp_memory_table_size",
        b"long_query_time" => b"log_slow_query_time",
        b"min_examined_row_limit" => b"log_slow_min_examined_row_limit",
        b"slow_query_log" => b"log_slow_query",
        b"max_insert_delayed_threads" => b"max_delayed_threads",
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_second_names_are_known() {
        assert!(is_flag(b"autocommit") && is_flag(b"sql_notes") && !is_flag(b"sql_mode"));
        assert_eq!(announced_as(b"tx_isolation"), b"transaction_isolation");
        assert_eq!(announced_as(b"sql_mode"), b"sql_mode");
    }
}
