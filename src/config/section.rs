//! One table of the file while it is read. Every key that is asked for is thereby known; what nobody asked for is an error.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::document::{Document, Typed};
use super::problem::{Fault, Problem};
use super::value::{Read, kind, nearest};

/// What the file's values are resolved against, beside the file: an argument, so that tests choose it.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// An environment variable's value, `None` if it is not set or no text.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// How many cores there are, at least 1.
    pub cores: usize,
}

/// Reads a document and gathers what is wrong with it: nothing stops at the first fault.
pub struct Reader<'d> {
    document: &'d Document<'d>,
    /// What is around the file.
    pub surroundings: Surroundings<'d>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    known: BTreeSet<String>,
}

impl<'d> Reader<'d> {
    /// A reader that has seen nothing yet.
    pub fn new(document: &'d Document<'d>, surroundings: Surroundings<'d>) -> Self {
        Reader { document, surroundings, errors: Vec::new(), warnings: Vec::new(), known: BTreeSet::new() }
    }

    /// The table `[name]`; without values if the file has none.
    pub fn section(&mut self, name: &'static str) -> Section<'_, 'd> {
        let typed = self.document.get(name);
        let table = typed.and_then(|typed| typed.value.as_table());
        if let (Some(typed), None) = (typed, table) {
            let fault = Fault::new(
                format!("must be a table, is {}", kind(typed.value)),
                format!("write [{name}] on a line of its own, once, and its keys below"),
            );
            self.error(Some(typed.line), name, fault);
        }
        Section { path: name.to_owned(), line: typed.map(|typed| typed.line), name, table, reader: self }
    }

    /// Each `[[name]]`, in the file's order, read by `read`; what `read` answers by `None` is left out.
    pub fn sections<T>(&mut self, name: &'static str, mut read: impl FnMut(Section<'_, 'd>) -> Option<T>) -> Vec<T> {
        let tables = self.tables(name);
        // With no table at all the keys must still become known: one reading of nothing, and its faults forgotten.
        if tables.is_empty() {
            let before = self.errors.len();
            read(self.item(name, 0, None));
            self.errors.truncate(before);
        }
        let numbered = tables.into_iter().zip(1..);
        numbered.filter_map(|(typed, number)| read(self.item(name, number, Some(typed)))).collect()
    }

    /// Adds an error at a line.
    pub fn error(&mut self, line: Option<usize>, path: impl Into<String>, fault: Fault) {
        let path = path.into();
        self.errors.push(Problem { line, path, fault });
    }

    /// Adds an error at the key `path` (`pool.size`), wherever it is or would be.
    pub fn error_at(&mut self, path: &str, fault: Fault) {
        self.error(self.line_of(path), path, fault);
    }

    /// Adds a warning at the key `path`.
    pub fn warning_at(&mut self, path: &str, fault: Fault) {
        let line = self.line_of(path);
        let path = path.to_owned();
        self.warnings.push(Problem { line, path, fault });
    }

    /// Whether anything is wrong so far.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Whether nothing wrong was found at `path`: checks across keys would only say the same again.
    pub fn is_sound(&self, path: &str) -> bool {
        self.errors.iter().all(|error| {
            let rest = error.path.strip_prefix(path);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        })
    }

    /// All keys that were asked for, such as `pool.size` and `user.name`.
    pub fn known_keys(&self) -> &BTreeSet<String> {
        &self.known
    }

