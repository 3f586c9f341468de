//! The words that may stand before `(` and change nothing in the session.
//!
//! Built-in functions of MariaDB 10.11 and 11 and of MySQL 5.6 to 9 (from the servers' manuals), and the keywords of
//! queries. What is not here is taken for a stored or loadable function, of which nothing is known.

/// Whether `word` before `(` is a built-in function or keyword that leaves the session as it was.
/// `spaced`: white space or a comment stands between.
pub fn is_harmless(word: &[u8], spaced: bool) -> bool {
    holds(&HARMLESS, word) && !(spaced && holds(&GLUED, word))
}

fn holds(table: &[&str], word: &[u8]) -> bool {
    let lowered = word.iter().map(u8::to_ascii_lowercase);
    table.binary_search_by(|entry| entry.bytes().cmp(lowered.clone())).is_ok()
}

// Functions only where `(` follows at once (without the SQL mode IGNORE_SPACE); else the server looks for a stored one.
#[rustfmt::skip]
static GLUED: [&str; 35] = [
    "adddate", "bit_and", "bit_or", "bit_xor", "cast", "count", "curdate", "curtime", "date_add", "date_sub",
    "extract", "group_concat", "json_arrayagg", "json_objectagg", "max", "mid", "min", "now", "position",
    "session_user", "st_collect", "std", "stddev", "stddev_pop", "stddev_samp", "subdate", "substr", "substring",
    "sum", "sysdate", "system_user", "trim", "var_pop", "var_samp", "variance",
];

