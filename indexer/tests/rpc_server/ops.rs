use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use crds::{
    Phase,
    pod::{Check, FaultClass, Halt, Status, module_reasons},
};
use indexer::{
    chain::Height,
    control::{Control, snapshot_requests::SnapshotRequests},
    serve::{
        ops,
        snapshot_request::{self, Publishes},
    },
    store::{Merging, Stats},
    telemetry::{metrics::Metrics, report::Report},
};
use serde_json::Value;

use crate::harness::{config, send};

struct Port {
    report: Arc<Report>,
    metrics: Arc<Metrics>,
    control: Arc<Control>,
    snapshots: Arc<SnapshotRequests>,
    router: Router,
}

impl Port {
    fn new() -> Self {
        let config = config();
        let report = Arc::new(Report::new(&config));
        let metrics = Arc::new(Metrics::new(&config).unwrap());
        let control = Arc::new(Control::default());
        let router = ops::router(ops::Ops {
            report: report.clone(),
            metrics: metrics.clone(),
            control: control.clone(),
        });
        let snapshots = Arc::new(SnapshotRequests::default());
        let router = router.merge(snapshot_request::router(Publishes {
            report: report.clone(),
            requests: Some(snapshots.clone()),
        }));
        Self {
            report,
            metrics,
            control,
            snapshots,
            router,
        }
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.answer(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn refresh(&self, body: impl Into<Body>) -> (StatusCode, String) {
        self.answer(Request::post("/refresh").body(body.into()).unwrap()).await
    }

    async fn snapshot(&self, body: impl Into<Body>) -> (StatusCode, String) {
        self.answer(Request::post("/snapshot").body(body.into()).unwrap()).await
    }

    async fn answer(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = send(&self.router, request).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// As the pipeline does at the tip.
    fn follow(&self) {
        self.report.update(|status| {
            status.phase = Phase::Syncing;
            status.module = Check {
                ok: Some(true),
                reason: module_reasons::VERIFIED.into(),
                message: String::new(),
            };
            status.height = Some(10);
            status.memory.guest_bytes = 5 << 20;
            status.memory.refreshes.threshold = 3;
        });
        self.report.source_heard(11);
    }

    fn halt(&self) {
        self.report.update(|status| {
            status.phase = Phase::Halted;
            status.halt = Some(Halt {
                class: FaultClass::Guest,
                height: 11,
                block_hash: "00".into(),
                runs: 2,
                message: "unreachable executed".into(),
            });
        });
    }
}

#[tokio::test]
async fn a_process_lives_from_the_start_and_is_ready_when_it_follows_the_chain() {
    let port = Port::new();
    assert_eq!(port.get("/livez").await, (StatusCode::OK, "ok\n".into()));
    assert_eq!(
        port.get("/readyz").await,
        (StatusCode::SERVICE_UNAVAILABLE, "module: Pending\n".into())
    );
    port.follow();
    assert_eq!(port.get("/readyz").await, (StatusCode::OK, "ok\n".into()));
}

#[tokio::test]
async fn a_halted_process_lives_and_says_why_it_is_not_ready() {
    let port = Port::new();
    port.follow();
    port.halt();
    let expected = "halted below height 11: unreachable executed\n";
    assert_eq!(
        port.get("/readyz").await,
        (StatusCode::SERVICE_UNAVAILABLE, expected.into())
    );
    assert_eq!(port.get("/livez").await.0, StatusCode::OK);
}

/// Clients of an index that halts as a whole are led to it until the operator has seen that.
#[tokio::test]
async fn a_process_that_was_ready_takes_clients_for_a_moment_after_it_halted() {
    let port = Port::new();
    port.follow();
    assert_eq!(port.get("/readyz").await.0, StatusCode::OK);
    port.halt();
    let expected = "halted below height 11: unreachable executed\n";
    assert_eq!(port.get("/readyz").await, (StatusCode::OK, expected.into()));
}

#[tokio::test]
async fn the_status_is_what_the_operator_reads() {
    let port = Port::new();
    port.follow();
    let (code, body) = port.get("/status").await;
    assert_eq!(code, StatusCode::OK);
    let status: Status = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (status.height, status.tip, status.behind),
        (Some(10), Some(11), Some(1))
    );
    assert_eq!(status.memory.refreshes.threshold, 3);
}

#[tokio::test]
async fn metrics_repeat_the_status_and_add_what_only_they_count() {
    let port = Port::new();
    let (code, before) = port.get("/metrics").await;
    assert_eq!(code, StatusCode::OK);
    assert!(
        !before.contains("\nshrewd_indexer_height "),
        "an unknown height is no height"
    );
    port.follow();
    port.halt();
    port.metrics.committed(7, 100);
    port.metrics.unwound(6);
    port.metrics.source_error("Unreachable");
    port.metrics.stage("execute", std::time::Duration::from_millis(2));
    port.metrics.store(&Stats {
        rows_bytes: 4096,
        ..Stats::default()
    });
    // Counters follow the store's own, however often they are shown.
    port.metrics.store(&Stats {
        rows_bytes: 4096,
        merging: Merging {
            merged_bytes: 70,
            ..Merging::default()
        },
        ..Stats::default()
    });
    let (_, text) = port.get("/metrics").await;
    let revision = config().identity.revision();
    let build = format!(
        "shrewd_indexer_build_info{{module=\"{}\",revision=\"{revision}\",version=\"{}\"}} 1",
        "ab".repeat(32),
        env!("CARGO_PKG_VERSION")
    );
    for line in [
        build.as_str(),
        "shrewd_indexer_height 10",
        "shrewd_indexer_tip_height 11",
        "shrewd_indexer_behind_blocks 1",
        "shrewd_indexer_ready 0",
        "shrewd_indexer_halted 1",
        "shrewd_indexer_guest_memory_bytes{kind=\"now\"} 5242880",
        "shrewd_indexer_guest_memory_bytes{kind=\"threshold\"} 67108864",
        "shrewd_indexer_refreshes_total{reason=\"threshold\"} 3",
        "shrewd_indexer_refreshes_total{reason=\"manual\"} 0",
        "shrewd_indexer_blocks_total 1",
        "shrewd_indexer_written_pairs_total 7",
        "shrewd_indexer_written_bytes_total 100",
        "shrewd_indexer_unwinds_total 1",
        "shrewd_indexer_reorg_depth_blocks_sum 6",
        "shrewd_indexer_source_errors_total{reason=\"Unreachable\"} 1",
        "shrewd_indexer_block_stage_seconds_count{stage=\"execute\"} 1",
        "shrewd_indexer_store_bytes{family=\"rows\"} 4096",
        "shrewd_indexer_store_merged_bytes_total 70",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let again = port.get("/metrics").await.1;
    assert!(
        again.contains("shrewd_indexer_refreshes_total{reason=\"threshold\"} 3\n"),
        "a scrape counts nothing"
    );
}

#[tokio::test]
async fn a_refresh_is_passed_on_once_per_id() {
    let port = Port::new();
    for _ in 0..2 {
        assert_eq!(
            port.refresh(r#"{"id":"now"}"#).await,
            (StatusCode::ACCEPTED, r#"{"id":"now"}"#.into())
        );
    }
    assert_eq!(port.control.take_refresh().as_deref(), Some("now"));
    assert_eq!(port.control.take_refresh(), None);
}

#[tokio::test]
async fn a_refresh_without_an_id_gets_one() {
    let port = Port::new();
    let (code, body) = port.refresh(Body::empty()).await;
    assert_eq!(code, StatusCode::ACCEPTED);
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(port.control.take_refresh().as_deref(), answer["id"].as_str());
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let port = Port::new();
    let long_id = format!("{{\"id\":\"{}\"}}", "x".repeat(257));
    for body in ["x", "{}", "[]", r#"{"id":1}"#, r#"{"id":""}"#, &long_id] {
        assert_eq!(port.refresh(body.to_owned()).await.0, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(
            port.snapshot(body.to_owned()).await.0,
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    assert_eq!(port.refresh(" ".repeat(2000)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(port.snapshot(" ".repeat(2000)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    for path in ["/refresh", "/snapshot"] {
        assert_eq!(port.get(path).await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(port.control.take_refresh(), None);
    assert_eq!(port.snapshots.waiting(), None);
    // A newer operator may say more than this program knows of.
    assert_eq!(
        port.refresh(r#"{"id":"a","more":1}"#.to_owned()).await.0,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn a_request_for_a_snapshot_is_passed_on_with_the_block_at_which_it_came() {
    let port = Port::new();
    let (code, body) = port.snapshot(r#"{"id":"a"}"#).await;
    assert_eq!((code, body.as_str()), (StatusCode::ACCEPTED, r#"{"id":"a"}"#));
    assert_eq!(port.snapshots.waiting().unwrap().at, None, "nothing is indexed yet");
    port.follow();
    let hash = "ab".repeat(32);
    port.report.update(|status| status.block_hash = Some(hash.clone()));
    assert_eq!(port.snapshot(Body::empty()).await.0, StatusCode::ACCEPTED);
    let at = port.snapshots.waiting().unwrap().at.unwrap();
    assert_eq!((at.height, at.hash.to_string()), (Height(10), hash));
}
