use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use axum::Router;
use indexer::guest::CancelFlag;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::stage::{START, Stage, call, got, until};

type Answer = Result<String, (i64, String)>;

const N: &str = "0x6e";

/// So many requests at once, each a task of its own.
fn ask(router: &Router, count: usize, params: &Value) -> JoinSet<Answer> {
    let mut asked = JoinSet::new();
    for _ in 0..count {
        let (router, params) = (router.clone(), params.clone());
        asked.spawn(async move { call(&router, "metashrew_view", params).await });
    }
    asked
}

fn running(stage: &Stage) -> u64 {
    stage.metric("shrewd_indexer_views_running").unwrap().parse().unwrap()
}

/// Contract §8.4.
#[tokio::test(flavor = "multi_thread")]
async fn five_views_are_answered_while_a_block_runs() {
    let mut stage = Stage::up_to(START + 2, |limits| limits.views.max_concurrent = 5);
    let (router, stop, runs) = (
        stage.router.clone(),
        CancelFlag::new(),
        Arc::new(AtomicBool::new(false)),
    );
    thread::scope(|scope| {
        // Never ends by itself.
        let block = scope.spawn(|| stage.run(START + 3, &[1], &stop, &runs));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                until("the block runs", || runs.load(Ordering::SeqCst)).await;
                let mut asked = ask(&router, 5, &json!(["get", N]));
                while let Some(answer) = asked.join_next().await {
                    assert_eq!(answer.unwrap(), got(START + 2, 3));
                }
            });
        });
        assert!(!block.is_finished(), "nothing waited for it");
        stop.cancel();
        assert!(block.join().unwrap().is_err());
    });
}

/// Contract §8.4, §8.5: whatever is committed meanwhile, a view sees one height and all of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_never_sees_what_is_above_its_height() {
    let mut stage = Stage::up_to(START, |_| {});
    let router = stage.router.clone();
    let indexed = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    let asked = thread::scope(|scope| {
        scope.spawn(|| {
            for height in START + 1..START + 200 {
                stage.index(height);
                // On a busy machine all blocks could be there before the first view is asked.
                while height == START + 100 && answered.load(Ordering::SeqCst) < 2 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            indexed.store(true, Ordering::SeqCst);
        });
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let mut heights = Vec::new();
                let mut is_last = false;
                while !is_last {
                    is_last = indexed.load(Ordering::SeqCst);
                    let latest = call(&router, "metashrew_view", json!(["get", N])).await.unwrap();
                    let number = |at: usize| u32::from_str_radix(&latest[at..at + 8], 16).unwrap().swap_bytes();
                    let height = number(2);
                    assert_eq!(number(10), height - START + 1, "{latest}");
                    let below = START + (height - START) / 2;
                    let answer = call(&router, "metashrew_view", json!(["get", N, below])).await;
                    assert_eq!(answer, got(below, below - START + 1), "while {height} was the tip");
                    heights.push(height);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                heights
            })
        })
    });
    assert!(asked.is_sorted(), "history never shrinks: {asked:?}");
    assert!(asked.len() > 2 && asked.first() < asked.last(), "{asked:?}");
}

/// Contract §8.13: all permits are taken and as many wait as may; blocks are indexed, and everything but views is
/// answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_views_that_never_end_do_not_stop_indexing() {
    let mut stage = Stage::up_to(START, |_| {});
    let mut asked = ask(&stage.router, 100, &json!(["spin", ""]));
    // 4 run and 32 wait; the others are refused at once.
    for _ in 0..64 {
        let (code, message) = asked.join_next().await.unwrap().unwrap().unwrap_err();
        assert!(code == -32002 && message.contains("try again later"), "{message}");
    }
    assert_eq!(running(&stage), 36);
    for height in START + 1..START + 20 {
        stage.index(height);
    }
    let tip = (START + 19).to_string();
    assert_eq!(stage.call("metashrew_height", json!([])).await, Ok(tip));
    asked.abort_all();
    until("all have left", || running(&stage) == 0).await;
    assert_eq!(
        stage.call("metashrew_view", json!(["get", N])).await,
        got(START + 19, 20)
    );
}