    /// Ends the reading: keys that nobody asked for become errors. Gives errors and warnings, each in the file's order.
    pub fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        self.refuse_unknown();
        self.errors.sort_by_key(|problem| problem.line);
        self.warnings.sort_by_key(|problem| problem.line);
        (self.errors, self.warnings)
    }

    fn tables(&mut self, name: &'static str) -> Vec<Typed<'d>> {
        let Some(typed) = self.document.get(name) else {
            return Vec::new();
        };
        let items = self.document.items(typed.value).unwrap_or_default();
        let (tables, others): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.value.as_table().is_some());
        if !others.is_empty() || typed.value.as_array().is_none() {
            let fault = Fault::new(
                "must be written with two brackets".to_owned(),
                format!("write [[{name}]] on a line of its own, once for each"),
            );
            self.error(Some(typed.line), name, fault);
        }
        tables
    }

    fn item(&mut self, name: &'static str, number: usize, typed: Option<Typed<'d>>) -> Section<'_, 'd> {
        Section {
            path: format!("{name}[{number}]"),
            line: typed.map(|typed| typed.line),
            name,
            table: typed.and_then(|typed| typed.value.as_table()),
            reader: self,
        }
    }

    /// The line of `table.key`, else of `[table]`.
    fn line_of(&self, path: &str) -> Option<usize> {
        let (table, key) = path.split_once('.')?;
        let typed = self.document.get(table)?;
        let key = typed.value.as_table().and_then(|table| self.document.get_in(table, key));
        Some(key.unwrap_or(typed).line)
    }

    fn refuse_unknown(&mut self) {
        for (name, typed) in self.document.entries() {
            if !self.is_table(name) {
                let fault = Fault::new("unknown key", self.advice_outside(name));
                self.error(Some(typed.line), name, fault);
            } else if let Some(table) = typed.value.as_table() {
                self.refuse_unknown_in(name, name, table);
            }
            let items = self.document.items(typed.value).unwrap_or_default();
            for (item, number) in items.iter().zip(1..) {
                if let Some(table) = item.value.as_table() {
                    self.refuse_unknown_in(name, &format!("{name}[{number}]"), table);
                }
            }
        }
    }

    fn refuse_unknown_in(&mut self, name: &str, path: &str, table: &'d DeTable<'d>) {
        if !self.is_table(name) {
            return;
        }
        for (key, typed) in self.document.entries_of(table) {
            if !self.known.contains(&format!("{name}.{key}")) {
                let fault = Fault::new("unknown key", self.advice_in(name, key));
                self.error(Some(typed.line), format!("{path}.{key}"), fault);
            }
        }
    }

    fn is_table(&self, name: &str) -> bool {
        self.keys_of(name).next().is_some()
    }

    fn keys_of<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.pairs().filter(move |(table, _)| *table == name).map(|(_, key)| key)
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().filter_map(|path| path.split_once('.'))
    }

    /// The advice for an unknown key of the top level: a table misspelt, or a key outside its table.
    fn advice_outside(&self, typed: &str) -> String {
        let tables: BTreeSet<_> = self.pairs().map(|(table, _)| table).collect();
        if let Some(owner) = self.owner_of(typed) {
            format!("it belongs under {owner}")
        } else if let Some(table) = nearest(typed, tables.iter().copied()) {
            format!("did you mean \"{table}\"?")
        } else {
            let tables: Vec<_> = tables.into_iter().collect();
            format!("take it out; the tables are {}", tables.join(", "))
        }
    }

    fn advice_in(&self, name: &str, typed: &str) -> String {
        if let Some(key) = nearest(typed, self.keys_of(name)) {
            format!("did you mean \"{key}\"?")
        } else if let Some(owner) = self.owner_of(typed) {
            format!("it belongs under {owner}")
        } else {
            let keys: Vec<_> = self.keys_of(name).collect();
            format!("take it out; [{name}] has {}", keys.join(", "))
        }
    }

    /// The table or tables that have a key of exactly this name.
    fn owner_of(&self, typed: &str) -> Option<String> {
        let owners: Vec<_> =
            self.pairs().filter(|(_, key)| *key == typed).map(|(table, _)| format!("[{table}]")).collect();
        (!owners.is_empty()).then(|| owners.join(" or "))
    }
}

/// One table while it is read.
pub struct Section<'r, 'd> {
    /// The reader that gathers the faults.
    pub reader: &'r mut Reader<'d>,
    name: &'static str,
    path: String,
    line: Option<usize>,
    table: Option<&'d DeTable<'d>>,
}

impl<'d> Section<'_, 'd> {
    /// The value of `key` as `parse` reads it; `default` where it is absent or wrong.
    pub fn get<T>(&mut self, key: &str, default: T, parse: impl FnOnce(&DeValue<'_>) -> Read<T>) -> T {
        self.find(key, parse).unwrap_or(default)
    }

    /// The value of `key` as `parse` reads it; `None` where it is absent or wrong.
    pub fn find<T>(&mut self, key: &str, parse: impl FnOnce(&DeValue<'_>) -> Read<T>) -> Option<T> {
        let typed = self.typed(key)?;
        parse(typed.value).map_err(|fault| self.error(key, fault)).ok()
    }

    /// The items of `key`, one value or a list of them; each wrong item is an error of its own.
    pub fn list<T>(&mut self, key: &str, parse: impl Fn(&DeValue<'_>) -> Read<T>) -> Option<Vec<T>> {
        let typed = self.typed(key)?;
        let Some(items) = self.reader.document.items(typed.value) else {
            return self.find(key, parse).map(|one| vec![one]);
        };
        let mut values = Vec::with_capacity(items.len());
        for (item, number) in items.into_iter().zip(1..) {
            match parse(item.value) {
                Ok(value) => values.push(value),
                Err(fault) => {
                    let path = format!("{}.{key}[{number}]", self.path);
                    self.reader.error(Some(item.line), path, fault);
                }
            }
        }
        Some(values)
    }

    /// Whether the file has `key` here.
    pub fn has(&self, key: &str) -> bool {
        self.lookup(key).is_some()
    }

    /// Whether nothing wrong was found at `key`.
    pub fn is_sound(&self, key: &str) -> bool {
        self.reader.is_sound(&format!("{}.{key}", self.path))
    }

    /// Adds an error at `key`, which the file may not have.
    pub fn error(&mut self, key: &str, fault: Fault) {
        let line = self.lookup(key).map(|typed| typed.line).or(self.line);
        let path = format!("{}.{key}", self.path);
        self.reader.error(line, path, fault);
    }

    fn typed(&mut self, key: &str) -> Option<Typed<'d>> {
        self.reader.known.insert(format!("{}.{key}", self.name));
        self.lookup(key)
    }

    fn lookup(&self, key: &str) -> Option<Typed<'d>> {
        self.reader.document.get_in(self.table?, key)
    }
}
