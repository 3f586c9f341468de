//! From a trace's events to what is played.

use std::path::Path;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::{MAX_PLAYERS, MAX_STATEMENTS, MAX_TEXTS, Played, Player, Replay};
use crate::stats::trace::{self, Came, Command, Ending, Event, Summary};
use crate::wire::command;

/// Reads the trace at `path`.
///
/// # Errors
/// One line: it cannot be used, it was recorded without literals, there is nothing in it to be played, or too much.
pub(in super::super) fn read(path: &Path) -> Result<Replay, String> {
    let mut reader = Reader::default();
    let summary = trace::read(path, |event| reader.event(event)).map_err(|error| error.to_string())?;
    reader.finish(&summary).map_err(|why| format!("{}: {why}", path.display()))
}

#[derive(Debug, Default)]
struct Reader {
    /// Who is there: their numbers among the players.
    open: FxHashMap<u32, usize>,
    players: Vec<Player>,
    statements: usize,
    bytes: usize,
    /// Statements whose text the trace does not have.
    without_text: u64,
    /// Commands that are no statements.
    others: u64,
}

impl Reader {
    fn event(&mut self, event: Event) {
        match event {
            Event::Came(came) => self.came(&came),
            Event::Command(command) => self.command(command),
            Event::Left { at, client } => {
                if let Some(number) = self.open.remove(&client) {
                    self.players[number].leaves = Some(at);
                }
            }
            Event::Dialed { .. } | Event::Cleaned { .. } | Event::Closed { .. } => {}
            Event::Server { .. } | Event::Lost { .. } => {}
        }
    }

    fn came(&mut self, came: &Came) {
        // Each file of a trace says once more who is there.
        if came.login.is_none() && self.open.contains_key(&came.client) {
            return;
        }
        let player = Player { comes: came.at, was_there: came.login.is_none(), ..Player::default() };
        if let Some(before) = self.open.insert(came.client, self.players.len()) {
            self.players[before].leaves = Some(came.at);
        }
        self.players.push(player);
    }

    fn command(&mut self, command: Command) {
        if !matches!(command.code, command::QUERY | command::STMT_EXECUTE | command::STMT_BULK_EXECUTE) {
            self.others += 1;
            return;
        }
        let Some(text) = command.text else {
            self.without_text += 1;
            return;
        };
        self.statements += 1;
        self.bytes += text.len();
        if self.statements > MAX_STATEMENTS || self.bytes > MAX_TEXTS {
            return;
        }
        if !self.open.contains_key(&command.client) {
            // Its coming was lost.
            self.came(&Came { at: command.at, client: command.client, ..Came::default() });
        }
        let Some(player) = self.open.get(&command.client).and_then(|&number| self.players.get_mut(number)) else {
            return;
        };
        let before = player.statements.last().map_or(player.comes, |before| before.at);
        player.statements.push(Played { at: command.at.max(before), text, error: command.error });
    }

    fn finish(self, summary: &Summary) -> Result<Replay, String> {
        if !summary.origin.literals {
            return Err("recorded without its statements' texts: record with --record-literals to play it".to_owned());
        }
        if self.statements == 0 {
            return Err("a trace without a statement that can be played".to_owned());
        }
        if self.statements > MAX_STATEMENTS || self.bytes > MAX_TEXTS {
            return Err(format!(
                "{} statements of {} bytes, where {MAX_STATEMENTS} of {MAX_TEXTS} bytes are the most",
                self.statements, self.bytes
            ));
        }
        if self.players.len() > MAX_PLAYERS {
            return Err(format!("{} clients, where {MAX_PLAYERS} are the most", self.players.len()));
        }
        let doubts = self.doubts(summary);
        let mut players = self.players;
        players.sort_by_key(|player| player.comes);
        begin_at_once(&mut players);
        Ok(Replay { players, doubts })
    }

    fn doubts(&self, summary: &Summary) -> Vec<String> {
        let mut doubts = Vec::new();
        if summary.ending == Ending::Cut {
            let statements = self.statements;
            doubts.push(format!(
                "the trace is cut off, or still being recorded: its {statements} statements up to there are played"
            ));
        }
        if summary.lost > 0 {
            doubts.push(format!(
                "{} events were lost in recording: the load was larger than what is played",
                summary.lost
            ));
        }
        if self.without_text > 0 {
            let count = self.without_text;
            doubts.push(format!(
                "{count} statements are not played: their texts are not in the trace (long, inexact or about a password)"
            ));
        }
        if self.others > 0 {
            let count = self.others;
            doubts.push(format!("{count} commands that are no statements (a prepare, a ping ..) are not played"));
        }
        if summary.origin.part > 1 {
            doubts.push("the trace's first files are gone: it is played from the first one that is there".to_owned());
        }
        doubts
    }
}

