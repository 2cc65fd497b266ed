use std::{collections::BTreeMap, sync::Mutex};

use super::*;
use crate::source::memory::{MemorySource, hash};

const PATIENCE: Duration = Duration::from_secs(10);

/// A run of the stage against a source that the test shapes; what is received counts as indexed.
struct Run {
    source: Arc<MemorySource>,
    indexed: Arc<Mutex<BTreeMap<u32, BlockHash>>>,
    blocks: mpsc::Receiver<Fetched>,
    end: tokio::task::JoinHandle<FetchEnd>,
    report: Arc<Report>,
}

impl Run {
    fn new(source: MemorySource, start: u32, indexed: impl IntoIterator<Item = (u32, BlockHash)>) -> Self {
        Self::bounded(source, all_from(start), indexed, 1, 64 << 10)
    }

    fn bounded(
        source: MemorySource,
        wanted: Heights,
        indexed: impl IntoIterator<Item = (u32, BlockHash)>,
        capacity: usize,
        budget_kib: usize,
    ) -> Self {
        let source = Arc::new(source);
        let indexed = Arc::new(Mutex::new(indexed.into_iter().collect::<BTreeMap<_, _>>()));
        let report = Arc::new(report());
        let (tx, blocks) = mpsc::channel(capacity);
        let local = indexed.lock().unwrap().last_key_value().map(|(h, hash)| BlockRef {
            height: Height(*h),
            hash: *hash,
        });
        let end = tokio::spawn({
            let (source, indexed, report) = (source.clone(), indexed.clone(), report.clone());
            async move {
                let known = |height: Height| Ok(indexed.lock().unwrap().get(&height.0).copied());
                let budget = Arc::new(Semaphore::new(budget_kib));
                run(source.as_ref(), wanted, local, known, tx, budget, &report).await
            }
        });
        Self {
            source,
            indexed,
            blocks,
            end,
            report,
        }
    }

    async fn receive(&mut self, count: usize) -> Vec<BlockRef> {
        let mut received = Vec::new();
        while received.len() < count {
            let next = tokio::time::timeout(PATIENCE, self.blocks.recv()).await;
            let Fetched { block, .. } = next.expect("a block in time").expect("a block before the end");
            self.indexed.lock().unwrap().insert(block.at.height.0, block.at.hash);
            received.push(block.at);
        }
        received
    }

    async fn receives_nothing(&mut self) {
        let next = tokio::time::timeout(TIP_EVERY * 2, self.blocks.recv()).await;
        assert!(next.is_err(), "received {next:?}");
    }

    async fn ends(self) -> FetchEnd {
        tokio::time::timeout(PATIENCE, self.end)
            .await
            .expect("an end in time")
            .unwrap()
    }

    async fn ends_with_reorg_to(self) -> Option<BlockRef> {
        match self.ends().await {
            FetchEnd::Reorg { fork } => fork,
            other => panic!("{other:?}"),
        }
    }
}

fn all_from(start: u32) -> Heights {
    Heights {
        first: Height(start),
        ..Heights::ALL
    }
}

fn report() -> Report {
    let config = serde_json::json!({
        "indexer": "test",
        "identity": {
            "moduleSha256": "00", "network": "regtest", "startHeight": 0, "memoryLimitBytes": 0, "storeFormat": 1,
        },
        "module": {"from": "path", "path": ""}, "source": {"urls": []}, "maxReorgDepth": 100, "maxBehind": 2, "thresholdBytes": 0,
        "refresh": "EveryBlock", "retryAttempts": 1, "dataDir": "", "rpcListen": "", "opsListen": "",
        "views": {
            "maxConcurrent": 1, "timeoutMs": 1, "memoryLimitBytes": 1, "maxRequestBytes": 1, "maxResponseBytes": 1,
        },
    });
    Report::new(&serde_json::from_value(config).unwrap())
}

fn branch(branch: u8, heights: std::ops::RangeInclusive<u32>) -> Vec<(u32, BlockHash)> {
    heights.map(|height| (height, hash(branch, height))).collect()
}

fn refs(blocks: Vec<(u32, BlockHash)>) -> Vec<BlockRef> {
    blocks
        .into_iter()
        .map(|(height, hash)| BlockRef {
            height: Height(height),
            hash,
        })
        .collect()
}

#[tokio::test]
async fn blocks_come_in_order_from_the_start_and_as_the_chain_grows() {
    let mut run = Run::new(MemorySource::up_to(1, 4500), 0, []);
    assert_eq!(run.receive(4501).await, refs(branch(1, 0..=4500)));
    run.source.replace(4501, 1, 4503);
    assert_eq!(run.receive(3).await, refs(branch(1, 4501..=4503)));
    assert_eq!(run.report.status().tip, Some(4503));
}

