//! What a fresh login has before its client sets anything: the values of the session's variables, as the server gives them
//! at that time. Equal logins share one; a `SET GLOBAL`, seen or unseen, shows as another.

use std::sync::{Arc, Weak};

use crate::wire::announce::is_on;

/// The variables of a session that change what statements mean or show, or how long they may take. Each server has
/// some of them. All can be set in a session.
#[rustfmt::skip]
pub const NAMES: &[&str] = &[
    "alter_algorithm", "auto_increment_increment", "auto_increment_offset", "autocommit", "big_tables",
    "block_encryption_mode", "bulk_insert_buffer_size", "character_set_client", "character_set_collations",
    "character_set_connection", "character_set_filesystem", "character_set_results", "check_constraint_checks",
    "collation_connection", "column_compression_threshold", "completion_type", "cte_max_recursion_depth",
    "default_collation_for_utf8mb4", "default_storage_engine", "default_tmp_storage_engine",
    "default_week_format", "div_precision_increment", "end_markers_in_json", "eq_range_index_dive_limit",
    "explain_format", "explicit_defaults_for_timestamp", "foreign_key_checks", "group_concat_max_len",
    "histogram_size", "idle_readonly_transaction_timeout", "idle_transaction_timeout",
    "idle_write_transaction_timeout", "information_schema_stats_expiry", "innodb_lock_wait_timeout",
    "innodb_snapshot_isolation", "innodb_strict_mode", "innodb_table_locks", "interactive_timeout", "internal_tmp_mem_storage_engine",
    "join_buffer_size", "keep_files_on_create", "lc_messages", "lc_time_names", "lock_wait_timeout",
    "long_query_time", "low_priority_updates", "max_error_count", "max_execution_time", "max_heap_table_size",
    "max_join_size", "max_length_for_sort_data", "max_points_in_geometry", "max_recursive_iterations",
    "max_seeks_for_key", "max_sort_length", "max_sp_recursion_depth", "max_statement_time", "metadata_locks_instances",
    "min_examined_row_limit", "myisam_sort_buffer_size", "net_read_timeout", "net_retry_count", "net_write_timeout",
    "new", "note_verbosity", "old_alter_table", "old_mode", "old_passwords", "optimizer_prune_level",
    "optimizer_search_depth", "optimizer_selectivity_sampling_limit", "optimizer_switch", "optimizer_trace",
    "optimizer_use_condition_selectivity", "preload_buffer_size", "print_identified_with_as_hex", "profiling",
    "query_alloc_block_size", "query_cache_strip_comments", "query_cache_type", "query_cache_wlock_invalidate",
    "query_prealloc_size", "range_alloc_block_size", "range_optimizer_max_mem_size", "read_buffer_size",
    "read_rnd_buffer_size", "require_row_format", "restrict_fk_on_non_standard_key", "resultset_metadata",
    "rowid_merge_buff_size", "secure_timestamp", "select_into_buffer_size", "show_create_table_skip_secondary_engine",
    "sort_buffer_size", "sql_auto_is_null", "sql_big_selects", "sql_buffer_result",
    "sql_generate_invisible_primary_key", "sql_if_exists", "sql_log_bin", "sql_log_off", "sql_mode", "sql_notes",
    "sql_quote_show_create", "sql_require_primary_key", "sql_safe_updates", "sql_select_limit", "sql_warnings",
    "standard_compliant_cte", "strict_password_validation", "system_versioning_alter_history",
    "system_versioning_asof", "system_versioning_insert_history", "time_zone", "tmp_memory_table_size",
    "tmp_table_size", "transaction_alloc_block_size", "transaction_isolation", "transaction_prealloc_size",
    "transaction_read_only", "tx_isolation", "tx_read_only", "unique_checks", "updatable_views_with_limit",
    "use_secondary_engine", "use_stat_tables", "wait_timeout", "windowing_use_high_precision",
    "xa_detach_on_prepare",
];

