//! A cell's histogram dump: the response times untagged, the other phases with their tags, an interval for each run.

use super::super::cell::Cell;
use crate::stats::hlog::{Encoder, tag};

pub(super) fn encode(cell: &Cell) -> Vec<u8> {
    let mut log = Vec::new();
    for (number, run) in cell.runs.iter().enumerate() {
        let mut encoder = if number == 0 { Encoder::new(run.span) } else { Encoder::going_on(run.span) };
        for (phase, histogram) in &run.phases {
            let tag = (*phase != "response").then(|| tag::phase(phase));
            encoder.histogram(histogram, tag.as_deref());
        }
        log.extend(encoder.finish());
    }
    log
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::cell::tests::run;
    use super::super::super::plan::Setting;
    use super::*;
    use crate::stats::hlog::Span;
    use crate::stats::hlog::read::parse;

    #[test]
    fn each_run_is_an_interval() {
        let mut late = run(20, &["response", "queue"]);
        late.span = Span { start: Duration::from_secs(1_010), length: Duration::from_secs(1) };
        let cell = Cell { setting: Setting::Direct, runs: vec![run(10, &["response", "queue"]), late] };
        let log = parse(&String::from_utf8(encode(&cell)).expect("text")).expect("a log");
        let intervals: Vec<_> =
            log.intervals.iter().map(|i| (i.start.as_secs(), i.tag.as_deref(), i.histogram.len())).collect();
        let queue = Some("phase=queue");
        assert_eq!(intervals, [(1_000, None, 10), (1_000, queue, 10), (1_010, None, 20), (1_010, queue, 20)]);
    }
}
