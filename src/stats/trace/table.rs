//! Values that stand in a file once and are named by their number from then on. A full table is begun anew, by the writer
//! and the reader at the same place.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::varint::{Bytes, put};

/// The writer's side.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    known: FxHashMap<T, u64>,
    max: usize,
}

impl<T: Hash + Eq> Numbers<T> {
    /// Of at most `max` values.
    pub fn new(max: usize) -> Self {
        Numbers { known: FxHashMap::default(), max }
    }

    /// Appends the value's number. `true`: it is new, and must be written behind it.
    pub fn put(&mut self, out: &mut Vec<u8>, value: T) -> bool {
        if let Some(&number) = self.known.get(&value) {
            put(out, number << 1);
            return false;
        }
        if self.known.len() >= self.max {
            self.known.clear();
        }
        let number = self.known.len() as u64;
        self.known.insert(value, number);
        put(out, number << 1 | 1);
        true
    }
}

/// The reader's side.
#[derive(Debug)]
pub(super) struct Values<T> {
    known: Vec<T>,
    max: usize,
}

impl<T: Clone> Values<T> {
    /// Of at most `max` values.
    pub fn new(max: usize) -> Self {
        Values { known: Vec::new(), max }
    }

    /// The next value; `read` reads a new one. `None`: there is nothing like that.
    pub fn take(&mut self, bytes: &mut Bytes<'_>, read: impl FnOnce(&mut Bytes<'_>) -> Option<T>) -> Option<T> {
        let number = bytes.number()?;
        let at = usize::try_from(number >> 1).ok()?;
        if number & 1 == 0 {
            return self.known.get(at).cloned();
        }
        if self.known.len() >= self.max {
            self.known.clear();
        }
        if at != self.known.len() {
            return None;
        }
        let value = read(bytes)?;
        self.known.push(value.clone());
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_is_begun_anew_on_both_sides() {
        let (mut numbers, mut values) = (Numbers::new(3), Values::new(3));
        let written = [7_u64, 8, 7, 9, 10, 7, 10, 8, 11, 7];
        let mut out = Vec::new();
        for value in written {
            if numbers.put(&mut out, value) {
                put(&mut out, value);
            }
        }
        let mut bytes = Bytes(&out);
        let read: Vec<_> = written.iter().map_while(|_| values.take(&mut bytes, |bytes| bytes.number())).collect();
        assert_eq!(read, written);
        assert!(bytes.0.is_empty());
    }
}
