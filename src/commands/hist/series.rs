//! The histograms of some logs, added up by tag.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::stats::hlog::Span;
use crate::stats::hlog::read::{Interval, Log};

/// All histograms by tag; the total has no tag.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub by_tag: BTreeMap<Option<String>, Histogram<u64>>,
    /// What the digests stand for.
    pub digests: BTreeMap<String, String>,
    /// From the first beginning to the last end.
    pub span: Option<Span>,
}

impl Series {
    pub fn of(logs: &[Log]) -> Self {
        let mut series = Series::default();
        for log in logs {
            log.intervals.iter().for_each(|interval| series.add(interval));
            series.digests.extend(log.digests.clone());
        }
        series
    }

    /// The tags that hold this text (all without one), the total first, then phases, pools, labels and digests, each with most
    /// values first.
    pub fn chosen(&self, text: Option<&str>) -> Vec<(&Option<String>, &Histogram<u64>)> {
        let holds = |tag: &Option<String>| text.is_none_or(|text| tag.as_ref().is_some_and(|tag| tag.contains(text)));
        let mut chosen: Vec<_> = self.by_tag.iter().filter(|(tag, _)| holds(tag)).collect();
        chosen.sort_by_key(|(tag, histogram)| (kind(tag.as_deref()), std::cmp::Reverse(histogram.len())));
        chosen
    }

    fn add(&mut self, interval: &Interval) {
        let sum = self.by_tag.entry(interval.tag.clone()).or_insert_with(|| empty_like(&interval.histogram));
        // It grows as needed, so the only failure is memory's end.
        let _ = sum.add(&interval.histogram);
        self.span = Some(joined(self.span, interval));
    }
}

/// How many kinds of tags there are.
pub(super) const KINDS: usize = 6;

/// The order of tags: total, phases, pools, labels, digests, others.
pub(super) fn kind(tag: Option<&str>) -> u8 {
    match tag {
        None => 0,
        Some(tag) if tag.starts_with("phase=") => 1,
        Some(tag) if tag.starts_with("pool=") => 2,
        Some(tag) if tag.starts_with("user=") || tag.starts_with("label=") => 3,
        Some(tag) if tag.starts_with("digest=") => 4,
        Some(_) => 5,
    }
}

/// What a digest stands for, as far as a line has room.
pub(super) fn digest_text(series: &Series, tag: &str) -> Option<String> {
    /// The most characters of a digest's text.
    const MAX_TEXT_CHARS: usize = 60;
    let text = series.digests.get(tag.strip_prefix("digest=")?)?;
    Some(text.chars().take(MAX_TEXT_CHARS).collect())
}

/// A tag as people read it.
pub(super) fn shown(tag: Option<&str>) -> &str {
    tag.unwrap_or("total")
}

fn empty_like(histogram: &Histogram<u64>) -> Histogram<u64> {
    let mut empty = Histogram::new_from(histogram);
    empty.auto(true);
    empty
}

fn joined(span: Option<Span>, interval: &Interval) -> Span {
    let (start, end) = (interval.start, interval.start + interval.length);
    match span {
        None => Span::between(start, end),
        Some(span) => Span::between(span.start.min(start), Duration::max(span.start + span.length, end)),
    }
}
