//! A user's `max_clients`: one more gets the server's error, and a place is free again when a client goes.

use crate::crowd::{Client, LIMIT, account, eventually, server};
use crate::tidegate::Tidegate;

const CONFIG: &str = "[[user]]\nname = \"crowd\"\npassword = \"\"\nmax_clients = 2\n\
                      [[user]]\nname = \"other\"\npassword = \"\"\n";

#[test]
fn one_too_many_of_a_user_is_refused_in_the_servers_words() {
    let server = server(&[]);
    account(&server, "other", "ALL ON *.*");
    // What the server itself says.
    server.sql("CREATE USER bounded@'%' WITH MAX_USER_CONNECTIONS 1");
    let first = Client::login(server.address(), "bounded", "").expect("one");
    let direct = Client::login(server.address(), "bounded", "").err().and_then(|trouble| trouble.code());
    drop(first);
    for mode in ["transaction", "session"] {
        let tidegate = Tidegate::in_front_of(&server, &format!("pool.mode = \"{mode}\"\n{CONFIG}"));
        let login = |user: &str| Client::login(tidegate.address(), user, "");
        let one = login("crowd").expect("the first");
        let mut two = login("crowd").expect("the second");
        let refused = login("crowd").err().unwrap_or_else(|| panic!("{mode}: a third was let in"));
        assert_eq!((refused.code(), direct), (Some(1226), Some(1226)), "{mode}: {refused}");
        assert!(refused.to_string().contains("max_user_connections"), "{mode}: {refused}");
        let mut other = login("other").expect("another user");
        assert_eq!((two.value("SELECT 1"), other.value("SELECT 1")), ("1".into(), "1".into()), "{mode}");
        one.quit();
        eventually("a place is free", LIMIT, || login("crowd").is_ok());
    }
}

#[test]
fn to_become_such_a_user_is_bounded_too() {
    let server = server(&[]);
    account(&server, "other", "ALL ON *.*");
    let tidegate = Tidegate::in_front_of(&server, CONFIG);
    let login = |user: &str| Client::login(tidegate.address(), user, "").expect("a login");
    let (mut one, _two, mut three) = (login("crowd"), login("crowd"), login("other"));
    assert_eq!(become_user(&mut three, "crowd"), Some(1226));
    eventually("it is closed", LIMIT, || three.is_closed());
    assert_eq!(become_user(&mut one, "other"), None, "{}", tidegate.log());
    let mut four = login("crowd");
    assert_eq!(four.value("SELECT 1"), "1");
    assert_eq!(become_user(&mut one, "crowd"), Some(1226));
}

/// COM_CHANGE_USER to one without a password; the code of a refusal.
fn become_user(client: &mut Client, user: &str) -> Option<u16> {
    let payload = [b"\x11", user.as_bytes(), b"\0\0\0\x2d\0mysql_native_password\0"].concat();
    client.send_command(&payload).expect("sent");
    let (seq, mut answer) = client.packet().expect("an answer");
    if answer.first() == Some(&0xFE) {
        client.send(seq.wrapping_add(1), b"").expect("sent");
        answer = client.packet().expect("an answer").1;
    }
    match answer[..] {
        [0xFF, low, high, ..] => Some(u16::from_le_bytes([low, high])),
        _ => None,
    }
}
