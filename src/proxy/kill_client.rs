//! Mode `transaction`: KILL of a client. The server judges the killer's right on a connection of the killer's own, beside the
//! pool's bound, so that a full pool cannot keep anybody from killing; and until the server has answered, the victim's
//! backend serves nobody else.

use crate::net::channel::Channel;
use crate::proxy::backend::{self, BackendFacts, Params};
use crate::proxy::client::Session;
use crate::proxy::clients::Victim;
use crate::proxy::error::Fault;
use crate::proxy::exchange::Exchange;
use crate::proxy::lease::close;
use crate::proxy::statement;
use crate::session::last::{Condition, Diagnostics, Level, Saved};
use crate::sql::kill::{self as sql, Target, Whom};
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::command;
use crate::wire::fault::{CONNECTION_KILLED, ErrPacket, INTERRUPTED, KILL_DENIED, UNKNOWN_COMMAND};
use crate::wire::frame::HEADER;
use crate::wire::ok::Ok as OkPacket;

/// Who is to be killed, and how far.
pub(super) struct Order {
    pub id: u32,
    pub victim: Victim,
    /// The statement alone.
    pub query_only: bool,
    /// It came as COM_PROCESS_KILL, which MySQL 9 does not know.
    pub by_command: bool,
}

impl Order {
    /// The server has let it happen.
    pub(super) fn carry_out(&self) {
        match self.query_only {
            true => self.victim.interrupt(),
            false => self.victim.kill(),
        }
    }
}

impl Session {
    /// Whose connection or statement the command kills, by the id in it, and whether the statement alone.
    fn target(&self, exchange: &Exchange, commands: &[u8]) -> Option<(u32, bool)> {
        if exchange.code == command::PROCESS_KILL {
            let id = commands.get(HEADER + 1..HEADER + 5)?.try_into().ok().map(u32::from_le_bytes)?;
            return Some((id, false));
        }
        let found = self.kill_of(exchange, commands).filter(|kill| kill.target != Target::QueryId)?;
        let Whom::Number(id) = found.whom else { return None };
        Some((u32::try_from(id).ok()?, found.target == Target::Query))
    }

    /// Whether the client has just ended its own connection.
    pub(super) fn killed_itself(&self, exchange: &Exchange, commands: &[u8]) -> bool {
        if !matches!(exchange.reply.facts.error, Some(INTERRUPTED | CONNECTION_KILLED)) {
            return false;
        }
        let by_value = |kill: &sql::Order| kill.target == Target::Connection && kill.whom == Whom::Value;
        match self.target(exchange, commands) {
            Some(target) => target == (self.admission.id, false),
            None => self.kill_of(exchange, commands).as_ref().is_some_and(by_value),
        }
    }

    /// The KILL of another client that the command is.
    pub(super) fn kill_order(&self, exchange: &Exchange, commands: &[u8]) -> Option<Order> {
        self.shared.as_ref()?;
        let (id, query_only) = self.target(exchange, commands)?;
        // Oneself is killed on one's own backend.
        if id == self.admission.id {
            return None;
        }
        let victim = self.proxy.clients.victim(id)?;
        Some(Order { id, victim, query_only, by_command: exchange.code == command::PROCESS_KILL })
    }

    /// Carries it out, and tells this client the server's answer. False: the server knows no such command.
    pub(super) async fn kill_client(&mut self, exchange: &mut Exchange, order: Order) -> Result<bool, Fault> {
        exchange.timer.sent(std::time::Instant::now());
        let judged = self.judge(&order).await;
        exchange.timer.first_byte(std::time::Instant::now());
        let answer = judged?;
        if answer.as_ref().is_err_and(|refused| order.by_command && refused.code == UNKNOWN_COMMAND) {
            return Ok(false);
        }
        if answer.is_ok() {
            order.carry_out();
        }
        let by_command = order.by_command;
        drop(order);
        self.answer_kill(exchange, answer.map(|()| 0), by_command).await.map(|()| true)
    }

