//! Random damage to good sessions, in both directions. `TIDEGATE_FUZZ_SEED` repeats a run, `TIDEGATE_FUZZ_SECONDS`
//! makes it longer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::backends::{fake, let_in};
use super::neighbour::Neighbour;
use super::process::{descriptors, eventually};
use super::raw::{Raw, login};
use super::{POOL_OF_TEN, server};
use crate::tidegate::Tidegate;

const SECONDS: u64 = 10;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        // The same run each time, so that a failure can be repeated; other seeds by hand.
        let seed = variable("TIDEGATE_FUZZ_SEED").unwrap_or(1_918_273_645) | 1;
        eprintln!("TIDEGATE_FUZZ_SEED={seed}");
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n.max(1)
    }

    /// Changes, removes, repeats or inserts some bytes; now and then none.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = self.next() as u8,
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, self.next() as u8),
                _ => {
                    let end = (at + self.below(20)).min(bytes.len());
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
            }
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn until() -> Instant {
    Instant::now() + Duration::from_secs(variable("TIDEGATE_FUZZ_SECONDS").unwrap_or(SECONDS))
}

fn packet(seq: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, seq], payload].concat()
}

fn commands() -> Vec<Vec<u8>> {
    let payloads: [&[u8]; 12] = [
        b"\x03SELECT 1, 'abc', NULL",
        b"\x03SELECT seq FROM seq_1_to_300",
        b"\x03SET @a = 1",
        b"\x03LOAD DATA LOCAL INFILE 'x' INTO TABLE bad.t",
        b"\x16SELECT ? + ?",
        b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\x08\0\x08\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0",
        b"\x18\x01\0\0\0\0\0some data",
        b"\x1A\x01\0\0\0",
        b"\x19\x01\0\0\0",
        b"\x02bad",
        b"\x11plain\0\x00bad\0\x2D\0mysql_native_password\0",
        b"\x1F",
    ];
    payloads.iter().map(|payload| packet(0, payload)).collect()
}

#[test]
fn damaged_clients() {
    let server = server();
    let tidegate = Tidegate::in_front_of(&server, POOL_OF_TEN);
    let neighbour = Neighbour::start(tidegate.address());
    let (mut random, until, commands) = (Random::seeded(), until(), commands());
    let fds = descriptors(&tidegate) + 8;
    let mut sessions = 0;
    while Instant::now() < until {
        if random.below(3) == 0 {
            let mut raw = Raw::connect(tidegate.address());
            raw.packet().expect("a greeting");
            let mut bytes = packet(1, &login("app", vec![7; 20]));
            random.damage(&mut bytes);
            raw.bytes(&bytes);
            raw.half_close();
            while raw.packet().is_some() {}
        } else if let Ok(mut raw) = Raw::try_enter(tidegate.address(), "app", "app") {
            let mut bytes = Vec::new();
            for _ in 0..=random.below(4) {
                bytes.extend_from_slice(&commands[random.below(commands.len())]);
            }
            random.damage(&mut bytes);
            raw.bytes(&bytes);
            raw.half_close();
            while raw.packet().is_some() {}
        }
        sessions += 1;
    }
    assert!(sessions > 20, "{sessions} sessions");
    neighbour.assert_undisturbed();
    eventually("descriptors do not come back", Duration::from_secs(20), || descriptors(&tidegate) <= fds);
    let mut served: Vec<Raw> = (0..10).map(|_| Raw::enter(tidegate.address(), "app")).collect();
    assert!(served.iter_mut().all(|raw| raw.query("SELECT 1").is_some()));
}

#[test]
fn damaged_replies() {
    let random = Arc::new(Mutex::new(Random::seeded()));
    let shared = Arc::clone(&random);
    let backend = fake(move |mut raw| {
        if let_in(&mut raw).is_none() {
            return;
        }
        while let Some((0, command)) = raw.packet() {
            let mut reply = replies(command.first().copied().unwrap_or_default());
            shared.lock().expect("a random number").damage(&mut reply);
            raw.bytes(&reply);
        }
    });
    let tidegate = Tidegate::start(&format!(
        "[backend]\naddress = '{backend}'\nread_timeout = '200ms'\n[pool]\nmode = 'session'\nsize = 3\nmax_overflow = 0"
    ));
    let (until, commands) = (until(), commands());
    let mut sessions = 0;
    while Instant::now() < until {
        let mut raw = Raw::try_enter(tidegate.address(), "x", "y")
            .unwrap_or_else(|error| panic!("{}\n{}", String::from_utf8_lossy(&error), tidegate.log()));
        let at = random.lock().expect("a random number").below(commands.len());
        raw.bytes(&commands[at]);
        raw.half_close();
        while raw.packet().is_some() {}
        sessions += 1;
    }
    assert!(sessions > 20, "{sessions} sessions");
    assert!(tidegate.log().contains("fault=\"backend\""), "no damage was noticed");
    eventually("descriptors do not come back", Duration::from_secs(20), || descriptors(&tidegate) < 40);
    let _served: Vec<Raw> = (0..3)
        .map(|_| Raw::try_enter(tidegate.address(), "x", "y").unwrap_or_else(|_| panic!("a permit was lost")))
        .collect();
}

fn replies(command: u8) -> Vec<u8> {
    let result: [&[u8]; 6] = [
        &[1],
        b"\x03def\0\0\0\x01a\0\x0C\x3F\0\x01\0\0\0\x08\x81\0\0\0\0",
        &[0xFE, 0, 0, 2, 0],
        &[1, b'7'],
        &[0xFB],
        &[0xFE, 0, 0, 2, 0],
    ];
    match command {
        0x03 | 0x17 => result.iter().zip(1..).flat_map(|(payload, seq)| packet(seq, payload)).collect(),
        0x16 => packet(1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        _ => packet(1, &[0, 0, 0, 2, 0, 0, 0]),
    }
}
