//! The pods' own servers: one on the ops port and one for queries, at an address of its own for each pod.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use crds::pod::{OPS_PORT, RPC_PORT, STATUS_PATH, Status};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::reports::{Chain, Reporter, hash};

/// One pod that runs.
#[derive(Clone)]
struct Pod {
    reporter: Reporter,
    chain: Arc<Chain>,
    started: Instant,
}

/// The address of the nth pod, on loopback, where no program listens by itself.
pub(crate) fn address(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number).unwrap();
    // Without the first and the last of 256, which look like a network and like everybody.
    let (high, low) = (number / 254, number % 254 + 1);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 80, 0, 0)) + (high << 8) + low)
}

/// Starts to answer at an address, until `end`.
pub(crate) async fn run(address: Ipv4Addr, reporter: Reporter, chain: Arc<Chain>, end: &CancellationToken) {
    let pod = Pod {
        reporter,
        chain,
        started: Instant::now(),
    };
    serve(
        address,
        OPS_PORT,
        Router::new().route(STATUS_PATH, get(status)),
        &pod,
        end,
    )
    .await;
    serve(address, RPC_PORT, Router::new().route("/", post(query)), &pod, end).await;
}

async fn serve(address: Ipv4Addr, port: u16, router: Router<Pod>, pod: &Pod, end: &CancellationToken) {
    let listener = TcpListener::bind(SocketAddr::new(address.into(), port))
        .await
        .unwrap_or_else(|error| panic!("listen on {address}:{port}: {error}"));
    let (router, end) = (router.with_state(pod.clone()), end.clone());
    tokio::spawn(
        end.run_until_cancelled_owned(async move { axum::serve(listener, router).await.expect("serve a pod") }),
    );
}

async fn status(State(pod): State<Pod>) -> Json<Status> {
    Json(pod.chain.report(&pod.reporter, pod.started.elapsed()))
}

/// Answers `metashrew_stateroot`; the operator asks for nothing else here.
async fn query(State(_): State<Pod>, Json(call): Json<Value>) -> Json<Value> {
    assert_eq!(call["method"], "metashrew_stateroot");
    let height = u32::try_from(call["params"][0].as_u64().unwrap()).unwrap();
    Json(json!({"jsonrpc": "2.0", "id": call["id"], "result": format!("0x{}", hash(height))}))
}
