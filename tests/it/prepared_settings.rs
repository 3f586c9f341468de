//! What a statement takes from its session when it is prepared is that session's, of then: for whichever client has prepared the same
//! text with other settings, and on whichever connection it is prepared again.

use std::net::SocketAddr;

use crate::crowd::{self, Client, USER};
use crate::servers::Kind;

/// A setting, and what is read by it; each server reads some when it prepares, and others when it executes.
const CASES: &[(&str, &str)] = &[
    ("div_precision_increment = 9", "SELECT CONCAT(1/3)"),
    ("lc_time_names = 'de_DE'", "SELECT MONTHNAME('2020-01-05')"),
    ("default_week_format = 3", "SELECT CONCAT(WEEK('2020-01-05'))"),
    ("time_zone = '+05:00'", "SELECT CONCAT(FROM_UNIXTIME(0), UNIX_TIMESTAMP('1980-01-01'))"),
    ("sql_auto_is_null = 1", "SELECT CONCAT(COUNT(*)) FROM crowd.counted WHERE id IS NULL"),
    ("group_concat_max_len = 4", "SELECT GROUP_CONCAT(REPEAT('x', 9))"),
];

/// One client has set it, the other has not; then both have not.
fn shared(address: SocketAddr, (set, text): (&str, &str)) -> Vec<String> {
    let [mut plain, mut other] = [(); 2].map(|()| Client::login(address, USER, "crowd").expect("a login"));
    let statement = plain.prepare(text).expect("a statement");
    other.run(&format!("SET {set}"));
    let of_other = other.prepare(text).expect("a statement");
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(format!("{:?}", other.execute(of_other, &[])));
        told.push(format!("{:?}", plain.execute(statement, &[])));
    }
    let name = set.split(' ').next().unwrap_or_default();
    other.run(&format!("SET {name} = DEFAULT"));
    told.push(format!("{:?}", other.execute(of_other, &[])));
    told
}

/// Its connection is another client's, where it is not prepared on the next one.
fn moved(address: SocketAddr, (set, text): (&str, &str)) -> Vec<String> {
    let [mut client, mut other, mut third] = [(); 3].map(|()| Client::login(address, USER, "crowd").expect("a login"));
    client.run(&format!("SET {set}"));
    let statement = client.prepare(text).expect("a statement");
    let name = set.split(' ').next().unwrap_or_default();
    client.run(&format!("SET {name} = DEFAULT"));
    other.run("BEGIN");
    third.run("BEGIN");
    other.run("COMMIT");
    vec![format!("{:?}", client.execute(statement, &[])), format!("{:?}", client.ask(text))]
}

#[test]
fn are_those_of_the_session_that_prepared_it() {
    for kind in Kind::here() {
        let server = crowd::server_of(kind, &[]);
        server.sql("CREATE TABLE crowd.counted (id INT AUTO_INCREMENT PRIMARY KEY)");
        let [one, two] = [1, 2].map(|size| crowd::tidegate(&server, size, ""));
        for case in CASES {
            let what = format!("{kind}: {case:?}");
            assert_eq!(shared(one.address(), *case), shared(server.address(), *case), "{what}");
            assert_eq!(moved(two.address(), *case), moved(server.address(), *case), "{what}");
        }
    }
}
