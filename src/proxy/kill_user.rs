//! Mode `transaction`: MariaDB's KILL USER. The server itself judges it and ends the account's connections, those of tidegate's
//! pool among them; the clients that have none just now go with the others.

use std::time::Instant;

use crate::proxy::backend::{self, Params};
use crate::proxy::client::Session;
use crate::proxy::clients::Victim;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::Standin;
use crate::proxy::lease::close;
use crate::proxy::statement;
use crate::sql::kill::{Order, Target, User, Whom};
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::fault::ErrPacket;
use crate::wire::ok::Ok as OkPacket;

/// What the server said, and whom it is about.
struct Judged {
    /// How many connections it ended, or whose statements; or its refusal.
    answer: Result<u64, ErrPacket>,
    /// Those of them that no client had.
    unused: u64,
    /// Clients that had none.
    idle: u64,
    /// The account's connections by way of tidegate are meant: its host is the one that was named, if any.
    means_clients: bool,
}

impl Session {
    /// The KILL USER that the command is. A name that another character set might read otherwise is left to the server.
    pub(super) fn kills_user(&self, exchange: &Exchange, commands: &[u8]) -> Option<Order> {
        self.shared.as_ref().filter(|shared| shared.is_mariadb())?;
        self.lease.secret.as_ref()?;
        let order = self.kill_of(exchange, commands).filter(|order| order.target != Target::QueryId)?;
        let is_plain = matches!(&order.whom, Whom::User(user) if user.text.is_ascii());
        is_plain.then_some(order)
    }

    /// Carries it out, and tells this client the server's answer.
    pub(super) async fn kill_user(&mut self, exchange: &mut Exchange, order: Order) -> Result<(), Fault> {
        let Whom::User(user) = &order.whom else { return Ok(()) };
        let name = user.name.as_deref().unwrap_or(&self.params.user).to_vec();
        exchange.timer.sent(Instant::now());
        let victims = self.proxy.clients.victims_of(&name);
        let judged = self.judge_for_user(&order, user, &name, &victims).await;
        exchange.timer.first_byte(Instant::now());
        let Judged { answer, unused, idle, means_clients } = judged?;
        let answer = answer.map(|hit| match (hit, means_clients) {
            // Servers pass over in silence whom the killer may not kill.
            (0, _) | (_, false) => hit,
            _ => {
                self.end_victims(order.target, &name, &victims);
                (hit + idle).saturating_sub(unused)
            }
        });
        drop(victims);
        self.answer_kill(exchange, answer, false).await
    }

    fn end_victims(&self, target: Target, name: &[u8], victims: &[Victim]) {
        if target == Target::Query {
            return victims.iter().for_each(Victim::interrupt);
        }
        victims.iter().for_each(Victim::kill);
        // The server has closed those that were idle, too.
        self.proxy.pool.retire_account(&String::from_utf8_lossy(name));
    }

    async fn judge_for_user(
        &self,
        order: &Order,
        user: &User,
        name: &[u8],
        victims: &[Victim],
    ) -> Result<Judged, Fault> {
        let Some(secret) = &self.lease.secret else { return Err(Fault::client("whose password is not known", None)) };
        let _one_at_a_time = self.proxy.control.lock().await;
        let params = Params::bare(&self.params.user, PROTOCOL_41);
        let (mut connection, _) = backend::greet(&self.proxy, None).await?.login(&self.proxy, &params, secret).await?;
        let (mut channel, facts) = connection.borrow();
        let asked = statement::query(&mut channel, facts.capabilities, "SELECT USER(), CURRENT_USER()").await?;
        let means_clients = asked.is_ok_and(|rows| rows.first().is_some_and(|row| is_host_of(user, row)));
        // The server judges by the connections that are there: one of the account's must be.
        let standin = match victims.first().filter(|_| means_clients) {
            Some(victim) => self.standin(victim).await?,
            None => Standin::Needless,
        };
        let decoy = standin.decoy();
        let is_own = means_clients && name == self.params.user;
        let unused = self.idle_of(name, means_clients) + u64::from(is_own) + u64::from(decoy.is_some());
        let idle = victims.iter().filter(|victim| victim.backend() == 0).count() as u64;
        let soft = if order.soft { "SOFT " } else { "" };
        let query = if order.target == Target::Query { "QUERY " } else { "" };
        let sql = format!("KILL {soft}{query}USER {}", String::from_utf8_lossy(&user.text));
        let answer = statement::simple(&mut channel, &statement::payload(facts.capabilities, &sql)).await?;
        connection.restore(channel);
        for connection in [Some(connection), decoy].into_iter().flatten() {
            tokio::spawn(close(connection, true));
        }
        let hit = |ok: Vec<u8>| OkPacket::parse(&ok).unwrap_or_default().affected;
        Ok(Judged { answer: answer.map(hit), unused, idle, means_clients })
    }

    /// The account's connections that lie in the pool.
    fn idle_of(&self, name: &[u8], means_clients: bool) -> u64 {
        let keys = self.proxy.pool.snapshot().keys;
        let idle = keys.iter().filter(|key| means_clients && key.key.user() == name).map(|key| key.idle as u64);
        idle.sum()
    }
}

/// Whether the account was named with the host that its connections by way of tidegate come from, or without any.
/// `row`: `USER()` and `CURRENT_USER()`.
fn is_host_of(user: &User, row: &[Option<Vec<u8>>]) -> bool {
    let host_in = |at: usize| -> Option<&[u8]> { row.get(at)?.as_deref()?.rsplit(|byte| *byte == b'@').next() };
    let named = match (&user.name, &user.host) {
        (None, _) => host_in(1),
        (_, Some(host)) => Some(&host[..]),
        (_, None) => None,
    };
    named.is_none_or(|named| named == b"%" || Some(named) == host_in(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::dialect::Dialect;
    use crate::sql::kill::order;

    #[test]
    fn a_host_that_was_named_must_be_tidegates() {
        let row = [Some(b"a@10.0.0.1".to_vec()), Some(b"a@%".to_vec())];
        let of_account = [Some(b"a@10.0.0.1".to_vec()), Some(b"a@localhost".to_vec())];
        for (sql, expected) in [
            ("KILL USER a", true),
            ("KILL USER a@'%'", true),
            ("KILL USER a@'10.0.0.1'", true),
            ("KILL USER a@'10.0.0.2'", false),
            ("KILL USER CURRENT_USER", true),
        ] {
            let dialect = Dialect { mariadb: true, ..Dialect::default() };
            let Some(Order { whom: Whom::User(user), .. }) = order(sql.as_bytes(), dialect) else { panic!("{sql}") };
            assert_eq!(is_host_of(&user, &row), expected, "{sql}");
            assert_eq!(is_host_of(&user, &of_account), expected && user.name.is_some(), "{sql}");
        }
    }
}
