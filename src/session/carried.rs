//! Which system variables can be carried to another backend, by name, and which have a rule of their own.

/// What becomes of a system variable of the session that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// Its value, as the server announced it, is set on the next backend too.
    Carried,
    /// The client's own affair: `session_track_*`, which tidegate sets for itself on every backend.
    Own,
    /// It means something for a while only, and the servers' announcements of it cannot be relied on: MariaDB 11.8
    /// announces all of these by the name of the first one that it met, MariaDB and MySQL announce
    /// `SET timestamp = DEFAULT` with the old value, MySQL the seeds as 0. The statement's text decides.
    Frozen,
    /// It says nothing about the session.
    Nothing,
    /// It changes what the connection is: nothing can be carried.
    Unexplained,
}

/// The rule for the variable of this name, in small letters.
pub fn rule(name: &[u8]) -> Variable {
    match name {
        b"timestamp"
        | b"insert_id"
        | b"last_insert_id"
        | b"identity"
        | b"rand_seed1"
        | b"rand_seed2"
        | b"gtid_next"
        | b"gtid_seq_no"
        | b"skip_replication"
        | b"skip_parallel_replication" => Variable::Frozen,
        b"statement_id" | b"last_gtid" | b"in_transaction" | b"error_count" | b"warning_count" => Variable::Nothing,
        // MariaDB's session has these two, and they are the server's all the same.
        b"sql_slave_skip_counter" | b"max_relay_log_size" => Variable::Nothing,
        b"pseudo_thread_id"
        | b"pseudo_slave_mode"
        | b"pseudo_replica_mode"
        | b"profiling"
        // What was traced lies in the session, too.
        | b"optimizer_trace"
        | b"debug"
        | b"debug_sync"
        | b"debug_dbug" => Variable::Unexplained,
        _ if name.starts_with(b"session_track_") => Variable::Own,
        _ => Variable::Carried,
    }
}

/// Where in a restoring SET the variable stands: what the meaning of others depends on comes first, and autocommit,
/// which may commit, last.
pub(super) fn rank(name: &[u8]) -> u8 {
    match name {
        b"sql_mode" => 0,
        b"character_set_collations" | b"default_collation_for_utf8mb4" => 1,
        b"character_set_client" | b"character_set_results" => 2,
        b"character_set_connection" => 3,
        b"collation_connection" => 4,
        b"autocommit" => 6,
        _ => 5,
    }
}

/// Of two names of one variable the one that every server has that has either. Servers announce it by the name that was set.
pub(super) fn main_name(name: &[u8]) -> &[u8] {
    match name {
        b"storage_engine" => b"default_storage_engine",
        b"log_slow_query_time" => b"long_query_time",
        b"log_slow_query" => b"slow_query_log",
        b"log_slow_min_examined_row_limit" => b"min_examined_row_limit",
        _ => name,
    }
}

/// Variables whose empty announcement is NULL.
pub(super) fn is_nullable(name: &[u8]) -> bool {
    matches!(
        name,
        b"character_set_results" | b"default_tmp_storage_engine" | b"enforce_storage_engine" | b"innodb_tmpdir"
    ) || (name.starts_with(b"innodb_ft_") && name.ends_with(b"_table"))
}

/// The character sets and the collation: a login says them, and a state always has them.
pub(super) fn is_of_charset(name: &[u8]) -> bool {
    is_of_login(name) && name != b"wait_timeout"
}

/// Variables whose value at login comes from the login, not from the server's global value.
pub(super) fn is_of_login(name: &[u8]) -> bool {
    matches!(
        name,
        b"character_set_client"
            | b"character_set_results"
            | b"character_set_connection"
            | b"collation_connection"
            | b"wait_timeout"
    )
}
