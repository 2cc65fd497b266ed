//! JSON-RPC over HTTP: the methods Metashrew clients know, answered from the index.
//!
//! Handlers translate and nothing more. What they translate to is [`Index`]; the process joins store and guest behind it.

mod body;
mod methods;
mod params;
mod places;
mod views;
mod wire;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bitcoin::BlockHash;
use bytes::Bytes;
use crds::pod;
use jsonrpsee_types::error::{CALL_EXECUTION_FAILED_CODE, PARSE_ERROR_CODE};
use serde_json::value::RawValue;
use tower_http::cors::{AllowOrigin, CorsLayer};

use self::places::Client;
use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    guest::{CancelFlag, ViewAnswer, ViewError},
    state::Digest,
    telemetry::metrics::Metrics,
};

/// The guest failed a view.
pub const VIEW_FAILED: i32 = CALL_EXECUTION_FAILED_CODE;
/// What was asked for is not there now: nothing indexed, not that far, shutting down, a disk that cannot be read.
pub const NOT_AVAILABLE: i32 = -32001;
/// A bound on requests, answers, time, memory or places was reached.
pub const OVER_LIMIT: i32 = -32002;

/// What a batch may answer besides one longest result: the thousand short answers of a full batch, 256 bytes each.
const BATCH_OVERHEAD_BYTES: u64 = 256 << 10;

const USAGE: &str = "This is a Shrewd indexer. It answers JSON-RPC 2.0 by POST to this address:\n\n\
    \x20 curl -d '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"metashrew_height\",\"params\":[]}' http://ADDRESS/\n\n\
    Methods: metashrew_view, metashrew_preview, metashrew_height, metashrew_getblockhash, metashrew_stateroot, metashrew_snapshot\n";

/// What queries are answered from. Every method may be called from many threads at once.
pub trait Index: Send + Sync + 'static {
    /// Why nothing can be asked now, in words for the client; none: it can.
    fn unavailable(&self) -> Option<String>;

    /// The last block indexed. From memory: does not wait.
    fn tip(&self) -> Option<BlockRef>;

    /// The block indexed at a height; none above the tip and below the first one.
    ///
    /// # Errors
    /// Of class `Host` when the store cannot be read.
    fn block(&self, height: Height) -> Result<Option<IndexedBlock>, Fault>;

    /// Whether the module exports a view of this name. From memory: does not wait.
    fn has_view(&self, function: &str) -> bool;

    /// Runs a view on the state at a height; without one, or above the tip, at the tip. The tip and the state are of
    /// one moment. Blocks the calling thread until `deadline` at the latest, less if `cancel` is set.
    ///
    /// # Errors
    /// [`ViewError`]; whose fault it was decides the code the client sees.
    fn view(
        &self,
        function: &str,
        height: Option<Height>,
        input: Bytes,
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError>;

    /// Applies a block on top of `parent` for nobody but this call, then runs a view at the height of that block.
    /// Without a parent, or with one above the tip, on top of the tip. Otherwise like [`Self::view`]; the deadline is
    /// that of both runs together.
    ///
    /// # Errors
    /// As [`Self::view`].
    fn preview(
        &self,
        function: &str,
        parent: Option<Height>,
        block: Bytes,
        input: Bytes,
        deadline: Instant,
        cancel: &CancelFlag,
    ) -> Result<ViewAnswer, ViewError>;

    /// How much there is.
    ///
    /// # Errors
    /// Of class `Host` when the store cannot be read.
    fn sizes(&self) -> Result<Sizes, Fault>;
}

/// A block of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexedBlock {
    /// Its hash.
    pub hash: BlockHash,
    /// Digest of the index with it.
    pub digest: Digest,
}

/// How much an index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Keys with their versions, or a close estimate.
    pub entries: u64,
    /// Bytes on disk.
    pub bytes_on_disk: u64,
    /// Blocks from the first one to the tip.
    pub blocks: u64,
}

/// Why the server cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured origin is no header value.
    #[error("cors origin {origin:?} cannot be sent as a header")]
    CorsOrigin {
        /// The origin.
        origin: String,
    },
}

struct Server<I> {
    index: Arc<I>,
    metrics: Arc<Metrics>,
    views: views::Views,
    bodies: body::Bodies,
    batch_bytes_max: u64,
}

