//! The words that may stand before `(` and change nothing in the session.
//!
//! Built-in functions of MariaDB 10.11 and 11 and of MySQL 5.6 to 9 (from the servers' manuals), and the keywords of
//! queries. What is not here is taken for a stored or loadable function, of which nothing is known.

use super::dialect::Dialect;

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

/// Whether the server has no function of this name of its own, though others have: it is a stored or a loadable one, if any.
pub fn is_foreign(word: &[u8], dialect: Dialect) -> bool {
    let lowered = word.iter().map(u8::to_ascii_lowercase);
    let found = NOT_BUILT_IN.binary_search_by(|(name, _)| name.bytes().cmp(lowered.clone()));
    found.is_ok_and(|at| {
        let (name, lacking) = NOT_BUILT_IN[at];
        match (dialect.mariadb, dialect.version) {
            (_, 0) => false,
            (true, ..110_000) => lacking & MARIADB_10 != 0,
            (true, _) => lacking & MARIADB_11 != 0,
            (false, ..50_700) => lacking & MYSQL_5_6 != 0,
            // It came with these.
            (false, ..80_000) => {
                lacking & MYSQL_5_6 != 0 && !["json_", "st_", "any_value"].iter().any(|new| name.starts_with(new))
            }
            (false, _) => lacking & MYSQL_9 != 0,
        }
    })
}

const MARIADB_10: u8 = 1;
const MARIADB_11: u8 = 1 << 1;
const MYSQL_5_6: u8 = 1 << 2;
const MYSQL_9: u8 = 1 << 3;