#[tokio::test]
async fn indexing_goes_on_after_the_last_block_indexed() {
    let mut run = Run::new(MemorySource::up_to(1, 20), 5, branch(1, 5..=17));
    assert_eq!(run.receive(3).await, refs(branch(1, 18..=20)));
}

#[tokio::test]
async fn nothing_at_the_end_or_above_is_fetched_and_the_chain_is_still_watched() {
    let wanted = Heights {
        end: Some(Height(12)),
        ..all_from(5)
    };
    let mut run = Run::bounded(MemorySource::up_to(1, 20), wanted, [], 64, 64 << 10);
    assert_eq!(run.receive(7).await, refs(branch(1, 5..=11)));
    run.receives_nothing().await;
    run.source.replace(10, 2, 21);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 9..=9))[0]));
}

#[tokio::test]
async fn a_start_above_the_tip_is_waited_for() {
    let mut run = Run::new(MemorySource::up_to(1, 20), 25, []);
    run.receives_nothing().await;
    run.source.replace(21, 1, 26);
    assert_eq!(run.receive(2).await, refs(branch(1, 25..=26)));
}

#[tokio::test]
async fn a_reorg_names_the_fork_at_any_depth() {
    for depth in [1, 2, 3, 6, 7, 8, 50, 94] {
        let first_gone = 101 - depth;
        let source = MemorySource::up_to(1, 100);
        source.replace(first_gone, 2, 100);
        let run = Run::new(source, 5, branch(1, 5..=100));
        let fork = refs(branch(1, first_gone - 1..=first_gone - 1))[0];
        assert_eq!(run.ends_with_reorg_to().await, Some(fork), "depth {depth}");
    }
}

#[tokio::test]
async fn a_reorg_below_the_first_block_indexed_has_no_fork() {
    for first_gone in [5, 4, 0] {
        let source = MemorySource::up_to(1, 100);
        source.replace(first_gone, 2, 120);
        let run = Run::new(source, 5, branch(1, 5..=100));
        assert_eq!(run.ends_with_reorg_to().await, None);
    }
}

#[tokio::test]
async fn a_reorg_at_the_tip_is_noticed_while_following() {
    let mut run = Run::new(MemorySource::up_to(1, 100), 90, []);
    run.receive(11).await;
    run.source.replace(100, 2, 100);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 99..=99))[0]));
}

/// How a chain that does not hold our last block is shown, once it was looked at twice.
async fn shown(run: &Run) -> (String, bool) {
    run.report.update(|status| {
        status.phase = crds::Phase::Syncing;
        status.height = run.indexed.lock().unwrap().last_key_value().map(|(height, _)| *height);
    });
    let wait = async {
        while run.report.status().source.ok != Some(false) {
            tokio::time::sleep(TIP_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("shown in time");
    let status = run.report.status();
    (status.source.reason, status.ready)
}

#[tokio::test]
async fn a_chain_that_ends_at_one_of_our_blocks_is_waited_for_and_ours_is_served() {
    let mut run = Run::new(MemorySource::up_to(1, 90), 0, branch(1, 0..=100));
    assert_eq!(shown(&run).await, ("NodeBehind".into(), true));
    run.receives_nothing().await;
    run.source.replace(91, 1, 101);
    assert_eq!(run.receive(1).await, refs(branch(1, 101..=101)));
    assert_eq!(run.report.status().source.reason, "Following");
}

#[tokio::test]
async fn a_chain_on_another_branch_is_waited_for_until_it_has_as_much_work_and_ours_is_not_ready() {
    let source = MemorySource::up_to(1, 100);
    source.replace(95, 2, 99);
    let mut run = Run::new(source, 0, branch(1, 0..=100));
    assert_eq!(shown(&run).await, ("NodeBehind".into(), false));
    run.receives_nothing().await;
    run.source.replace(100, 2, 100);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 94..=94))[0]));
}

/// A run that follows a chain up to 100, where it has just received the last block; each block has this work.
async fn following(work: u128) -> Run {
    let source = MemorySource::up_to(1, 100);
    source.weigh(1, work);
    let mut run = Run::new(source, 5, branch(1, 5..=99));
    run.receive(1).await;
    run
}