/// The server, ready to be served or called in a test. To be fair to clients it must be told their addresses
/// (`into_make_service_with_connect_info`).
///
/// Every answer is HTTP 200 with a JSON-RPC object, errors too; only notifications get 204 and nothing.
///
/// # Errors
/// [`Error::CorsOrigin`].
pub fn router<I: Index>(
    index: Arc<I>,
    metrics: Arc<Metrics>,
    limits: &pod::Views,
    cors_origin: Option<&str>,
) -> Result<Router, Error> {
    let server = Server {
        index,
        metrics,
        views: views::Views::new(limits.max_concurrent, Duration::from_millis(limits.timeout_ms)),
        bodies: body::Bodies::new(limits.max_request_bytes),
        // In hex, one byte is two.
        batch_bytes_max: limits
            .max_response_bytes
            .saturating_mul(2)
            .saturating_add(BATCH_OVERHEAD_BYTES),
    };
    let router = Router::new()
        .route("/", get(async || USAGE).post(handle::<I>))
        .with_state(Arc::new(server));
    match cors_origin {
        None => Ok(router),
        Some(origin) => Ok(router.layer(cors(origin)?)),
    }
}

fn cors(origin: &str) -> Result<CorsLayer, Error> {
    let allowed = if origin == "*" {
        AllowOrigin::any()
    } else {
        let value = HeaderValue::from_str(origin).map_err(|_| Error::CorsOrigin { origin: origin.into() })?;
        AllowOrigin::exact(value)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers([header::CONTENT_TYPE]))
}

async fn handle<I: Index>(State(server): State<Arc<Server<I>>>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // Without connections, as in tests, all are one client.
    let client = Client::from(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip()));
    let mut out = Vec::new();
    match server.bodies.read(request.into_body()).await {
        Ok(received) => server.answer(client, &received.bytes, &mut out).await,
        Err(error) => {
            let code = match error {
                body::Error::TooLong { .. } | body::Error::TooSlow => OVER_LIMIT,
                body::Error::Broken(_) => PARSE_ERROR_CODE,
            };
            wire::write_response(&mut out, None, &Err(methods::error(code, error.to_string())));
        }
    }
    if out.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    ([(header::CONTENT_TYPE, "application/json")], out).into_response()
}

impl<I: Index> Server<I> {
    /// Appends the answer to one body; nothing, if it has notifications only.
    async fn answer(&self, client: Client, body: &[u8], out: &mut Vec<u8>) {
        match wire::message(body) {
            Ok(wire::Message::Single(raw)) => {
                self.answer_one(client, raw, out).await;
            }
            Ok(wire::Message::Batch(entries)) => self.answer_batch(client, &entries, out).await,
            Err(error) => wire::write_response(out, None, &Err(error)),
        }
    }

    /// One after the other, so that a batch takes one view's place at a time. The answers together are bounded as one
    /// answer is; those that come after the bound are errors.
    async fn answer_batch(&self, client: Client, entries: &[&RawValue], out: &mut Vec<u8>) {
        let mut separator = b'[';
        for &raw in entries {
            let start = out.len();
            out.push(separator);
            let answered = if start as u64 > self.batch_bytes_max {
                self.refuse_one(raw, out)
            } else {
                self.answer_one(client, raw, out).await
            };
            if answered {
                separator = b',';
            } else {
                out.truncate(start);
            }
        }
        if !out.is_empty() {
            out.push(b']');
        }
    }

    /// Whether there was something to answer.
    async fn answer_one(&self, client: Client, raw: &RawValue, out: &mut Vec<u8>) -> bool {
        match wire::request(raw) {
            Ok(request) => {
                // All methods only read: without anybody to tell, there is nothing to do.
                let Some(id) = request.id else { return false };
                let answer = methods::call(self, client, &request).await;
                wire::write_response(out, Some(id), &answer);
            }
            Err(invalid) => wire::write_response(out, invalid.id, &Err(invalid.error)),
        }
        true
    }

    fn refuse_one(&self, raw: &RawValue, out: &mut Vec<u8>) -> bool {
        let id = match wire::request(raw) {
            Ok(request) if request.id.is_none() => return false,
            Ok(request) => request.id,
            Err(invalid) => invalid.id,
        };
        let message = format!(
            "the answers before this one already exceed {} bytes",
            self.batch_bytes_max
        );
        wire::write_response(out, id, &Err(methods::error(OVER_LIMIT, message)));
        true
    }
}
