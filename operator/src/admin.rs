//! (I/O) The operator's own endpoints: `/livez`, `/readyz`, `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    routing::get,
};

use crate::metrics::Metrics;

/// Whether this process does what it should: wait for its turn, or look after every scope. Shared by its clones.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// It can take over as soon as the one that leads goes.
    stands_by: AtomicBool,
    /// Scopes whose caches are not filled yet.
    scopes: AtomicUsize,
}

impl Readiness {
    /// Ready once [`Self::scope_ready`] has been called this many times, and while it stands by.
    #[must_use]
    pub fn new(scopes: usize) -> Self {
        Self(Arc::new(Parts {
            stands_by: AtomicBool::new(false),
            scopes: AtomicUsize::new(scopes),
        }))
    }

    /// It waits for its turn from now on, or does not any more.
    pub fn stand_by(&self, stands_by: bool) {
        self.0.stands_by.store(stands_by, Ordering::Relaxed);
    }

    /// One more scope is ready. Called once for each.
    pub fn scope_ready(&self) {
        self.0.scopes.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.stands_by.load(Ordering::Relaxed) || self.0.scopes.load(Ordering::Relaxed) == 0
    }
}

/// The endpoints. `/livez` depends on nothing but the process itself: an unreachable API server is no reason to restart
/// the operator.
pub fn router(metrics: Metrics, readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(text).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, &'static str) {
    if readiness.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "waiting for the Lease, the custom resource definition or the first lists\n",
        )
    }
}

/// With the type that says how it is to be read: Prometheus 3 takes nothing without one that it knows.
async fn text(State(metrics): State<Metrics>) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), StatusCode> {
    let text = metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    use super::*;

    async fn get(router: &Router, path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn ready_needs_every_scope_and_alive_needs_nothing() {
        let readiness = Readiness::new(2);
        let router = router(Metrics::new().unwrap(), readiness.clone());
        for expected in [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::OK,
        ] {
            assert_eq!(get(&router, "/readyz").await, expected);
            assert_eq!(get(&router, "/livez").await, StatusCode::OK);
            if expected != StatusCode::OK {
                readiness.scope_ready();
            }
        }
        assert_eq!(get(&router, "/metrics").await, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_say_that_they_are_text_of_prometheus() {
        let router = router(Metrics::new().unwrap(), Readiness::new(0));
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4");
    }

    #[tokio::test]
    async fn who_stands_by_is_ready_until_its_turn_comes() {
        let readiness = Readiness::new(1);
        let router = router(Metrics::new().unwrap(), readiness.clone());
        readiness.stand_by(true);
        assert_eq!(get(&router, "/readyz").await, StatusCode::OK);
        readiness.stand_by(false);
        assert_eq!(get(&router, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
