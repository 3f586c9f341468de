//! `/metrics`: counters, gauges and histograms in Prometheus' text format, made anew for each scrape.
//!
//! No label comes from a client without a bound: users and schemas are those of the recorders' top table, and only the
//! digests that took most time are named.

use std::fmt;
use std::time::Duration;

use hdrhistogram::{Counter, Histogram};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::admin::views::{memory, pins, stats};
use crate::pool::RetireReason;
use crate::proxy::running::Running;
use crate::stats::record::Phases;
use crate::stats::snapshot::Snapshot;
use crate::stats::tally::Tally;

/// The bounds of the histograms' buckets, in seconds.
const BUCKETS: [f64; 20] = [
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    f64::INFINITY,
];

/// How many users and schemas have histograms of their own here, by time spent.
const MAX_LABELS: usize = 50;

/// How many digests have counters here, by time spent.
const MAX_DIGESTS: usize = 50;

/// The page.
///
/// # Errors
/// Only where memory cannot be written to.
pub fn text(running: &Running) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("tidegate");
    registry.register_collector(Box::new(Own(running.clone())));
    let mut process = Registry::default();
    process.register_collector(Box::new(Process { started: running.started().as_secs_f64() }));
    let mut out = String::new();
    prometheus_text::encode(&mut out, &registry)?;
    prometheus_text::encode(&mut out, &process)?;
    Ok(out)
}

/// One of several histograms of a name.
struct Series<'a> {
    labels: Vec<(&'a str, &'a str)>,
    /// The sum of all values, in seconds.
    sum: f64,
    buckets: Vec<(f64, u64)>,
}

impl<'a> Series<'a> {
    fn of<T: Counter>(labels: Vec<(&'a str, &'a str)>, sum: Duration, histogram: &Histogram<T>) -> Series<'a> {
        Series { labels, sum: sum.as_secs_f64(), buckets: buckets(histogram) }
    }
}

/// One metric after the other.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(count).encode(metric)
    }

    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'l str, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in counts {
            ConstCounter::new(count).encode(metric.encode_family(&vec![(label, value)])?)?;
        }
        Ok(())
    }

    fn seconds<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        sums: impl IntoIterator<Item = (&'l str, f64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, sum) in sums {
            ConstCounter::new(sum).encode(metric.encode_family(&vec![(label, value)])?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'l str, usize)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, number) in values {
            ConstGauge::new(number as f64).encode(metric.encode_family(&vec![(label, value)])?)?;
        }
        Ok(())
    }

    fn histograms(&mut self, name: &str, help: &str, histograms: &[Series<'_>]) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for Series { labels, sum, buckets } in histograms {
            let count = buckets.iter().map(|(_, count)| count).sum();
            let mut metric = metric.encode_family(labels)?;
            metric.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)?;
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Own(Running);

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

impl Collector for Own {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (mut out, running) = (Writer(encoder), &self.0);
        process_of(&mut out, running)?;
        pool(&mut out, running)?;
        let stats = running.stats();
        commands(&mut out, &stats)?;
        durations(&mut out, &stats)?;
        digests(&mut out, &stats)?;
        slow_log(&mut out, running)
    }
}

fn process_of(out: &mut Writer<'_>, running: &Running) -> fmt::Result {
    out.gauges("build_info", "Which tidegate this is", "version", [(env!("CARGO_PKG_VERSION"), 1)])?;
    out.gauge("draining", "Whether it is on its way to its end", f64::from(u8::from(running.is_draining())))?;
    out.gauge("clients", "Clients that are connected", running.client_count() as f64)?;
    out.gauge("clients_limit", "The most clients at once (listen.max_clients)", running.max_clients() as f64)
}

