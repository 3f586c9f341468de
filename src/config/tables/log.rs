//! `[log]`

use crate::config::logging::{LogFormat, LogLevel, LogSettings};
use crate::config::section::Reader;
use crate::config::value::one_of;

/// Reads `[log]`.
pub fn read(reader: &mut Reader<'_>) -> LogSettings {
    let s = &mut reader.section("log");
    LogSettings {
        level: s.get("level", LogLevel::Info, one_of(LEVELS)),
        format: s.get("format", LogFormat::Text, one_of(FORMATS)),
    }
}

const LEVELS: &[(&str, LogLevel)] = &[
    ("off", LogLevel::Off),
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
