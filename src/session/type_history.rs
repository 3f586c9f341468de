//! With which types a prepared statement was executed so far. MySQL (8.0.22 and later) reads a statement by them: a parameter that
//! was a string and then an integer is an integer from then on, whatever follows, and a string is converted. Which it is, all the
//! types decide that were ever sent, in whatever order (seen with all pairs of twelve types on MySQL 9); of dates and times, the
//! last one. NULL decides nothing.

use std::hash::Hasher;

use rustc_hash::FxHasher;

/// So many sets of types are told apart; those of a statement that saw more of them count as one.
const MAX: usize = 32;

/// A value that says nothing of its parameter's type.
const NULL: u8 = 6;
/// TIMESTAMP, DATE, TIME, DATETIME.
const MOMENTS: [u8; 4] = [7, 10, 11, 12];

/// The types of a statement's executions. Two that are equal read the statement alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeHistory {
    /// A hash of each set of types, in order.
    seen: Vec<u64>,
    /// Those of the last execution, and where it had a NULL, of the last one without; in equality as far as it matters.
    last: Last,
}

/// A parameter each: its type, its flags.
#[derive(Debug, Clone, Default)]
struct Last(Box<[u8]>);

impl TypeHistory {
    /// It is executed with these types.
    pub fn add(&mut self, types: &[u8]) {
        let now = self.last.then(types);
        if now == self.last.0 {
            return;
        }
        // Where it had only NULLs before, it was not known: nothing has changed.
        if self.last.becomes(&now) {
            self.take(hash(&self.last.0));
        }
        self.put(hash(&now));
        self.last = Last(now);
    }

    /// Whether all its executions were with the types that `now` is after those of `own`: as if it had just been prepared for them.
    pub fn is_only(&self, own: &TypeHistory, now: &[u8]) -> bool {
        self.seen.len() == 1 && own.last.then(now) == self.last.0
    }

    fn put(&mut self, hash: u64) {
        if let Err(at) = self.seen.binary_search(&hash) {
            self.seen.insert(at, hash);
        }
        if self.seen.len() > MAX {
            let mut all = FxHasher::default();
            self.seen.drain(..).for_each(|one| all.write_u64(one));
            self.seen.push(all.finish());
        }
    }

    fn take(&mut self, hash: u64) {
        self.seen.retain(|one| *one != hash);
    }
}

impl Last {
    /// With the types of one more execution.
    fn then(&self, types: &[u8]) -> Box<[u8]> {
        let mut now = Box::<[u8]>::from(types);
        for (new, old) in now.chunks_exact_mut(2).zip(self.0.chunks_exact(2)) {
            if new[0] == NULL {
                new.copy_from_slice(old);
            }
        }
        now
    }

    /// Whether it differs from `now` only where it knew of none.
    fn becomes(&self, now: &[u8]) -> bool {
        self.0.len() == now.len()
            && self.0.chunks_exact(2).zip(now.chunks_exact(2)).all(|(old, new)| old[0] == NULL || old == new)
    }

    fn counts(&self) -> bool {
        self.0.iter().step_by(2).any(|kind| MOMENTS.contains(kind))
    }
}

impl PartialEq for Last {
    fn eq(&self, other: &Last) -> bool {
        !(self.counts() || other.counts()) || self.0 == other.0
    }
}

impl Eq for Last {}

fn hash(types: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(types);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STRING: [u8; 2] = [253, 0];
    const INTEGER: [u8; 2] = [8, 0];
    const DATE: [u8; 2] = [10, 0];
    const TIME: [u8; 2] = [11, 0];
    const NOTHING: [u8; 2] = [NULL, 0];

    fn of(all: &[[u8; 2]]) -> TypeHistory {
        let mut history = TypeHistory::default();
        all.iter().for_each(|types| history.add(types));
        history
    }

    #[test]
    fn what_was_sent_counts_and_not_in_which_order() {
        assert_eq!(of(&[STRING, INTEGER]), of(&[INTEGER, STRING, INTEGER, STRING]));
        assert_ne!(of(&[STRING]), of(&[STRING, INTEGER]));
        assert_ne!(of(&[STRING]), of(&[INTEGER]));
        let (own, there) = (of(&[STRING]), of(&[INTEGER]));
        assert!(there.is_only(&own, &INTEGER) && there.is_only(&of(&[INTEGER]), &NOTHING));
        assert!(!there.is_only(&own, &STRING) && !there.is_only(&own, &NOTHING));
        assert!(!of(&[STRING, INTEGER]).is_only(&own, &INTEGER));
    }

    #[test]
    fn of_moments_the_last_one_counts() {
        assert_ne!(of(&[DATE, TIME]), of(&[TIME, DATE]));
        assert_eq!(of(&[DATE, TIME]), of(&[TIME, DATE, TIME]));
    }

    #[test]
    fn a_null_says_nothing() {
        assert_eq!(of(&[NOTHING, STRING]), of(&[STRING]));
        assert_eq!(of(&[STRING, NOTHING]), of(&[STRING]));
        assert_ne!(of(&[NOTHING]), of(&[STRING]));
        let mut both = TypeHistory::default();
        both.add(&[8, 0, NULL, 0]);
        both.add(&[NULL, 0, 253, 0]);
        let own = TypeHistory::default();
        assert!(both.is_only(&own, &[8, 0, 253, 0]) && !both.is_only(&own, &[8, 0, NULL, 0]));
    }

    proptest! {
        #[test]
        fn it_stays_small_and_a_copy_that_goes_on_alike_stays_equal(all in proptest::collection::vec(any::<[u8; 2]>(), 0..99)) {
            let mut history = TypeHistory::default();
            let mut copy = history.clone();
            for types in &all {
                history.add(types);
                copy.add(types);
                prop_assert_eq!(&history, &copy);
                prop_assert!(history.seen.len() <= MAX);
            }
        }
    }
}