/// How many different logins are remembered.
const MAX_BASELINES: usize = 256;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Sorted by name.
    variables: Vec<(Box<str>, Box<[u8]>)>,
}

impl Baseline {
    /// Whether every session keeps the texts of its statements from the login on, for anybody who has its connection to read.
    pub fn keeps_texts(&self) -> bool {
        self.get(b"profiling").is_some_and(|value| is_on(value) == Some(true))
            || self.get(b"optimizer_trace").is_some_and(|value| value.starts_with(b"enabled=on"))
    }

    /// From names and values, in any order. NULL is an empty value.
    pub fn new<N: Into<Box<str>>, V: Into<Box<[u8]>>>(variables: impl IntoIterator<Item = (N, V)>) -> Baseline {
        let mut variables: Vec<_> = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        variables.sort();
        variables.dedup_by(|later, first| later.0 == first.0);
        Baseline { variables }
    }

    /// The value of the variable of this name, where it was read.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let at = self.variables.binary_search_by(|(own, _)| own.as_bytes().cmp(name)).ok()?;
        Some(&self.variables[at].1)
    }

    /// Whether the variable has this value at a login, by whichever of its two spellings.
    pub fn is(&self, name: &[u8], value: &[u8]) -> bool {
        self.get(name).is_some_and(|own| same(own, value))
    }

    /// The names and values that the other one has not, or not so.
    pub fn beyond<'a>(&'a self, other: &'a Baseline) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let all = self.variables.iter().map(|(name, value)| (name.as_bytes(), &**value));
        all.filter(|(name, value)| !other.is(name, value))
    }
}

/// Whether two texts of one variable's value are the same: servers announce `ON` where they show 1.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one == other || is_on(one).is_some_and(|on| is_on(other) == Some(on))
}

/// All that were met, each with a number of its own.
#[derive(Debug, Default)]
pub struct Baselines {
    known: Vec<(u64, Weak<Baseline>)>,
    last: u64,
}

impl Baselines {
    /// The number of such a login and the one that equal ones share.
    pub fn intern(&mut self, baseline: Baseline) -> (u64, Arc<Baseline>) {
        let alive = self.known.iter().rev().filter_map(|(number, known)| Some((*number, known.upgrade()?)));
        if let Some(found) = alive.into_iter().find(|(_, known)| **known == baseline) {
            return found;
        }
        self.known.retain(|(_, known)| known.strong_count() > 0);
        if self.known.len() >= MAX_BASELINES {
            self.known.remove(0);
        }
        self.last += 1;
        let baseline = Arc::new(baseline);
        self.known.push((self.last, Arc::downgrade(&baseline)));
        (self.last, baseline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(variables: &[(&str, &str)]) -> Baseline {
        Baseline::new(variables.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    #[test]
    fn names_are_sorted_and_single() {
        assert!(NAMES.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn equal_logins_have_one_number() {
        let mut known = Baselines::default();
        let (one, kept) = known.intern(baseline(&[("b", "2"), ("a", "1")]));
        assert_eq!(known.intern(baseline(&[("a", "1"), ("b", "2")])), (one, kept.clone()));
        let (other, _) = known.intern(baseline(&[("a", "2"), ("b", "2")]));
        assert_ne!(one, other);
        assert_eq!(kept.get(b"b"), Some(&b"2"[..]));
    }

    #[test]
    fn two_spellings_are_one_value() {
        let one = baseline(&[("autocommit", "1"), ("sql_mode", ""), ("x", "5")]);
        assert!(one.is(b"autocommit", b"ON") && !one.is(b"autocommit", b"OFF") && !one.is(b"y", b"5"));
        let other = baseline(&[("autocommit", "ON"), ("sql_mode", "ANSI"), ("x", "5")]);
        assert_eq!(one.beyond(&other).collect::<Vec<_>>(), [(&b"sql_mode"[..], &b""[..])]);
    }
}