#[tokio::test]
async fn work_decides_between_two_branches_and_not_height() {
    // Longer by fifty blocks, of which each has a tenth of our work.
    let mut run = following(1_000).await;
    run.source.weigh(2, 100);
    run.source.replace(91, 2, 160);
    assert_eq!(shown(&run).await, ("NodeBehind".into(), false));
    run.receives_nothing().await;
    run.source.replace(161, 2, 189);
    run.receives_nothing().await;
    // As much as our ten blocks have.
    run.source.replace(190, 2, 190);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 90..=90))[0]));

    // Shorter by five, and as heavy.
    let run = following(2).await;
    run.source.weigh(2, 4);
    run.source.replace(91, 2, 95);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 90..=90))[0]));
}

#[tokio::test]
async fn blocks_of_ours_whose_headers_were_not_seen_count_as_much_as_the_first_of_the_other_branch() {
    let source = MemorySource::up_to(1, 100);
    source.weigh(1, 1_000);
    source.replace(91, 2, 99);
    let mut run = Run::new(source, 5, branch(1, 5..=100));
    run.receives_nothing().await;
    run.source.replace(100, 2, 100);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 90..=90))[0]));
}

#[tokio::test]
async fn a_chain_of_several_answers_is_weighed_to_its_end() {
    let mut run = following(500).await;
    run.source.weigh(2, 1);
    // Ten blocks are worth five thousand.
    run.source.replace(91, 2, 5_089);
    run.receives_nothing().await;
    run.source.replace(5_090, 2, 5_090);
    assert_eq!(run.ends_with_reorg_to().await, Some(refs(branch(1, 90..=90))[0]));
}

#[tokio::test]
async fn a_block_that_is_not_indexed_yet_is_not_judged() {
    let mut run = Run::new(MemorySource::up_to(1, 100), 90, []);
    run.receive(10).await;
    // The last one is on its way: it is delivered, and nothing took it.
    run.source.replace(95, 2, 101);
    assert!(matches!(run.ends().await, FetchEnd::Uncommitted));
}

#[tokio::test]
async fn no_more_than_the_headers_prove_is_said_of_the_height() {
    let source = MemorySource::up_to(1, 4_500);
    source.claim(10_000);
    let mut run = Run::new(source, 0, []);
    run.receive(1).await;
    assert_eq!(run.report.tip(), Some(14_500));
    assert_eq!(run.report.verified_height(), Some(1_999));
    run.receive(4_500).await;
    assert_eq!(run.report.verified_height(), Some(4_500));
}

#[tokio::test]
async fn the_first_failure_ends_it() {
    let mut run = Run::new(MemorySource::up_to(1, 10), 0, []);
    run.receive(11).await;
    run.source.fail();
    assert!(matches!(run.ends().await, FetchEnd::Failed(source::Error::Busy { .. })));

    let source = MemorySource::up_to(1, 10);
    source.fail();
    assert!(matches!(Run::new(source, 0, []).ends().await, FetchEnd::Failed(_)));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_ends_it_with_that_failure() {
    let source = MemorySource::up_to(1, 100);
    source.replace(100, 2, 100);
    let local = Some(refs(branch(1, 100..=100))[0]);
    let unreadable = |_| Err(Fault::host("cannot read"));
    let (tx, _blocks) = mpsc::channel(1);
    let budget = Arc::new(Semaphore::new(64 << 10));
    let end = run(&source, all_from(0), local, unreadable, tx, budget, &report()).await;
    assert!(matches!(end, FetchEnd::StoreFailed(fault) if fault.message == "cannot read"));
}

#[tokio::test]
async fn it_ends_when_nobody_takes_blocks() {
    for (tip, taken) in [(10, 11), (3000, 5)] {
        let mut run = Run::new(MemorySource::up_to(1, tip), 0, []);
        run.receive(taken).await;
        drop(std::mem::replace(&mut run.blocks, mpsc::channel(1).1));
        assert!(matches!(run.ends().await, FetchEnd::Closed));
    }
}

#[tokio::test]
async fn downloads_go_on_while_the_receiver_is_busy_and_the_budget_bounds_them() {
    // Made-up blocks take 1 KiB each, and a download needs the share of the longest block to begin.
    for (budget_kib, downloaded) in [(BLOCK_KIB_MAX as usize + 10, 11), (64 << 10, 100)] {
        let run = Run::bounded(MemorySource::up_to(1, 99), all_from(0), [], 1, budget_kib);
        tokio::time::sleep(TIP_EVERY).await;
        assert_eq!(run.source.served(), downloaded, "of {budget_kib} KiB");
        assert!(!run.end.is_finished());
    }
}
