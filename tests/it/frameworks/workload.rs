//! Two hundred clients that send what frameworks send live on five backends, and are hardly ever pinned outside of
//! transactions.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::thread::scope;
use std::time::{Duration, Instant};

use super::{Corpus, NAMES, Sent};
use crate::crowd::{self, Client, Statement, Trouble, USER, account, wish};
use crate::scratch;
use crate::servers::{Kind, Server};
use crate::tidegate::Tidegate;
use crate::transparency::random::Random;

const CLIENTS: usize = 200;
const BACKENDS: usize = 5;
const USUAL: Duration = Duration::from_secs(15);
/// Of a hundred commands outside of transactions.
const MAX_PINNED_PERCENT: usize = 5;
/// What concurrent transactions may end with, a table that is there already, a row that another application had.
const NO_SURPRISE: [u16; 6] = [1020, 1050, 1205, 1213, 1451, 1452];
/// Of a prepared statement: a number, a text and a date at once.
const PARAMETER: &str = "20200101";
const NO_SAVEPOINT: u16 = 1305;

#[test]
fn two_hundred_clients_on_five_backends() {
    // The server that the corpus was recorded with.
    let kind = Kind::MariaDb1011;
    let server = crowd::server_of(kind, &[]);
    account(&server, USER, "ALL ON *.*");
    let more = "pool.checkout_timeout = \"60s\"\nslow_log.threshold = \"0s\"\nslow_log.path = \"slow.log\"\n\
                slow_log.format = \"json\"";
    let mut tidegate = crowd::tidegate(&server, BACKENDS, more);
    let corpora: Vec<Corpus> = NAMES.into_iter().map(Corpus::read).collect();
    make_tables(&server, &corpora);
    let seed = wish("TIDEGATE_SEED").and_then(|text| text.parse().ok()).unwrap_or(1);
    let until = Instant::now() + crowd::duration(USUAL);
    scope(|scope| {
        for number in 0..CLIENTS {
            let (tidegate, corpus) = (&tidegate, &corpora[number % corpora.len()]);
            scope.spawn(move || live(tidegate, corpus, Random::new(seed << 16 | number as u64), until));
        }
    });
    tidegate.stop();
    judge(&tidegate);
}

/// The start, then one request after another, with thought in between.
fn live(tidegate: &Tidegate, corpus: &Corpus, mut random: Random, until: Instant) {
    let client = Client::login(tidegate.address(), USER, "crowd");
    let mut client = client.unwrap_or_else(|trouble| panic!("{trouble}"));
    client.skips_rows = true;
    let mut prepared = Prepared::default();
    replay(&mut client, &corpus.start, &mut prepared);
    while Instant::now() < until {
        replay(&mut client, &corpus.request, &mut prepared);
        std::thread::sleep(Duration::from_millis(random.below(400) as u64));
    }
    client.quit();
}

fn replay(client: &mut Client, part: &[Sent], prepared: &mut Prepared) {
    // After a rollback that the application did not expect, some of the rest has lost its ground: savepoints.
    let mut rolled_back = false;
    for sent in part {
        match command(client, sent, prepared) {
            Ok(()) => {}
            Err(Trouble::Refused(refusal)) if NO_SURPRISE.contains(&refusal.code) => {
                client.run("ROLLBACK");
                rolled_back = true;
            }
            Err(Trouble::Refused(refusal)) if rolled_back && refusal.code == NO_SAVEPOINT => {}
            Err(trouble) => panic!("{}: {}: {trouble}", sent.command, sent.text),
        }
    }
}

fn command(client: &mut Client, sent: &Sent, prepared: &mut Prepared) -> Result<(), Trouble> {
    match sent.command.as_str() {
        "Query" => client.ask(&sent.text).map(drop),
        "Ping" => client.command(&[0x0E]).map(drop),
        "Reset connection" => client.command(&[0x1F]).map(drop),
        "Prepare" => prepared.statement(client, &sent.text).map(drop),
        "Execute" => {
            let statement = prepared.statement(client, &sent.text)?;
            let parameters = vec![PARAMETER; sent.text.matches('?').count()];
            client.execute(statement, &parameters).map(drop)
        }
        "Close stmt" => Ok(prepared.close_last(client)?),
        "Quit" => Ok(()),
        other => panic!("what is {other}?"),
    }
}

/// A client's prepared statements, by their texts.
#[derive(Default)]
struct Prepared {
    all: HashMap<String, Statement>,
    last: String,
}

impl Prepared {
    fn statement(&mut self, client: &mut Client, text: &str) -> Result<Statement, Trouble> {
        self.last = text.to_owned();
        if let Some(statement) = self.all.get(text) {
            return Ok(*statement);
        }
        let statement = client.prepare(text)?;
        self.all.insert(text.to_owned(), statement);
        Ok(statement)
    }

    fn close_last(&mut self, client: &mut Client) -> io::Result<()> {
        match self.all.remove(&self.last) {
            Some(statement) => client.send_command(&[&b"\x19"[..], &statement.id.to_le_bytes()].concat()),
            None => Ok(()),
        }
    }
}

/// The tables that each application makes at its start, before the crowd comes.
fn make_tables(server: &Server, corpora: &[Corpus]) {
    let mut direct = Client::login(server.address(), USER, "crowd").expect("a server");
    direct.skips_rows = true;
    let all = corpora.iter().flat_map(|corpus| &corpus.start);
    let makes_a_table =
        |sent: &&Sent| sent.command != "Prepare" && sent.text.to_uppercase().starts_with("CREATE TABLE");
    for sent in all.filter(makes_a_table) {
        direct.run(&sent.text);
    }
}

/// Reads the slow log, which has every command with its pin.
fn judge(tidegate: &Tidegate) {
    let log = scratch::read(&tidegate.file("slow.log"));
    let (mut commands, mut outside, mut pinned) = (0, 0, BTreeMap::new());
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let reason = line["pin_reason"].as_str().unwrap_or("");
        commands += 1;
        outside += usize::from(reason != "transaction");
        if !["", "none", "transaction"].contains(&reason) {
            *pinned.entry(reason.to_owned()).or_insert(0) += 1;
        }
    }
    let count: usize = pinned.values().sum();
    println!("{commands} commands, {outside} outside of transactions, of these pinned: {pinned:?}");
    assert!(commands > CLIENTS * 20 && outside > CLIENTS * 10, "{commands} commands prove nothing");
    assert!(commands > outside, "no transaction is seen, so the pins are not told");
    assert!(count * 100 < outside * MAX_PINNED_PERCENT, "{count} of {outside} are pinned: {pinned:?}");
}
