//! Which of a client's statements of one text is which: each is numbered, so that two are never taken for one another.

use std::collections::BTreeSet;

/// A client's open statements that are all of one text, and prepared in the same way.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Each with its copy's number before its id.
    pub(super) open: BTreeSet<(u32, u32)>,
    /// The numbers below `next` that are not in use.
    unused: BTreeSet<u32>,
    next: u32,
}

impl Copies {
    /// The id of one of them.
    pub(super) fn any(&self) -> Option<u32> {
        self.open.first().map(|(_, id)| *id)
    }

    /// The number of the next one.
    pub(super) fn first_unused(&self) -> u32 {
        self.unused.first().copied().unwrap_or(self.next)
    }

    pub(super) fn insert(&mut self, copy: u32, id: u32) {
        self.open.insert((copy, id));
        self.unused.remove(&copy);
        self.unused.extend(self.next..copy);
        self.next = self.next.max(copy.saturating_add(1));
    }

    pub(super) fn remove(&mut self, copy: u32, id: u32) {
        self.open.remove(&(copy, id));
        if self.open.range((copy, 0)..=(copy, u32::MAX)).next().is_none() {
            self.unused.insert(copy);
        }
    }
}
