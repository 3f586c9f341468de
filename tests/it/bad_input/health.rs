//! `tidegate health`: 0 where clients are greeted, 2 where not, and the server never notices.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::{POOL_OF_TEN, server, status};
use crate::ports::free_port;
use crate::tidegate::{self, Tidegate};

fn look(config: &std::path::Path) -> (i32, String) {
    let output = tidegate::run(&["health", "-c", config.to_str().expect("a path")]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a code"), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_running_proxy_is_healthy_and_its_server_undisturbed() {
    let server = server();
    let mut tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    assert_eq!(look(&tidegate.config_file()).0, 0);
    let before = (status(&server, "Connections"), status(&server, "Aborted_connects"));
    for _ in 0..5 {
        let (code, said) = look(&tidegate.config_file());
        assert!(code == 0 && said.lines().count() == 1 && said.contains("MariaDB"), "{code} {said}");
    }
    let after = (status(&server, "Connections"), status(&server, "Aborted_connects"));
    assert!(after.0 - before.0 <= 2 && after.1 == before.1, "{before:?} {after:?}");
    assert!(!tidegate.log().contains("fault="), "{}", tidegate.log());
    tidegate.stop();
    let (code, said) = look(&tidegate.config_file());
    assert!(code == 2 && said.lines().count() == 1, "{code} {said}");
}

#[test]
fn a_proxy_without_a_server_is_not_healthy() {
    let config = format!("backend.address = '127.0.0.1:{}'", free_port());
    let tidegate = Tidegate::start(&config);
    let (code, said) = look(&tidegate.config_file());
    assert!(code == 2 && said.contains("1429"), "{code} {said}");
}

#[test]
fn who_never_greets_is_given_up_after_three_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, format!("[listen]\naddress = '{}'\n", silent.local_addr().expect("its address")))
        .expect("a file");
    let began = Instant::now();
    let (code, said) = look(&file);
    assert!(code == 2 && said.contains("no greeting within 3s"), "{code} {said}");
    assert!(began.elapsed() < Duration::from_secs(5));

    let answering = std::thread::spawn(move || {
        let _asked_before = silent.accept().expect("the silent look");
        let (mut stranger, _) = silent.accept().expect("a look");
        let _ = stranger.write_all(b"SSH-2.0-x\r\n");
    });
    let (code, said) = look(&file);
    assert!(code == 2 && said.contains("no MySQL server"), "{code} {said}");
    answering.join().expect("an answer");
}

#[test]
fn a_listener_behind_a_load_balancer_is_looked_at_in_its_way() {
    let server = server();
    let config = "[listen]\nproxy_protocol_from = ['127.0.0.0/8']";
    let tidegate = Tidegate::in_front_of(&server, config);
    let (code, said) = look(&tidegate.config_file());
    assert_eq!(code, 0, "{said}\n{}", tidegate.log());
}
