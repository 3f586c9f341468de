//! A server that says nothing any more: `backend.read_timeout` is for each reply that is waited for, whoever asked.

use crate::crowd::{self, Client, USER};

const LIMITS: &str =
    "backend.read_timeout = \"2s\"\nbackend.connect_timeout = \"1s\"\npool.checkout_timeout = \"10s\"\n";

#[test]
fn a_question_of_tidegates_own_is_waited_for_no_longer_than_a_clients() {
    let server = crowd::server(&[]);
    let tidegate = crowd::tidegate(&server, 1, LIMITS);
    let enter = || Client::login(tidegate.address(), USER, "crowd").expect("a login");
    let (mut client, mut other) = (enter(), enter());
    client.ask("SELECT LAST_INSERT_ID(7)").expect("a row");
    other.ask("SELECT LAST_INSERT_ID(9)").expect("a row");
    server.freeze();
    // The other's id is to be read before the connection is this client's, which is where the server falls silent. Nothing of the
    // client's was sent there, so another connection is tried.
    let answer = client.ask("SELECT LAST_INSERT_ID() + 0");
    server.thaw();
    let error = answer.expect_err("nobody answered").to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    // The place is given back.
    client.ask("SELECT 1").expect("a row");
    enter().ask("SELECT 1").expect("a row");
}
