//! The server's plan of a slow SELECT, as its EXPLAIN gave it: bounded, and in one word for the server's own form of the log.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

/// The most rows and the most bytes of a value that are kept.
const MAX_ROWS: usize = 32;
const MAX_VALUE: usize = 256;
/// What says nothing in one line.
const LEFT_OUT: [&str; 2] = ["id", "table"];

/// EXPLAIN's rows: each table's columns by name, NULLs left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    rows: Vec<Vec<(String, String)>>,
}

impl Plan {
    /// Of a text result.
    pub fn new(names: &[String], rows: Vec<Vec<Option<Vec<u8>>>>) -> Self {
        let row = |row: Vec<Option<Vec<u8>>>| {
            let pairs = names.iter().zip(row);
            pairs.filter_map(|(name, value)| Some((name.clone(), bounded(&value?)))).collect()
        };
        Plan { rows: rows.into_iter().take(MAX_ROWS).map(row).collect() }
    }

    /// Without a blank, since a blank ends an attribute: `orders(type=ALL,rows=99120,Extra=Using_where)|..`.
    pub(super) fn word(&self) -> String {
        let table = |row: &Vec<(String, String)>| {
            let name = row.iter().find(|(name, _)| name == "table").map_or("-", |(_, value)| value);
            let shown = row.iter().filter(|(name, value)| !LEFT_OUT.contains(&name.as_str()) && !value.is_empty());
            let shown: Vec<String> = shown.map(|(name, value)| format!("{name}={value}")).collect();
            one_word(&format!("{name}({})", shown.join(",")))
        };
        self.rows.iter().map(table).collect::<Vec<_>>().join("|")
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        self.rows.iter().try_for_each(|row| rows.serialize_element(&Row(row)))?;
        rows.end()
    }
}

struct Row<'a>(&'a [(String, String)]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut columns = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| columns.serialize_entry(name, value))?;
        columns.end()
    }
}

fn bounded(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..value.len().min(MAX_VALUE)]).into_owned()
}

fn one_word(text: &str) -> String {
    text.replace(|c: char| c.is_whitespace() || c.is_control() || c == '|', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_one_word_and_one_list() {
        let names = ["id", "table", "type", "key", "Extra"].map(str::to_owned);
        let row = |values: [Option<&str>; 5]| values.map(|v| v.map(|v| v.as_bytes().to_vec())).to_vec();
        let rows = vec![
            row([Some("1"), Some("a b"), Some("ALL"), None, Some("Using where; Using filesort")]),
            row([Some("1"), None, None, Some("PRIMARY"), Some("")]),
        ];
        let plan = Plan::new(&names, rows);
        assert_eq!(plan.word(), "a_b(type=ALL,Extra=Using_where;_Using_filesort)|-(key=PRIMARY)");
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!((&json[0]["table"], &json[1]["key"]), (&"a b".into(), &"PRIMARY".into()));
    }
}
