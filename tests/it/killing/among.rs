//! KILLs among several statements in one text.

use super::{assert_interrupted, everywhere};
use crate::crowd::{Client, LIMIT, account, enter, eventually, running};
use crate::servers::Server;
use crate::tidegate::Tidegate;

#[test]
fn they_hit_who_is_meant() {
    everywhere(|server, tidegate, _| {
        let (mut killer, mut bystander, mut victim) = (enter(tidegate), enter(tidegate), enter(tidegate));
        bystander.run("SELECT 1");
        sleeps(server, &mut victim);
        killer.run(&format!("SELECT 'before;'; KILL QUERY {}; SELECT 'behind'", victim.id));
        assert_interrupted(victim.finish());
        assert_eq!(victim.value("SELECT 'goes on'"), "goes on");
        sleeps(server, &mut victim);
        let mut idle = enter(tidegate);
        idle.run("SELECT 1");
        killer.run(&format!("DO 1; KILL {}; KILL CONNECTION {}; SELECT 'behind'", victim.id, idle.id));
        for client in [&mut victim, &mut idle] {
            eventually("a killed client is closed", LIMIT, || client.is_closed());
        }
        let nobody = killer.refused(&format!("SELECT 1; KILL {}; SELECT 2", idle.id));
        assert_eq!((nobody.code, nobody.text), (1094, format!("Unknown thread id: {}", idle.id)));
        assert_eq!(killer.value("SELECT 'goes on'"), "goes on");
        assert_eq!(bystander.value("SELECT 'not hit'"), "not hit");
    });
}

#[test]
fn one_that_is_not_reached_hits_nobody() {
    everywhere(|server, tidegate, _| {
        let (mut killer, mut idle, mut busy) = (enter(tidegate), enter(tidegate), enter(tidegate));
        idle.run("SELECT 1");
        sleeps(server, &mut busy);
        for id in [idle.id, busy.id] {
            let refused = killer.refused(&format!("SELECT 1; SELECT * FROM crowd.nowhere; KILL {id}"));
            assert_eq!(refused.code, 1146, "{}", refused.text);
            let refused = killer.refused(&format!("KILL {id} + 0 FROM; SELECT 1"));
            assert_eq!(refused.code, 1064, "{}", refused.text);
        }
        assert_eq!(running(server, "to be killed"), 1);
        assert_eq!(idle.value("SELECT 'not hit'"), "not hit");
        killer.run(&format!("KILL QUERY {}; SELECT 1", busy.id));
        assert_interrupted(busy.finish());
    });
}

#[test]
fn without_the_right_they_are_refused() {
    everywhere(|server, tidegate, _| {
        account(server, "weak", "SELECT ON crowd.*");
        let (mut strong, mut weak) = (enter(tidegate), weak(tidegate));
        strong.run("SELECT 1");
        let refuse = |weak: &mut Client, strong: &Client| {
            let refused = weak.refused(&format!("SELECT 1; KILL {}; SELECT 2", strong.id));
            let words = format!("You are not owner of thread {}", strong.id);
            assert_eq!((refused.code, refused.state, refused.text), (1095, "HY000".into(), words.clone()));
            // Where a client has a backend of its own, that one knows the server's ids alone.
            if tidegate.log().contains("mode=Transaction") {
                assert_eq!(weak.rows("SHOW WARNINGS"), [["Error", "1095", words.as_str()]]);
            }
        };
        refuse(&mut weak, &strong);
        assert_eq!(strong.value("SELECT 'not hit'"), "not hit");
        sleeps(server, &mut strong);
        refuse(&mut weak, &strong);
        assert_eq!(running(server, "to be killed"), 1);
        enter(tidegate).run(&format!("SELECT 1; KILL QUERY {}", strong.id));
        assert_interrupted(strong.finish());
    });
}

#[test]
fn oneself() {
    everywhere(|_, tidegate, _| {
        let mut client = enter(tidegate);
        let refused = client.refused(&format!("SELECT 1; KILL QUERY {}; SELECT 2", client.id));
        assert_eq!(refused.code, 1317);
        assert_eq!(client.value("SELECT 'goes on'"), "goes on");
        let killed = client.ask(&format!("SELECT 1; KILL {}; SELECT 2", client.id)).expect_err("it is killed");
        assert!(killed.code().is_none_or(|code| [1317, 1927].contains(&code)), "{killed}");
        eventually("who killed itself is closed", LIMIT, || client.is_closed());
    });
}

fn weak(tidegate: &Tidegate) -> Client {
    Client::login(tidegate.address(), "weak", "").unwrap_or_else(|trouble| panic!("{trouble}"))
}

fn sleeps(server: &Server, client: &mut Client) {
    client.start("SELECT SLEEP(50) /* to be killed */").expect("a connection");
    eventually("it runs", LIMIT, || running(server, "to be killed") == 1);
}