fn pool(out: &mut Writer<'_>, running: &Running) -> fmt::Result {
    let pool = running.pool();
    let (used, done) = (&pool.occupancy, &pool.counters);
    out.gauge("pool_size", "Server connections that are kept (pool.size)", pool.size as f64)?;
    out.gauge("pool_overflow_limit", "Server connections on top (pool.max_overflow)", pool.max_overflow as f64)?;
    out.gauge("pool_paused", "Whether nobody gets a backend (PAUSE)", f64::from(u8::from(pool.paused)))?;
    let states = [
        ("idle", used.idle),
        ("leased", used.leased),
        ("dialing", used.dialing),
        ("relayed", used.relayed),
        ("replication", used.replication),
        ("verification", used.verification),
        ("checking", used.checking),
        ("closing", used.closing),
    ];
    out.gauges("pool_connections", "Server connections by what they do", "state", states)?;
    out.gauge("pool_waiting_clients", "Clients that wait for a backend", used.waiting as f64)?;
    let pinned = pins::by_reason(running);
    let pinned = pinned.iter().map(|(reason, count)| (*reason, *count as usize));
    out.gauges("pinned_connections", "Backends that are kept for a client, by reason", "reason", pinned)?;
    let pins = || pool.pins.iter();
    let begun = pins().map(|pin| (pin.reason, pin.begun));
    out.counters("pins", "Times that a backend was kept for a client, by reason", "reason", begun)?;
    let held = pins().map(|pin| (pin.reason, pin.held.as_secs_f64()));
    let help = "Time for which backends were kept for a client, of what has ended, by reason";
    out.seconds("pinned_seconds", help, "reason", held)?;
    let checkouts = [("own", done.own), ("equal", done.equal), ("different", done.different)];
    let help = "Backends given to clients: the client's own last, one in an equal state, one with a state to restore";
    out.counters("pool_checkouts", help, "fit", checkouts)?;
    out.counter("pool_waits", "Requests for a backend that were not served at once", done.waited)?;
    out.counter("pool_checkout_timeouts", "Requests for a backend that timed out", done.timeouts)?;
    out.counter("pool_asked_back", "Backends asked back from clients because another waited", done.asked)?;
    out.counter("pool_dials", "Server connections made", done.dialed)?;
    out.counter("pool_dial_failures", "Server connections that could not be made", done.dial_failures)?;
    out.counter("pool_stale_prevented", "Dead connections found before a client met them", done.stale_prevented)?;
    out.counter("pool_pings", "Connections pinged when they came back", done.pinged)?;
    out.counter("pool_resets", "Connections reset when they came back", done.reset)?;
    let retired = RetireReason::ALL.map(|reason| (reason.as_str(), done.retired_for(reason)));
    out.counters("pool_retired_connections", "Connections closed, by reason", "reason", retired)
}

fn commands(out: &mut Writer<'_>, stats: &Snapshot) -> fmt::Result {
    let counted = &stats.counters;
    let by_name = (0_u8..=255).zip(counted.commands.iter()).filter(|(_, count)| **count > 0);
    // Several codes have no name: they are one.
    let mut named = std::collections::BTreeMap::<String, u64>::new();
    by_name.for_each(|(code, count)| *named.entry(stats::command_name(code)).or_default() += count);
    let named = named.iter().map(|(name, count)| (name.as_str(), *count));
    out.counters("commands", "Commands, by kind", "command", named)?;
    for (name, help, count) in [
        ("command_errors", "Commands answered with an error", counted.errors),
        ("commands_client_gone", "Commands whose client went before the reply was complete", counted.client_gone),
        ("commands_backend_gone", "Commands whose backend went before the reply was complete", counted.backend_gone),
        ("rows_sent", "Rows sent to clients", counted.rows_sent),
        ("rows_affected", "Rows changed", counted.rows_affected),
        ("received_bytes", "Bytes of commands", counted.bytes_in),
        ("sent_bytes", "Bytes of replies", counted.bytes_out),
        ("warnings", "Warnings of statements", counted.warnings),
        ("no_index_used", "Statements that used no index", counted.no_index_used),
        ("no_good_index_used", "Statements that used no good index", counted.no_good_index_used),
    ] {
        out.counter(name, help, count)?;
    }
    Ok(())
}

