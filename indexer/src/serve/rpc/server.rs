//! The HTTP side: one address, `POST` for queries, `GET` for people.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{Method as HttpMethod, header},
    response::Response,
    routing::get,
};
use crds::{memory_budget, pod::Config};
use jsonrpsee_types::error::{ErrorObjectOwned, PARSE_ERROR_CODE};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{
    batch,
    body::{self, Bodies},
    caller::Caller,
    codes::{OVER_LIMIT, error},
    context::Context,
    index::Index,
    methods::Method,
    min_height::{self, MIN_HEIGHT},
    reply::{BLOCK_HASH, HEIGHT, Reply},
    views::Views,
};
use crate::{
    guest::Budget,
    serve::{
        client::Client,
        origins::{NoOrigin, Origins},
    },
    telemetry::metrics::Metrics,
};

/// Why the server cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured origins are none.
    #[error("corsOrigin (--cors)")]
    CorsOrigin(#[from] NoOrigin),
}

struct Server<I> {
    context: Context<I>,
    bodies: Bodies,
    timeout: Duration,
    batch: batch::Limits,
}

/// The server, ready to be served or called in a test. To be fair to clients it needs their addresses, as
/// [`ConnectInfo`] among each request's extensions.
///
/// Every answer is HTTP 200 with a JSON-RPC object, errors too; only notifications get 204 and no body. An answer that
/// was read at one block of the index names it in the headers `x-shrewd-height` and `x-shrewd-block-hash`. A request
/// with the header `x-shrewd-min-height` is answered once the index has that height, or with an error after
/// `views.timeout`.
///
/// # Errors
/// [`Error::CorsOrigin`].
pub fn router<I: Index>(index: Arc<I>, metrics: Arc<Metrics>, config: &Config) -> Result<Router, Error> {
    let views = &config.views;
    let memory = memory_budget(
        config.threshold_bytes,
        config.identity.memory_limit_bytes,
        views,
        config.cache_bytes,
    );
    let (budget, timeout) = (Budget::new(memory.views_bytes), Duration::from_millis(views.timeout_ms));
    let server = Server {
        bodies: Bodies::new(views.max_request_bytes, &budget),
        timeout,
        batch: batch::Limits::new(views.max_response_bytes, timeout),
        context: Context {
            views: Views::new(
                Arc::clone(&index),
                metrics,
                budget.clone(),
                views.max_concurrent,
                timeout,
            ),
            index,
            budget,
        },
    };
    let router = Router::new()
        .route("/", get(async || usage()).post(handle::<I>))
        .with_state(Arc::new(server));
    match &config.cors_origin {
        None => Ok(router),
        Some(origins) => Ok(router.layer(cors(Origins::parse(origins)?))),
    }
}

fn usage() -> String {
    let methods = Method::ALL.map(Method::name).join(", ");
    format!(
        "This is a Shrewd indexer. It answers JSON-RPC 2.0 by POST to this address:\n\n  curl -d \
         '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\",\"params\":[]}}' http://ADDRESS/\n\nMethods: {methods}\n",
        Method::Height.name()
    )
}

fn cors(origins: Origins) -> CorsLayer {
    let allowed = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::Listed(listed) => AllowOrigin::list(listed),
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([HttpMethod::POST])
        .allow_headers([header::CONTENT_TYPE, MIN_HEIGHT])
        .expose_headers([HEIGHT, BLOCK_HASH])
}

async fn handle<I: Index>(State(server): State<Arc<Server<I>>>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // Without connections, as in tests, all are one client.
    let client = Client::from(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip()));
    let min_height = min_height::wanted(request.headers());
    let reply = match server.bodies.read(request.into_body()).await {
        Ok(body) => {
            let refused = match &min_height {
                Ok(None) => None,
                Ok(Some(height)) => min_height::reached(&*server.context.index, *height, server.timeout)
                    .await
                    .err(),
                Err(error) => Some(error.clone()),
            };
            let caller = Caller {
                client,
                deadline: Instant::now() + server.batch.time,
                min_height: min_height.ok().flatten(),
            };
            batch::answer(&server.context, caller, server.batch, &body, refused.as_ref()).await
        }
        Err(error) => {
            let mut reply = Reply::default();
            reply.answer(None, Err(no_body(&error)));
            reply
        }
    };
    reply.into_response()
}

fn no_body(failure: &body::Error) -> ErrorObjectOwned {
    let code = match failure {
        body::Error::TooLong { .. }
        | body::Error::TooSlow
        | body::Error::ShareInUse { .. }
        | body::Error::NoRoom(_) => OVER_LIMIT,
        body::Error::Broken(_) => PARSE_ERROR_CODE,
    };
    error(code, failure.to_string())
}
