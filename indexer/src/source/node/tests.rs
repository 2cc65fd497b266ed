use std::{
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};

use bitcoin::{CompactTarget, consensus::serialize, constants::genesis_block, params::Params};
use crds::pod::source_reasons;

use super::*;
use crate::source::{
    fake::{Fake, answer},
    http,
};

type Answer = Option<Vec<u8>>;

fn genesis() -> BlockRef {
    BlockRef {
        height: Height(0),
        hash: chain::genesis(Network::Regtest),
    }
}

/// A node whose chain is the genesis block, but for what `fault` answers to some of the requests.
async fn node(fault: impl Fn(&str) -> Option<Answer> + Send + 'static) -> (Node, Fake) {
    let block = genesis_block(Params::REGTEST);
    let fake = Fake::new(move |request| {
        let path = request.split(' ').nth(1).unwrap();
        let hash = block.block_hash();
        fault(path).unwrap_or_else(|| match path.split('/').nth(2) {
            Some("chaininfo.json") => {
                let info = serde_json::json!({"blocks": 0, "headers": 0, "bestblockhash": hash.to_string()});
                answer(200, info.to_string().as_bytes())
            }
            Some("blockhashbyheight") => answer(200, format!("{hash}\n").as_bytes()),
            Some("headers") => answer(200, &serialize(&block.header)),
            Some("block") => answer(200, &serialize(&block)),
            _ => answer(404, b""),
        })
    })
    .await;
    let client = http::client(Duration::from_millis(500)).unwrap();
    let endpoint = Endpoint::new(&fake.url, 1, None, None, client).unwrap();
    (Node::new(endpoint, Network::Regtest), fake)
}

/// A node that answers requests for paths with this word in them so.
async fn node_with(word: &'static str, fault: Answer) -> (Node, Fake) {
    node(move |path| path.contains(word).then(|| fault.clone())).await
}

#[tokio::test]
async fn a_sane_node_is_believed() {
    let (node, _fake) = node(|_| None).await;
    assert_eq!(node.tip().await.unwrap(), genesis());
    assert_eq!(
        node.headers_after(None, 10).await.unwrap(),
        Headers::Next(vec![Link {
            at: genesis(),
            work: Work(2)
        }])
    );
    assert_eq!(
        node.headers_after(Some(genesis()), 10).await.unwrap(),
        Headers::Next(vec![])
    );
    assert_eq!(node.block(genesis()).await.unwrap().at, genesis());
}

/// Contract §8.2.
#[tokio::test]
async fn whatever_is_wrong_with_an_answer_has_its_reason() {
    let garbage = answer(200, b"<html>it works</html>");
    let too_long = answer(200, &vec![b'0'; http::ANSWER_BYTES_MAX + 1]);
    let breaks_off = b"HTTP/1.1 200 x\r\ncontent-length: 99\r\n\r\n{\"blocks\":".to_vec();
    let cases = [
        ("no JSON", garbage, source_reasons::BAD_ANSWER),
        ("longer than anything", too_long, source_reasons::BAD_ANSWER),
        ("an error of the server", answer(500, b""), source_reasons::BAD_ANSWER),
        ("a redirect", answer(302, b""), source_reasons::BAD_ANSWER),
        ("401", answer(401, b""), source_reasons::UNAUTHORIZED),
        ("403", answer(403, b""), source_reasons::UNAUTHORIZED),
        (
            "starting",
            answer(503, b"Loading block index"),
            source_reasons::UNREACHABLE,
        ),
        ("a broken connection", Some(b"HT".to_vec()), source_reasons::UNREACHABLE),
        ("a body that breaks off", Some(breaks_off), source_reasons::UNREACHABLE),
        ("silence", None, source_reasons::UNREACHABLE),
        (
            "no REST, and no credentials",
            answer(404, b""),
            source_reasons::NO_INTERFACE,
        ),
    ];
    for (name, fault, reason) in cases {
        let (node, fake) = node_with("chaininfo", fault).await;
        let error = node.tip().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{name}");
        assert!(error.message().contains(&fake.url), "{name}: {}", error.message());
    }
}

