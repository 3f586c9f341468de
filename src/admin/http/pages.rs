//! Which path is which page.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use serde_json::json;

use super::{Reply, health, json as as_json, metrics, reply, text};
use crate::admin::Admin;
use crate::admin::views::{clients, digests, pins, pools};
use crate::proxy::running::Running;
use crate::stats::hlog::{Span, encode};

/// All paths, with what is there.
pub const PAGES: &[(&str, &str)] = &[
    ("/health", "alive"),
    ("/ready", "200 while the server can be reached and tidegate is not draining"),
    ("/health/db", "the pool: size, use, queue, pins, wait_timeout"),
    ("/metrics", "for Prometheus"),
    ("/pools", "the pool's parts"),
    ("/pins", "why backends are kept for their clients"),
    ("/digests", "what statements cost"),
    ("/clients", "who is connected"),
    ("/histogram.hlog", "all histograms since the start, for HdrHistogram's tools"),
];

/// The page at this path.
pub async fn page(admin: &Admin, path: &str) -> Reply {
    let running = &admin.running;
    let ok = StatusCode::OK;
    match path {
        "/health" => health::alive(running),
        "/ready" => health::ready(running).await,
        "/health/db" => health::db(running),
        "/metrics" => match metrics::text(running) {
            Ok(body) => reply(ok, CONTENT_TYPE, body.into()),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n".into()),
        },
        "/pools" => as_json(ok, &pools::json(running)),
        "/pins" => {
            let (now, causes) = (pins::table(running).json(), pins::causes(running).json());
            as_json(ok, &json!({ "pins": now, "causes": causes }))
        }
        "/digests" => as_json(ok, &json!({ "digests": digests::table(&running.stats()).json() })),
        "/clients" => as_json(ok, &json!({ "clients": clients::table(running).json() })),
        "/histogram.hlog" => reply(ok, "text/plain; charset=utf-8", histogram(running).into()),
        _ => text(StatusCode::NOT_FOUND, not_found()),
    }
}

fn not_found() -> String {
    let lines = PAGES.iter().map(|(path, what)| format!("  {path:16} {what}\n"));
    format!("no such page; there are\n{}", lines.collect::<String>())
}

fn histogram(running: &Running) -> Vec<u8> {
    let now: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    encode(&running.stats(), Span::between(running.started(), now))
}
