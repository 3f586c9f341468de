//! `[slow_log]` and `[histogram]`: what is put on record.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::problem::Fault;
use crate::config::section::Reader;
use crate::config::units;
use crate::config::value::{
    Read, count, duration, flag, off_or, one_of, path_or_none, share, some_duration, some_size, some_text,
};
use crate::stats::settings::{HistogramSettings, SlowLogBasis, SlowLogFormat, SlowLogSettings};

const THRESHOLD: Duration = Duration::from_secs(1);
const MAX_SIZE: u64 = 256 << 20;
const KEEP: usize = 5;
const MAX_HISTOGRAM_SIZE: u64 = 64 << 20;
const KEEP_HISTOGRAMS: usize = 4;
const INTERVAL: Duration = Duration::from_secs(10);

/// Reads `[slow_log]`.
pub fn slow_log(reader: &mut Reader<'_>) -> SlowLogSettings {
    let s = &mut reader.section("slow_log");
    SlowLogSettings {
        threshold: s.get("threshold", THRESHOLD, duration),
        user_thresholds: s.list("user_thresholds", user_threshold).unwrap_or_default(),
        path: s.get("path", None, path_or_none),
        format: s.get("format", SlowLogFormat::Mysql, one_of(FORMATS)),
        basis: s.get("basis", SlowLogBasis::Total, one_of(BASES)),
        sample: s.get("sample", 1.0, share),
        rate: s.get("rate", None, off_or(count(1..=1_000_000))),
        redact: s.get("redact", false, flag),
        max_size: s.get("max_size", Some(MAX_SIZE), off_or(some_size)),
        keep: s.get("keep", KEEP, count(0..=1000)),
        explain: s.get("explain", false, flag),
    }
}

/// `"reports = 30s"`. An account's name may hold a `=`, a duration never does.
fn user_threshold(value: &DeValue<'_>) -> Read<(String, Duration)> {
    let text = some_text(value)?;
    let Some((user, threshold)) = text.rsplit_once('=').filter(|(user, _)| !user.trim().is_empty()) else {
        let what = format!("\"{text}\" is not an account and a duration");
        return Err(Fault::new(what, "write for example \"reports = 30s\""));
    };
    Ok((user.trim().to_owned(), units::duration(threshold.trim())?))
}

const FORMATS: &[(&str, SlowLogFormat)] = &[("mysql", SlowLogFormat::Mysql), ("json", SlowLogFormat::Json)];

const BASES: &[(&str, SlowLogBasis)] = &[("total", SlowLogBasis::Total), ("server", SlowLogBasis::Server)];

/// Reads `[histogram]`.
pub fn histogram(reader: &mut Reader<'_>) -> HistogramSettings {
    let s = &mut reader.section("histogram");
    HistogramSettings {
        path: s.get("path", None, path_or_none),
        interval: s.get("interval", INTERVAL, some_duration),
        max_size: s.get("max_size", Some(MAX_HISTOGRAM_SIZE), off_or(some_size)),
        keep: s.get("keep", KEEP_HISTOGRAMS, count(0..=1000)),
    }
}
