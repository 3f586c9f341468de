//! COM_CHANGE_USER: a login on the client's own backend, in the order of every login. Whom tidegate knows it checks
//! itself, by the challenge that the client has; for others the server asks, the client answers, tidegate passes it on.

use std::time::Instant;

use crate::login::credentials::method_to_check;
use crate::login::methods::caching_sha2::FAST_AUTH_OK;
use crate::login::methods::secret::Secret;
use crate::login::methods::{Method, is_empty_password_answer};
use crate::net::buffer::Buffer;
use crate::net::channel::Channel;
use crate::net::settings::Peer;
use crate::net::stream::Stream;
use crate::proxy::backend::{BackendFacts, Params, Password, change_user, change_user_packet, put_role_off};
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, access_denied, too_many_of, unknown_command};
use crate::proxy::exchange::Exchange;
use crate::proxy::kill_client::only;
use crate::proxy::proof::{Proof, first_right};
use crate::proxy::relayed::{Relayed, ask_in_full};
use crate::proxy::server::Proxy;
use crate::proxy::settings::Mode;
use crate::proxy::share::rights_from;
use crate::proxy::{setup, statement};
use crate::session::last::{Diagnostics, Last, planted};
use crate::session::reason::Pin;
use crate::wire::capabilities::{PLUGIN_AUTH, SESSION_TRACK};
use crate::wire::command;
use crate::wire::fault::ErrPacket;
use crate::wire::frame::HEADER;
use crate::wire::handshake::{AuthSwitch, ChangeUser, Salt};
use crate::wire::ok;

/// After so many MariaDB lets a connection's user not be changed any more.
const MAX_REFUSALS: u8 = 3;

impl Session {
    /// A refusal is the server's own; whether the connection lives on is the server's affair too.
    pub(super) async fn change_user(&mut self, exchange: &mut Exchange, buffer: &mut Buffer) -> Result<(), Fault> {
        // The login's form was agreed between the client and tidegate, not with the backend.
        let payload = buffer.filled().get(HEADER..exchange.header.packet_len()).filter(|_| exchange.is_whole);
        let Some(change) = payload.and_then(|payload| ChangeUser::parse(payload, self.login_form)) else {
            return Err(Fault::client("malformed COM_CHANGE_USER", Some(unknown_command())));
        };
        buffer.consume(exchange.header.packet_len());
        let params = self.params.changed(&change);
        self.in_step = false;
        // A shared backend is made the new user's below.
        self.lease.foreign |= !self.is_shared();
        let mut client = Channel {
            stream: std::mem::replace(&mut self.client, Stream::closed()),
            buffer: buffer.split_beyond(0),
            seq: 1,
            patience: Some(self.proxy.live.login_timeout()),
            silence: None,
        };
        let (mut backend, facts) = self.lease.backend_mut().borrow();
        let proxy = std::sync::Arc::clone(&self.proxy);
        exchange.timer.sent(Instant::now());
        let login = Changing {
            proxy: &proxy,
            client: &mut client,
            backend: &mut backend,
            facts,
            params: &params,
            peer: &self.peer,
            salt: self.salt,
            refusals: self.refused_changes,
            can_switch: self.login_form.has(PLUGIN_AUTH),
            is_shared: self.is_shared(),
        };
        let result = login.run(&change).await.and_then(|changed| {
            let max = proxy.live.max_clients_of(&params.user);
            let place = self.admission.become_user(&params.user, max);
            // Whom the backend has let in already, nobody brings back to who it was: its connection ends.
            let refused = |count| Fault { refusal: false, ..too_many_of(&params.user, count) };
            place.map(|()| changed).map_err(refused)
        });
        let told = match &result {
            Ok(changed) => self.told(&changed.ok),
            Err(fault) => fault.answer.as_ref().map(|answer| answer.payload()),
        };
        exchange.timer.first_byte(Instant::now());
        exchange.reply.facts.error = result.as_ref().err().and_then(|fault| Some(fault.answer.as_ref()?.code));
        if let Some(told) = told {
            exchange.bytes_out += (HEADER + told.len()) as u64;
            client.write(&told).await.map_err(Fault::of_client)?;
        }
        let is_refused = result.as_ref().is_err_and(Fault::is_refusal);
        self.refused_changes = self.refused_changes.saturating_add(is_refused.into());
        if is_refused && facts.mariadb && proxy.settings.mode != Mode::Observe {
            begin_again(&mut backend, facts).await;
            if let Some(refused) = result.as_ref().err().and_then(|fault| fault.answer.as_ref()) {
                leave_error(&mut backend, facts, refused).await;
            }
        }
        self.lease.backend_mut().restore(backend);
        self.client = client.stream;
        *buffer = client.buffer;
        if let Ok(changed) = &result {
            self.salt = changed.salt;
        }
        let refused = result.as_ref().err().and_then(|fault| fault.answer.clone());
        let secret = result.as_ref().ok().and_then(|changed| changed.secret.clone());
        self.finish_change(result.map(drop), params)?;
        if self.is_shared() { self.shared_changed(refused, secret, change.charset).await } else { Ok(()) }
    }

