//! (I/O) The operator's own endpoints: `/livez`, `/readyz`, `/metrics`.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::metrics::Metrics;

/// The number of scopes whose caches are not filled yet; shared by its clones.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicUsize>);

impl Readiness {
    /// Ready once [`Self::scope_ready`] has been called this many times.
    #[must_use]
    pub fn new(scopes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(scopes)))
    }

    /// One more scope is ready. Called once for each.
    pub fn scope_ready(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
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
            "waiting for the custom resource definition and the first lists\n",
        )
    }
}

async fn text(State(metrics): State<Metrics>) -> Result<Vec<u8>, StatusCode> {
    metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
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
}
