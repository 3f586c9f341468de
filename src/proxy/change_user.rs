//! COM_CHANGE_USER: a login on the client's own backend. The server asks, the client answers, tidegate passes it on.

use std::time::Instant;

use crate::net::buffer::Buffer;
use crate::net::channel::Channel;
use crate::net::stream::Stream;
use crate::proxy::backend::change_user_packet;
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, unknown_command};
use crate::proxy::query::Exchange;
use crate::proxy::relayed::Relayed;
use crate::wire::capabilities::{PLUGIN_AUTH, SESSION_TRACK};
use crate::wire::frame::{HEADER, Header};
use crate::wire::handshake::ChangeUser;
use crate::wire::ok;

impl Session {
    /// A refusal is the server's own; whether the connection lives on is the server's affair too.
    pub(super) async fn change_user(
        &mut self,
        exchange: &mut Exchange,
        header: Header,
        whole: bool,
        buffer: &mut Buffer,
    ) -> Result<(), Fault> {
        // The login's form was agreed between the client and tidegate, not with the backend.
        let payload = buffer.filled().get(HEADER..header.packet_len()).filter(|_| whole);
        let Some(change) = payload.and_then(|payload| ChangeUser::parse(payload, self.login_form)) else {
            return Err(Fault::client("malformed COM_CHANGE_USER", Some(unknown_command())));
        };
        buffer.consume(header.packet_len());
        let params = self.params.changed(&change);
        self.in_step = false;
        self.lease.foreign = true;
        let mut client = Channel {
            stream: std::mem::replace(&mut self.client, Stream::closed()),
            buffer: buffer.split_beyond(0),
            seq: 1,
            patience: Some(self.proxy.settings.listen.login_timeout),
        };
        let (mut backend, facts) = self.lease.backend_mut().borrow();
        let proxy = std::sync::Arc::clone(&self.proxy);
        let can_switch = self.login_form.has(PLUGIN_AUTH);
        let result = async {
            backend.command(&change_user_packet(facts, &params)).await.map_err(Fault::of_backend)?;
            exchange.timer.sent(Instant::now());
            Relayed { can_switch, ..Relayed::new(&proxy, &mut client, &mut backend, facts) }.run().await
        }
        .await;
        let told = match &result {
            Ok(accepted) => ok::with_info(&accepted.ok, self.capabilities.has(SESSION_TRACK), &[]),
            Err(fault) => fault.answer.as_ref().map(|answer| answer.payload()),
        };
        exchange.timer.first_byte(Instant::now());
        exchange.reply.facts.error = result.as_ref().err().and_then(|fault| Some(fault.answer.as_ref()?.code));
        if let Some(told) = told {
            exchange.bytes_out += (HEADER + told.len()) as u64;
            client.write(&told).await.map_err(Fault::of_client)?;
        }
        self.lease.backend_mut().restore(backend);
        self.client = client.stream;
        *buffer = client.buffer;
        self.finish_change(result.map(|_| ()), params)
    }

    fn finish_change(&mut self, result: Result<(), Fault>, params: crate::proxy::backend::Params) -> Result<(), Fault> {
        match result {
            Ok(()) => {
                self.identity.user = String::from_utf8_lossy(&params.user).into_owned();
                self.schema = params.schema.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
                self.params = params;
            }
            // The server's own refusal: it closes, or goes on as the old user.
            Err(fault) if fault.is_refusal() => {}
            Err(fault) => return Err(Fault { answer: None, ..fault }),
        }
        self.statements.clear();
        self.in_step = true;
        Ok(())
    }
}
