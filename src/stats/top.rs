//! The groups that matter most, in bounded memory and with exact sums.
//!
//! A group that the table has room for is counted exactly from then on. When the table is full, keys without a place are
//! weighed at the door; one that came more often of late than the lightest group takes its place, and what it pushes out
//! is added to `other`. So a crowd of light keys never pushes a heavy one out, keys that come once never cost more than
//! their share of `other`, and all groups and `other` add up to everything that was recorded.

use rustc_hash::FxHashMap;

use super::tally::Tally;

/// Places at the door; a key has one of them, and shares it with others.
const DOOR_PLACES: usize = 1024;
/// All weights are halved after so many commands: what matters is what came of late.
const COMMANDS_PER_AGE: u64 = 1 << 16;

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
    door: Box<[Waiting]>,
    /// No group is lighter than this.
    least_weight: u64,
    touches: u64,
}

/// A key at the door and how often it came, less how often others came to its place.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    key: u64,
    weight: u64,
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
            door: vec![Waiting::default(); DOOR_PLACES].into(),
            least_weight: 0,
            touches: 0,
        }
    }

    /// The group of `key`, counted once more; `name` is asked only when the key gets a place. `None`: it belongs to `other`.
    pub fn touch(&mut self, key: u64, name: impl FnOnce() -> N) -> Option<&mut Group<N>> {
        self.age();
        let slot = match self.index.get(&key).copied() {
            Some(slot) => slot,
            None if self.groups.len() < self.capacity => self.append(key, name()),
            None => match self.admit(key) {
                Some(slot) => self.replace(slot, key, name()),
                None => return None,
            },
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

    /// Weighs a key that has no place; the slot of the lightest group if the key is heavier.
    fn admit(&mut self, key: u64) -> Option<usize> {
        let weight = self.door[key as usize % DOOR_PLACES].knock(key);
        if weight <= self.least_weight {
            return None;
        }
        let slot = lightest(&self.weights);
        self.least_weight = self.weights[slot];
        (weight > self.least_weight).then(|| {
            self.weights[slot] = weight;
            slot
        })
    }

    fn replace(&mut self, slot: usize, key: u64, name: N) -> usize {
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
        Group { name, tally: Tally::new(), born: self.births }
    }

    fn age(&mut self) {
        self.touches += 1;
        if self.touches.is_multiple_of(COMMANDS_PER_AGE) {
            self.weights.iter_mut().for_each(|weight| *weight /= 2);
            self.door.iter_mut().for_each(|waiting| waiting.weight /= 2);
            self.least_weight /= 2;
        }
    }

    fn without_empty(self) -> Self {
        let mut kept = Top { births: self.births, other: self.other, ..Top::new(self.capacity) };
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

impl Waiting {
    /// The key's weight after it came once more.
    fn knock(&mut self, key: u64) -> u64 {
        match self.weight {
            _ if self.key == key => self.weight += 1,
            0 => *self = Waiting { key, weight: 1 },
            _ => self.weight -= 1,
        }
        if self.key == key { self.weight } else { 0 }
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
        top.iter().find(|(k, _)| *k == key).map(|(_, g)| g.tally.count)
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
        assert_eq!((0..4).map(|k| of(&top, k)).collect::<Vec<_>>(), [Some(5_000); 4]);
        assert_eq!(sum(&top), 40_000);
        assert_eq!(top.iter().count(), 8);
    }

    #[test]
    fn a_key_that_turns_heavy_gets_in() {
        let mut top = Top::new(4);
        (0..1_000).for_each(|key| count(&mut top, key));
        (0..5_000).for_each(|_| count(&mut top, 77_777));
        assert!(of(&top, 77_777) >= Some(4_990), "{:?}", of(&top, 77_777));
        assert_eq!(sum(&top), 6_000);
    }

    #[test]
    fn what_was_heavy_long_ago_makes_room() {
        let mut top = Top::new(2);
        (0..1_000_000).for_each(|n| count(&mut top, n % 2));
        (0..3 * COMMANDS_PER_AGE).for_each(|n| count(&mut top, 100 + n % 3));
        assert!(of(&top, 0).is_none() && of(&top, 1).is_none());
        assert_eq!(sum(&top), 1_000_000 + 3 * COMMANDS_PER_AGE);
    }

    #[test]
    fn intervals_add_up_whatever_was_pushed_out_in_between() {
        let mut top = Top::new(3);
        let (mut before, mut seen) = (top.clone(), 0);
        let mut key = 1_u64;
        for round in 1..=60 {
            for _ in 0..97 {
                key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
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
