use super::*;
use crate::wire::frame::put_packet;
use proptest::prelude::*;

fn packets(first_seq: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    payloads.iter().fold(first_seq, |seq, payload| put_packet(&mut out, seq, payload));
    out
}

fn whole(shape: Shape, caps: Capabilities, bytes: &[u8]) -> (usize, Verdict, Facts) {
    let mut reply = Reply::new(shape, caps, 1);
    let (n, verdict) = reply.scan(bytes);
    (n, verdict, reply.facts)
}

const OK: &[u8] = &[0, 3, 7, 2, 0, 1, 0];
const OK_MORE: &[u8] = &[0, 1, 0, 0x0A, 0, 0, 0];
const EOF: &[u8] = &[0xFE, 0, 0, 0x22, 0];
const EOF_CURSOR: &[u8] = &[0xFE, 0, 0, 0x42, 0];
const EOF_OUT_PARAMS: &[u8] = &[0xFE, 0, 0, 0x0A, 0x10];
const OK_EOF: &[u8] = &[0xFE, 0, 0, 2, 0, 0, 0];
const ERR: &[u8] = b"\xFF\x28\x04#42000bad";
const PROGRESS: &[u8] = b"\xFF\xFF\xFF\x01\x01\x02\x00\x00\x00\x03abc";
const DEFINITION: &[u8] = b"\x03def-definition";
const ROW: &[u8] = b"\x011\x03abc";

/// Every recorded reply: shape, capabilities, payloads.
fn corpus() -> Vec<(Shape, Capabilities, Vec<u8>)> {
    let none = Capabilities::NONE;
    let head = |columns: u8, params: u8| vec![0, 9, 0, 0, 0, columns, 0, params, 0, 0, 0, 0];
    vec![
        (Shape::Results, none, packets(1, &[OK])),
        (Shape::Results, none, packets(1, &[ERR])),
        (Shape::Results, none, packets(1, &[PROGRESS, PROGRESS, OK])),
        (Shape::Results, none, packets(1, &[&[2], DEFINITION, DEFINITION, EOF, ROW, ROW, b"", EOF])),
        (Shape::Results, none, packets(1, &[&[1], DEFINITION, EOF, ROW, ERR])),
        (Shape::Results, none, packets(1, &[OK_MORE, &[1], DEFINITION, EOF, ROW, &[0xFE, 0, 0, 8, 0], OK])),
        (Shape::Results, none, packets(1, &[&[1], DEFINITION, EOF_OUT_PARAMS, ROW, EOF, OK])),
        (Shape::Results, none, packets(1, &[&[1], DEFINITION, EOF_OUT_PARAMS, ROW, EOF_OUT_PARAMS, OK])),
        (Shape::Results, DEPRECATE_EOF, packets(1, &[&[1], DEFINITION, ROW, ROW, OK_EOF])),
        (Shape::Results, DEPRECATE_EOF | MARIADB_CACHE_METADATA, packets(1, &[&[1, 0], ROW, OK_EOF])),
        (Shape::Results, DEPRECATE_EOF | MARIADB_CACHE_METADATA, packets(1, &[&[1, 1], DEFINITION, ROW, OK_EOF])),
        (Shape::Prepare, none, packets(1, &[&head(1, 2), DEFINITION, DEFINITION, EOF, DEFINITION, EOF])),
        (Shape::Prepare, none, packets(1, &[&head(0, 0)])),
        (Shape::Prepare, none, packets(1, &[&head(0, 1), DEFINITION, EOF])),
        (Shape::Prepare, DEPRECATE_EOF, packets(1, &[&head(2, 1), DEFINITION, DEFINITION, DEFINITION])),
        (Shape::Prepare, none, packets(1, &[ERR])),
        (Shape::Prepare, OPTIONAL_RESULTSET_METADATA, packets(1, &[&[&head(1, 2)[..], &[0]].concat(), EOF, EOF])),
        (Shape::Prepare, OPTIONAL_RESULTSET_METADATA, packets(1, &[&[&head(0, 0)[..], &[0]].concat()])),
        (Shape::Results, OPTIONAL_RESULTSET_METADATA, packets(1, &[&[2, 0], EOF, ROW, EOF])),
        (Shape::Rows, none, packets(1, &[ROW, EOF])),
        (Shape::Single, none, packets(1, &[b"Uptime: 5"])),
        (Shape::Single, none, packets(1, &[b""])),
    ]
}

#[test]
fn every_reply_ends_at_its_last_byte() {
    for (shape, caps, bytes) in corpus() {
        let mut longer = bytes.clone();
        longer.extend_from_slice(&packets(1, &[OK]));
        assert_eq!(whole(shape, caps, &longer).0, bytes.len(), "{shape:?} {bytes:?}");
        assert_eq!(whole(shape, caps, &longer).1, Verdict::Done, "{shape:?} {bytes:?}");
    }
}

