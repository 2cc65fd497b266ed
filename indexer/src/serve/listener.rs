//! A port: connections are taken in, bounded, served, and ended with the process.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::ConnectInfo};
use bytes::Bytes;
use hyper::{
    Request,
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    connections::{Connection, Connections, InRequest},
    stall::StallGuard,
};

/// Bounds on the connections of a port.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time; beyond it idle ones give way.
    pub connections: usize,
    /// How long a connection may be without a complete request head, be it idle or slow.
    pub head: Duration,
    /// How long the other end may take nothing of what is sent to it.
    pub stall: Duration,
}

/// The JSON-RPC port. Proxies keep some dozens of connections open, usually for a minute.
pub const RPC: Limits = Limits {
    connections: 512,
    head: Duration::from_secs(60),
    stall: Duration::from_secs(30),
};

/// The ops port: the kubelet, the operator, Prometheus, and pods that fetch a copy.
pub const OPS: Limits = Limits { connections: 64, ..RPC };

/// Bytes a connection buffers each way. Heads have some hundred bytes, and bodies are passed on as they come.
const BUFFER_BYTES: usize = 32 << 10;
/// Pause after a connection could not be accepted, which is so where descriptors have run out: some come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Between two log lines about such.
const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(10);

/// Serves a router on a port until `closing` is cancelled and the requests then under way are answered. Each request
/// has the client's address, as [`ConnectInfo`], among its extensions.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, closing: CancellationToken) {
    let connections = Connections::new(limits.connections);
    let (mut serving, mut logged) = (JoinSet::new(), None::<Instant>);
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        // Those that have ended are forgotten here, so there are no more tasks than connections were at once.
        while serving.try_join_next().is_some() {}
        match accepted {
            Ok((stream, address)) => {
                if let Some(connection) = connections.admit(address.ip().into()) {
                    let (router, closing) = (router.clone(), closing.clone());
                    serving.spawn(serve_one((stream, address), connection, router, limits, closing));
                }
            }
            Err(error) => {
                if logged.is_none_or(|at| at.elapsed() >= ACCEPT_LOG_EVERY) {
                    tracing::warn!(%error, "connections cannot be accepted");
                    logged = Some(Instant::now());
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while serving.join_next().await.is_some() {}
}

/// Ends on its own, when another connection needs its place, or once its request is answered after `closing`.
async fn serve_one(
    (stream, address): (TcpStream, SocketAddr),
    connection: Connection,
    router: Router,
    limits: Limits,
    closing: CancellationToken,
) {
    // An answer is written at once; waiting for more to send would only delay it. Best effort.
    let _ = stream.set_nodelay(true);
    let connection = Arc::new(connection);
    let close = connection.close.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (router, in_request) = (router.clone(), connection.begin_request());
        request.extensions_mut().insert(ConnectInfo(address));
        async move {
            let answer = router.oneshot(request).await?;
            Ok::<_, std::convert::Infallible>(answer.map(|body| Sending {
                body,
                _in_request: in_request,
            }))
        }
    });
    let io = TokioIo::new(StallGuard::new(stream, limits.stall));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(io, service);
    let mut serving = std::pin::pin!(serving);
    // How a connection ends is the client's business: a broken one is no error of ours.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = close.cancelled() => return,
        () = closing.cancelled() => {}
    }
    serving.as_mut().graceful_shutdown();
    tokio::select! {
        _ = serving => {}
        () = close.cancelled() => {}
    }
}

/// The body of an answer; its request is under way until all of it is sent.
struct Sending {
    body: Body,
    _in_request: InRequest,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
