//! LOAD DATA LOCAL in one text with a question that tidegate answers: the client is asked for its file, and told its own answer.

use crate::crowd::{Client, enter, server_of, tidegate};
use crate::servers::Kind;

const LOAD: &str = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE crowd.loaded";

#[test]
fn before_and_behind_the_question() {
    for kind in Kind::here() {
        let server = server_of(kind, &["--local-infile=1"]);
        server.sql("CREATE TABLE crowd.loaded (a INT)");
        let tidegate = tidegate(&server, 1, "");
        let mut client = enter(&tidegate);
        let id = client.id.to_string();
        client.start(&format!("SELECT CONNECTION_ID(); {LOAD}; SELECT 2, CONNECTION_ID()")).expect("a connection");
        let mut told = Vec::new();
        let seq = loop {
            let (seq, packet) = client.packet().unwrap_or_else(|error| panic!("{kind}: {error}"));
            if packet[0] == 0xFB {
                assert_eq!(packet[1..], *b"rows", "{kind}");
                break seq;
            }
            told.extend(packet);
        };
        assert!(holds(&told, &id), "{kind}: {told:?}");
        client.send(seq + 1, b"1\n2\n").expect("a connection");
        client.send(seq + 2, b"").expect("a connection");
        assert_eq!(loaded(&mut client), (2, id), "{kind}");
        assert_eq!(client.value("SELECT COUNT(*) FROM crowd.loaded"), "2", "{kind}");
    }
}

/// The rows that were loaded, and the answer behind.
fn loaded(client: &mut Client) -> (u8, String) {
    let (_, ok) = client.packet().expect("an OK");
    let answer = client.finish().unwrap_or_else(|trouble| panic!("{trouble}"));
    (ok[1], answer.rows[0][1].clone())
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
