//! The ops port: how a process reports itself to Kubernetes, the operator, Prometheus and people with curl.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use crds::pod::{REFRESH_PATH, STATUS_PATH, Status};
use serde_json::json;

use super::request_id::{BODY_BYTES_MAX, request_id};
use crate::{
    control::Control,
    telemetry::{metrics::Metrics, report::Report},
};

/// What the ops port shows and passes on.
#[derive(Clone)]
pub struct Ops {
    /// What the process says of itself.
    pub report: Arc<Report>,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// Where refresh requests go.
    pub control: Arc<Control>,
}

/// `/livez`, `/readyz`, `/status`, `/metrics` and `POST /refresh`.
///
/// Answers from memory alone: no answer waits for the store, the guest or the node.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route(
            STATUS_PATH,
            get(async |State(ops): State<Ops>| Json(ops.report.status())),
        )
        .route("/metrics", get(metrics))
        .route(REFRESH_PATH, post(refresh).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)))
        .with_state(ops)
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, String) {
    match not_ready(&ops.report.status()) {
        None => (StatusCode::OK, "ok\n".into()),
        Some(reason) if ops.report.has_just_halted() => (StatusCode::OK, format!("{reason}\n")),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(ops): State<Ops>) -> Response {
    match ops.metrics.render(&ops.report.status()) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// 202 and the id under which the refresh will show as `lastRefreshRequest` in `/status`.
async fn refresh(State(ops): State<Ops>, body: Bytes) -> Response {
    let id = match request_id(&body) {
        Ok(id) => id,
        Err(message) => return (StatusCode::BAD_REQUEST, message).into_response(),
    };
    if ops.control.request_refresh(id.clone()) {
        tracing::info!(id, "refresh requested");
    }
    (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response()
}

/// Why a process is not ready, the weightiest reason first; none: it is.
fn not_ready(status: &Status) -> Option<String> {
    if status.ready {
        return None;
    }
    if let Some(halt) = &status.halt {
        return Some(format!("halted below height {}: {}", halt.height, halt.message));
    }
    if let Some(trouble) = &status.trouble {
        return Some(format!("this machine: {}", trouble.message));
    }
    // The only one that most pods know nothing of, since nothing is to be copied.
    let seed = (!status.seed.reason.is_empty()).then_some(("seed", &status.seed));
    let checks = [("module", &status.module)].into_iter().chain(seed);
    for (what, check) in checks.chain([("chain source", &status.source)]) {
        if check.ok != Some(true) {
            let separator = if check.message.is_empty() { "" } else { ": " };
            return Some(format!("{what}: {}{separator}{}", check.reason, check.message));
        }
    }
    match (status.height, status.behind) {
        (None, _) => Some("nothing is indexed yet".into()),
        (Some(height), Some(behind)) if behind > 0 => {
            Some(format!("at height {height}, {behind} blocks behind the tip"))
        }
        _ => Some(format!("{}, and the node was not heard of lately", status.phase)),
    }
}

#[cfg(test)]
mod tests {
    use crds::{
        Phase,
        pod::{Check, FaultClass, Halt, Memory},
    };

    use super::*;

    fn check(ok: Option<bool>, reason: &str) -> Check {
        Check {
            ok,
            reason: reason.into(),
            message: String::new(),
        }
    }

    fn status() -> Status {
        Status {
            version: "1".into(),
            indexer: "default/outpoints".into(),
            revision: serde_json::from_value(json!("0123456789")).unwrap(),
            module_sha256: "ab".repeat(32),
            store_format: Some(crds::STORE_FORMAT),
            store: None,
            volume: None,
            phase: Phase::Syncing,
            ready: false,
            height: Some(5),
            block_hash: None,
            digest: None,
            tip: Some(12),
            behind: Some(7),
            blocks_per_second: None,
            seconds_left: None,
            module: check(Some(true), "Verified"),
            source: check(Some(true), "Following"),
            memory: Memory::default(),
            trouble: None,
            halt: None,
            last_refresh_request: None,
            block_under_way: None,
            lineage: Vec::new(),
            snapshots: None,
            seed: Check::default(),
        }
    }

    type Change = fn(&mut Status);

    /// Why a process with such a status is not ready.
    fn reason(change: impl FnOnce(&mut Status)) -> Option<String> {
        let mut status = status();
        change(&mut status);
        not_ready(&status)
    }

    fn unreachable() -> Check {
        Check {
            message: "connection refused".into(),
            ..check(Some(false), "Unreachable")
        }
    }

    #[test]
    fn the_reason_for_not_being_ready_is_the_one_to_act_on() {
        assert_eq!(reason(|status| status.ready = true), None);
        let halted = |status: &mut Status| {
            status.halt = Some(Halt {
                class: FaultClass::Guest,
                height: 6,
                block_hash: String::new(),
                runs: 2,
                message: "unreachable executed".into(),
            });
            status.source = unreachable();
        };
        let checks: [(Change, &str); 3] = [
            (
                |status| status.source = unreachable(),
                "chain source: Unreachable: connection refused",
            ),
            (|status| status.module = check(None, "Pending"), "module: Pending"),
            (
                |status| {
                    status.seed = check(Some(false), "SeedUnreachable");
                    status.source = check(None, "Pending");
                },
                "seed: SeedUnreachable",
            ),
        ];
        assert_eq!(
            reason(halted).as_deref(),
            Some("halted below height 6: unreachable executed")
        );
        for (change, expected) in checks {
            assert_eq!(reason(change).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_process_without_trouble_says_how_far_it_is() {
        let height_unknown = |status: &mut Status| {
            (status.height, status.behind) = (None, None);
        };
        assert_eq!(reason(height_unknown).as_deref(), Some("nothing is indexed yet"));
        assert_eq!(reason(|_| {}).as_deref(), Some("at height 5, 7 blocks behind the tip"));
        let expected = "Syncing, and the node was not heard of lately";
        assert_eq!(reason(|status| status.behind = Some(0)).as_deref(), Some(expected));
    }
}
