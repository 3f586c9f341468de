//! How one typed value is read: each function takes what was typed and gives the value or the fault.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use toml::de::DeValue;

use super::problem::Fault;
use super::units;

/// What reading gives.
pub type Read<T> = Result<T, Fault>;

/// Any text.
///
/// # Errors
/// It is no text; the fault does not quote it.
pub fn text(value: &DeValue<'_>) -> Read<String> {
    value.as_str().map(str::to_owned).ok_or_else(|| {
        let what = format!("must be text, is {}", kind(value));
        Fault::new(what, "write it in \"quotes\"")
    })
}

/// Text that is not empty.
///
/// # Errors
/// No text, or an empty one.
pub fn some_text(value: &DeValue<'_>) -> Read<String> {
    match text(value)? {
        empty if empty.is_empty() => Err(Fault::new("is empty", "write a text between the quotes")),
        text => Ok(text),
    }
}

/// A secret, typed as text.
///
/// # Errors
/// It is no text; the fault does not quote it.
pub fn secret(value: &DeValue<'_>) -> Read<SecretString> {
    text(value).map(SecretString::from)
}

/// A secret that is not empty.
///
/// # Errors
/// As [`some_text`].
pub fn some_secret(value: &DeValue<'_>) -> Read<SecretString> {
    some_text(value).map(SecretString::from)
}

/// A file's path.
///
/// # Errors
/// As [`some_text`].
pub fn path(value: &DeValue<'_>) -> Read<PathBuf> {
    some_text(value).map(PathBuf::from)
}

/// A file's path, or `""` for none.
///
/// # Errors
/// As [`text`].
pub fn path_or_none(value: &DeValue<'_>) -> Read<Option<PathBuf>> {
    let text = text(value)?;
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

/// `true` or `false`.
///
/// # Errors
/// Anything else.
pub fn flag(value: &DeValue<'_>) -> Read<bool> {
    value.as_bool().ok_or_else(|| {
        let what = format!("must be true or false, is {}", kind(value));
        Fault::new(what, "write true or false, without quotes")
    })
}

/// A whole number in `range`.
pub fn count<T>(range: RangeInclusive<T>) -> impl Fn(&DeValue<'_>) -> Read<T>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |value| {
        let instead = || {
            let (first, last) = (range.start(), range.end());
            format!("write a whole number from {first} to {last}, without quotes")
        };
        let DeValue::Integer(typed) = value else {
            let what = format!("must be a whole number, is {}", kind(value));
            return Err(Fault::new(what, instead()));
        };
        integer(value)
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| Fault::new(format!("{typed} is out of range"), instead()))
    }
}

/// A share: above 0 and at most 1.
///
/// # Errors
/// Anything else.
pub fn share(value: &DeValue<'_>) -> Read<f64> {
    number(value).filter(|share| *share > 0.0 && *share <= 1.0).ok_or_else(|| {
        let what = match number(value) {
            Some(number) => format!("{number} is out of range"),
            None => format!("must be a number, is {}", kind(value)),
        };
        Fault::new(what, "write a number above 0 and at most 1, such as 0.25")
    })
}

/// A duration, `"0s"` included.
///
/// # Errors
/// No duration; a bare number is answered with the same number and a unit.
pub fn duration(value: &DeValue<'_>) -> Read<Duration> {
    match value {
        DeValue::String(text) => units::duration(text),
        DeValue::Integer(number) => Err(without_unit(number, "s")),
        other => Err(Fault::new(
            format!("must be a duration, is {}", kind(other)),
            "write it as text with a unit, such as \"30s\"",
        )),
    }
}

/// A duration longer than nothing.
///
/// # Errors
/// As [`duration`], and zero.
pub fn some_duration(value: &DeValue<'_>) -> Read<Duration> {
    match duration(value)? {
        Duration::ZERO => Err(Fault::new("must not be zero", "write a longer time, such as \"30s\"")),
        longer => Ok(longer),
    }
}

/// A size in bytes, above zero.
///
/// # Errors
/// No size; a bare number is answered with the same number and a unit.
pub fn some_size(value: &DeValue<'_>) -> Read<u64> {
    let size = match value {
        DeValue::String(text) => units::size(text),
        DeValue::Integer(number) => Err(without_unit(number, "MiB")),
        other => Err(Fault::new(
            format!("must be a size, is {}", kind(other)),
            "write it as text with a unit, such as \"64MiB\"",
        )),
    };
    match size? {
        0 => Err(Fault::new("must not be zero", "write a larger size, such as \"64MiB\"")),
        larger => Ok(larger),
    }
}

