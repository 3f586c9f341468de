//! What following a reply costs: scanning its packets, finding its end, with and without a watch for trackers.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::wire::announce::{Told, Ways, put_ok};
use tidegate::wire::capabilities::{Capabilities, DEPRECATE_EOF};
use tidegate::wire::command::Shape;
use tidegate::wire::frame::put_packet;
use tidegate::wire::reply::{Reply, Verdict};
use tidegate::wire::trackers::Tracked;

const DEFINITION: &[u8] =
    b"\x03def\x04test\x07sbtest1\x07sbtest1\x01c\x01c\x0c\x2d\x00\xe0\x01\x00\x00\xfe\x01\x00\x00\x00";
const EOF: &[u8] = &[0xFE, 0, 0, 2, 0];
const OK: &[u8] = &[0, 1, 0, 2, 0, 0, 0];
const OK_END: &[u8] = &[0xFE, 0, 0, 2, 0, 0, 0];
const OK_CHANGED: &[u8] = b"\x00\x00\x00\x02\x40\x00\x00\x00\x16\x00\x11\x09time_zone\x06+02:00\x02\x011";

fn reply(deprecate_eof: bool, rows: usize) -> Vec<u8> {
    let row = [&[119][..], &[b'x'; 119]].concat();
    let mut payloads: Vec<&[u8]> = vec![&[1], DEFINITION];
    payloads.extend((!deprecate_eof).then_some(EOF));
    payloads.extend(std::iter::repeat_n(&row[..], rows));
    payloads.push(if deprecate_eof { OK_END } else { EOF });
    let mut bytes = Vec::new();
    payloads.iter().fold(1, |seq, payload| put_packet(&mut bytes, seq, payload));
    bytes
}

fn scan(bytes: &[u8], caps: Capabilities, watch: bool) -> u64 {
    let mut reply = Reply::new(Shape::Results, caps, 1);
    if watch {
        reply.watch();
    }
    assert_eq!(reply.scan(bytes).1, Verdict::Done);
    reply.facts.rows
}

fn scanning(criterion: &mut Criterion) {
    for (name, rows) in [("point_select", 1), ("rows_1000", 1000)] {
        for (form, caps) in [("eof", Capabilities::NONE), ("ok_end", DEPRECATE_EOF)] {
            let bytes = reply(caps.has(DEPRECATE_EOF), rows);
            let packets = rows + 3 + usize::from(!caps.has(DEPRECATE_EOF));
            let mut group = criterion.benchmark_group(format!("{name}/{form}"));
            group.throughput(Throughput::Elements(packets as u64));
            group.bench_function("pass", |bencher| bencher.iter(|| scan(black_box(&bytes), caps, false)));
            group.bench_function("watch", |bencher| bencher.iter(|| scan(black_box(&bytes), caps, true)));
            group.finish();
        }
    }
}

fn ends(criterion: &mut Criterion) {
    let mut ok = Vec::new();
    put_packet(&mut ok, 1, OK);
    criterion.bench_function("ok/watch", |bencher| bencher.iter(|| scan(black_box(&ok), Capabilities::NONE, true)));
    criterion.bench_function("trackers/read", |bencher| {
        bencher.iter(|| Tracked::parse(black_box(OK_CHANGED)).map(|tracked| tracked.trackers.count()));
    });
    let mut out = Vec::with_capacity(64);
    let ways = Ways { mariadb: true, ..Ways::default() };
    criterion.bench_function("trackers/hide", |bencher| {
        bencher.iter(|| {
            out.clear();
            put_ok(&mut out, black_box(OK_CHANGED), None, ways, &mut Told::default())
        });
    });
}

criterion_group!(benches, scanning, ends);
criterion_main!(benches);
