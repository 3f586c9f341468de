//! By which collation a client's strings are compared: that of another client, whose connection it gets, never shows.

use crate::crowd::{self, Client};
use crate::servers::Kind;

const QUESTION: &str = "SELECT CONCAT(? = 'A', ''), COLLATION(?), @@collation_connection";

/// What two clients set that is the same by the names of the character sets.
const PAIRS: &[[&str; 2]] = &[
    ["SET NAMES latin1 COLLATE latin1_bin", "SET NAMES latin1"],
    ["SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET NAMES utf8mb4"],
    ["SET NAMES utf8mb4 COLLATE utf8mb4_bin", "SET character_set_client = utf8mb4"],
    ["SET NAMES utf8 COLLATE utf8_bin", "SET NAMES utf8 COLLATE utf8_unicode_ci"],
    [
        "SET NAMES latin1 COLLATE latin1_bin, collation_connection = latin1_swedish_ci, character_set_results = latin1",
        "SET NAMES latin1",
    ],
    ["SET NAMES utf8mb4, collation_connection = latin1_bin", "SET NAMES utf8mb4, character_set_client = utf8mb4"],
];

fn compare(client: &mut Client) -> Vec<Vec<String>> {
    let statement = client.prepare(QUESTION).expect("a statement");
    client
        .execute(statement, &["a", "b"])
        .map(|answer| answer.rows)
        .unwrap_or_else(|refused| vec![vec![refused.to_string()]])
}

#[test]
fn a_parameter_is_compared_by_its_own_clients() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "");
        for pair in PAIRS {
            for [mine, others] in [*pair, [pair[1], pair[0]]] {
                let mut alone = crowd::insist_on_login(server.address());
                alone.run(mine);
                let expected = compare(&mut alone);
                let [mut client, mut other] = [(); 2].map(|()| crowd::insist_on_login(tidegate.address()));
                client.run(mine);
                other.run(others);
                assert_eq!(compare(&mut client), expected, "{kind}: {mine} behind {others}");
                other.run("SELECT 1");
                assert_eq!(compare(&mut client), expected, "{kind}: {mine} behind {others}, once more");
            }
        }
    }
}

/// MariaDB announces the character set, and leaves the collation to be asked for.
#[test]
fn a_statement_was_prepared_before_its_collation_was_told() {
    for kind in Kind::here() {
        let server = crowd::shared(kind);
        let run = |client: &mut Client, meanwhile: &mut dyn FnMut()| {
            client.run("SET character_set_connection = utf8");
            let statement = client.prepare("SELECT CONCAT(?, 'x'), COLLATION('x')").expect("a statement");
            client.run("SET collation_connection = utf8mb4_bin");
            client.run("SELECT 1");
            meanwhile();
            let rows = client.execute(statement, &["a"]).expect("rows").rows;
            (rows, client.value("SELECT @@collation_connection"))
        };
        let expected = run(&mut crowd::insist_on_login(server.address()), &mut || {});
        let tidegate = crowd::tidegate(server, 2, "");
        let [mut client, mut other] = [(); 2].map(|()| crowd::insist_on_login(tidegate.address()));
        // The other one takes the connection that has the statement, and keeps it.
        let shown = run(&mut client, &mut || drop(other.run("BEGIN")));
        assert_eq!(shown, expected, "{kind}");
    }
}

#[test]
fn a_reset_goes_back_to_the_last_change_of_user() {
    const UTF8MB4_BIN: u8 = 46;
    for kind in Kind::here().into_iter().filter(|kind| *kind != Kind::Mysql56) {
        let server = crowd::shared(kind);
        let tidegate = crowd::tidegate(server, 1, "");
        let [alone, through] = [server.address(), tidegate.address()].map(|address| {
            let mut client = crowd::insist_on_login(address);
            crowd::change_user_in(&mut client, UTF8MB4_BIN);
            client.run("SET NAMES latin1");
            crowd::reset(&mut client);
            crowd::insist_on_login(address).run("SET NAMES latin2");
            compare(&mut client)
        });
        assert_eq!(alone, through, "{kind}");
    }
}

/// MySQL 8.0 and later have another name for them.
#[test]
fn collations_by_an_older_name_pin_nobody() {
    for kind in Kind::here() {
        let tidegate = crowd::tidegate(crowd::shared(kind), 1, "pool.checkout_timeout = \"2s\"\n");
        let mut client = crowd::insist_on_login(tidegate.address());
        client.run("SET NAMES utf8 COLLATE utf8_unicode_ci");
        crowd::insist_on_login(tidegate.address()).run("SELECT 1");
        assert_eq!(client.value("SELECT 'a' = 'A'"), "1", "{kind}");
    }
}
