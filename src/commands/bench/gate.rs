//! A fresh tidegate within this process, on threads of its own.

use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::sync::oneshot;
use toml::{Table, Value};

use super::account::Account;
use super::options::BenchMode;
use crate::config::{self, Surroundings};
use crate::net::settings::Address;
use crate::proxy::running::Running;
use crate::proxy::server;
use crate::proxy::settings::ProxySettings;
use crate::stats::histogram::PhaseHistograms;

/// A running tidegate.
pub(super) struct Gate {
    running: Running,
    address: Address,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// What it has seen since [`Gate::forget`].
pub(super) struct GateSeen {
    /// Phases of all commands.
    pub phases: PhaseHistograms,
    /// The most server connections it had at once, since its start.
    pub most_connections: usize,
    /// Clients that waited for a connection in vain, since its start.
    pub timeouts: u64,
}

impl Gate {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(settings: ProxySettings) -> anyhow::Result<Gate> {
        let (tell, told) = oneshot::channel();
        let run = move || {
            server::embed(settings, |running| {
                // Nobody waits any more: it ends at once.
                if let Err(running) = tell.send(running) {
                    running.drain();
                }
                Ok(())
            })
        };
        let thread = std::thread::Builder::new().name("tidegate".into()).spawn(run).context("a thread")?;
        let Ok(running) = told.await else {
            let ended = thread.join().map_err(|_| anyhow::anyhow!("tidegate has panicked"))?;
            return Err(ended.err().unwrap_or_else(|| anyhow::anyhow!("tidegate ended at once")));
        };
        let address = running.addresses().first().context("tidegate listens nowhere")?;
        let address = Address::Tcp(address.to_string());
        Ok(Gate { running, address, thread })
    }

    /// Where clients connect.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// The time to be measured begins.
    pub fn forget(&self) {
        self.running.reset_stats();
    }

    /// What it has seen.
    pub fn seen(&self) -> GateSeen {
        let pool = self.running.pool();
        GateSeen {
            phases: self.running.stats().phases.clone(),
            most_connections: pool.most_open,
            timeouts: pool.counters.timeouts,
        }
    }

    /// Ends it, and waits until it has let go of its server connections.
    ///
    /// # Errors
    /// It failed.
    pub async fn end(self) -> anyhow::Result<()> {
        self.running.drain();
        while !self.thread.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.thread.join().map_err(|_| anyhow::anyhow!("tidegate has panicked"))?
    }
}

/// The configuration of a cell's tidegate, as a file would have it: all but what is named here is as usual.
pub(super) fn settings(
    server: &Account,
    mode: BenchMode,
    size: usize,
    clients: usize,
) -> anyhow::Result<ProxySettings> {
    let text = toml_text(server, mode, size, clients);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let loaded = config::resolve(&text, Surroundings { env: &|_| None, cores });
    let loaded = loaded.map_err(|(errors, _)| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("tidegate's configuration: {}", errors.join("; "))
    })?;
    Ok(loaded.config.proxy)
}

fn toml_text(server: &Account, mode: BenchMode, size: usize, clients: usize) -> String {
    /// Clients of a cell before that are not gone yet.
    const SPARE_CLIENTS: usize = 100;
    let number = |n: usize| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let text = |text: &str| Value::String(text.to_owned());
    let tls = if server.address.is_local() { "off" } else { "preferred" };
    let sections = [
        (
            "listen",
            vec![
                ("address", text("127.0.0.1:0")),
                ("tls", text("off")),
                ("max_clients", number(clients + SPARE_CLIENTS)),
            ],
        ),
        ("backend", vec![("address", text(&server.address.to_string())), ("tls", text(tls))]),
        ("pool", vec![("mode", text(mode.name())), ("size", number(size)), ("max_overflow", number(0))]),
        ("admin", vec![("http", text("off")), ("sql", text("off"))]),
    ];
    let mut file: Table =
        sections.into_iter().map(|(name, keys)| (name.to_owned(), Value::Table(table(keys)))).collect();
    let user = table(vec![("name", text(&server.user)), ("password", text(server.password.expose_secret()))]);
    file.insert("user".to_owned(), Value::Array(vec![Value::Table(user)]));
    file.to_string()
}

fn table(keys: Vec<(&str, Value)>) -> Table {
    keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::settings::Mode;

    #[test]
    fn a_cells_configuration_is_good_and_its_bound_is_the_size() {
        let server = Account::parse("app:pa\"ss\\w#rd@127.0.0.1:3306/shop").expect("an account");
        let settings = settings(&server, BenchMode::Session, 7, 200).expect("good");
        assert_eq!((settings.pool.bound(), settings.mode), (7, Mode::Session));
        assert_eq!(settings.auth.users[0].password.expose_secret(), "pa\"ss\\w#rd");
        assert!(settings.histogram.path.is_none() && settings.slow_log.path.is_none());
        assert!(settings.listen.max_clients >= 200);
    }
}
