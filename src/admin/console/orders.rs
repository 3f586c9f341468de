//! What the console does: KILL, PAUSE, RESUME, DRAIN, RELOAD, RECORD, RESET STATS. Each is put on the log with who said it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::info;

use super::statement::Order;
use crate::admin::Admin;
use crate::admin::reload;
use crate::admin::table::{Cell, Kind, Table};
use crate::admin::views::recording;
use crate::proxy::running::{KillError, Killed};
use crate::stats::trace::TraceSettings;
use crate::wire::fault::{ErrPacket, NO_SUCH_THREAD};

/// ER_UNKNOWN_ERROR, for what no server says.
const FAILED: u16 = 1105;

/// How long PAUSE waits for those who have a backend.
const PAUSE_WAIT: Duration = Duration::from_secs(5);

/// How long RECORD STOP waits for the disk.
const RECORD_WAIT: Duration = Duration::from_secs(5);

/// What was done.
pub enum Done {
    /// It is done; perhaps with a word about it.
    Ok(String),
    /// This is shown.
    Shown(Table),
}

/// Does it.
///
/// # Errors
/// What the client is told.
pub async fn carry_out(admin: &Arc<Admin>, order: &Order, who: &str) -> Result<Done, ErrPacket> {
    info!(by = who, "console: {order:?}");
    let running = &admin.running;
    match order {
        Order::Kill { id, query_only } => match running.kill(*id, *query_only).await {
            Ok(Killed::Now) => Ok(Done::Ok(String::new())),
            Ok(Killed::AfterItsStatement) => {
                Ok(Done::Ok("its password is not known: it ends when its statement has ended".into()))
            }
            Err(unknown @ KillError::Unknown(_)) => Err(ErrPacket::new(NO_SUCH_THREAD, b"HY000", unknown.to_string())),
            Err(other) => Err(failed(other.to_string())),
        },
        Order::Pause if !running.pause() => {
            Err(failed("in mode observe each client has its own backend: there is nothing to pause".into()))
        }
        Order::Pause => Ok(Done::Shown(paused(admin).await)),
        Order::Resume if running.resume() => Ok(Done::Ok(String::new())),
        Order::Resume => Ok(Done::Ok("there was no pause".into())),
        Order::Drain => {
            running.drain();
            Ok(Done::Ok("clients finish their commands, then tidegate ends".into()))
        }
        Order::Reload => {
            let configured = Arc::clone(&admin.configured);
            let changes = on_disk(move || configured.reload()).await?.map_err(failed)?;
            Ok(Done::Shown(reload::table(&changes)))
        }
        Order::StartRecording { path, literals } => {
            let settings = TraceSettings { literals: *literals, ..TraceSettings::to(Path::new(path)) };
            let running = running.clone();
            on_disk(move || running.start_recording(settings))
                .await?
                .map_err(|error| failed(format!("{path}: {error}")))?;
            Ok(Done::Ok(String::new()))
        }
        Order::StopRecording => {
            let running = running.clone();
            match on_disk(move || running.stop_recording(RECORD_WAIT)).await? {
                Some(recorded) => Ok(Done::Shown(recording::table("stopped", Some(recorded)))),
                None => Ok(Done::Ok("nothing was recorded".into())),
            }
        }
        Order::ResetStats => {
            running.reset_stats();
            Ok(Done::Ok(String::new()))
        }
    }
}

/// Files are met: not on the thread that serves the others.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ErrPacket> {
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(error.to_string()))
}

/// How many still have a backend, after a moment in which they could give it back.
async fn paused(admin: &Admin) -> Table {
    let began = Instant::now();
    let held = || {
        let used = admin.running.pool().occupancy;
        used.open - used.idle.min(used.open)
    };
    while held() > 0 && began.elapsed() < PAUSE_WAIT {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut table = Table::new(&[("state", Kind::Text), ("connections_in_use", Kind::Count)]);
    table.push(vec!["paused".into(), Cell::from(held())]);
    table
}

fn failed(why: String) -> ErrPacket {
    ErrPacket::new(FAILED, b"HY000", why)
}