    /// The server's answer to a KILL that ran elsewhere: how many it hit by a user's name.
    pub(super) async fn answer_kill(
        &mut self,
        exchange: &mut Exchange,
        answer: Result<u64, ErrPacket>,
        by_command: bool,
    ) -> Result<(), Fault> {
        // An error came last, and may have left a transaction open: the answer's flags tell.
        if self.shared.as_ref().is_some_and(|shared| shared.ledger.needs_status()) && self.lease.is_held() {
            Box::pin(self.save()).await?;
        }
        let Some(shared) = &mut self.shared else { return Ok(()) };
        shared.is_here = false;
        // What stands on the backend, if there is one, is what an earlier statement left.
        shared.conditions = shared.conditions.wrapping_add(1);
        let counted = shared.counted();
        match answer {
            Ok(affected) => {
                exchange.reply.facts.error = None;
                exchange.reply.facts.affected = affected;
                shared.last.after_kill(shared.dialect);
                shared.last.row_count = Some(i64::try_from(affected).unwrap_or(i64::MAX));
                // MySQL 5.6 counts in its answer to the command what an earlier statement left.
                if !by_command {
                    shared.warnings = Some(0);
                }
                // An error is one.
                let warnings = if by_command { counted.unwrap_or(1) } else { 0 };
                let ok = OkPacket { affected, status: shared.status(), warnings, ..OkPacket::default() };
                self.client.send(&ok.packet(1)).await.map_err(Fault::client_io)?;
            }
            Err(refused) => {
                shared.warnings = None;
                shared.last.row_count = Some(-1);
                shared.last.diagnostics = Diagnostics::Saved(Box::new(only(&refused)));
                exchange.reply.facts.error = Some(refused.code);
                self.say(1, &refused).await;
            }
        }
        Ok(())
    }

    /// The server's judgement, in the clients' ids.
    pub(super) async fn judge(&self, order: &Order) -> Result<Result<(), ErrPacket>, Fault> {
        let Some(secret) = &self.lease.secret else { return Ok(Err(not_the_owner(order.id))) };
        let _one_at_a_time = self.proxy.control.lock().await;
        let params = Params::bare(&self.params.user, PROTOCOL_41);
        let (mut connection, _) = backend::greet(&self.proxy, None).await?.login(&self.proxy, &params, secret).await?;
        let standin = match order.victim.backend() {
            0 => self.standin(&order.victim).await?,
            _ => Standin::Needless,
        };
        let is_known = !matches!(standin, Standin::Unknown);
        let decoy = standin.decoy();
        let there = decoy.as_ref().map_or(order.victim.backend(), |decoy| decoy.id);
        let word = if order.query_only || decoy.is_some() { "QUERY " } else { "" };
        let (mut channel, facts) = connection.borrow();
        let answer = match there {
            _ if order.by_command => by_command(&mut channel, there).await,
            0 => Ok(Ok(())),
            there => statement::query(&mut channel, facts.capabilities, &format!("KILL {word}{there}"))
                .await
                .map(|answer| answer.map(drop)),
        };
        let may = is_known || !matches!(answer, Ok(Ok(()))) || self.kills_anybody(&mut channel, facts).await?;
        connection.restore(channel);
        for connection in [Some(connection), decoy].into_iter().flatten() {
            tokio::spawn(close(connection, true));
        }
        if !may {
            return Ok(Err(not_the_owner(order.id)));
        }
        Ok(answer?.map_err(|refused| in_client_ids(refused, there, order.id)))
    }

    /// The server's judgement of whether a client that has no backend may be killed, in the clients' ids.
    pub(super) async fn may_kill(&self, victim: &Victim) -> Result<Result<(), ErrPacket>, Fault> {
        let Some(secret) = &self.lease.secret else { return Ok(Err(not_the_owner(victim.id()))) };
        let _one_at_a_time = self.proxy.control.lock().await;
        let standin = self.standin(victim).await?;
        if matches!(standin, Standin::Needless) {
            return Ok(Ok(()));
        }
        let params = Params::bare(&self.params.user, PROTOCOL_41);
        let (mut connection, _) = backend::greet(&self.proxy, None).await?.login(&self.proxy, &params, secret).await?;
        let (mut channel, facts) = connection.borrow();
        let decoy = standin.decoy();
        let answer = match &decoy {
            Some(decoy) => statement::query(&mut channel, facts.capabilities, &format!("KILL QUERY {}", decoy.id))
                .await?
                .map(drop)
                .map_err(|refused| in_client_ids(refused, decoy.id, victim.id())),
            None if self.kills_anybody(&mut channel, facts).await? => Ok(()),
            None => Err(not_the_owner(victim.id())),
        };
        connection.restore(channel);
        for connection in [Some(connection), decoy].into_iter().flatten() {
            tokio::spawn(close(connection, true));
        }
        Ok(answer)
    }