    /// The server's OK as this client may see it.
    fn told(&mut self, ok: &[u8]) -> Option<Vec<u8>> {
        let Some(shared) = &mut self.shared else {
            return ok::with_info(ok, self.capabilities.has(SESSION_TRACK), &[]);
        };
        let mut told = Vec::new();
        shared.put_ok(&mut told, ok)?;
        // MySQL 5.6 keeps what the last statement left, and counts it: that one's, not those of the backend at hand.
        if let (false, Some(count), [0, 0, 0, _, _, low, high, ..]) =
            (shared.announcing.trackers, shared.counted(), told.as_mut_slice())
        {
            [*low, *high] = count.to_le_bytes();
        }
        ok::with_info(&told, self.capabilities.has(SESSION_TRACK), &[])
    }

    /// Mode `transaction`: the session is a new one, and the backend the new user's. Refused by MariaDB, it is a new one
    /// of the old user, and the backend, which takes but three refusals, is not used again.
    /// `charset`: the one that the client named.
    async fn shared_changed(
        &mut self,
        refused: Option<ErrPacket>,
        secret: Option<Secret>,
        charset: Option<u16>,
    ) -> Result<(), Fault> {
        let read = self.before_own().await;
        let (mut backend, facts) = self.lease.backend_mut().borrow();
        let read = match read {
            Ok(()) => setup::schema_and_fresh(&self.proxy, &mut backend, facts).await,
            Err(fault) => Err(fault),
        };
        let kept_backend = self.lease.backend_mut();
        kept_backend.restore(backend);
        let Ok(mut fresh) = read else {
            // MySQL closes behind a refusal: nobody else is to have this connection.
            self.in_step = false;
            return Err(Fault { quiet: true, ..Fault::client("its change of user was refused", None) });
        };
        let Some(shared) = &mut self.shared else { return Ok(()) };
        kept_backend.kept.settle(&fresh);
        kept_backend.kept.tired |= refused.is_some();
        fresh.state.set_multi_statements(shared.state.multi_statements());
        let was_unexplained = shared.ledger.pins().has(Pin::UnexplainedState);
        shared.restart_for(&fresh);
        if refused.is_none() && charset.is_some_and(|number| number != 0) {
            shared.note_login_charsets(&fresh);
        }
        if self.lease.foreign {
            shared.ledger.pin(Pin::OwnLogin);
        }
        if self.bring_state().await.is_err() {
            return Err(Fault::backend("the session cannot be restored behind a change of user"));
        }
        if was_unexplained {
            self.keep_texts().await?;
        }
        let Some(shared) = &mut self.shared else { return Ok(()) };
        if let Some(refused) = refused {
            let diagnostics = Diagnostics::Saved(Box::new(only(&refused)));
            shared.last = Last { row_count: Some(-1), diagnostics, ..shared.last.clone() };
            return Ok(());
        }
        shared.rights_from = rights_from(&self.proxy);
        self.lease.backend_mut().kept.rights_since = Some(Instant::now());
        match secret {
            Some(secret) if self.params.user.is_ascii() => {
                self.proxy.credentials.learn(&self.params.user, secret.clone(), Instant::now());
                self.lease.change_key(&self.proxy, &self.params, self.admission.id, secret);
            }
            // Nobody else can be made this user: the connection stays the client's own.
            _ => {
                self.lease.foreign = true;
                shared.ledger.pin(Pin::OwnLogin);
            }
        }
        self.settle(Instant::now());
        Ok(())
    }

    fn finish_change(&mut self, result: Result<(), Fault>, params: Params) -> Result<(), Fault> {
        match result {
            Ok(()) => {
                self.identity.user = String::from_utf8_lossy(&params.user).into_owned();
                self.schema = params.schema.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                self.admission.note_schema(&self.schema);
                self.params = params;
                self.trace_anew();
            }
            // The server's own refusal: it closes, or goes on as the old user.
            Err(fault) if fault.is_refusal() => {}
            Err(fault) => return Err(Fault { answer: None, ..fault }),
        }
        self.statements.clear();
        self.prepared_kills.clear();
        self.in_step = true;
        Ok(())
    }
}

/// What MariaDB makes of a session whose change of user it refuses: a new one of the old user, with the server's own
/// character sets. Where tidegate refused, the server has yet to hear of it. One that fails here will fail the next time.
async fn begin_again(backend: &mut Channel, facts: BackendFacts) {
    let set = "SET character_set_client=DEFAULT,character_set_results=DEFAULT,collation_connection=DEFAULT";
    let _ = statement::simple(backend, &[command::RESET_CONNECTION]).await;
    let _ = statement::query(backend, facts.capabilities, set).await;
}

/// The refusal is what SHOW WARNINGS shows next, and ROW_COUNT() is that of an error.
async fn leave_error(backend: &mut Channel, facts: BackendFacts, refused: &ErrPacket) {
    let sql = planted::plan(&Diagnostics::Saved(Box::new(only(refused))), false).sql;
    let _ = statement::query(backend, facts.capabilities, &sql).await;
}

