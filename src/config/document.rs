//! The file as typed: its tables and values, each with the line it stands on.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Fault, Problem};

/// A value with the line it stands on.
#[derive(Clone, Copy)]
pub struct Typed<'d> {
    /// From 1.
    pub line: usize,
    /// What was typed.
    pub value: &'d DeValue<'d>,
}

/// A file whose TOML is in order. No `Debug`: passwords stand in it.
pub struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Parses `text`.
    ///
    /// # Errors
    /// One problem for the first place where the TOML is broken; it quotes nothing of the file.
    pub fn parse(text: &'t str) -> Result<Self, Problem> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Document { text, root }),
            Err(error) => Err(syntax_problem(text, &error)),
        }
    }

    /// All keys of the top level, in the file's order.
    pub fn entries(&self) -> Vec<(&str, Typed<'_>)> {
        self.entries_of(self.root.get_ref())
    }

    /// The value of a key of the top level.
    pub fn get(&self, key: &str) -> Option<Typed<'_>> {
        self.get_in(self.root.get_ref(), key)
    }

    /// All keys of `table`, in the file's order, each with the line of the key itself.
    pub fn entries_of<'d>(&'d self, table: &'d DeTable<'d>) -> Vec<(&'d str, Typed<'d>)> {
        let mut entries: Vec<_> =
            table.iter().map(|(key, value)| (key.span().start, key.get_ref().as_ref(), value.get_ref())).collect();
        entries.sort_by_key(|(start, ..)| *start);
        entries
            .into_iter()
            .map(|(start, key, value)| {
                let line = line_of(self.text, start);
                (key, Typed { line, value })
            })
            .collect()
    }

    /// The value of `key` in `table`, with the line of the key.
    pub fn get_in<'d>(&'d self, table: &'d DeTable<'d>, key: &str) -> Option<Typed<'d>> {
        let (key, value) = table.get_key_value(key)?;
        Some(Typed { line: line_of(self.text, key.span().start), value: value.get_ref() })
    }

    /// The items of a list; `None` if the value is no list.
    pub fn items<'d>(&'d self, value: &'d DeValue<'d>) -> Option<Vec<Typed<'d>>> {
        let items = value.as_array()?.iter();
        Some(items.map(|item| self.typed(item)).collect())
    }

    fn typed<'d>(&'d self, item: &'d Spanned<DeValue<'d>>) -> Typed<'d> {
        let Range { start, .. } = item.span();
        Typed { line: line_of(self.text, start), value: item.get_ref() }
    }
}

/// The parser's message says what it expected; its long form, which quotes the line, may hold a password.
fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| line_of(text, span.start));
    Problem {
        line,
        path: String::new(),
        fault: Fault::new(
            format!("not valid TOML: {}", error.message()),
            "correct this line, then check again: the rest was not looked at",
        ),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + memchr::memchr_iter(b'\n', before).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let text = "a = 1\n\n[t]\nb = [\n  1,\n  2,\n]\n[[u]]\nn = 1\n[[u]]\nn = 2\n";
        let document = Document::parse(text).expect("valid");
        let lines: Vec<_> = document.entries().iter().map(|(key, typed)| (*key, typed.line)).collect();
        assert_eq!(lines[..2], [("a", 1), ("t", 3)]);
        let table = document.get("t").and_then(|t| t.value.as_table()).unwrap();
        let b = document.get_in(table, "b").unwrap();
        let items = document.items(b.value).unwrap();
        assert_eq!(b.line, 4);
        assert_eq!(items.iter().map(|i| i.line).collect::<Vec<_>>(), [5, 6]);
        let users = document.items(document.get("u").unwrap().value).unwrap();
        assert_eq!(users.iter().map(|i| i.line).collect::<Vec<_>>(), [8, 10]);
    }

    #[test]
    fn broken_toml_is_placed_and_not_quoted() {
        for text in [
            "[[user]]\npassword = \"hunter2\nname = 1",
            "[[user]]\npassword = hunter2",
            "[[user]]\npassword = 'hunter2' hunter2",
            "[[user]]\npassword = \"a\\hunter2\"",
            "[[user]]\nname = 'x'; password = 'hunter2'",
            "[[user]]\npassword 'hunter2'",
        ] {
            let problem = Document::parse(text).err().expect("broken");
            let all = format!("{problem} {problem:?}");
            assert_eq!(problem.line, Some(2), "{text}: {all}");
            assert!(!all.contains("hunter2"), "{all}");
        }
    }
}
