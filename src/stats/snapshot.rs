//! All recorders' contents in one: what readers look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::counters::Counters;
use super::histogram::PhaseHistograms;
use super::recorder::{Contents, DigestText, Label, Recorders};
use super::slowest::{SlowStatement, Slowest};
use super::tally::Tally;

/// One digest's sums.
#[derive(Debug, Clone)]
pub struct DigestStats {
    /// The digest.
    pub digest: u64,
    /// What it stands for.
    pub text: DigestText,
    /// Its sums.
    pub tally: Tally,
}

/// One label's sums.
#[derive(Debug, Clone)]
pub struct LabelStats {
    /// User and schema.
    pub label: Label,
    /// Their sums.
    pub tally: Tally,
}

/// Everything that was recorded, of all workers. The labels and their `other` add up to all commands; the digests and
/// their `other` to all commands that have a digest.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Plain counters.
    pub counters: Counters,
    /// Histograms of the total and of each phase, over commands that have a reply.
    pub phases: PhaseHistograms,
    /// Per user and schema, in their order.
    pub labels: Vec<LabelStats>,
    /// What no label had room for.
    pub labels_other: Tally,
    /// Per digest, most time first.
    pub digests: Vec<DigestStats>,
    /// What no digest had room for.
    pub digests_other: Tally,
    /// The slowest statements since the start, slowest first.
    pub slowest: Vec<SlowStatement>,
}

impl Snapshot {
    pub(crate) fn merged(parts: Vec<Contents>, max_slowest: usize) -> Self {
        let mut merge = Merge { slowest: Slowest::new(max_slowest), ..Merge::default() };
        parts.iter().for_each(|part| merge.add(part));
        merge.finish()
    }
}

/// The state of all recorders at the end of the last interval.
#[derive(Debug, Default)]
pub struct Baseline {
    parts: Vec<Contents>,
}

impl Baseline {
    /// The start: nothing was recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What came since the last call (or since the start), merged. The slowest statements are those since the start.
    pub fn advance(&mut self, recorders: &Recorders) -> Snapshot {
        let (snapshot, next) = self.look(recorders);
        *self = next;
        snapshot
    }

    /// What came since this baseline, and the baseline that begins where it ends.
    pub fn look(&self, recorders: &Recorders) -> (Snapshot, Baseline) {
        let parts = recorders.copies();
        let delta = parts.iter().enumerate().map(|(i, part)| match self.parts.get(i) {
            Some(earlier) => part.clone().since(earlier),
            None => part.clone(),
        });
        let snapshot = Snapshot::merged(delta.collect(), recorders.max_slowest());
        (snapshot, Baseline { parts })
    }
}

#[derive(Default)]
struct Merge {
    counters: Counters,
    phases: PhaseHistograms,
    labels: BTreeMap<Label, Tally>,
    labels_other: Tally,
    digests: FxHashMap<u64, (DigestText, Tally)>,
    digests_other: Tally,
    slowest: Slowest,
}

impl Merge {
    fn add(&mut self, part: &Contents) {
        self.counters.merge(&part.counters);
        self.phases.merge(&part.phases);
        for (_, group) in part.labels.iter() {
            self.labels.entry(group.name.clone()).or_default().merge(&group.tally);
        }
        self.labels_other.merge(part.labels.other());
        for (digest, group) in part.digests.iter() {
            let (text, tally) = self.digests.entry(digest).or_insert_with(|| (group.name.clone(), Tally::new()));
            keep_slower(text, &group.name);
            tally.merge(&group.tally);
        }
        self.digests_other.merge(part.digests.other());
        self.slowest.merge(&part.slowest);
    }

    fn finish(self) -> Snapshot {
        let labels = self.labels.into_iter().map(|(label, tally)| LabelStats { label, tally }).collect();
        let mut digests: Vec<DigestStats> =
            self.digests.into_iter().map(|(digest, (text, tally))| DigestStats { digest, text, tally }).collect();
        digests.sort_by_key(|d| (std::cmp::Reverse(d.tally.phases().total), d.digest));
        Snapshot {
            counters: self.counters,
            phases: self.phases,
            labels,
            labels_other: self.labels_other,
            digests,
            digests_other: self.digests_other,
            slowest: self.slowest.statements().to_vec(),
        }
    }
}

fn keep_slower(mine: &mut DigestText, theirs: &DigestText) {
    if theirs.slowest_total > mine.slowest_total {
        mine.slowest_total = theirs.slowest_total;
        mine.slowest = Arc::clone(&theirs.slowest);
    }
}
