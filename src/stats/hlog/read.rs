//! Reading interval logs: tidegate's own and those of HdrHistogram's other tools (compressed V2).

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// One line of a log.
#[derive(Debug, Clone)]
pub struct Interval {
    /// Which histogram; `None`: the total.
    pub tag: Option<String>,
    /// Its beginning, since 1970 (or since the log's own zero, where it names none).
    pub start: Duration,
    /// Its length.
    pub length: Duration,
    /// The values, in nanoseconds where tidegate wrote them.
    pub histogram: Histogram<u64>,
}

/// A whole log.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Its lines, in order.
    pub intervals: Vec<Interval>,
    /// What the digests stand for, where the log says so: the digest's 16 digits, and its fingerprint.
    pub digests: BTreeMap<String, String>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ReadError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads a log.
///
/// # Errors
/// The first line that is neither a comment nor an interval. A last line without its end is left out: it is being written.
pub fn parse(text: &str) -> Result<Log, ReadError> {
    let (mut log, mut base) = (Log::default(), Duration::ZERO);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let Some(line) = line.strip_suffix('\n').map(|l| l.trim_end_matches('\r')) else {
            break;
        };
        match line.bytes().next() {
            None | Some(b'"') => {}
            Some(b'#') => read_comment(line, &mut log, &mut base),
            Some(_) => {
                log.intervals.push(interval(line, base).map_err(|what| ReadError { line: number + 1, what })?);
            }
        }
    }
    Ok(log)
}

fn read_comment(line: &str, log: &mut Log, base: &mut Duration) {
    if let Some((digest, text)) = line.strip_prefix("#[digest ").and_then(|l| l.split_once(": ")) {
        log.digests.insert(digest.to_owned(), text.strip_suffix(']').unwrap_or(text).to_owned());
    }
    let seconds = line.strip_prefix("#[BaseTime: ").and_then(|l| l.split(' ').next());
    if let Some(time) = seconds.and_then(|s| duration(s).ok()) {
        *base = time;
    }
}

fn interval(line: &str, base: Duration) -> Result<Interval, &'static str> {
    let (tag, rest) = match line.strip_prefix("Tag=") {
        Some(tagged) => tagged.split_once(',').map(|(tag, rest)| (Some(tag.to_owned()), rest)).ok_or("no comma")?,
        None => (None, line),
    };
    let fields: Vec<&str> = rest.split(',').collect();
    let [start, length, _max, encoded] = fields[..] else {
        return Err("not an interval of four fields");
    };
    Ok(Interval { tag, start: base + duration(start)?, length: duration(length)?, histogram: histogram(encoded)? })
}

fn duration(seconds: &str) -> Result<Duration, &'static str> {
    let seconds: f64 = seconds.trim().parse().map_err(|_| "not a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "seconds out of range")
}

fn histogram(encoded: &str) -> Result<Histogram<u64>, &'static str> {
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| "the histogram is not base64")?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|_| "the histogram is not of the compressed V2 form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::hlog::{Span, encode};
    use crate::stats::recorder::{RecorderSettings, Recorders};

    fn written() -> String {
        let recorders = Recorders::new(1, RecorderSettings::for_workers(1, |_| String::new()));
        let span = Span { start: Duration::from_secs(100), length: Duration::from_secs(5) };
        String::from_utf8(encode(&recorders.snapshot(), span)).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let log = parse(&written()).unwrap();
        assert_eq!(log.intervals.len(), 1);
        let total = &log.intervals[0];
        assert_eq!((&total.tag, total.start.as_secs(), total.length.as_secs()), (&None, 100, 5));
    }

    #[test]
    fn a_base_time_a_legend_and_digests_are_understood() {
        let text = format!(
            "\"StartTimestamp\",\"..\"\n#[BaseTime: 1000.5 (seconds)]\n#[digest 00ab: select ?]\n{}",
            written()
        );
        let log = parse(&text).unwrap();
        assert_eq!(log.intervals[0].start, Duration::from_millis(1_100_500));
        assert_eq!(log.digests["00ab"], "select ?");
    }

    #[test]
    fn a_line_that_is_being_written_is_left_out() {
        let text = written();
        assert!(parse(text.trim_end()).unwrap().intervals.is_empty());
    }

    #[test]
    fn illegal_lines_are_errors_with_their_number() {
        for (line, what) in [
            ("1,2,3", "not an interval of four fields"),
            ("Tag=a", "no comma"),
            ("x,2,3,HIST", "not a number of seconds"),
            ("-1,2,3,HIST", "seconds out of range"),
            ("1,2,3,???", "the histogram is not base64"),
            ("1,2,3,AAAA", "the histogram is not of the compressed V2 form"),
        ] {
            let error = parse(&format!("#ok\n{line}\n")).unwrap_err();
            assert_eq!(error, ReadError { line: 2, what });
        }
    }
}
