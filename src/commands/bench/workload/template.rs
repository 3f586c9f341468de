//! A statement with places for random numbers: `{1..3000}`. Pure.

use std::io::Write;

use fastrand::Rng;

/// The text's parts in their order; each place is followed by what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    head: String,
    places: Vec<(i64, i64, String)>,
}

impl Template {
    /// Reads a statement. Braces with anything else in them are text.
    ///
    /// # Errors
    /// A place from which no number can be picked.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let (mut rest, mut begins) = (text, 0);
        let mut template = Template { head: String::new(), places: Vec::new() };
        while let Some(open) = rest[begins..].find('{').map(|at| begins + at) {
            let Some((low, high, length)) = place(&rest[open..]) else {
                begins = open + 1;
                continue;
            };
            if low > high {
                return Err(format!("{}: the first number must not be the larger one", &rest[open..open + length]));
            }
            parts.push(rest[..open].to_owned());
            template.places.push((low, high, String::new()));
            (rest, begins) = (&rest[open + length..], 0);
        }
        parts.push(rest.to_owned());
        let mut parts = parts.into_iter();
        template.head = parts.next().unwrap_or_default();
        for (place, behind) in template.places.iter_mut().zip(parts) {
            place.2 = behind;
        }
        Ok(template)
    }

    /// Puts the statement behind `out`.
    pub fn write(&self, random: &mut Rng, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.as_bytes());
        for (low, high, behind) in &self.places {
            // Writing to memory cannot fail.
            let _ = write!(out, "{}", random.i64(*low..=*high));
            out.extend_from_slice(behind.as_bytes());
        }
    }
}

/// `{1..3000}` at the text's beginning: both numbers and its length.
fn place(text: &str) -> Option<(i64, i64, usize)> {
    let inside = text.strip_prefix('{')?;
    let (inside, _) = inside.split_once('}')?;
    let (low, high) = inside.split_once("..")?;
    Some((low.parse().ok()?, high.parse().ok()?, inside.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        Template::parse(text).expect(text).write(&mut Rng::with_seed(1), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn numbers_stand_in_their_places() {
        assert_eq!(written("SELECT 1"), "SELECT 1");
        assert_eq!(written("a {7..7} b {-2..-2}"), "a 7 b -2");
        assert_eq!(written("{7..7}{8..8}"), "78");
        let number: i64 = written("{10..20}").parse().expect("a number");
        assert!((10..=20).contains(&number));
    }

    #[test]
    fn other_braces_are_text() {
        for text in ["{\"a\": {}}", "{1..}", "{a..b}", "{ 1..2 }", "{", "{1..2", "ä{"] {
            assert_eq!(written(text), text);
        }
        assert_eq!(written("{\"a\": {3..3}}"), "{\"a\": 3}");
    }

    #[test]
    fn a_range_without_numbers_is_refused() {
        assert!(Template::parse("{5..2}").is_err());
    }
}
