//! The groups that matter most, in bounded memory: space-saving with exact sums.
//!
//! A group that the table has room for is counted exactly from then on. When the table is full, a key that was seen twice
//! within a short while takes the place of the lightest one and inherits its weight (so that a heavy one is never pushed
//! out by a crowd of light ones); what it pushes out is added to `other`. All groups and `other` add up to everything
//! that was recorded. Keys that come once only never cost more than their share of `other`.

use rustc_hash::FxHashMap;

use super::tally::Tally;

/// Slots of the doorkeeper that remembers which key came last.
const DOOR_SLOTS: usize = 1024;

/// A group: a tally and what it is known by.
#[derive(Debug, Clone)]
pub struct Group<N> {
    /// What the group is known by.
    pub name: N,
    /// Its sums.
    pub tally: Tally,
    /// Which of the table's groups, by order of birth: a key that was pushed out and comes back is another group.
    born: u64,
}

/// The table: at most `capacity` groups, and `other` for the rest.
#[derive(Debug, Clone)]
pub struct Top<N> {
    capacity: usize,
    births: u64,
    index: FxHashMap<u64, usize>,
    keys: Vec<u64>,
    weights: Vec<u64>,
    groups: Vec<Group<N>>,
    other: Tally,
    door: Box<[u64]>,
}

impl<N: Clone> Top<N> {
    /// An empty table for at most `capacity` groups (at least 1).
    pub fn new(capacity: usize) -> Self {
        Top {
            capacity: capacity.max(1),
            births: 0,
            index: FxHashMap::default(),
            keys: Vec::new(),
            weights: Vec::new(),
            groups: Vec::new(),
            other: Tally::new(),
            door: vec![0; DOOR_SLOTS].into(),
        }
    }

    /// The group of `key`, counted once more; `name` is asked only when the key gets a place. `None`: it belongs to `other`.
    pub fn touch(&mut self, key: u64, name: impl FnOnce() -> N) -> Option<&mut Group<N>> {
        let slot = match self.index.get(&key).copied() {
            Some(slot) => slot,
            None if self.groups.len() < self.capacity => self.append(key, name()),
            None if self.knocked_before(key) => self.replace_lightest(key, name()),
            None => return None,
        };
        self.weights[slot] += 1;
        self.groups.get_mut(slot)
    }

    /// What no group had room for.
    pub fn other(&self) -> &Tally {
        &self.other
    }

    /// The same, to be counted in.
    pub fn other_mut(&mut self) -> &mut Tally {
        &mut self.other
    }

    /// The groups with their keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Group<N>)> {
        self.keys.iter().copied().zip(&self.groups)
    }

    /// What came after `earlier`, a former state of this same table. Groups without anything new are left out.
    pub fn since(mut self, earlier: &Self) -> Self {
        self.other.subtract(&earlier.other);
        for (key, before) in earlier.iter() {
            match self.index.get(&key).map(|slot| &mut self.groups[*slot]) {
                Some(group) if group.born == before.born => group.tally.subtract(&before.tally),
                // Pushed out in between, with all that was known before: `other` holds that now.
                _ => self.other.subtract(&before.tally),
            }
        }
        self.without_empty()
    }

    fn append(&mut self, key: u64, name: N) -> usize {
        let slot = self.groups.len();
        let group = self.newborn(name);
        self.groups.push(group);
        self.keys.push(key);
        self.weights.push(0);
        self.index.insert(key, slot);
        slot
    }

    fn replace_lightest(&mut self, key: u64, name: N) -> usize {
        let slot = lightest(&self.weights);
        let group = self.newborn(name);
        let old = std::mem::replace(&mut self.groups[slot], group);
        self.other.merge(&old.tally);
        self.index.remove(&self.keys[slot]);
        self.keys[slot] = key;
        self.index.insert(key, slot);
        slot
    }

    fn newborn(&mut self, name: N) -> Group<N> {
        self.births += 1;
        Group {
            name,
            tally: Tally::new(),
            born: self.births,
        }
    }

    fn knocked_before(&mut self, key: u64) -> bool {
        let door = &mut self.door[key as usize % DOOR_SLOTS];
        std::mem::replace(door, key) == key
    }

    fn without_empty(self) -> Self {
        let mut kept = Top {
            births: self.births,
            other: self.other,
            ..Top::new(self.capacity)
        };
        for ((key, weight), group) in self.keys.into_iter().zip(self.weights).zip(self.groups) {
            if group.tally.count > 0 {
                kept.index.insert(key, kept.groups.len());
                kept.keys.push(key);
                kept.weights.push(weight);
                kept.groups.push(group);
            }
        }
        kept
    }
}

fn lightest(weights: &[u64]) -> usize {
    let mut best = 0;
    for (slot, weight) in weights.iter().enumerate() {
        if *weight < weights[best] {
            best = slot;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(top: &mut Top<u64>, key: u64) {
        match top.touch(key, || key) {
            Some(group) => group.tally.count += 1,
            None => top.other_mut().count += 1,
        }
    }

    fn of(top: &Top<u64>, key: u64) -> Option<u64> {
        top.iter()
            .find(|(k, _)| *k == key)
            .map(|(_, g)| g.tally.count)
    }

    fn sum(top: &Top<u64>) -> u64 {
        top.other().count + top.iter().map(|(_, g)| g.tally.count).sum::<u64>()
    }

    #[test]
    fn a_crowd_of_rare_keys_never_pushes_a_heavy_one_out() {
        let mut top = Top::new(8);
        for round in 0..20_000_u64 {
            count(&mut top, round % 4);
            count(&mut top, 1_000 + round / 2);
        }
        assert_eq!(
            (0..4).map(|k| of(&top, k)).collect::<Vec<_>>(),
            [Some(5_000); 4]
        );
        assert_eq!(sum(&top), 40_000);
        assert_eq!(top.iter().count(), 8);
    }

    #[test]
    fn a_key_that_turns_heavy_gets_in() {
        let mut top = Top::new(4);
        (0..1_000).for_each(|key| count(&mut top, key));
        (0..5_000).for_each(|_| count(&mut top, 77_777));
        assert_eq!(of(&top, 77_777), Some(4_999));
        assert_eq!(sum(&top), 6_000);
    }

    #[test]
    fn intervals_add_up_whatever_was_pushed_out_in_between() {
        let mut top = Top::new(3);
        let (mut before, mut seen) = (top.clone(), 0);
        let mut key = 1_u64;
        for round in 1..=60 {
            for _ in 0..97 {
                key = key
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                count(&mut top, (key >> 60) % (1 + round % 9));
            }
            seen += sum(&top.clone().since(&before));
            assert_eq!(seen, 97 * round);
            before = top.clone();
        }
    }

    #[test]
    fn a_group_without_news_is_left_out_of_the_interval() {
        let mut top = Top::new(4);
        count(&mut top, 1);
        let before = top.clone();
        count(&mut top, 2);
        let delta = top.since(&before);
        assert_eq!((of(&delta, 1), of(&delta, 2)), (None, Some(1)));
    }
}
