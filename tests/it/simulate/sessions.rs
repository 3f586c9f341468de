//! The same for clients that come for each request: recorded in mode `transaction`, predicted for mode `session`, where it is
//! logins that wait, and run for real there. They come when they come: a trace does not tell who waited for whom before it came.

use std::thread::{scope, sleep};
use std::time::Duration;

use serde_json::Value;

use super::simulated;
use super::truth::{OF_WAITS, Random, is_near};
use crate::crowd::{Client, account, server};
use crate::servers::Server;
use crate::tidegate::Tidegate;
use tidegate::stats::trace::{Event, load};

const CLIENTS: u64 = 230;
const SECONDS: u64 = 15;
/// Room enough that no small error grows: at three, near full use, a dial that takes a little longer doubles the waits.
const SIMULATED: [usize; 2] = [4, 5];
const REPEATS: usize = 2;

/// Connect, ask, think, ask, go; whenever its time has come, whether those before it are gone or not.
fn request(address: std::net::SocketAddr, user: &str, number: u64) {
    let mut random = Random::of(number);
    sleep(Duration::from_millis(random.below(SECONDS * 1_000)));
    let mut client = Client::login(address, user, "").expect("a login");
    client.rows(&format!("SELECT SLEEP(0.0{})", 4 + random.below(5)));
    sleep(Duration::from_millis(40));
    client.rows("SELECT SLEEP(0.03)");
    client.quit();
}

/// The load in this mode with so many connections, on record.
fn run(server: &Server, mode: &str, size: usize, repeat: usize) -> Tidegate {
    let user = format!("php_{mode}_{size}_{repeat}");
    account(server, &user, "SELECT ON *.*");
    let config = format!(
        "pool.mode = \"{mode}\"\npool.size = {size}\npool.max_overflow = 0\n[[user]]\nname = \"{user}\"\npassword = \"\"\n"
    );
    let mut tidegate = Tidegate::serving(server, &config, &["--record", "t.trace"]);
    scope(|scope| {
        for number in 0..CLIENTS {
            let (address, user) = (tidegate.address(), &user);
            scope.spawn(move || request(address, user, number));
        }
    });
    assert!(tidegate.stop().success());
    tidegate
}

/// What logins waited, sorted, in seconds.
fn waits(tidegate: &Tidegate) -> Vec<f64> {
    let (_, events) = load(&tidegate.file("t.trace")).expect("a trace");
    let waits = events.iter().filter_map(|event| match event {
        Event::Came(came) => Some(came.login?.queue.as_secs_f64()),
        _ => None,
    });
    let mut waits: Vec<f64> = waits.collect();
    assert_eq!(waits.len() as u64, CLIENTS);
    waits.sort_by(f64::total_cmp);
    waits
}

#[test]
fn what_logins_wait_in_mode_session_is_predicted_from_mode_transaction() {
    let server = &server(&["--max-connections=300"]);
    let (recorded, real) = scope(|scope| {
        let recorded: Vec<_> =
            (0..REPEATS).map(|repeat| scope.spawn(move || run(server, "transaction", 10, repeat))).collect();
        let cells = SIMULATED.iter().flat_map(|&size| (0..REPEATS).map(move |repeat| (size, repeat)));
        let running: Vec<_> =
            cells.map(|(size, repeat)| (size, scope.spawn(move || run(server, "session", size, repeat)))).collect();
        let real: Vec<_> = running.into_iter().map(|(size, run)| (size, waits(&run.join().expect("a run")))).collect();
        (recorded.into_iter().map(|run| run.join().expect("a recorded run")).collect::<Vec<_>>(), real)
    });
    let arguments = ["--size", "4,5", "--mode", "session"];
    let told: Vec<_> = recorded.iter().map(|run| simulated(&run.file("t.trace"), &arguments)).collect();
    let mut wrong = Vec::new();
    for (at, size) in SIMULATED.into_iter().enumerate() {
        for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
            let number = |told: &Value| told["settings"][at]["login_queue"][what].as_f64().expect("a number");
            let predicted: Vec<f64> = told.iter().map(number).collect();
            let of_size = real.iter().filter(|(of, _)| *of == size);
            let real: Vec<f64> = of_size.map(|(_, w)| w[((w.len() as f64 * share).ceil() as usize) - 1]).collect();
            println!("size {size}  login {what}  predicted {predicted:.3?}  real {real:.3?}");
            if !is_near(&predicted, &real, OF_WAITS) {
                wrong.push(format!("size {size}: {what}: {predicted:.3?}, but {real:.3?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
