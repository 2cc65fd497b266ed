//! The list of the module's views, on the ops port: clients know what they call, and people can ask.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use crds::pod::VIEWS_PATH;

use super::serving::Serving;

/// `GET /views`. It reads what the module declares, and runs nothing of it.
pub fn router(serving: Arc<Serving>) -> Router {
    Router::new().route(VIEWS_PATH, get(views)).with_state(serving)
}

async fn views(State(serving): State<Arc<Serving>>) -> Response {
    match serving.views() {
        Some(views) => Json(views).into_response(),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the module is not loaded yet: see /status\n",
        )
            .into_response(),
    }
}