/// Contract §8.13.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_never_ends_is_stopped_and_its_place_is_free() {
    let stage = Stage::up_to(START, |limits| {
        limits.views.max_concurrent = 1;
        limits.views.timeout_ms = 300;
    });
    let (code, message) = stage.call("metashrew_view", json!(["spin", ""])).await.unwrap_err();
    let expected = "the view did not end within 300 ms, the wait for its turn included (views.timeout, --view-timeout)";
    assert_eq!((code, message.as_str()), (-32002, expected));
    assert_eq!(stage.call("metashrew_view", json!(["get", N])).await, got(START, 1));
}

/// Contract §8.13: a client that leaves takes its view with it, whether that runs or waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_gives_its_place_to_the_next() {
    let stage = Stage::up_to(START, |limits| limits.views.max_concurrent = 1);
    let mut leaving = ask(&stage.router, 3, &json!(["spin", ""]));
    until("one runs, two wait", || running(&stage) == 3).await;
    leaving.abort_all();
    // Its own time is a minute, as was theirs.
    assert_eq!(stage.call("metashrew_view", json!(["get", N])).await, got(START, 1));
    let cancelled = || stage.metric(r#"shrewd_indexer_views_total{function="spin",outcome="cancelled"}"#);
    until("all are counted", || cancelled().as_deref() == Some("3")).await;
}

/// Asks from an address of its own, over a real connection.
fn ask_from(address: [u8; 4], url: &str, params: &Value) -> JoinHandle<Value> {
    let client = reqwest::Client::builder()
        .local_address(IpAddr::from(address))
        .build()
        .unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "metashrew_view", "params": params});
    let request = client.post(url).json(&body);
    tokio::spawn(async move { request.send().await.unwrap().json().await.unwrap() })
}

/// Contract §8.13: fairness. One client takes the permit and fills the room to wait in; another one gets in all the
/// same, and has its turn after one more view of the first one, not after eight.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_floods_does_not_keep_another_out() {
    let stage = Stage::up_to(START, |limits| limits.views.max_concurrent = 1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = stage.router.clone().into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(axum::serve(listener, service).into_future());
    let mut flood = Vec::new();
    for present in 1..=9 {
        flood.push(ask_from([127, 0, 0, 1], &url, &json!(["spin", ""])));
        until("it is there", || running(&stage) == present).await;
    }
    let refused = ask_from([127, 0, 0, 1], &url, &json!(["get", N])).await.unwrap();
    assert_eq!(refused["error"]["code"], -32002, "{refused}");
    let mut other = ask_from([127, 0, 0, 2], &url, &json!(["get", N]));
    let sent_away = flood.pop().unwrap().await.unwrap();
    assert_eq!(
        sent_away["error"]["code"], -32002,
        "the last of the longest line: {sent_away}"
    );
    assert_eq!(running(&stage), 9);
    // The first client has the next turn, then it is the other one's. Whoever leaves before it is called costs one
    // more.
    let mut ended = 0;
    let answer = loop {
        flood[ended].abort();
        ended += 1;
        if let Ok(answer) = timeout(Duration::from_secs(1), &mut other).await {
            break answer.unwrap();
        }
        assert!(ended < 5, "it waits behind the whole flood");
    };
    assert_eq!(Ok(answer["result"].as_str().unwrap().to_owned()), got(START, 1));
    assert!(ended > 1, "it was not its turn");
    assert!(flood[ended..].iter().all(|view| !view.is_finished()));
    flood.iter().for_each(JoinHandle::abort);
    until("all have left", || running(&stage) == 0).await;
    serving.abort();
}

/// The block whose hash every height has here, and what a wallet makes of two answers.
#[tokio::test]
async fn answers_name_the_block_they_were_read_at() {
    let mut stage = Stage::up_to(START + 2, |_| {});
    let hash = "07".repeat(32);
    let both = |height: u32| (Some(height.to_string()), Some(hash.clone()));
    let view = async |stage: &Stage, height: Value| stage.read_at("metashrew_view", json!(["get", N, height])).await;
    assert_eq!(view(&stage, json!("latest")).await, both(START + 2));
    assert_eq!(view(&stage, json!(START)).await, both(START));
    assert_eq!(
        view(&stage, json!(START - 1)).await,
        (Some((START - 1).to_string()), None)
    );
    stage.index(START + 3);
    assert_eq!(view(&stage, json!(null)).await, both(START + 3));
    let preview = stage
        .read_at("metashrew_preview", json!(["0x00", "get", N, START + 1]))
        .await;
    assert_eq!(preview, both(START + 1), "the parent, for its block is in no index");
}
