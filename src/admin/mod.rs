//! The view into a running proxy: HTTP, console, reload.
//!
//! ```text
//! views (tables, made for each look) <- proxy::running
//!   \-> http: health, metrics, JSON        \-> console: result sets; startup (what drivers ask first); orders (KILL, PAUSE, ..)
//! ```
//! It lives on a thread of its own, so that nobody who looks holds up a client, and outlives the draining.

mod console;
mod http;
pub mod reload;
pub mod settings;
pub mod table;
pub mod views;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use tracing::{info, warn};

use self::reload::Configured;
use self::settings::AdminSettings;
use crate::proxy::running::Running;

/// What both doors of the admin view share.
struct Admin {
    running: Running,
    settings: AdminSettings,
    configured: Arc<dyn Configured>,
}

/// Opens the doors that the settings name, and serves them on a thread of its own until the process ends.
///
/// # Errors
/// An address cannot be had; there is no thread.
pub fn start(settings: AdminSettings, running: Running, configured: Arc<dyn Configured>) -> anyhow::Result<()> {
    let http = settings.http.map(|address| bind("admin.http", address)).transpose()?;
    let sql = settings.sql.map(|address| bind("admin.sql", address)).transpose()?;
    if http.is_none() && sql.is_none() {
        return Ok(());
    }
    let admin = Arc::new(Admin { running, settings, configured });
    let spawned = std::thread::Builder::new().name("admin".into()).spawn(move || {
        if let Err(error) = serve(admin, http, sql) {
            warn!(%error, "the console and the web pages are closed");
        }
    });
    spawned.map(drop).context("a thread for [admin]")
}

fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let instead = "write another port, or \"off\"";
    let listener = TcpListener::bind(address).with_context(|| format!("{key} {address}: cannot listen; {instead}"))?;
    listener.set_nonblocking(true)?;
    info!("{key}: listening on {}", listener.local_addr()?);
    Ok(listener)
}

fn serve(admin: Arc<Admin>, http: Option<TcpListener>, sql: Option<TcpListener>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let http = http.map(tokio::net::TcpListener::from_std).transpose()?;
        let sql = sql.map(tokio::net::TcpListener::from_std).transpose()?;
        let pages = async {
            match http {
                Some(listener) => http::serve(Arc::clone(&admin), listener).await,
                None => std::future::pending().await,
            }
        };
        let console = async {
            match sql {
                Some(listener) => console::serve(Arc::clone(&admin), listener).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(pages, console);
        Ok(())
    })
}