// Which servers lack them: asked of MariaDB 10.11 and 11.8, MySQL 5.6 and 9.7 (ER_SP_DOES_NOT_EXIST). MySQL 9's MD5() and SHA() are
// a component's.
#[rustfmt::skip]
static NOT_BUILT_IN: [(&str, u8); 217] = [
    ("add_months", 12), ("any_value", 7), ("bin_to_uuid", 7), ("binlog_gtid_pos", 12), ("can_access_column", 7),
    ("can_access_database", 7), ("can_access_table", 7), ("can_access_user", 7), ("can_access_view", 7), ("chr",
    12), ("column_add", 12), ("column_check", 12), ("column_create", 12), ("column_delete", 12),
    ("column_exists", 12), ("column_get", 12), ("column_json", 12), ("column_list", 12),
    ("concat_operator_oracle", 12), ("crc32c", 12), ("cume_dist", 4), ("current_role", 4), ("decode", 8),
    ("decode_histogram", 12), ("decode_oracle", 12), ("dense_rank", 4), ("des_decrypt", 8), ("des_encrypt", 8),
    ("encode", 8), ("encrypt", 8), ("except", 4), ("first_value", 4), ("format_bytes", 5), ("format_pico_time",
    5), ("from_vector", 7), ("geomcollection", 7), ("geomcollfromtext", 8), ("geomcollfromwkb", 8),
    ("geometrycollectionfromtext", 8), ("geometrycollectionfromwkb", 8), ("geometryfromtext", 8),
    ("geometryfromwkb", 8), ("geometryn", 8), ("geometrytype", 8), ("geomfromtext", 8), ("geomfromwkb", 8),
    ("glength", 8), ("grouping", 7), ("gtid_subset", 3), ("gtid_subtract", 3), ("intersect", 4), ("is_uuid", 7),
    ("json_array", 4), ("json_array_append", 4), ("json_array_insert", 4), ("json_array_intersect", 13),
    ("json_arrayagg", 4), ("json_compact", 12), ("json_contains", 4), ("json_contains_path", 4), ("json_depth",
    4), ("json_detailed", 12), ("json_equals", 12), ("json_exists", 12), ("json_extract", 4), ("json_insert",
    4), ("json_keys", 4), ("json_length", 4), ("json_loose", 12), ("json_merge", 4), ("json_merge_patch", 4),
    ("json_merge_preserve", 4), ("json_normalize", 12), ("json_object", 4), ("json_object_filter_keys", 13),
    ("json_object_to_array", 13), ("json_objectagg", 4), ("json_overlaps", 4), ("json_pretty", 4),
    ("json_query", 12), ("json_quote", 4), ("json_remove", 4), ("json_replace", 4), ("json_schema_valid", 5),
    ("json_schema_validation_report", 7), ("json_search", 4), ("json_set", 4), ("json_storage_free", 7),
    ("json_storage_size", 7), ("json_table", 4), ("json_type", 4), ("json_unquote", 4), ("json_valid", 4),
    ("json_value", 4), ("kdf", 13), ("lag", 4), ("last_value", 4), ("lateral", 7), ("lead", 4), ("lengthb", 12),
    ("like_range_max", 15), ("like_range_min", 15), ("linefromtext", 8), ("linefromwkb", 8),
    ("linestringfromtext", 8), ("linestringfromwkb", 8), ("lpad_oracle", 12), ("ltrim_oracle", 12),
    ("mbrcoveredby", 7), ("mbrcovers", 7), ("mbrequal", 8), ("mbrequals", 4), ("median", 12), ("member", 7),
    ("minus", 12), ("mlinefromtext", 8), ("mlinefromwkb", 8), ("mpointfromtext", 8), ("mpointfromwkb", 8),
    ("mpolyfromtext", 8), ("mpolyfromwkb", 8), ("multilinestringfromtext", 8), ("multilinestringfromwkb", 8),
    ("multipointfromtext", 8), ("multipointfromwkb", 8), ("multipolygonfromtext", 8), ("multipolygonfromwkb",
    8), ("natural_sort_key", 12), ("nowait", 4), ("nth_value", 4), ("ntile", 4), ("nvl", 12), ("nvl2", 12),
    ("of", 4), ("old_password", 8), ("over", 4), ("percent_rank", 4), ("percentile_cont", 12),
    ("percentile_disc", 12), ("pointfromtext", 8), ("pointfromwkb", 8), ("pointn", 8), ("polyfromtext", 8),
    ("polyfromwkb", 8), ("polygonfromtext", 8), ("polygonfromwkb", 8), ("prior", 15), ("rank", 4),
    ("regexp_instr", 4), ("regexp_like", 7), ("regexp_replace", 4), ("regexp_substr", 4), ("replace_oracle",
    12), ("returning", 4), ("roles_graphml", 7), ("row_number", 4), ("rownum", 12), ("rpad_oracle", 12),
    ("rtrim_oracle", 12), ("sformat", 12), ("st_asgeojson", 4), ("st_boundary", 12), ("st_buffer_strategy", 7),
    ("st_collect", 7), ("st_convexhull", 4), ("st_distance_sphere", 4), ("st_frechetdistance", 7),
    ("st_geohash", 7), ("st_geomcollfromtxt", 7), ("st_geomfromgeojson", 4), ("st_hausdorffdistance", 7),
    ("st_isring", 12), ("st_isvalid", 7), ("st_latfromgeohash", 7), ("st_latitude", 7),
    ("st_lineinterpolatepoint", 7), ("st_lineinterpolatepoints", 7), ("st_longfromgeohash", 7), ("st_longitude",
    7), ("st_makeenvelope", 7), ("st_mlinefromtext", 4), ("st_mlinefromwkb", 4), ("st_mpointfromtext", 4),
    ("st_mpointfromwkb", 4), ("st_mpolyfromtext", 4), ("st_mpolyfromwkb", 4), ("st_numinteriorring", 7),
    ("st_pointatdistance", 7), ("st_pointfromgeohash", 7), ("st_pointonsurface", 12), ("st_relate", 12),
    ("st_simplify", 7), ("st_swapxy", 7), ("st_transform", 7), ("st_validate", 7), ("statement_digest", 7),
    ("statement_digest_text", 7), ("string_to_vector", 7), ("substr_oracle", 12), ("sys_guid", 12), ("system",
    4), ("to_char", 12), ("to_vector", 7), ("trim_oracle", 12), ("uuid_to_bin", 7), ("uuid_v4", 13), ("uuid_v7",
    13), ("validate_password_strength", 3), ("vec_distance", 13), ("vec_distance_cosine", 13),
    ("vec_distance_euclidean", 13), ("vec_fromtext", 13), ("vec_totext", 13), ("vector_dim", 7),
    ("vector_to_string", 7), ("window", 4), ("within", 8),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_server_has_is_not_this_ones() {
        let of = |mariadb, version| Dialect { mariadb, version, ..Dialect::default() };
        let (mariadb, old, new) = (of(true, 101_119), of(false, 50_624), of(false, 90_704));
        for (word, dialect) in
            [("any_value", mariadb), ("BIN_TO_UUID", mariadb), ("nvl", new), ("to_char", new), ("json_extract", old)]
        {
            assert!(is_foreign(word.as_bytes(), dialect), "{word}");
        }
        for (word, dialect) in
            [("nvl", mariadb), ("any_value", new), ("md5", new), ("abs", old), ("json_extract", of(false, 50_744))]
        {
            assert!(!is_foreign(word.as_bytes(), dialect), "{word}");
        }
        assert!(NOT_BUILT_IN.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(NOT_BUILT_IN.iter().all(|(name, _)| HARMLESS.contains(name)));
    }

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
