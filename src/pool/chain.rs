//! Doubly linked lists over indices: constant-time removal from the middle, no allocation per entry.

/// No index.
pub(super) const NONE: u32 = u32::MAX;

/// Both ends of one list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    head: u32,
    tail: u32,
    len: u32,
}

/// The links of all lists of one kind; an index is in at most one of them.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<Link>);

#[derive(Debug, Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

impl Chain {
    pub(super) const EMPTY: Chain = Chain { head: NONE, tail: NONE, len: 0 };

    pub(super) fn first(&self) -> Option<u32> {
        some(self.head)
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Links {
    /// Room for the indices below `len`.
    pub(super) fn grow(&mut self, len: usize) {
        let empty = Link { before: NONE, after: NONE };
        self.0.resize(len.max(self.0.len()), empty);
    }

    pub(super) fn push_front(&mut self, chain: &mut Chain, at: u32) {
        self.insert(chain, NONE, at);
    }

    pub(super) fn push_back(&mut self, chain: &mut Chain, at: u32) {
        self.insert(chain, chain.tail, at);
    }

    /// Puts `at` behind `before`, or first where that is [`NONE`].
    pub(super) fn insert(&mut self, chain: &mut Chain, before: u32, at: u32) {
        let after = if before == NONE { chain.head } else { self.0[before as usize].after };
        self.0[at as usize] = Link { before, after };
        self.join(chain, before, at);
        self.join(chain, at, after);
        chain.len += 1;
    }

    pub(super) fn remove(&mut self, chain: &mut Chain, at: u32) {
        let Link { before, after } = self.0[at as usize];
        self.join(chain, before, after);
        chain.len -= 1;
    }

    pub(super) fn iter(&self, chain: &Chain) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(chain.first(), |&at| some(self.0[at as usize].after))
    }

    fn join(&mut self, chain: &mut Chain, left: u32, right: u32) {
        match left {
            NONE => chain.head = right,
            _ => self.0[left as usize].after = right,
        }
        match right {
            NONE => chain.tail = left,
            _ => self.0[right as usize].before = left,
        }
    }
}

fn some(at: u32) -> Option<u32> {
    (at != NONE).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn a_chain_behaves_as_a_deque_under_any_sequence_of_changes() {
        let (mut links, mut chain, mut model) = (Links::default(), Chain::EMPTY, VecDeque::new());
        links.grow(32);
        let mut random = 7u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (random >> 33) as u32 % 32;
            match model.iter().position(|&there| there == at) {
                Some(place) => {
                    model.remove(place);
                    links.remove(&mut chain, at);
                }
                None if random & (1 << 40) == 0 => {
                    model.push_back(at);
                    links.push_back(&mut chain, at);
                }
                None => {
                    model.push_front(at);
                    links.push_front(&mut chain, at);
                }
            }
            assert!(links.iter(&chain).eq(model.iter().copied()));
            assert_eq!((chain.len(), chain.is_empty()), (model.len(), model.is_empty()));
        }
    }
}
