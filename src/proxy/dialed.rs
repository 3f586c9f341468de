//! A connection that was dialed for one client, until its login has made it a lease or has failed.

use std::sync::Arc;
use std::time::Instant;

use crate::login::greet::Face;
use crate::login::methods::secret::Secret;
use crate::net::channel::{Channel, ChannelError};
use crate::net::settings::Peer;
use crate::pool::core::Use;
use crate::proxy::backend::{self, Backend, BackendFacts, Greeted, Params};
use crate::proxy::connect::Connector;
use crate::proxy::entrants::Entrant;
use crate::proxy::error::Fault;
use crate::proxy::lease::{GOODBYE, Lease, Member, Permit, close, exhausted, member};
use crate::proxy::server::Proxy;
use crate::proxy::trace::LoginWaits;
use crate::wire::capabilities::PROTOCOL_41;
use crate::wire::command;
use crate::wire::fault::{self, ErrPacket};
use crate::wire::handshake::Salt;

/// A greeted connection with its permit.
pub struct Dialed {
    greeted: Greeted,
    permit: Permit,
    member: Member,
    /// The client's.
    id: u32,
    /// The wait for the permit, and the dial.
    waits: LoginWaits,
    /// Nobody has proved anything yet.
    entrant: Option<Entrant>,
}

/// As [`dial`], for a client that has not proved who it is, or needs a connection of its own: it holds that one as long as it takes
/// its time.
pub async fn dial_for_stranger(
    proxy: &Arc<Proxy>,
    params: Option<&Params>,
    client: &mut Channel,
    peer: Peer,
    id: u32,
) -> Result<Dialed, Fault> {
    let settings = proxy.pool.settings();
    let began = Instant::now();
    let entrant = tokio::select! {
        biased;
        entrant = tokio::time::timeout(settings.checkout_timeout, proxy.entrants.enter(settings.bound())) => entrant,
        gone = client.gone() => return Err(Fault::of_client(gone)),
    };
    let entrant = entrant.ok().flatten().ok_or_else(|| too_many_logins(proxy.entrants.under_way()))?;
    let queue = began.elapsed();
    let mut dialed = dial(proxy, params, client, peer, id).await?;
    dialed.waits.queue += queue;
    Ok(Dialed { entrant: Some(entrant), ..dialed })
}

fn too_many_logins(under_way: usize) -> Fault {
    let text = format!(
        "Too many connections (tidegate: {under_way} logins are under way, and half of the pool is for who is in)"
    );
    Fault::own(text.clone(), ErrPacket::new(fault::TOO_MANY_CONNECTIONS, b"08004", text))
}

/// Waits for a permit and dials. `params`: who for, where that is known. A client that goes leaves the queue.
pub async fn dial(
    proxy: &Arc<Proxy>,
    params: Option<&Params>,
    client: &mut Channel,
    peer: Peer,
    id: u32,
) -> Result<Dialed, Fault> {
    let mut member = member(proxy, params, id, None);
    let connector = Connector::new(proxy);
    let began = Instant::now();
    let permit = tokio::select! {
        biased;
        permit = member.permit(Use::Relayed, &connector) => permit.map_err(exhausted)?,
        gone = client.gone() => return Err(Fault::of_client(gone)),
    };
    let queue = began.elapsed();
    let greeted = dial_uncounted(proxy, peer).await?;
    permit.reached();
    let waits = LoginWaits { queue, backend: began.elapsed().saturating_sub(queue) };
    Ok(Dialed { greeted, permit, member, id, waits, entrant: None })
}

/// Dials outside the pool's bound (`observe`).
pub async fn dial_uncounted(proxy: &Proxy, peer: Peer) -> Result<Greeted, Fault> {
    backend::greet(proxy, Some(peer)).await
}

impl Dialed {
    /// Logs in with a known secret: a connection of the pool.
    pub async fn login(self, proxy: &Proxy, params: &Params, secret: &Secret) -> Result<Lease, Fault> {
        let Dialed { greeted, permit, member: first, id, mut waits, entrant: _under_way } = self;
        let began = Instant::now();
        let (backend, ok) = greeted.login(proxy, params, secret).await?;
        waits.backend += began.elapsed();
        proxy.trace_dialed(waits.backend, None);
        drop(first);
        let mut lease = Lease::of_pool(proxy, params, (backend, ok), (permit, id), secret.clone());
        lease.waits = waits;
        Ok(lease)
    }