/// Contract §8.2.
#[tokio::test]
async fn a_block_that_is_not_the_one_asked_for_is_refused() {
    let other = serialize(&genesis_block(Params::BITCOIN));
    let cut = serialize(&genesis_block(Params::REGTEST))[..200].to_vec();
    for bytes in [other, cut, Vec::new()] {
        let (node, _fake) = node_with("/rest/block/", answer(200, &bytes)).await;
        assert!(matches!(node.block(genesis()).await, Err(Error::Invalid { .. })));
    }
}

#[tokio::test]
async fn headers_that_do_not_follow_are_refused() {
    let header = |params| serialize(&genesis_block(params).header);
    let twice = [header(Params::REGTEST), header(Params::REGTEST)].concat();
    for bytes in [header(Params::BITCOIN), twice] {
        let (node, _fake) = node_with("/rest/headers/", answer(200, &bytes)).await;
        assert!(matches!(
            node.headers_after(Some(genesis()), 10).await,
            Err(Error::Invalid { .. })
        ));
    }
    for bytes in [vec![0; 79], header(Params::REGTEST).repeat(12)] {
        let (node, _fake) = node_with("/rest/headers/", answer(200, &bytes)).await;
        assert!(matches!(
            node.headers_after(Some(genesis()), 10).await,
            Err(Error::Malformed { .. })
        ));
    }
}

#[tokio::test]
async fn a_block_the_node_does_not_have_is_no_pruned_one() {
    let (node, _fake) = node_with("/rest/block/", answer(404, b"")).await;
    assert!(matches!(node.block(genesis()).await, Err(Error::NoBlock { at, .. }) if at == genesis()));
}

#[tokio::test]
async fn a_node_that_lost_its_rest_interface_is_not_one_with_a_short_chain() {
    let lost = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_lost = lost.clone();
    let (node, _fake) = node(move |_| {
        is_lost
            .load(std::sync::atomic::Ordering::Relaxed)
            .then(|| answer(404, b""))
    })
    .await;
    node.tip().await.unwrap();
    lost.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(node.hash_at(Height(5)).await, Err(Error::NoInterface { .. })));
}

/// A chain of 35 blocks under rules by which the difficulty changes every ten of them. One of them may be a little
/// harder than the rules demand.
fn ten_block_chain(wrong: Option<usize>) -> Vec<Header> {
    let rules = Rules::of_ten_blocks();
    let genesis = genesis_block(Params::REGTEST).header;
    let mut chain = vec![genesis];
    let mut difficulty = Difficulty::begin(rules, Height(0), Claim::from(&genesis));
    for height in 1..35 {
        let last = chain[height - 1];
        let mut next = Header {
            prev_blockhash: last.block_hash(),
            // Half a minute early each time, so that every change makes it harder.
            time: last.time + 570,
            nonce: 0,
            ..last
        };
        if let Err(required) = difficulty.follow(Claim::from(&next)) {
            next.bits = required;
            difficulty.follow(Claim::from(&next)).unwrap();
        }
        if wrong == Some(height) {
            next.bits = CompactTarget::from_consensus(next.bits.to_consensus() - 1);
            difficulty = Difficulty::begin(rules, at_height(height), Claim::from(&next));
        }
        while !next.target().is_met_by(next.block_hash()) {
            next.nonce += 1;
        }
        chain.push(next);
    }
    chain
}

/// A node that serves headers, under those rules, and what it was asked for them.
async fn header_node(chain: Vec<Header>) -> (Node, Fake, Arc<StdMutex<Vec<String>>>) {
    let asked = Arc::new(StdMutex::new(Vec::new()));
    let log = asked.clone();
    let (mut node, fake) = node(move |path| {
        let parts: Vec<_> = path.trim_start_matches("/rest/").split(['/', '.']).collect();
        let found = match parts[..] {
            ["headers", count, hash, "bin"] => {
                log.lock().unwrap().push(format!("{count} headers"));
                let from = chain.iter().position(|header| header.block_hash().to_string() == hash);
                let bytes = chain[from.unwrap()..]
                    .iter()
                    .take(count.parse().unwrap())
                    .map(serialize);
                answer(200, &bytes.collect::<Vec<_>>().concat())
            }
            ["blockhashbyheight", height, "hex"] => {
                log.lock().unwrap().push(format!("hash {height}"));
                let header = chain[height.parse::<usize>().unwrap()];
                answer(200, header.block_hash().to_string().as_bytes())
            }
            _ => return None,
        };
        Some(found)
    })
    .await;
    node.rules = Rules::of_ten_blocks();
    (node, fake, asked)
}

