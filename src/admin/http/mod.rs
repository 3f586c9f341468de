//! The web pages: health, metrics, and the views as JSON. Reading only; nothing here changes anything but what a probe of
//! the server costs.

mod access;
mod health;
mod metrics;
mod pages;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::Admin;

/// Connections at once; one more is told so and closed.
const MAX_CONNECTIONS: usize = 64;

/// The longest head of a request, in bytes. Bodies are not read at all.
const MAX_HEAD: usize = 16 << 10;

/// The most lines in it.
const MAX_HEADERS: usize = 64;

/// How long a head may take, the wait for the next request included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one connection may last: who reads slowly must not keep a place for ever.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);

/// What is told to one too many.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

type Reply = Response<Full<Bytes>>;

/// Accepts until the process ends.
pub(super) async fn serve(admin: Arc<Admin>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "admin.http: a connection could not be accepted; trying again in 100 ms");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let admin = Arc::clone(&admin);
                tokio::spawn(async move {
                    connection(admin, stream).await;
                    drop(place);
                });
            }
            Err(_) => refuse(stream),
        }
    }
}

/// One packet into an empty queue waits for nobody.
fn refuse(mut stream: TcpStream) {
    tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(FULL)).await;
    });
}

async fn connection(admin: Arc<Admin>, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(answer(&admin, &request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_LIFE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "admin.http: a connection ended"),
        Err(_) => debug!("admin.http: a connection lasted too long"),
    }
}

async fn answer(admin: &Admin, request: &Request<Incoming>) -> Reply {
    if !matches!(*request.method(), hyper::Method::GET | hyper::Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
    }
    let path = request.uri().path();
    if let Err(refused) = access::check(&admin.settings, request.headers(), path) {
        return *refused;
    }
    pages::page(admin, path).await
}

fn text(status: StatusCode, body: String) -> Reply {
    reply(status, "text/plain; charset=utf-8", body.into())
}

fn json(status: StatusCode, value: &serde_json::Value) -> Reply {
    reply(status, "application/json", format!("{value}\n").into())
}

fn reply(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    headers.insert(hyper::header::CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    reply
}