    /// A victim that has no backend just now: whether it may be killed is judged by another connection of its account.
    pub(super) async fn standin(&self, victim: &Victim) -> Result<Standin, Fault> {
        let user = victim.user();
        // One that is still logging in has no name yet.
        if user == self.params.user && !user.is_empty() {
            return Ok(Standin::Needless);
        }
        let credentials = &self.proxy.credentials;
        let secret = credentials.configured(&user).or_else(|| credentials.learned(&user));
        let Some(secret) = secret.filter(|_| !user.is_empty()) else { return Ok(Standin::Unknown) };
        let params = Params::bare(&user, PROTOCOL_41);
        match backend::greet(&self.proxy, None).await?.login(&self.proxy, &params, &secret).await {
            Ok((decoy, _)) => Ok(Standin::Decoy(Box::new(decoy))),
            Err(fault) if fault.refusal => Ok(Standin::Unknown),
            Err(fault) => Err(fault),
        }
    }

    /// Whether this client's account may kill whoever it is, by rights of its own; those that it has by a role do not count.
    async fn kills_anybody(&self, channel: &mut Channel, facts: BackendFacts) -> Result<bool, Fault> {
        // Names with quotes in them could be put together to another one's.
        const RIGHTS: &str = "SELECT privilege_type FROM information_schema.user_privileges WHERE \
                              BINARY REPLACE(grantee,'''','')=BINARY REPLACE(CURRENT_USER(),'''','') AND \
                              CURRENT_USER() NOT LIKE '%''%' AND \
                              privilege_type IN ('SUPER','CONNECTION_ADMIN','CONNECTION ADMIN','SYSTEM_USER') LIMIT 9";
        let Ok(rows) = statement::query(channel, facts.capabilities, RIGHTS).await? else { return Ok(false) };
        let has =
            |right: &[u8]| rows.iter().any(|row| row.first().is_some_and(|value| value.as_deref() == Some(right)));
        let kills = has(b"CONNECTION_ADMIN") || has(b"CONNECTION ADMIN");
        let version = self.shared.as_ref().map_or(u32::MAX, |shared| shared.dialect.version);
        // On MariaDB 11 SUPER is not enough any more, and MySQL 8 protects some from who has not SYSTEM_USER.
        Ok(match facts.mariadb {
            true => kills || version < 110_000 && has(b"SUPER"),
            false => (kills || has(b"SUPER")) && (version < 80_016 || has(b"SYSTEM_USER")),
        })
    }
}

/// Whom the server judges in a victim's place.
pub(super) enum Standin {
    /// Nobody: one's own account may be killed.
    Needless,
    /// Another connection of the victim's account.
    Decoy(Box<backend::Backend>),
    /// There is none: the victim is in its login, or its account's password is not known. Only who may kill anybody may kill it.
    Unknown,
}

impl Standin {
    /// The connection, if there is one.
    pub(super) fn decoy(self) -> Option<backend::Backend> {
        match self {
            Standin::Decoy(decoy) => Some(*decoy),
            Standin::Needless | Standin::Unknown => None,
        }
    }
}

fn not_the_owner(id: u32) -> ErrPacket {
    ErrPacket::new(KILL_DENIED, b"HY000", format!("You are not owner of thread {id}"))
}

/// COM_PROCESS_KILL of this connection; of none, what tells whether the server knows the command.
async fn by_command(channel: &mut Channel, id: u32) -> Result<Result<(), ErrPacket>, Fault> {
    let packet = [&[command::PROCESS_KILL], &id.to_le_bytes()[..]].concat();
    let answer = statement::simple(channel, &packet).await?.map(drop);
    Ok(answer.or_else(|refused| if id == 0 && refused.code != UNKNOWN_COMMAND { Ok(()) } else { Err(refused) }))
}

fn in_client_ids(refused: ErrPacket, backend: u32, client: u32) -> ErrPacket {
    let message = refused.text().replace(&backend.to_string(), &client.to_string()).into_bytes();
    ErrPacket { message, ..refused }
}

/// The diagnostics of a statement that ended with this error.
pub(super) fn only(refused: &ErrPacket) -> Saved {
    let condition =
        Condition { level: Level::Error, code: u32::from(refused.code), message: refused.message.as_slice().into() };
    Saved { conditions: vec![condition], warnings: 1, errors: 1, charset: b"utf8mb4".to_vec() }
}