#[rustfmt::skip]
static HARMLESS: [&str; 579] = [
    "abs", "acos", "add_months", "adddate", "addtime", "aes_decrypt", "aes_encrypt", "against", "all", "and", "any",
    "any_value", "as", "asc", "ascii", "asin", "atan", "atan2", "avg", "benchmark", "between", "bigint", "bin",
    "bin_to_uuid", "binary", "binlog_gtid_pos", "bit", "bit_and", "bit_count", "bit_length", "bit_or", "bit_xor",
    "by", "can_access_column", "can_access_database", "can_access_table", "can_access_user", "can_access_view",
    "case", "cast", "ceil", "ceiling", "char", "char_length", "character", "character_length", "charset", "chr",
    "coalesce", "coercibility", "collate", "collation", "column_add", "column_check", "column_create",
    "column_delete", "column_exists", "column_get", "column_json", "column_list", "columns", "compress", "concat",
    "concat_operator_oracle", "concat_ws", "contains", "conv", "convert", "convert_tz", "cos", "cot", "count",
    "crc32", "crc32c", "cross", "cube", "cume_dist", "curdate", "current_date", "current_role", "current_time",
    "current_timestamp", "current_user", "curtime", "database", "date", "date_add", "date_format", "date_sub",
    "datediff", "day", "dayname", "dayofmonth", "dayofweek", "dayofyear", "dec", "decimal", "decode",
    "decode_histogram", "decode_oracle", "default", "degrees", "dense_rank", "des_decrypt", "des_encrypt", "desc",
    "distinct", "distinctrow", "div", "double", "else", "elt", "encode", "encrypt", "enum", "escape", "except",
    "exists", "exp", "export_set", "extract", "extractvalue", "field", "find_in_set", "first_value", "fixed", "float",
    "floor", "force", "format", "format_bytes", "format_pico_time", "from", "from_base64", "from_days",
    "from_unixtime", "from_vector", "full", "geomcollection", "geomcollfromtext", "geomcollfromwkb",
    "geometrycollection", "geometrycollectionfromtext", "geometrycollectionfromwkb", "geometryfromtext",
    "geometryfromwkb", "geometryn", "geometrytype", "geomfromtext", "geomfromwkb", "get_format", "glength",
    "greatest", "group", "group_concat", "grouping", "gtid_subset", "gtid_subtract", "having", "hex", "hour", "if",
    "ifnull", "ignore", "in", "index", "inet6_aton", "inet6_ntoa", "inet_aton", "inet_ntoa", "inner", "insert",
    "instr", "int", "integer", "intersect", "interval", "is", "is_ipv4", "is_ipv4_compat", "is_ipv4_mapped",
    "is_ipv6", "is_uuid", "isnull", "join", "json_array", "json_array_append", "json_array_insert",
    "json_array_intersect", "json_arrayagg", "json_compact", "json_contains", "json_contains_path", "json_depth",
    "json_detailed", "json_equals", "json_exists", "json_extract", "json_insert", "json_keys", "json_length",
    "json_loose", "json_merge", "json_merge_patch", "json_merge_preserve", "json_normalize", "json_object",
    "json_object_filter_keys", "json_object_to_array", "json_objectagg", "json_overlaps", "json_pretty", "json_query",
    "json_quote", "json_remove", "json_replace", "json_schema_valid", "json_schema_validation_report", "json_search",
    "json_set", "json_storage_free", "json_storage_size", "json_table", "json_type", "json_unquote", "json_valid",
    "json_value", "kdf", "key", "lag", "last_day", "last_value", "lateral", "lcase", "lead", "least", "left",
    "length", "lengthb", "like", "like_range_max", "like_range_min", "limit", "linefromtext", "linefromwkb",
    "linestring", "linestringfromtext", "linestringfromwkb", "ln", "load_file", "localtime", "localtimestamp",
    "locate", "log", "log10", "log2", "lower", "lpad", "lpad_oracle", "ltrim", "ltrim_oracle", "make_set", "makedate",
    "maketime", "match", "max", "mbrcontains", "mbrcoveredby", "mbrcovers", "mbrdisjoint", "mbrequal", "mbrequals",
    "mbrintersects", "mbroverlaps", "mbrtouches", "mbrwithin", "md5", "median", "mediumint", "member", "microsecond",
    "mid", "min", "minus", "minute", "mlinefromtext", "mlinefromwkb", "mod", "month", "monthname", "mpointfromtext",
    "mpointfromwkb", "mpolyfromtext", "mpolyfromwkb", "multilinestring", "multilinestringfromtext",
    "multilinestringfromwkb", "multipoint", "multipointfromtext", "multipointfromwkb", "multipolygon",
    "multipolygonfromtext", "multipolygonfromwkb", "name_const", "natural", "natural_sort_key", "nchar", "not", "now",
    "nowait", "nth_value", "ntile", "nullif", "numeric", "nvarchar", "nvl", "nvl2", "oct", "octet_length", "of",
    "offset", "old_password", "on", "or", "ord", "order", "outer", "over", "partition", "password", "percent_rank",
    "percentile_cont", "percentile_disc", "period_add", "period_diff", "pi", "point", "pointfromtext", "pointfromwkb",
    "pointn", "polyfromtext", "polyfromwkb", "polygon", "polygonfromtext", "polygonfromwkb", "position", "pow",
    "power", "prior", "quarter", "quote", "radians", "rand", "random_bytes", "rank", "real", "regexp", "regexp_instr",
    "regexp_like", "regexp_replace", "regexp_substr", "repeat", "replace", "replace_oracle", "returning", "reverse",
    "right", "rlike", "roles_graphml", "rollup", "round", "row", "row_number", "rownum", "rpad", "rpad_oracle",
    "rtrim", "rtrim_oracle", "schema", "sec_to_time", "second", "select", "separator", "session_user", "set",
    "sformat", "sha", "sha1", "sha2", "sign", "signed", "sin", "sleep", "smallint", "some", "soundex", "sounds",
    "space", "sqrt", "st_area", "st_asbinary", "st_asgeojson", "st_astext", "st_aswkb", "st_aswkt", "st_boundary",
    "st_buffer", "st_buffer_strategy", "st_centroid", "st_collect", "st_contains", "st_convexhull", "st_crosses",
    "st_difference", "st_dimension", "st_disjoint", "st_distance", "st_distance_sphere", "st_endpoint", "st_envelope",
    "st_equals", "st_exteriorring", "st_frechetdistance", "st_geohash", "st_geomcollfromtext", "st_geomcollfromtxt",
    "st_geomcollfromwkb", "st_geometrycollectionfromtext", "st_geometrycollectionfromwkb", "st_geometryfromtext",
    "st_geometryfromwkb", "st_geometryn", "st_geometrytype", "st_geomfromgeojson", "st_geomfromtext",
    "st_geomfromwkb", "st_hausdorffdistance", "st_interiorringn", "st_intersection", "st_intersects", "st_isclosed",
    "st_isempty", "st_isring", "st_issimple", "st_isvalid", "st_latfromgeohash", "st_latitude", "st_length",
    "st_linefromtext", "st_linefromwkb", "st_lineinterpolatepoint", "st_lineinterpolatepoints",
    "st_linestringfromtext", "st_linestringfromwkb", "st_longfromgeohash", "st_longitude", "st_makeenvelope",
    "st_mlinefromtext", "st_mlinefromwkb", "st_mpointfromtext", "st_mpointfromwkb", "st_mpolyfromtext",
    "st_mpolyfromwkb", "st_numgeometries", "st_numinteriorring", "st_numinteriorrings", "st_numpoints", "st_overlaps",
    "st_pointatdistance", "st_pointfromgeohash", "st_pointfromtext", "st_pointfromwkb", "st_pointn",
    "st_pointonsurface", "st_polyfromtext", "st_polyfromwkb", "st_polygonfromtext", "st_polygonfromwkb", "st_relate",
    "st_simplify", "st_srid", "st_startpoint", "st_swapxy", "st_symdifference", "st_touches", "st_transform",
    "st_union", "st_validate", "st_within", "st_x", "st_y", "statement_digest", "statement_digest_text", "std",
    "stddev", "stddev_pop", "stddev_samp", "str_to_date", "straight_join", "strcmp", "string_to_vector", "subdate",
    "substr", "substr_oracle", "substring", "substring_index", "subtime", "sum", "sys_guid", "sysdate", "system",
    "system_user", "tan", "then", "time", "time_format", "time_to_sec", "timediff", "timestamp", "timestampadd",
    "timestampdiff", "tinyint", "to_base64", "to_char", "to_days", "to_seconds", "to_vector", "trim", "trim_oracle",
    "truncate", "ucase", "uncompress", "uncompressed_length", "unhex", "union", "unique", "unix_timestamp",
    "unsigned", "updatexml", "upper", "use", "user", "using", "utc_date", "utc_time", "utc_timestamp", "uuid",
    "uuid_short", "uuid_to_bin", "uuid_v4", "uuid_v7", "validate_password_strength", "value", "values", "var_pop",
    "var_samp", "varbinary", "varchar", "variance", "vec_distance", "vec_distance_cosine", "vec_distance_euclidean",
    "vec_fromtext", "vec_totext", "vector_dim", "vector_to_string", "version", "week", "weekday", "weekofyear",
    "weight_string", "when", "where", "window", "with", "within", "xor", "year", "yearweek",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_lower_case_and_without_doubles() {
        for table in [HARMLESS.as_slice(), GLUED.as_slice()] {
            assert!(table.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(table.iter().all(|word| word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))));
        }
        assert!(GLUED.iter().all(|word| HARMLESS.contains(word)));
    }

    #[test]
    fn what_touches_the_session_is_not_harmless() {
        for word in [
            "get_lock",
            "release_lock",
            "release_all_locks",
            "is_free_lock",
            "is_used_lock",
            "last_insert_id",
            "row_count",
            "found_rows",
            "connection_id",
            "nextval",
            "lastval",
            "setval",
            "master_pos_wait",
            "source_pos_wait",
            "wait_for_executed_gtid_set",
            "my_function",
            "ps_thread_id",
            "ps_current_thread_id",
            "procedure",
            "call",
            "service_get_read_locks",
            "version_tokens_lock_shared",
            "sys_exec",
            "",
        ] {
            assert!(!is_harmless(word.as_bytes(), false), "{word}");
        }
    }

    #[test]
    fn built_ins_are_known_in_any_case() {
        for word in ["COUNT", "Coalesce", "json_extract", "in", "VALUES", "st_distance_sphere", "abs", "year"] {
            assert!(is_harmless(word.as_bytes(), false), "{word}");
        }
        assert!(is_harmless(b"ABS", true) && is_harmless(b"in", true) && !is_harmless(b"count", true));
    }
}