fn durations(out: &mut Writer<'_>, stats: &Snapshot) -> fmt::Result {
    let sums = sums(stats);
    let phases: Vec<_> = stats.phases.iter().collect();
    let total = phases.first().map(|(_, histogram)| Series::of(vec![], sums.total, histogram));
    let help = "Time from a command's first byte to its reply's last";
    out.histograms("query_duration_seconds", help, total.as_slice())?;
    let parts = phases.iter().skip(1).zip([sums.queue, sums.restore, sums.server, sums.transfer, sums.client]);
    let parts: Vec<_> =
        parts.map(|((phase, histogram), sum)| Series::of(vec![("phase", *phase)], sum, histogram)).collect();
    out.histograms("query_phase_duration_seconds", "Where commands' time went", &parts)?;
    let mut labels: Vec<_> = stats.labels.iter().collect();
    labels.sort_by_key(|one| std::cmp::Reverse(one.tally.phases().total));
    let by_user: Vec<_> = labels
        .iter()
        .take(MAX_LABELS)
        .map(|one| {
            let names = vec![("user", &*one.label.user), ("schema", &*one.label.schema)];
            Series::of(names, one.tally.phases().total, &one.tally.histogram)
        })
        .collect();
    out.histograms(
        "user_query_duration_seconds",
        "Time of commands by user and schema, of those that took most",
        &by_user,
    )
}

/// The histograms know no sums; the labels, and what no label had room for, have them exactly.
fn sums(stats: &Snapshot) -> Phases {
    let tallies = stats.labels.iter().map(|one| &one.tally).chain([&stats.labels_other]);
    tallies.map(Tally::phases).fold(Phases::default(), |sum, more| Phases {
        queue: sum.queue + more.queue,
        restore: sum.restore + more.restore,
        server: sum.server + more.server,
        transfer: sum.transfer + more.transfer,
        client: sum.client + more.client,
        total: sum.total + more.total,
    })
}

/// How many values are at most each bound and above the one before.
fn buckets<T: Counter>(histogram: &Histogram<T>) -> Vec<(f64, u64)> {
    let mut buckets: Vec<(f64, u64)> = BUCKETS.iter().map(|&bound| (bound, 0)).collect();
    for step in histogram.iter_recorded() {
        // A step is a range of values; what may be at most the bound counts there.
        let seconds = histogram.lowest_equivalent(step.value_iterated_to()) as f64 / 1e9;
        let at = BUCKETS.partition_point(|&bound| bound < seconds);
        if let Some((_, count)) = buckets.get_mut(at) {
            *count += step.count_at_value().as_u64();
        }
    }
    buckets
}

fn digests(out: &mut Writer<'_>, stats: &Snapshot) -> fmt::Result {
    let top: Vec<_> =
        stats.digests.iter().take(MAX_DIGESTS).map(|one| (format!("{:016x}", one.digest), &one.tally)).collect();
    let each = || top.iter().map(|(digest, tally)| (digest.as_str(), *tally));
    let counts = each().map(|(digest, tally)| (digest, tally.count));
    let help = "Statements by digest (SHOW DIGESTS names them), of those that took most time";
    out.counters("digest_statements", help, "digest", counts)?;
    let seconds = each().map(|(digest, tally)| (digest, tally.phases().total.as_secs_f64()));
    out.seconds("digest_seconds", "Time of statements by digest, of those that took most", "digest", seconds)
}

fn slow_log(out: &mut Writer<'_>, running: &Running) -> fmt::Result {
    let Some(log) = running.slow_log() else { return Ok(()) };
    let fates = [
        ("written", log.written),
        ("not_sampled", log.not_sampled),
        ("over_rate", log.over_rate),
        ("lost", log.lost),
        ("failed", log.failed),
    ];
    out.counters("slow_statements", "Slow statements, by what became of their record", "record", fates)?;
    out.counter("late_statements", "Statements that still ran after their threshold (a second at least)", log.running)
}

/// What every process tells under the same names.
#[derive(Debug)]
struct Process {
    started: f64,
}

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (mut out, process) = (Writer(encoder), memory::process());
        out.gauge("process_start_time_seconds", "When it began, since 1970", self.started)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Bytes in memory", process.resident),
            ("process_open_fds", "Open file descriptors", process.open_files),
            ("process_threads", "Threads", process.threads),
        ] {
            if let Some(value) = value {
                out.gauge(name, help, value as f64)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_the_bucket_of_its_bound() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1_000, 3_600_000_000_000, 3).expect("bounds");
        for nanos in [0, 100_000, 101_000, 1_000_000, 2_000_000, 3_600_000_000_000] {
            histogram.record(nanos).expect("within");
        }
        let counts: Vec<_> = buckets(&histogram).into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counts, [(0.0001, 2), (0.00025, 1), (0.001, 1), (0.0025, 1), (f64::INFINITY, 1)]);
    }
}