/// A change of user that went well.
struct Changed {
    /// The server's OK payload.
    ok: Vec<u8>,
    /// The challenge that the client has now.
    salt: Salt,
    /// What the new user's password is known to be.
    secret: Option<Secret>,
}

/// One change of user under way.
struct Changing<'a> {
    proxy: &'a Proxy,
    client: &'a mut Channel,
    backend: &'a mut Channel,
    facts: BackendFacts,
    params: &'a Params,
    peer: &'a Peer,
    salt: Salt,
    /// How many were refused before.
    refusals: u8,
    can_switch: bool,
    is_shared: bool,
}

impl Changing<'_> {
    async fn run(mut self, change: &ChangeUser) -> Result<Changed, Fault> {
        let proxy = self.proxy;
        if proxy.settings.mode == Mode::Observe {
            return self.relay(change, None).await;
        }
        // As MariaDB has it, so that nobody tries passwords; the backend at hand need not have refused the others.
        if self.facts.mariadb && self.refusals >= MAX_REFUSALS {
            return Err(Fault { refusal: true, ..Fault::refused(unknown_command()) });
        }
        let user = &self.params.user;
        let (secrets, is_listed) = match proxy.credentials.configured(user) {
            Some(secret) => (vec![secret], true),
            None => (proxy.known_secrets(user, Instant::now()).await, false),
        };
        match self.prove(change, &secrets, is_listed).await? {
            Proof::Known(secret) => {
                let ok = change_user(proxy, self.backend, self.facts, self.params, &secret).await?;
                Ok(Changed { ok, salt: self.salt, secret: Some(secret) })
            }
            Proof::Unknown if is_listed => Err(self.denied(&change.answer)),
            Proof::Unknown => self.relay(change, None).await,
            Proof::Other(password) => self.relay(change, Some(password)).await,
        }
    }

    /// As servers do, tidegate asks whatever the command held; an old client's answer must be in the command.
    async fn prove(&mut self, change: &ChangeUser, secrets: &[Secret], is_listed: bool) -> Result<Proof, Fault> {
        let announced = change.method.as_deref().map_or(Method::Native, Method::from_name);
        let usual = self.proxy.face().map_or(Method::Native, |face| Method::from_name(&face.greeting.method));
        let Some(method) = method_to_check(secrets, &announced, &usual) else { return Ok(Proof::Unknown) };
        let answer = match self.can_switch {
            true => self.ask(&method).await?,
            false if method == announced => change.answer.clone(),
            false => return Ok(Proof::Unknown),
        };
        let right = first_right(secrets, &method, &self.salt, &answer);
        if right.is_some() && method == Method::CachingSha2 && !is_empty_password_answer(&answer) {
            self.client.write(&[1, FAST_AUTH_OK]).await.map_err(Fault::of_client)?;
        }
        match right {
            Some(right) => Ok(Proof::Known(right)),
            // Servers want the whole password before they refuse; some clients tell the refusal right only behind that.
            None if method == Method::CachingSha2 && !is_empty_password_answer(&answer) => {
                let password = ask_in_full(self.proxy, self.client, self.salt).await;
                // Whatever it sent, it is as wrong as its short answer was.
                if is_listed { Err(self.denied(&answer)) } else { password.map(Proof::Other) }
            }
            None if is_listed => Err(self.denied(&answer)),
            // Only one switch is to be had: who was asked and is wrong by a fresh reading is refused.
            None => match self.proxy.right_by_fresh_reading(&self.params.user, &method, &self.salt, &answer).await {
                Some(right) => Ok(Proof::Known(right)),
                None => Err(self.denied(&answer)),
            },
        }
    }

    async fn ask(&mut self, method: &Method) -> Result<Vec<u8>, Fault> {
        let data = [&self.salt[..], &[0]].concat();
        let switch = AuthSwitch { method: method.name().as_bytes().to_vec(), data };
        self.client.write(&switch.payload()).await.map_err(Fault::of_client)?;
        self.client.read().await.map_err(Fault::of_client)
    }

    /// MariaDB lets the session go on as the old user, MySQL ends it.
    fn denied(&self, answer: &[u8]) -> Fault {
        let refused = access_denied(&self.params.user, self.peer, !is_empty_password_answer(answer));
        Fault { refusal: self.facts.mariadb, ..Fault::refused(refused) }
    }

    /// `in_hand`: the password, where the client has already given it.
    async fn relay(self, change: &ChangeUser, in_hand: Option<Password>) -> Result<Changed, Fault> {
        let Changing { proxy, client, backend, facts, params, salt, can_switch, is_shared, .. } = self;
        if facts.mariadb && is_shared {
            put_role_off(backend, facts).await?;
        }
        // A client that cannot be asked has answered the challenge that it has.
        let held = (!can_switch).then(|| (salt, change.answer.clone()));
        backend.command(&change_user_packet(facts, params)).await.map_err(Fault::of_backend)?;
        let accepted =
            Relayed { can_switch, held, in_hand, ..Relayed::new(proxy, client, backend, facts) }.run().await?;
        Ok(Changed { ok: accepted.ok, salt: accepted.scramble.unwrap_or(salt), secret: accepted.learned })
    }
}