/// `word` (for which `meaning` stands), or what `read` reads.
pub fn word_or<T: Clone>(
    word: &'static str,
    meaning: T,
    read: impl Fn(&DeValue<'_>) -> Read<T>,
) -> impl Fn(&DeValue<'_>) -> Read<T> {
    move |value| match value.as_str() {
        Some(text) if text == word => Ok(meaning.clone()),
        _ => read(value).map_err(|fault| Fault { instead: format!("{}, or \"{word}\"", fault.instead), ..fault }),
    }
}

/// `"off"` for `None`, or what `read` reads.
pub fn off_or<T: Clone>(read: impl Fn(&DeValue<'_>) -> Read<T>) -> impl Fn(&DeValue<'_>) -> Read<Option<T>> {
    word_or("off", None, move |value| read(value).map(Some))
}

/// One of some words.
pub fn one_of<'w, T: Copy>(words: &'w [(&'w str, T)]) -> impl Fn(&DeValue<'_>) -> Read<T> + 'w {
    move |value| {
        let all = || quoted(words.iter().map(|(word, _)| *word));
        let Some(text) = value.as_str() else {
            let what = format!("must be a word, is {}", kind(value));
            return Err(Fault::new(what, format!("write one of {}", all())));
        };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let instead = match nearest(text, words.iter().map(|(word, _)| *word)) {
                Some(word) => format!("did you mean \"{word}\"? Possible: {}", all()),
                None => format!("write one of {}", all()),
            };
            Fault::new(format!("\"{text}\" is not possible here"), instead)
        })
    }
}

/// The word of `words` that was probably meant by `typed`.
pub fn nearest<'w>(typed: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    words
        .map(|word| (strsim::jaro_winkler(typed, word), word))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// What a value is, in plain words.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn quoted<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
    words.join(", ")
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    let float = value.as_float().and_then(|float| float.as_str().parse().ok());
    float.or_else(|| integer(value).map(|number| number as f64))
}

fn without_unit(number: impl Display, unit: &str) -> Fault {
    Fault::new("has no unit", format!("write \"{number}{unit}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    /// Reads the TOML value `typed`; an error as one line.
    fn read<T>(typed: &str, parse: impl Fn(&DeValue<'_>) -> Read<T>) -> Result<T, String> {
        let text = format!("v = {typed}");
        let table = DeTable::parse(&text).expect("TOML");
        parse(table.get_ref()["v"].get_ref()).map_err(|f| format!("{}; {}", f.what, f.instead))
    }

    #[test]
    fn counts_have_bounds() {
        assert_eq!(read("0x10", count(1..=99usize)), Ok(16));
        assert_eq!(read("1_000", count(1..=1000u32)), Ok(1000));
        let limits = "write a whole number from 1 to 99, without quotes";
        for (typed, what) in [
            ("0", "0 is out of range"),
            ("-5", "-5 is out of range"),
            ("100", "100 is out of range"),
            ("\"5\"", "must be a whole number, is text"),
            ("5.5", "must be a whole number, is a number with a point"),
            ("99999999999999999999", "99999999999999999999 is out of range"),
        ] {
            assert_eq!(read(typed, count(1..=99usize)), Err(format!("{what}; {limits}")));
        }
    }

    #[test]
    fn shares_are_above_zero_and_at_most_one() {
        assert_eq!(read("1", share), Ok(1.0));
        assert_eq!(read("0.25", share), Ok(0.25));
        for bad in ["0", "0.0", "-0.5", "1.01", "nan", "inf", "\"0.5\"", "true"] {
            assert!(read(bad, share).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_number_is_answered_with_a_unit() {
        assert_eq!(read("30", duration), Err("has no unit; write \"30s\"".into()));
        assert_eq!(read("64", some_size), Err("has no unit; write \"64MiB\"".into()));
        assert!(read("\"0s\"", duration).is_ok());
        assert!(read("\"0s\"", some_duration).is_err());
        assert!(read("\"0B\"", some_size).is_err());
    }

    #[test]
    fn words_are_matched_whole_and_suggested() {
        let words = one_of(&[("allowed", 1), ("off", 2)]);
        assert_eq!(read("\"off\"", &words), Ok(2));
        assert_eq!(
            read("\"alowed\"", &words),
            Err("\"alowed\" is not possible here; did you mean \"allowed\"? Possible: \"allowed\", \"off\"".into())
        );
        assert_eq!(
            read("\"maybe\"", &words),
            Err("\"maybe\" is not possible here; write one of \"allowed\", \"off\"".into())
        );
        assert_eq!(
            read("true", &words),
            Err("must be a word, is true or false; write one of \"allowed\", \"off\"".into())
        );
    }

    #[test]
    fn off_stands_for_none() {
        assert_eq!(read("\"off\"", off_or(duration)), Ok(None));
        assert_eq!(read("\"1s\"", off_or(duration)), Ok(Some(Duration::from_secs(1))));
        assert_eq!(read("5", off_or(duration)), Err("has no unit; write \"5s\", or \"off\"".into()));
    }

    #[test]
    fn a_secret_is_never_quoted() {
        assert_eq!(read("12345", secret).err(), Some("must be text, is a number; write it in \"quotes\"".into()));
        let debug = format!("{:?}", read("\"hunter2\"", secret));
        assert!(!debug.contains("hunter2"), "{debug}");
    }
}
