//! One setting that is tried, and how settings are written on the command line.

use std::str::FromStr;
use std::time::Duration;

use crate::pool::policy::{IdleTimeout, PingAfter, PoolSettings, ResetOnReturn};
use crate::stats::trace::PoolFacts;

/// The most sizes of a range that are tried, where no step is given.
const MAX_OF_RANGE: usize = 12;
/// A larger pool is no pool.
const MAX_SIZE: usize = 100_000;
/// The most settings at once.
const MAX_SIZES: usize = 1_000;

/// `pool.mode`, as far as there is a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// A backend for one transaction at a time.
    Transaction,
    /// A backend for as long as the client stays.
    Session,
}

impl Mode {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Transaction => "transaction",
            Mode::Session => "session",
        }
    }
}

/// What is tried.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `pool.mode`
    pub mode: Mode,
    /// `[pool]`
    pub pool: PoolSettings,
}

/// `[pool]` as it was when the trace was recorded.
pub fn recorded(facts: &PoolFacts) -> PoolSettings {
    PoolSettings {
        size: facts.size,
        max_overflow: facts.max_overflow,
        min_idle: facts.min_idle,
        checkout_timeout: facts.checkout_timeout,
        max_lifetime: facts.max_lifetime,
        idle_timeout: facts.idle_timeout.map_or(IdleTimeout::Auto, IdleTimeout::After),
        ping_after: facts.ping_after.map_or(PingAfter::Off, PingAfter::Idle),
        reset_on_return: match facts.reset_on_return.as_str() {
            "reset" => ResetOnReturn::Reset,
            "rollback" => ResetOnReturn::Rollback,
            _ => ResetOnReturn::Auto,
        },
    }
}

/// One item of `--size`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sizes {
    /// This one.
    One(usize),
    /// From one to another, each so many.
    Range(usize, usize, Option<usize>),
    /// This many times the recorded one.
    Times(Factor),
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Sizes, String> {
        if text.starts_with('x') {
            return text.parse().map(Sizes::Times);
        }
        let Some((from, rest)) = text.split_once("..") else { return size(text).map(Sizes::One) };
        let (to, step) = match rest.split_once('/') {
            Some((to, step)) => (size(to)?, Some(size(step)?)),
            None => (size(rest)?, None),
        };
        let from = size(from)?;
        match from <= to {
            true => Ok(Sizes::Range(from, to, step)),
            false => Err(format!("{from} is more than {to}")),
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size @ 1..=MAX_SIZE) => Ok(size),
        _ => Err(format!("\"{text}\" is not a size from 1 to {MAX_SIZE}; write 25, 5..100, 5..100/5, or x0.5")),
    }
}

/// All sizes that are named, in order, each once.
///
/// # Errors
/// They are too many.
pub fn sizes(items: &[Sizes], recorded: usize) -> Result<Vec<usize>, String> {
    let mut all: Vec<usize> = items.iter().flat_map(|item| item.sizes(recorded)).collect();
    all.sort_unstable();
    all.dedup();
    match all.len() <= MAX_SIZES {
        true => Ok(all),
        false => Err(format!("--size: {} sizes are more than {MAX_SIZES}", all.len())),
    }
}

impl Sizes {
    fn sizes(self, recorded: usize) -> Vec<usize> {
        match self {
            Sizes::One(size) => vec![size],
            Sizes::Range(from, to, Some(step)) => (from..=to).step_by(step).take(MAX_SIZES + 1).collect(),
            Sizes::Range(from, to, None) if to - from < MAX_OF_RANGE => (from..=to).collect(),
            Sizes::Range(from, to, None) => by_ratio(from, to),
            Sizes::Times(factor) => vec![((recorded as f64 * factor.0).round() as usize).max(1)],
        }
    }
}

/// What one more connection changes depends on how many there are.
fn by_ratio(from: usize, to: usize) -> Vec<usize> {
    let ratio = (to as f64 / from as f64).powf(1.0 / (MAX_OF_RANGE - 1) as f64);
    (0..MAX_OF_RANGE).map(|n| ((from as f64 * ratio.powi(n as i32)).round() as usize).min(to)).collect()
}

/// `x1.3`: so many times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor(pub f64);

impl FromStr for Factor {
    type Err = String;

    fn from_str(text: &str) -> Result<Factor, String> {
        let factor = text.strip_prefix('x').unwrap_or(text).parse::<f64>().ok();
        match factor.filter(|factor| (0.01..=100.0).contains(factor)) {
            Some(factor) => Ok(Factor(factor)),
            None => Err(format!("\"{text}\" is not a factor from x0.01 to x100; write for example x2")),
        }
    }
}

/// `1min:2s`: each minute a command that takes two seconds longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// How often.
    pub every: Duration,
    /// How much longer.
    pub longer: Duration,
}

impl FromStr for Slow {
    type Err = String;

    fn from_str(text: &str) -> Result<Slow, String> {
        let read = |text: &str| duration(text).ok().filter(|duration| !duration.is_zero());
        let parts = text.split_once(':').and_then(|(every, longer)| Some((read(every)?, read(longer)?)));
        let (every, longer) =
            parts.ok_or(format!("\"{text}\" is not such as 1min:2s: how often, and how much longer"))?;
        Ok(Slow { every, longer })
    }
}

/// `500ms`, `30s`, `1min`.
///
/// # Errors
/// It is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration; write for example 500ms, 30s, 1min");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "min" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return Err(wrong()),
    };
    let all = u32::try_from(number).ok().and_then(|number| unit.checked_mul(number));
    all.filter(|all| *all <= Duration::from_secs(86_400 * 365)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(items: &[&str]) -> Vec<usize> {
        let items: Vec<Sizes> = items.iter().map(|item| item.parse().unwrap()).collect();
        sizes(&items, 25).unwrap()
    }

    #[test]
    fn sizes_are_lists_ranges_and_factors() {
        assert_eq!(all(&["25", "5", "10", "5"]), [5, 10, 25]);
        assert_eq!(all(&["5..8"]), [5, 6, 7, 8]);
        assert_eq!(all(&["5..100/40", "x0.5"]), [5, 13, 45, 85]);
        let range = all(&["5..100"]);
        assert_eq!((range.len(), range[0], range[11]), (12, 5, 100));
        assert!(range.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn what_is_no_size_is_refused_with_what_would_be_one() {
        for text in ["0", "", "x", "x0", "-1", "0..5", "9..5", "5..", "5..9/0", "1000000", "five"] {
            let why = text.parse::<Sizes>().unwrap_err();
            assert!(!why.is_empty() && why.lines().count() == 1, "{text}");
        }
        let many: Sizes = "1..100000/1".parse().unwrap();
        assert!(sizes(&[many], 1).is_err());
    }

    #[test]
    fn durations_and_slow_queries_are_read() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        let slow = Slow { every: Duration::from_secs(60), longer: Duration::from_secs(2) };
        assert_eq!("1min:2s".parse(), Ok(slow));
        for text in ["", "5", "s", "5x", "99999999999s", "99999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["1min", "1min:", ":2s", "0s:1s", "1min:0s"] {
            assert!(text.parse::<Slow>().is_err(), "{text}");
        }
    }
}
