//! One client of the crossing: does one deed after another, and survives being killed.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::{Scene, WRITERS, deeds};
use crate::crowd::{Answer, Client, Trouble, USER};
use crate::transparency::random::Random;

const INTERRUPTED: [u16; 3] = [1317, 1927, 3024];
/// A kill may also meet a statement that waits.
const OF_A_KILL: [u16; 2] = [1053, 1969];
/// How many of its last answers a failure shows.
const SHOWN: usize = 12;

/// A client, and what it wrote.
pub struct Writer<'a> {
    pub scene: &'a Scene,
    pub number: usize,
    pub random: Random,
    pub client: Client,
    /// In each value that it writes now.
    pub tag: String,
    /// Its own last value of `@mine`.
    pub mine: Option<String>,
    /// Its committed counter.
    pub counter: u64,
    deeds: u64,
    /// What was last asked and answered.
    heard: VecDeque<String>,
}

impl<'a> Writer<'a> {
    pub fn new(scene: &'a Scene, number: usize, seed: u64) -> Writer<'a> {
        let random = Random::new(seed << 16 | number as u64);
        let client = login(scene);
        let (tag, mine, heard) = (String::new(), None, VecDeque::new());
        let mut writer = Writer { scene, number, random, client, tag, mine, counter: 0, deeds: 0, heard };
        writer.arrived();
        writer
    }

    /// Until the time is over or another writer failed.
    pub fn work(mut self) {
        while self.scene.goes_on() {
            self.deeds += 1;
            self.tag = format!("w{}d{}", self.number, self.deeds);
            if let Err(trouble) = deeds::one(&mut self) {
                self.survive(&trouble);
            }
        }
        self.scene.mortals[self.number].store(0, Ordering::Relaxed);
    }

    /// One statement; its rows.
    pub fn ask(&mut self, sql: &str) -> Result<Vec<Vec<String>>, Trouble> {
        self.scene.statements.fetch_add(1, Ordering::Relaxed);
        Ok(self.hear(sql)?.rows)
    }

    /// One UPDATE of a row that is there. MariaDB answers it by an OK of no rows, direct as well, where a KILL QUERY comes
    /// while it looks for the row.
    pub fn changes_nothing(&mut self, sql: &str) -> Result<bool, Trouble> {
        self.scene.statements.fetch_add(1, Ordering::Relaxed);
        let affected = self.hear(sql)?.affected;
        assert!(affected == 1 || (affected == 0 && self.is_mortal()), "{sql}: {affected} rows");
        Ok(affected == 0)
    }

    fn hear(&mut self, sql: &str) -> Result<Answer, Trouble> {
        let answer = self.client.ask(sql);
        let text = match &answer {
            Ok(Answer { rows, affected, status, .. }) => format!("{rows:?} affected {affected} status {status:#x}"),
            Err(trouble) => trouble.to_string(),
        };
        if self.heard.len() == SHOWN {
            self.heard.pop_front();
        }
        let short = |text: &str| text.chars().take(120).collect::<String>();
        self.heard.push_back(format!("  {}: {}: {}\n", self.client.id, short(sql), short(&text)));
        answer
    }

    /// One statement whose rows are known.
    pub fn expect(&mut self, sql: &str, rows: &[&[&str]]) -> Result<(), Trouble> {
        let seen = self.ask(sql)?;
        let heard = || self.heard.iter().map(String::as_str).collect::<String>();
        assert!(seen == rows, "{sql}\n shows {seen:?}\n and not {rows:?}; before:\n{}", heard());
        Ok(())
    }

    /// Whether others may kill this one. Who is not mortal must never feel a kill.
    pub fn is_mortal(&self) -> bool {
        self.number % 2 == 1
    }

    /// Goes without a word and comes back as a new client.
    pub fn vanish(&mut self) {
        self.scene.mortals[self.number].store(0, Ordering::Relaxed);
        std::mem::replace(&mut self.client, login(self.scene)).vanish();
        self.scene.vanished.fetch_add(1, Ordering::Relaxed);
        self.arrived();
    }

    fn arrived(&mut self) {
        self.mine = None;
        if self.is_mortal() {
            self.scene.mortals[self.number].store(self.client.id, Ordering::Relaxed);
        }
    }

    // A kill is the only trouble that there may be, and only for who may be killed.
    fn survive(&mut self, trouble: &Trouble) {
        let code = trouble.code().unwrap_or(0);
        let is_kill = INTERRUPTED.contains(&code) || OF_A_KILL.contains(&code);
        assert!(self.is_mortal() && is_kill, "{trouble} (deed {})", self.tag);
        // Another kill may be on its way.
        for sql in ["ROLLBACK", "DROP TEMPORARY TABLE IF EXISTS crossing.own", "DO RELEASE_ALL_LOCKS()"] {
            while let Err(trouble) = self.hear(sql) {
                assert!(trouble.code().is_some(), "{trouble} in the midst of {sql}");
            }
        }
        self.mine = None;
        let counter = format!("SELECT n FROM crossing.counters WHERE who = {}", self.number);
        self.counter = loop {
            match self.hear(&counter) {
                Ok(answer) => break answer.rows[0][0].parse().expect("a number"),
                Err(trouble) => assert!(trouble.code().is_some(), "{trouble}"),
            }
        };
    }

    /// Some other client that may be killed.
    pub fn victim(&mut self) -> Option<u32> {
        let number = self.random.below(WRITERS / 2) * 2 + 1;
        let id = self.scene.mortals[number].load(Ordering::Relaxed);
        (id != 0 && number != self.number).then_some(id)
    }
}

fn login(scene: &Scene) -> Client {
    let client = Client::login(scene.tidegate.address(), USER, "crossing");
    client.unwrap_or_else(|trouble| panic!("login: {trouble}"))
}