    /// The greeting's challenge.
    pub fn salt(&self) -> Salt {
        self.greeted.salt()
    }

    /// What the server says of itself on this connection.
    pub fn face(&self) -> Face {
        Face { greeting: self.greeted.greeting.clone() }
    }

    /// The client goes before its login.
    pub async fn leave(self, proxy: &Proxy) {
        leave(proxy, self.greeted).await;
    }

    /// Names the account without an answer.
    pub async fn ask(self, proxy: &Proxy, params: &Params) -> Result<Asked, Fault> {
        let (channel, facts) = self.greeted.ask(proxy, params).await?;
        let begun = Begun { channel, permit: Some(self.permit), id: self.id, entrant: self.entrant };
        Ok(Asked { begun: Some(begun), facts })
    }
}

/// A connection whose login was begun.
///
/// Dropped before the login has ended, it says to the server that no answer comes and waits for its refusal: servers
/// block a host whose logins end half-way (`max_connect_errors`), and all clients are one host to them.
pub struct Asked {
    begun: Option<Begun>,
    /// What is known of it.
    pub facts: BackendFacts,
}

struct Begun {
    channel: Channel,
    /// `None`: outside any bound (`observe`).
    permit: Option<Permit>,
    /// The client's.
    id: u32,
    entrant: Option<Entrant>,
}

/// Ends a login that the client left in the middle. Servers count one that is left half-way against its host, which is
/// tidegate's for all clients, and block it after `max_connect_errors` of them; a refused one is not counted.
async fn abandon(channel: &mut Channel) {
    let goodbye = async {
        channel.write(&[]).await?;
        until_refused(channel).await
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// Ends a connection that has greeted, as [`abandon`] does.
pub async fn leave(proxy: &Proxy, greeted: Greeted) {
    let nobody = Params::bare(b"", PROTOCOL_41);
    if let Ok((mut channel, _)) = greeted.ask(proxy, &nobody).await {
        let _ = tokio::time::timeout(GOODBYE, until_refused(&mut channel)).await;
    }
}

/// Answers nothing to whatever the server asks, until it refuses; where it lets that in, quits.
async fn until_refused(channel: &mut Channel) -> Result<(), ChannelError> {
    loop {
        match channel.read().await?.first() {
            Some(0x00) => channel.command(&[command::QUIT]).await?,
            Some(0xFF) => return Ok(()),
            _ => channel.write(&[]).await?,
        }
    }
}

impl Asked {
    /// `observe`: the client's own, outside any bound.
    pub fn own(channel: Channel, facts: BackendFacts) -> Asked {
        Asked { begun: Some(Begun { channel, permit: None, id: 0, entrant: None }), facts }
    }

    /// The login went well, and the connection is not needed: it is closed, and its permit free.
    pub async fn leave(mut self) {
        if let Some(Begun { channel, permit, .. }) = self.begun.take() {
            close(Backend::from_channel(channel, self.facts), true).await;
            drop(permit);
        }
    }

    /// Towards the backend.
    pub fn channel(&mut self) -> &mut Channel {
        match &mut self.begun {
            Some(begun) => &mut begun.channel,
            None => unreachable!("a login that was begun has its channel until it ends"),
        }
    }

    /// The login went well: a connection of the pool where the password was learned, the client's own otherwise.
    pub fn accepted(mut self, proxy: &Proxy, params: &Params, ok: Vec<u8>, learned: Option<Secret>) -> Lease {
        let Some(Begun { channel, permit, id, entrant: _under_way }) = self.begun.take() else {
            unreachable!("a login that was begun has its channel until it ends")
        };
        let backend = Backend::from_channel(channel, self.facts);
        match (permit, learned) {
            (None, _) => Lease::own(backend, ok),
            (Some(permit), None) => Lease::relayed(backend, ok, permit),
            (Some(permit), Some(secret)) => Lease::of_pool(proxy, params, (backend, ok), (permit, id), secret),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // At the process's end there is no runtime any more, and nobody to wait for.
        if let (Some(begun), Ok(runtime)) = (self.begun.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(give_up(begun));
        }
    }
}

async fn give_up(begun: Begun) {
    let Begun { mut channel, permit, entrant, .. } = begun;
    abandon(&mut channel).await;
    drop((permit, entrant));
}