/// Nobody waits for the first client.
fn begin_at_once(players: &mut [Player]) {
    let idle = players.first().map_or(Duration::ZERO, |first| first.comes);
    for player in players {
        player.comes -= idle;
        player.leaves = player.leaves.map(|at| at.saturating_sub(idle));
        player.statements.iter_mut().for_each(|played| played.at -= idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::trace::{Login, Origin, PoolFacts};

    const MS: Duration = Duration::from_millis(1);

    fn summary() -> Summary {
        let pool = PoolFacts {
            size: 5,
            max_overflow: 0,
            min_idle: 0,
            checkout_timeout: Duration::ZERO,
            max_lifetime: Duration::ZERO,
            idle_timeout: None,
            ping_after: None,
            reset_on_return: "auto".into(),
            caps: Vec::new(),
        };
        let origin = Origin {
            version: "0".into(),
            recording: 1,
            part: 1,
            began: Duration::ZERO,
            mode: "transaction".into(),
            pool,
            server: None,
            literals: true,
        };
        Summary { origin, events: 0, lost: 0, ending: Ending::Whole, files: 1 }
    }

    fn came(at: u32, client: u32) -> Event {
        Event::Came(Came { at: at * MS, client, login: Some(Login::default()), ..Came::default() })
    }

    fn command(at: u32, client: u32, code: u8, text: Option<&str>) -> Event {
        let text = text.map(|text| text.as_bytes().into());
        Event::Command(Command { at: at * MS, client, code, text, ..Command::default() })
    }

    fn sent(at: u32, client: u32, text: &str) -> Event {
        command(at, client, command::QUERY, Some(text))
    }

    fn left(at: u32, client: u32) -> Event {
        Event::Left { at: at * MS, client }
    }

    fn replay(events: Vec<Event>, summary: &Summary) -> Result<Replay, String> {
        let mut reader = Reader::default();
        events.into_iter().for_each(|event| reader.event(event));
        reader.finish(summary)
    }

    /// When it comes, what it sends, when it leaves, in milliseconds.
    fn told(player: &Player) -> (u128, Vec<(u128, String)>, Option<u128>) {
        let text = |played: &Played| String::from_utf8_lossy(&played.text).into_owned();
        let statements = player.statements.iter().map(|played| (played.at.as_millis(), text(played))).collect();
        (player.comes.as_millis(), statements, player.leaves.map(|at| at.as_millis()))
    }

    #[test]
    fn each_client_keeps_its_statements_in_their_order_and_time() {
        // The second client came first, and its statement was over later.
        let events = vec![
            came(110, 2),
            came(100, 1),
            sent(120, 1, "BEGIN"),
            sent(130, 1, "COMMIT"),
            sent(115, 2, "SELECT SLEEP(1)"),
            left(140, 1),
        ];
        let replay = replay(events, &summary()).expect("good");
        let players: Vec<_> = replay.players.iter().map(told).collect();
        assert_eq!(players[0], (0, vec![(20, "BEGIN".into()), (30, "COMMIT".into())], Some(40)));
        assert_eq!(players[1], (10, vec![(15, "SELECT SLEEP(1)".into())], None));
        assert!(replay.doubts.is_empty(), "{:?}", replay.doubts);
    }

    #[test]
    fn an_id_that_is_used_again_is_another_client_and_a_new_files_list_is_not() {
        let listed = Event::Came(Came { at: 15 * MS, client: 1, ..Came::default() });
        let events =
            vec![came(0, 1), sent(10, 1, "a"), listed, sent(20, 1, "b"), left(30, 1), came(40, 1), sent(50, 1, "c")];
        let replay = replay(events, &summary()).expect("good");
        let players: Vec<_> = replay.players.iter().map(told).collect();
        assert_eq!(players[0], (0, vec![(10, "a".into()), (20, "b".into())], Some(30)));
        assert_eq!(players[1], (40, vec![(50, "c".into())], None));
        assert!(replay.players.iter().all(|player| !player.was_there));
    }

    #[test]
    fn who_was_there_before_is_there_from_the_start() {
        let there = Event::Came(Came { client: 7, ..Came::default() });
        let replay = replay(vec![there, sent(10, 7, "a")], &summary()).expect("good");
        assert!(replay.players[0].was_there);
    }

    #[test]
    fn what_cannot_be_played_is_counted_aloud() {
        let events = vec![
            came(0, 1),
            command(1, 1, command::STMT_PREPARE, Some("SELECT ?")),
            command(2, 1, command::STMT_EXECUTE, Some("SELECT 5")),
            command(3, 1, command::STMT_EXECUTE, None),
            command(4, 1, command::PING, None),
        ];
        let summary = Summary { lost: 3, ending: Ending::Cut, ..summary() };
        let replay = replay(events, &summary).expect("good");
        assert_eq!(told(&replay.players[0]).1, [(2, "SELECT 5".to_owned())]);
        for said in
            ["cut off", "3 events were lost", "1 statements are not played", "2 commands that are no statements"]
        {
            assert!(replay.doubts.iter().any(|doubt| doubt.contains(said)), "{said}: {:?}", replay.doubts);
        }
    }

    #[test]
    fn a_trace_that_cannot_be_played_is_refused() {
        let mut without = summary();
        without.origin.literals = false;
        let events = vec![came(0, 1), command(1, 1, command::QUERY, None)];
        assert!(replay(events.clone(), &without).expect_err("no texts").contains("--record-literals"));
        assert!(replay(events, &summary()).expect_err("no texts").contains("without a statement"));
        assert!(replay(Vec::new(), &summary()).expect_err("empty").contains("without a statement"));
    }
}
