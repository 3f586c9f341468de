//! At rest tidegate does nothing: idle clients, half-closed ones and stuck ones cost no processor time.

use std::thread::sleep;
use std::time::Duration;

use super::process::cpu_ticks;
use super::raw::Raw;
use super::{POOL_OF_TEN, server};
use crate::tidegate::Tidegate;

#[test]
fn nobody_spins() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let _idle: Vec<Raw> = (0..3).map(|_| Raw::enter(tidegate.address(), "app")).collect();
    let mut asleep = Raw::enter(tidegate.address(), "app");
    asleep.send(0, b"\x03SELECT SLEEP(60)");
    asleep.half_close();
    let mut halfway = Raw::enter(tidegate.address(), "app");
    halfway.bytes(b"\x40\0\0\0\x03SELECT");
    let mut ahead = Raw::enter(tidegate.address(), "app");
    ahead.send(0, b"\x03SELECT SLEEP(60)");
    ahead.bytes(&[0; 200_000]);
    let mut deaf = Raw::enter(tidegate.address(), "app");
    deaf.send(0, b"\x03SELECT REPEAT('x', 100000) FROM seq_1_to_2000");
    let mut file = Raw::enter(tidegate.address(), "app");
    file.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE bad.t").expect("a question");
    sleep(Duration::from_millis(500));
    let before = cpu_ticks(&tidegate);
    sleep(Duration::from_secs(3));
    let spent = cpu_ticks(&tidegate) - before;
    assert!(spent <= 3, "{spent} ticks of 10 ms in 3 s");
}
