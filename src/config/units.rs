//! Durations and sizes as people write them: `"280s"`, `"1h30min"`, `"64MiB"`.

use std::time::Duration;

use super::problem::Fault;

/// The longest duration a file may ask for: sums with a clock's time never overflow.
pub const MAX_DURATION: Duration = Duration::from_secs(3650 * DAY);

const DAY: u64 = 24 * 60 * 60;

const DURATION_UNITS: &[(&str, Duration)] = &[
    ("us", Duration::from_micros(1)),
    ("ms", Duration::from_millis(1)),
    ("s", Duration::from_secs(1)),
    ("min", Duration::from_secs(60)),
    ("h", Duration::from_secs(60 * 60)),
    ("d", Duration::from_secs(DAY)),
];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads a duration such as `280s`, `500ms`, `1h30min`; at most [`MAX_DURATION`].
///
/// # Errors
/// A fault that says how to write it.
pub fn duration(text: &str) -> Result<Duration, Fault> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return Err(bad_duration(text));
    }
    while !rest.is_empty() {
        let (number, unit, tail) = split_part(rest).ok_or_else(|| bad_duration(text))?;
        let unit = find(DURATION_UNITS, unit).ok_or_else(|| bad_duration(text))?;
        sum = scaled(unit, number)
            .and_then(|part| sum.checked_add(part))
            .filter(|sum| *sum <= MAX_DURATION)
            .ok_or_else(|| too_long(text))?;
        rest = tail;
    }
    Ok(sum)
}

/// Reads a size such as `64MiB` or `10GB`, in bytes.
///
/// # Errors
/// A fault that says how to write it.
pub fn size(text: &str) -> Result<u64, Fault> {
    let (number, unit, tail) = split_part(text.trim()).ok_or_else(|| bad_size(text))?;
    let unit = find(SIZE_UNITS, unit).filter(|_| tail.is_empty()).ok_or_else(|| bad_size(text))?;
    number
        .checked_mul(unit)
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| Fault::new(format!("\"{text}\" is too large"), "write a smaller size"))
}

/// A duration as [`duration`] reads it, in the largest unit that it is whole in.
pub fn shown_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let units = [("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000)];
    match units.into_iter().find(|(_, unit)| micros > 0 && micros.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", micros / unit),
        None if micros == 0 => "0s".to_owned(),
        None => format!("{micros}us"),
    }
}

/// A size as [`size`] reads it.
pub fn shown_size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, bits)| bytes > 0 && bytes.is_multiple_of(1 << bits)) {
        Some((name, bits)) => format!("{}{name}", bytes >> bits),
        None => format!("{bytes}B"),
    }
}

/// `12min3s` is 12, `min`, `3s`. `None` where no number is in front, or it is too large, or no unit follows.
fn split_part(text: &str) -> Option<(u64, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text[..digits].parse().ok()?;
    let rest = text[digits..].trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(letters);
    Some((number, unit, tail.trim_start()))
}

fn find<T: Copy>(units: &[(&str, T)], name: &str) -> Option<T> {
    units.iter().find(|(unit, _)| *unit == name).map(|(_, value)| *value)
}

/// `unit * number` without `Duration`'s limit of 32 bits on the factor.
fn scaled(unit: Duration, number: u64) -> Option<Duration> {
    let micros = u64::try_from(unit.as_micros()).ok()?;
    micros.checked_mul(number).map(Duration::from_micros)
}

fn bad_duration(text: &str) -> Fault {
    Fault::new(
        format!("\"{text}\" is not a duration"),
        "write whole numbers with us, ms, s, min, h or d, such as \"280s\", \"500ms\" or \"1h30min\"",
    )
}

fn too_long(text: &str) -> Fault {
    Fault::new(format!("\"{text}\" is too long"), "write at most \"3650d\"")
}

fn bad_size(text: &str) -> Fault {
    Fault::new(
        format!("\"{text}\" is not a size"),
        "write a whole number with B, KiB, MiB, GiB or TiB, such as \"64MiB\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_with_their_units() {
        let seconds = Duration::from_secs;
        assert_eq!(duration("280s"), Ok(seconds(280)));
        assert_eq!(duration("30min"), Ok(seconds(1800)));
        assert_eq!(duration("1h30min"), Ok(seconds(5400)));
        assert_eq!(duration("1h 30min"), Ok(seconds(5400)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration("7d"), Ok(seconds(7 * DAY)));
        assert_eq!(duration("3650d"), Ok(MAX_DURATION));
    }

    #[test]
    fn other_words_are_not_durations() {
        for text in ["", " ", "280", "s", "1.5s", "-1s", "1m", "30 sec", "1h30", "1s,", "1sé"] {
            assert_eq!(duration(text), Err(bad_duration(text)), "{text}");
        }
        for text in ["3651d", "18446744073709551615s", "3650d1us"] {
            assert_eq!(duration(text), Err(too_long(text)), "{text}");
        }
        assert!(duration("99999999999999999999s").is_err());
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        assert_eq!(size("10kB"), Ok(10_000));
        assert_eq!(size("0B"), Ok(0));
        for text in ["", "64", "64M", "1.5GiB", "-1B", "1GiB5B", "MiB"] {
            assert_eq!(size(text), Err(bad_size(text)), "{text}");
        }
        assert!(size("99999999TiB").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(micros in 0u64..1 << 48, bytes in 0u64..1 << 50) {
            let time = Duration::from_micros(micros);
            prop_assert_eq!(duration(&shown_duration(time)), Ok(time));
            prop_assert_eq!(size(&shown_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_either_fail_badly(text in "\\PC{0,20}") {
            let _ = (duration(&text), size(&text));
        }

        #[test]
        fn a_written_duration_reads_as_its_sum(h in 0u64..80_000, min in 0u64..1000, ms in 0u64..100_000) {
            let sum = Duration::from_secs(h * 3600 + min * 60) + Duration::from_millis(ms);
            prop_assert_eq!(duration(&format!("{h}h{min}min{ms}ms")), Ok(sum));
        }
    }
}
