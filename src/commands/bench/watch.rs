//! The server while it is under load: how many connections it has, by its own account, and its CPU time.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::client::{Client, ClientError};
use super::machine;

/// How often the server is asked. A look costs it a fraction of a millisecond.
const PAUSE: Duration = Duration::from_millis(200);
/// How long an answer may take: the server has just been under load.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many connections the account has, but for the one that asks. Every server lists an account its own.
const COUNT: &str = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1) AND id <> CONNECTION_ID()";

/// Looks at the server beside a run.
pub(super) struct Watcher {
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<Result<(Client, Option<u64>), ClientError>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// What was seen before does not count.
    Forget,
    End,
}

impl Watcher {
    /// Begins, over this connection.
    pub fn start(control: Client) -> Watcher {
        let (orders, taken) = mpsc::unbounded_channel();
        Watcher { orders, task: tokio::spawn(watch(control, taken)) }
    }

    /// What was seen before does not count.
    pub fn forget(&self) {
        // A task that is gone says why at its end.
        let _ = self.orders.send(Order::Forget);
    }

    /// Ends: the connection again, and the most connections of the account that the server has counted.
    ///
    /// # Errors
    /// The server does not answer any more.
    pub async fn end(self) -> Result<(Client, Option<u64>), ClientError> {
        let _ = self.orders.send(Order::End);
        match timeout(PATIENCE, self.task).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => Err(ClientError::Protocol("nobody looks at the server".to_owned())),
            Err(_) => Err(ClientError::Silent(PATIENCE)),
        }
    }
}

async fn watch(
    mut control: Client,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Result<(Client, Option<u64>), ClientError> {
    let mut most = None;
    loop {
        let count = control.value(COUNT).await?;
        most = most.max(count.and_then(|count| count.parse().ok()));
        match timeout(PAUSE, orders.recv()).await {
            Err(_) => {}
            Ok(Some(Order::Forget)) => most = None,
            Ok(Some(Order::End) | None) => return Ok((control, most)),
        }
    }
}

/// The process of the server, if it runs on this machine and may be looked at.
pub(super) async fn find_process(control: &mut Client) -> Result<Option<u32>, ClientError> {
    let files = control.rows("SELECT @@pid_file, @@datadir").await?;
    let value = |at: usize| {
        let value = files.first()?.get(at)?.as_ref()?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let (Some(file), Some(folder)) = (value(0), value(1)) else { return Ok(None) };
    let pid = std::fs::read_to_string(std::path::Path::new(&folder).join(file)).ok();
    let pid = pid.and_then(|pid| pid.trim().parse().ok());
    Ok(pid.filter(|&pid| machine::is_server(pid)))
}
