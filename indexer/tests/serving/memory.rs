//! Views that take all they may, all at once, in a pod of the default size: errors, no kill, and blocks are indexed.

use std::{
    fs,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::Request,
};
use crds::{memory_budget, pod::Views};
use futures::StreamExt as _;
use indexer::guest::CancelFlag;
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::JoinSet};
use tower::ServiceExt as _;

use crate::{
    alone,
    cgroup::{self, MemoryGroup},
    stage::{MIB, START, Stage},
};

const THIS: &str = "memory::views_that_each_take_their_maximum_cost_errors_and_not_the_pod";
/// As a resource has it by default.
const LIMIT_BYTES: u64 = 4096 * MIB;
const THRESHOLD_BYTES: u64 = 1792 * MIB;
const ANSWER_BYTES: u64 = 64 * MIB;
/// What the machine must have left beside the pod.
const SPARE_BYTES: u64 = 1024 * MIB;

fn views() -> Views {
    Views {
        max_concurrent: 32,
        timeout_ms: 60_000,
        memory_limit_bytes: 512 * MIB,
        max_request_bytes: 8 * MIB,
        max_response_bytes: ANSWER_BYTES,
    }
}

#[test]
fn views_that_each_take_their_maximum_cost_errors_and_not_the_pod() {
    if alone::is_inside() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        return alone::inside(|| runtime.block_on(flood()));
    }
    let pod = memory_budget(THRESHOLD_BYTES, LIMIT_BYTES, &views(), None);
    let group = match available_bytes() {
        enough if enough >= pod.limit_bytes + SPARE_BYTES => MemoryGroup::new("views", pod.limit_bytes),
        little => Err(format!(
            "{} MiB are available, a pod may have {}",
            little / MIB,
            pod.limit_bytes / MIB
        )),
    };
    match group {
        Err(why) => cgroup::not_run(THIS, &why),
        Ok(group) => {
            alone::outside(THIS, &mut group.command());
            assert_eq!(group.oom_kills(), 0);
        }
    }
}

fn available_bytes() -> u64 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let line = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// 32 requests of the largest size, each for a view that takes all the memory it may and gives the longest answer:
/// first beside a guest that has its 4 GiB, then while blocks are indexed.
async fn flood() {
    let mut stage = Stage::up_to(START, |limits| {
        limits.limit_bytes = LIMIT_BYTES;
        limits.threshold_bytes = THRESHOLD_BYTES;
        limits.views = views();
    });
    let router = stage.router.clone();
    let request = request();
    stage
        .run(START + 1, &[5], &CancelFlag::new(), &Arc::new(AtomicBool::new(false)))
        .unwrap();
    ask(&router, &request).await;
    thread::scope(|scope| {
        let indexing = scope.spawn(|| {
            for height in START + 1..START + 50 {
                stage.index(height);
            }
        });
        tokio::task::block_in_place(|| Handle::current().block_on(ask(&router, &request)));
        indexing.join().unwrap();
    });
}

/// Its input begins with how long the answer is to be.
fn request() -> Bytes {
    let mut input = u32::try_from(ANSWER_BYTES).unwrap().to_le_bytes().to_vec();
    input.resize(4_000_000, 7);
    let params = json!(["hoard", format!("0x{}", hex::encode(input))]);
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params});
    request.to_string().into()
}

async fn ask(router: &Router, request: &Bytes) {
    let mut asked = JoinSet::new();
    for _ in 0..views().max_concurrent {
        let (router, request) = (
            router.clone(),
            Request::post("/").body(Body::from(request.clone())).unwrap(),
        );
        asked.spawn(async move { answer(router, request).await });
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(answer) = asked.join_next().await {
        match answer.unwrap() {
            (_, bytes) if bytes > ANSWER_BYTES => {
                assert_eq!(
                    bytes - 2 * ANSWER_BYTES,
                    r#"{"jsonrpc":"2.0","result":"0x","id":1}"#.len() as u64
                );
                answered += 1;
            }
            (text, _) => {
                let answer: Value = serde_json::from_slice(&text).unwrap();
                let message = answer["error"]["message"].as_str().unwrap();
                assert_eq!(answer["error"]["code"], -32002, "{message}");
                assert!(
                    message.contains("bytes together") && message.contains("views.memoryLimit"),
                    "{message}"
                );
                refused += 1;
            }
        }
    }
    assert!(answered > 0, "one view at its limit fits");
    assert!(refused > 0, "all of them fit, so nothing was tested");
}

/// The first bytes of an answer and how many it has: the client, who is in the group too, keeps no long one.
async fn answer(router: Router, request: Request<Body>) -> (Vec<u8>, u64) {
    let mut body = router.oneshot(request).await.unwrap().into_body().into_data_stream();
    let (mut first, mut bytes) = (Vec::new(), 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.unwrap();
        if bytes < 4096 {
            first.extend_from_slice(&chunk);
        }
        bytes += chunk.len() as u64;
    }
    (first, bytes)
}
