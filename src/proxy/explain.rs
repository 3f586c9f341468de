//! `slow_log.explain`: the plan of a slow SELECT, asked for behind the client's back and on a connection of its own, beside the
//! pool's bound, with the client's account and schema. Its transaction is read-only: not even a view may write.

use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use crate::login::methods::secret::Secret;
use crate::proxy::backend::{self, Params};
use crate::proxy::client::Session;
use crate::proxy::error::{Fault, printable};
use crate::proxy::lease::close;
use crate::proxy::server::Proxy;
use crate::proxy::statement;
use crate::stats::slow_log::{Plan, Slow};
use crate::wire::capabilities::PROTOCOL_41;

/// How long the server may take to plan; a KILL may have to wait for the same connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// A record that waits for its plan. Whatever becomes of that, the record is written.
struct Waiting {
    proxy: Arc<Proxy>,
    slow: Option<Slow>,
}

/// What is asked, and as whom.
struct Question {
    user: Vec<u8>,
    schema: Option<Vec<u8>>,
    secret: Secret,
    select: String,
}

impl Session {
    /// Has the record written, with its plan if it is to have one. The client does not wait for that.
    pub(super) fn put_slow(&self, slow: Slow) {
        let Some(slow_log) = &self.proxy.slow_log else { return };
        let Some(question) = slow_log.to_explain(&slow).and_then(|select| self.question(select)) else {
            return slow_log.put(slow);
        };
        let mut waiting = Waiting { proxy: Arc::clone(&self.proxy), slow: Some(slow) };
        let (client, user) = (self.admission.id, printable(&self.identity.user));
        tokio::spawn(async move {
            match plan(&waiting.proxy, &question).await {
                Ok(plan) => waiting.set_plan(plan),
                Err(fault) => debug!(client, user, "no plan: {}", printable(&fault.why)),
            }
        });
    }

    /// `None`: tidegate cannot log in for this client.
    fn question(&self, select: String) -> Option<Question> {
        let (credentials, user) = (&self.proxy.credentials, &self.params.user);
        let known = || credentials.configured(user).or_else(|| credentials.learned(user));
        let secret = self.lease.secret.clone().or_else(known)?;
        let schema = Some(self.schema.as_bytes().to_vec()).filter(|schema| !schema.is_empty());
        Some(Question { user: user.clone(), schema, secret, select })
    }
}

impl Waiting {
    fn set_plan(&mut self, plan: Plan) {
        if let Some(slow) = &mut self.slow {
            slow.set_plan(plan);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let (Some(slow_log), Some(slow)) = (&self.proxy.slow_log, self.slow.take()) {
            slow_log.put(slow);
        }
    }
}

async fn plan(proxy: &Proxy, question: &Question) -> Result<Plan, Fault> {
    // Whoever uses the connection has more urgent things to do.
    let Ok(_one_at_a_time) = proxy.control.try_lock() else {
        return Err(Fault::backend("the control connection is busy"));
    };
    let params = Params { schema: question.schema.clone(), ..Params::bare(&question.user, PROTOCOL_41) };
    let (mut connection, _) = backend::greet(proxy, None).await?.login(proxy, &params, &question.secret).await?;
    let (mut channel, facts) = connection.borrow();
    let explained = tokio::time::timeout(PATIENCE, async {
        let caps = facts.capabilities;
        statement::query(&mut channel, caps, "START TRANSACTION READ ONLY").await?.map_err(Fault::refused)?;
        let explain = format!("EXPLAIN FORMAT=TRADITIONAL {}", question.select);
        statement::named(&mut channel, caps, &explain).await?.map_err(Fault::refused)
    })
    .await;
    connection.restore(channel);
    let in_step = explained.is_ok();
    tokio::spawn(close(connection, in_step));
    let table = explained.map_err(|_| Fault::backend("the server takes too long to plan"))??;
    Ok(Plan::new(&table.names, table.rows))
}
