//! What the admin view shows: a table, which the console sends as a result set and HTTP as JSON. Pure.

use std::cmp::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Null,
    /// Text.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A number with a point: seconds, shares.
    Real(f64),
}

impl Cell {
    /// Text.
    pub fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    /// A duration in seconds.
    pub fn seconds(time: Duration) -> Cell {
        Cell::Real(time.as_secs_f64())
    }

    /// As the text protocol has it; `None`: NULL. A number with a point has six digits behind it.
    pub fn shown(&self) -> Option<String> {
        match self {
            Cell::Null => None,
            Cell::Text(text) => Some(text.clone()),
            Cell::Count(count) => Some(count.to_string()),
            Cell::Real(real) => Some(format!("{real:.6}")),
        }
    }

    fn json(&self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Text(text) => json!(text),
            Cell::Count(count) => json!(count),
            Cell::Real(real) => json!(real),
        }
    }

    /// NULL first, numbers by value, text without regard to case.
    fn compare(&self, other: &Cell) -> Ordering {
        let rank = |cell: &Cell| match cell {
            Cell::Null => 0,
            Cell::Count(_) | Cell::Real(_) => 1,
            Cell::Text(_) => 2,
        };
        match (self, other) {
            (Cell::Text(one), Cell::Text(two)) => one.to_lowercase().cmp(&two.to_lowercase()),
            (Cell::Count(one), Cell::Count(two)) => one.cmp(two),
            (one, two) if rank(one) == 1 && rank(two) == 1 => one.number().total_cmp(&two.number()),
            (one, two) => rank(one).cmp(&rank(two)),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Cell::Count(count) => *count as f64,
            Cell::Real(real) => *real,
            Cell::Null | Cell::Text(_) => 0.0,
        }
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Cell {
        Cell::Count(count as u64)
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        Cell::Count(count)
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Cell {
        Cell::Count(count.into())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::Text(text)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Whole numbers.
    Count,
    /// Numbers with a point.
    Real,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// Columns and rows; each row has as many cells as there are columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// Which column `LIKE` is held against.
    pub named_by: usize,
}

/// No column has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchColumn(pub String);

impl Table {
    /// An empty table. `LIKE` is about the first column, unless [`Table::named_by`] says another.
    pub fn new(columns: &[(&str, Kind)]) -> Table {
        let columns = columns.iter().map(|&(name, kind)| Column { name: name.to_owned(), kind }).collect();
        Table { columns, rows: Vec::new(), named_by: 0 }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// `LIKE` is about this column.
    pub fn named_by(mut self, column: &str) -> Table {
        self.named_by = self.position(column).unwrap_or(self.named_by);
        self
    }

    /// Keeps the rows whose name is like this pattern: `%` any text, `_` any letter, without regard to case.
    pub fn like(&mut self, pattern: &str) {
        let at = self.named_by;
        self.rows.retain(|row| row.get(at).and_then(Cell::shown).is_some_and(|name| is_like(&name, pattern)));
    }

    /// Sorts by a column, by its name or its number from 1.
    ///
    /// # Errors
    /// There is no such column.
    pub fn order_by(&mut self, column: &str, descending: bool) -> Result<(), NoSuchColumn> {
        let by_number = column.parse::<usize>().ok().filter(|at| (1..=self.columns.len()).contains(at));
        let at = by_number.map(|at| at - 1).or_else(|| self.position(column));
        let at = at.ok_or_else(|| NoSuchColumn(column.to_owned()))?;
        self.rows.sort_by(|one, two| {
            let order = one[at].compare(&two[at]);
            if descending { order.reverse() } else { order }
        });
        Ok(())
    }

    /// Keeps at most so many rows from the one of this number on.
    pub fn limit(&mut self, offset: usize, count: usize) {
        self.rows.drain(..offset.min(self.rows.len()));
        self.rows.truncate(count);
    }

    /// The rows as objects.
    pub fn json(&self) -> Value {
        let object = |row: &Vec<Cell>| {
            let pairs = self.columns.iter().zip(row).map(|(column, cell)| (column.name.clone(), cell.json()));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(object).collect())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// SQL's LIKE with `\` as its escape character. Linear but for the restarts at each `%`.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let lower = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let (text, pattern) = (lower(text), lower(pattern));
    let (mut t, mut p) = (0, 0);
    let mut last_any = None;
    loop {
        match pattern.get(p) {
            Some('%') => {
                last_any = Some((p, t));
                p += 1;
                continue;
            }
            Some('_') if t < text.len() => {
                (t, p) = (t + 1, p + 1);
                continue;
            }
            Some('\\') if p + 1 < pattern.len() && text.get(t) == pattern.get(p + 1) => {
                (t, p) = (t + 1, p + 2);
                continue;
            }
            Some(letter) if *letter != '\\' && text.get(t) == Some(letter) => {
                (t, p) = (t + 1, p + 1);
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        // The last `%` takes one letter more.
        match last_any {
            Some((any, taken)) if taken < text.len() => {
                last_any = Some((any, taken + 1));
                (t, p) = (taken + 1, any + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Table {
        let mut table = Table::new(&[("name", Kind::Text), ("count", Kind::Count)]);
        for (name, count) in [("beta", 2_u64), ("Alpha", 10), ("gamma", 1)] {
            table.push(vec![name.into(), count.into()]);
        }
        table
    }

    fn names(table: &Table) -> Vec<String> {
        table.rows.iter().filter_map(|row| row[0].shown()).collect()
    }

    #[test]
    fn rows_are_chosen_sorted_and_cut() {
        let mut all = table();
        all.order_by("COUNT", true).unwrap();
        assert_eq!(names(&all), ["Alpha", "beta", "gamma"]);
        all.order_by("1", false).unwrap();
        assert_eq!(names(&all), ["Alpha", "beta", "gamma"]);
        assert_eq!(all.order_by("none", false), Err(NoSuchColumn("none".into())));
        assert_eq!(all.order_by("3", false), Err(NoSuchColumn("3".into())));
        all.limit(1, 1);
        assert_eq!(names(&all), ["beta"]);
        let mut some = table();
        some.like("%AM%");
        assert_eq!(names(&some), ["gamma"]);
        some.limit(7, 7);
        assert_eq!(names(&some), [""; 0]);
    }

    #[test]
    fn json_has_numbers_as_numbers() {
        let mut table = Table::new(&[("a", Kind::Text), ("b", Kind::Count), ("c", Kind::Real), ("d", Kind::Text)]);
        table.push(vec!["x\"".into(), 7_u64.into(), Cell::Real(0.5), Cell::Null]);
        assert_eq!(table.json().to_string(), r#"[{"a":"x\"","b":7,"c":0.5,"d":null}]"#);
    }

    #[test]
    fn like_is_sqls() {
        for (text, pattern, expected) in [
            ("version_comment", "version%", true),
            ("version_comment", "%comment", true),
            ("version_comment", "v%_c%t", true),
            ("version_comment", "version", false),
            ("a_b", r"a\_b", true),
            ("axb", r"a\_b", false),
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("mississippi", "m%is%p_", true),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_ends(text in "[ab%_\\\\]{0,12}", pattern in "[ab%_\\\\]{0,12}") {
            let _ = is_like(&text, &pattern);
            prop_assert!(is_like(&text, "%"));
        }
    }
}