#[test]
fn definitions_end_a_reply_only_where_a_cursor_was_asked_for() {
    let opened = packets(1, &[&[1], DEFINITION, EOF_CURSOR]);
    let mut reply = Reply::new(Shape::Results, Capabilities::NONE, 1).with_cursor(true);
    assert_eq!(reply.scan(&opened), (opened.len(), Verdict::Done));
    assert_eq!(reply.facts.status_seen & status::CURSOR_EXISTS, status::CURSOR_EXISTS);
    // A procedure's own cursor shows in the status of its results.
    let more = &[0xFE, 0, 0, 0x4A, 0][..];
    let called = packets(1, &[&[1], DEFINITION, more, ROW, more, &[1], DEFINITION, more, ROW, more, OK]);
    for cursor in [false, true] {
        let mut reply = Reply::new(Shape::Results, Capabilities::NONE, 1).with_cursor(cursor);
        assert_eq!(reply.scan(&called), (called.len(), Verdict::Done));
        assert_eq!(reply.facts.rows, 2);
        assert!(cursor || reply.facts.status_seen & status::CURSOR_EXISTS == 0);
    }
}

#[test]
fn an_ok_behind_the_definitions_ends_a_reply() {
    let bytes = packets(1, &[&[1], DEFINITION, OK]);
    let (n, verdict, facts) = whole(Shape::Results, Capabilities::NONE, &bytes);
    assert_eq!((n, verdict, facts.rows, facts.warnings), (bytes.len(), Verdict::Done, 0, 1));
    for step in [1, 3, 1000] {
        let bytes = packets(1, &[&[1], DEFINITION, OK_CHANGED]);
        let (seen, ..) = watched(Shape::Results, Capabilities::NONE, &bytes, step);
        assert_eq!(seen, [packets(3, &[OK_CHANGED])], "what it announces is asked for");
    }
}

#[test]
fn a_single_packet_that_begins_as_an_end_may_be_an_ok() {
    let bytes = packets(1, &[&[0xFE, 0, 0, 3, 0x40, 5, 0, 2, 5, 0]]);
    let facts = whole(Shape::Single, DEPRECATE_EOF, &bytes).2;
    assert_eq!((facts.status, facts.warnings), (0x4003, 5));
    assert_eq!(watched(Shape::Single, DEPRECATE_EOF, &bytes, 1000).0.len(), 1, "what it announces is asked for");
    let facts = whole(Shape::Single, Capabilities::NONE, &packets(1, &[&[0xFE, 5, 0, 3, 0]])).2;
    assert_eq!((facts.status, facts.warnings), (3, 5));
}

#[test]
fn facts_are_summed_over_the_results() {
    let bytes = packets(1, &[OK_MORE, &[1], DEFINITION, EOF, ROW, ROW, &[0xFE, 0, 0, 0x28, 0], OK]);
    let facts = whole(Shape::Results, Capabilities::NONE, &bytes).2;
    assert_eq!((facts.rows, facts.affected, facts.insert_id, facts.warnings), (2, 4, 7, 1));
    assert_eq!(facts.status_seen & status::NO_INDEX_USED, status::NO_INDEX_USED);
    assert_eq!(facts.error, None);
}

#[test]
fn a_row_that_begins_like_an_end_is_a_row() {
    // A legacy row with a first column of 16 MiB begins with 0xFE and is longer than an EOF.
    let mut row = vec![0xFE];
    row.extend_from_slice(&(1u64 << 24).to_le_bytes());
    row.resize(crate::wire::frame::MAX_PAYLOAD + 10, b'x');
    for caps in [Capabilities::NONE, DEPRECATE_EOF] {
        let mut payloads: Vec<&[u8]> = vec![&[1], DEFINITION];
        if caps == Capabilities::NONE {
            payloads.push(EOF);
        }
        payloads.extend([&row[..], if caps == Capabilities::NONE { EOF } else { OK_EOF }]);
        let bytes = packets(1, &payloads);
        let (n, verdict, facts) = whole(Shape::Results, caps, &bytes);
        assert_eq!((n, verdict, facts.rows), (bytes.len(), Verdict::Done, 1));
    }
}

const OK_CHANGED: &[u8] = &[0, 0, 0, 2, 0x40, 0, 0, 0, 3, 2, 1, b'1'];
const OK_CHANGED_MORE: &[u8] = &[0, 0, 0, 0x0A, 0x40, 0, 0, 0, 3, 2, 1, b'1'];
const EOF_CHANGED: &[u8] = &[0xFE, 0, 0, 0x22, 0x40];
const END_CHANGED: &[u8] = &[0xFE, 0, 0, 2, 0x40, 0, 0, 0, 3, 2, 1, b'1'];

