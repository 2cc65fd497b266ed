//! `POST /snapshot` on the ops port: a snapshot of the index as it is now, whatever the schedule says.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use crds::pod::{SNAPSHOT_PATH, Status};
use serde_json::json;

use super::request_id::{BODY_BYTES_MAX, request_id};
use crate::{
    chain::{BlockRef, Height},
    control::snapshot_requests::SnapshotRequests,
    telemetry::report::Report,
};

/// What a process says that is not the one to be asked.
const PUBLISHES_NONE: &str = "this process publishes no snapshots: none are declared, or another pod publishes them\n";

/// Where requests for a snapshot go.
#[derive(Clone)]
pub struct Publishes {
    /// What the process says of itself.
    pub report: Arc<Report>,
    /// To whoever publishes; none: this process does not.
    pub requests: Option<Arc<SnapshotRequests>>,
}

/// `POST /snapshot`.
pub fn router(publishes: Publishes) -> Router {
    Router::new()
        .route(
            SNAPSHOT_PATH,
            post(snapshot).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)),
        )
        .with_state(publishes)
}

/// 202 and the id under which the snapshot will show as `snapshots.lastRequest` in `/status`; 409 where none are
/// published.
async fn snapshot(State(publishes): State<Publishes>, body: Bytes) -> Response {
    let Some(requests) = &publishes.requests else {
        return (StatusCode::CONFLICT, PUBLISHES_NONE).into_response();
    };
    let id = match request_id(&body) {
        Ok(id) => id,
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    if requests.request(id.clone(), newest_block(&publishes.report.status())) {
        tracing::info!(id, "a snapshot was requested");
    }
    (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response()
}

fn newest_block(status: &Status) -> Option<BlockRef> {
    Some(BlockRef {
        height: Height(status.height?),
        hash: status.block_hash.as_ref()?.parse().ok()?,
    })
}