fn at_height(height: usize) -> Height {
    Height(u32::try_from(height).unwrap())
}

fn at(chain: &[Header], height: usize) -> BlockRef {
    BlockRef {
        height: at_height(height),
        hash: chain[height].block_hash(),
    }
}

#[tokio::test]
async fn headers_are_checked_against_the_rules_and_those_of_the_period_are_fetched_once() {
    let chain = ten_block_chain(None);
    assert_ne!(chain[10].bits, chain[9].bits);
    let (node, _fake, asked) = header_node(chain.clone()).await;
    // From the middle of a period, as an index that begins or continues there.
    for (from, count) in [(14, 8), (22, 3), (25, 9)] {
        let Headers::Next(links) = node.headers_after(Some(at(&chain, from)), count).await.unwrap() else {
            panic!()
        };
        assert_eq!(links.len(), count);
        assert_eq!(links[count - 1].at, at(&chain, from + count));
        assert_eq!(links[count - 1].work, Work::of(chain[from + count].bits));
    }
    let asked = asked.lock().unwrap().split_off(0);
    // The first question is about the network.
    assert_eq!(
        asked,
        ["hash 0", "9 headers", "hash 10", "5 headers", "4 headers", "10 headers"]
    );
}

#[tokio::test]
async fn a_header_that_breaks_the_rules_is_refused_wherever_the_index_begins() {
    for wrong in [10, 15, 20] {
        let chain = ten_block_chain(Some(wrong));
        let (node, _fake, _) = header_node(chain.clone()).await;
        for from in [wrong - 1, wrong - 4] {
            let error = node.headers_after(Some(at(&chain, from)), 20).await.unwrap_err();
            assert_eq!(error.reason(), source_reasons::BAD_ANSWER);
            assert!(
                matches!(
                    error,
                    Error::Invalid {
                        source: chain::Error::Difficulty { .. },
                        ..
                    }
                ),
                "{error:?}"
            );
        }
        // The first header of a period is believed by an index that begins after it; no other one is.
        let after = node.headers_after(Some(at(&chain, wrong + 3)), 20).await;
        assert_eq!(after.is_err(), wrong == 15, "{wrong}");
    }
}

/// A node without REST, which answers every call so.
async fn json_node(result: String) -> (Node, Fake) {
    let genesis = genesis_block(Params::REGTEST).block_hash();
    let first = std::sync::atomic::AtomicBool::new(true);
    let fake = Fake::new(move |request| {
        if request.starts_with("GET") {
            return answer(404, b"");
        }
        // The first call is about the network.
        let is_first = first.swap(false, std::sync::atomic::Ordering::Relaxed);
        let result = if is_first { genesis.to_string() } else { result.clone() };
        let reply = serde_json::json!({"id": 0, "result": result, "error": null});
        answer(200, reply.to_string().as_bytes())
    })
    .await;
    let client = http::client(Duration::from_secs(5)).unwrap();
    let login = http::Login {
        username: "user".into(),
        password: "password".into(),
    };
    let endpoint = Endpoint::new(&fake.url, 1, None, Some(login), client).unwrap();
    (Node::new(endpoint, Network::Regtest), fake)
}

#[test]
fn a_large_block_in_json_is_read_beside_the_threads_that_wait_for_sockets() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        // No hex: whoever reads it sees that at once, without a look at the block.
        let (large, _fake) = json_node("x".repeat(2 << 20)).await;
        let (small, _other_fake) = json_node("x".into()).await;
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let blocker = tokio::task::spawn_blocking(move || wait.recv());
        let mut read = std::pin::pin!(large.block(genesis()));
        // The only other thread is taken, so nothing can be read there.
        let early = tokio::time::timeout(Duration::from_millis(500), &mut read).await;
        assert!(early.is_err(), "{early:?}");
        assert!(matches!(small.block(genesis()).await, Err(Error::Malformed { .. })));
        go.send(()).unwrap();
        blocker.await.unwrap().unwrap();
        assert!(matches!(read.await, Err(Error::Malformed { .. })));
    });
}