/// Scans to the end; the packets that were asked for whole.
fn watched(shape: Shape, caps: Capabilities, bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, Vec<u8>, Facts) {
    let mut reply = Reply::new(shape, caps, 1);
    reply.watch();
    let (mut seen, mut passed, mut shown, mut at) = (Vec::new(), Vec::new(), 0, 0);
    loop {
        let (n, verdict) = reply.scan(&bytes[at..shown]);
        passed.extend_from_slice(&bytes[at..at + n]);
        at += n;
        let verdict = match verdict {
            Verdict::NeedWhole(len) => {
                at += len;
                seen.push(bytes[at - len..at].to_vec());
                shown = shown.max(at);
                reply.take(&bytes[at - len..at])
            }
            other => other,
        };
        match verdict {
            Verdict::Done => break,
            Verdict::More => shown = (shown + step).min(bytes.len()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(at, bytes.len());
    (seen, passed, reply.facts)
}

#[test]
fn packets_that_announce_something_are_asked_for_whole() {
    let row_like = b"\x00not an OK";
    // Capabilities, payloads, and which of them are asked for.
    type Case<'a> = (Capabilities, &'a [&'a [u8]], &'a [usize]);
    let cases: &[Case<'_>] = &[
        (Capabilities::NONE, &[OK], &[]),
        (Capabilities::NONE, &[OK_CHANGED], &[0]),
        (Capabilities::NONE, &[OK_CHANGED_MORE, &[1], DEFINITION, EOF, row_like, EOF_CHANGED], &[0, 5]),
        (Capabilities::NONE, &[&[1], DEFINITION, EOF_CHANGED, ROW, EOF_CHANGED], &[2, 4]),
        (DEPRECATE_EOF, &[&[1], DEFINITION, row_like, END_CHANGED], &[3]),
        (DEPRECATE_EOF, &[&[1], DEFINITION, ROW, OK_EOF], &[]),
        (DEPRECATE_EOF, &[&[1], DEFINITION, ROW, ERR], &[]),
    ];
    for (caps, payloads, expected) in cases {
        let bytes = packets(1, payloads);
        for step in [1, 3, 1000] {
            let (seen, passed, facts) = watched(Shape::Results, *caps, &bytes, step);
            let seen: Vec<_> = seen.iter().map(|packet| &packet[HEADER..]).collect();
            let expected: Vec<_> = expected.iter().map(|&at| payloads[at]).collect();
            assert_eq!(seen, expected, "{payloads:?}");
            assert_eq!(passed.len() + seen.iter().map(|payload| HEADER + payload.len()).sum::<usize>(), bytes.len());
            let mut plain = Reply::new(Shape::Results, *caps, 1);
            assert_eq!(plain.scan(&bytes), (bytes.len(), Verdict::Done));
            assert_eq!(facts, plain.facts);
        }
    }
}

#[test]
fn a_file_request_stops_and_resumes() {
    let mut reply = Reply::new(Shape::Results, Capabilities::NONE, 1);
    let bytes = packets(1, &[b"\xFB/tmp/x"]);
    assert_eq!(reply.scan(&bytes), (bytes.len(), Verdict::LocalInfile));
    reply.resume(4);
    assert_eq!(reply.scan(&packets(4, &[OK])), (OK.len() + 4, Verdict::Done));
}

#[test]
fn a_goodbye_that_crossed_the_command_ends_the_reply() {
    let bytes = packets(0, &[ERR]);
    let (n, verdict, facts) = whole(Shape::Results, Capabilities::NONE, &bytes);
    assert_eq!((n, verdict, facts.error), (bytes.len(), Verdict::Done, Some(1064)));
    for cut in 1..bytes.len() {
        let (_, verdict, _) = whole(Shape::Prepare, Capabilities::NONE, &bytes[..cut]);
        assert_eq!(verdict, Verdict::More, "{cut}");
    }
}

#[test]
fn garbage_is_broken() {
    for bytes in [&b"HTTP/1.1 400 Bad Request\r\n"[..], &[1, 0, 0, 1, 0xFC], &[0, 0, 0, 1], &[1, 0, 0, 9, 0]] {
        assert!(matches!(whole(Shape::Results, Capabilities::NONE, bytes).1, Verdict::Broken(_)), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(which in 0..22usize, sizes in proptest::collection::vec(1..9usize, 1..200)) {
        let (shape, caps, bytes) = corpus().swap_remove(which);
        let (_, _, facts) = whole(shape, caps, &bytes);
        let mut reply = Reply::new(shape, caps, 1);
        let (mut shown, mut passed, mut sizes) = (0, 0, sizes.into_iter().cycle());
        loop {
            let (n, verdict) = reply.scan(&bytes[passed..shown]);
            passed += n;
            if verdict == Verdict::Done { break; }
            prop_assert_eq!(verdict, Verdict::More);
            prop_assert!(shown < bytes.len());
            shown = (shown + sizes.next().unwrap_or(1)).min(bytes.len());
        }
        prop_assert_eq!(passed, bytes.len());
        prop_assert_eq!(reply.facts, facts);
    }

    #[test]
    fn any_bytes_are_scanned_without_panic(bytes: Vec<u8>, caps: u64) {
        for shape in [Shape::Results, Shape::Prepare, Shape::Rows, Shape::Single] {
            let (n, _) = Reply::new(shape, Capabilities(caps), bytes.get(3).copied().unwrap_or(0)).scan(&bytes);
            prop_assert!(n <= bytes.len());
        }
    }
}
