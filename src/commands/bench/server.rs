//! The server that is measured against: a private one or somebody's own, looked at over one control connection.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Failure;
use super::account::Account;
use super::client::{Client, ClientError, Door};
use super::gate;
use super::options::BenchMode;
use super::plan::Plan;
use super::private::Private;
use super::table;
use super::watch::find_process;
use super::workload::Workload;
use crate::net::tls::BackendTlsConfig;
use crate::proxy::descriptors;

/// How long the first login may take.
const LOGIN: Duration = Duration::from_secs(10);
/// How long dropping the table may take.
const LEAVING: Duration = Duration::from_secs(20);

/// A server that is ready to be measured against.
pub(super) struct Server {
    /// Where it is, as whom.
    pub account: Account,
    /// Clients' way there without tidegate.
    pub door: Door,
    /// What it calls itself.
    pub version: String,
    /// Its process, where it runs on this machine and may be looked at.
    pub pid: Option<u32>,
    /// It is a private one.
    pub is_private: bool,
    /// The control connection; `None` while it is lent or after it was lost.
    control: Mutex<Option<Client>>,
    has_table: bool,
    // Last: the connections go before the server does.
    _private: Option<Private>,
}

impl Server {
    /// Starts or reaches the server, makes the table that the workload needs, and tries each of its requests once.
    ///
    /// # Errors
    /// It cannot be had, the account may not do what is needed, a statement is wrong.
    pub async fn ready(plan: &Plan) -> Result<Server, Failure> {
        allow_files(plan.room())?;
        let private = match &plan.server {
            Some(_) => None,
            None => Some(Private::start(plan.clients).await?),
        };
        let account = match (&plan.server, &private) {
            (Some(account), _) => account.clone(),
            (None, Some(private)) => private.account.clone(),
            (None, None) => return Err(Failure::Input("there is no server".to_owned())),
        };
        let door = door(&account).map_err(|error| Failure::Input(format!("{error:#}")))?;
        let failed = |what: &str, error: ClientError| Failure::Input(format!("{account}: {what}{error}"));
        let mut control = Client::connect(&door, LOGIN).await.map_err(|error| failed("", error))?;
        let pid = match &private {
            Some(private) => Some(private.pid),
            None if account.address.is_local() => find_process(&mut control).await.unwrap_or_default(),
            None => None,
        };
        if plan.workload.needs_table {
            table::make(&mut control).await.map_err(|why| Failure::Input(format!("{account}: {why}")))?;
        }
        let version = control.version.clone();
        let mut server = Server {
            account,
            door,
            version,
            pid,
            is_private: private.is_some(),
            control: Mutex::new(Some(control)),
            has_table: plan.workload.needs_table,
            _private: private,
        };
        if let Err(wrong) = server.try_each(&plan.workload).await {
            let _ = server.leave().await;
            return Err(wrong);
        }
        Ok(server)
    }

    /// Lends the control connection; `None`: it was lost.
    pub async fn take_control(&self) -> Option<Client> {
        self.control.lock().await.take()
    }

    /// .. and has it back.
    pub async fn give_control(&self, control: Client) {
        *self.control.lock().await = Some(control);
    }

    /// Drops the table. A private server ends with this value.
    ///
    /// # Errors
    /// The table is still there.
    pub async fn leave(&self) -> Result<(), Failure> {
        if !self.has_table || self.is_private {
            return Ok(());
        }
        let kept = |why: &str| {
            Failure::Broken(format!("{}: the table {} is still there: {why}", self.account, super::workload::TABLE))
        };
        let dropping = async {
            let mut control = match self.take_control().await {
                Some(control) => control,
                None => Client::connect(&self.door, LOGIN).await?,
            };
            table::drop_it(&mut control).await?;
            control.quit().await;
            Ok::<_, ClientError>(())
        };
        match timeout(LEAVING, dropping).await {
            Ok(dropped) => dropped.map_err(|error| kept(&error.to_string())),
            Err(_) => Err(kept("the server does not answer")),
        }
    }

    async fn try_each(&mut self, workload: &Workload) -> Result<(), Failure> {
        let connecting = Client::connect(&self.door, LOGIN).await;
        let mut client = connecting.map_err(|error| Failure::Input(format!("{}: {error}", self.account)))?;
        let mut random = Rng::with_seed(0);
        for request in &workload.requests {
            for statement in &request.statements {
                let ran = client.run(|out| statement.write(&mut random, out)).await;
                ran.map_err(|error| Failure::Input(format!("{}, line {}: {error}", workload.name, statement.line)))?;
            }
        }
        client.quit().await;
        Ok(())
    }
}

fn door(account: &Account) -> anyhow::Result<Door> {
    // The same link that tidegate has with it.
    let settings = gate::settings(account, BenchMode::Transaction, 1, 1)?;
    Ok(Door { account: Arc::new(account.clone()), tls: BackendTlsConfig::new(&settings.backend)? })
}

/// A client, tidegate's side of it, and a server connection: so many files are open at once for each client.
fn allow_files(clients: usize) -> Result<(), Failure> {
    const SPARE: usize = 200;
    let needed = (3 * clients + SPARE) as u64;
    if let Err(allowed) = descriptors::allow(needed) {
        let text = format!(
            "{clients} clients need {needed} open files, and the limit is {allowed}: fewer clients, or `ulimit -Hn`"
        );
        return Err(Failure::Input(text));
    }
    Ok(())
}
