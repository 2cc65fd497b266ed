use std::path::PathBuf;

use bitcoin::{BlockHash, hashes::Hash as _};
use crds::{Identity, Network, RefreshPolicy, pod};

use super::*;
use crate::chain::Height;

fn report() -> Report {
    Report::new(&Config {
        indexer: "default/test".into(),
        identity: Identity {
            module_sha256: "ab".repeat(32),
            network: Network::Regtest,
            start_height: 0,
            memory_limit_bytes: 1 << 30,
        },
        module: crds::pod::Module::Path { path: PathBuf::new() },
        source: pod::Source::default(),
        max_reorg_depth: 100,
        max_behind: 2,
        threshold_bytes: 1 << 20,
        refresh: RefreshPolicy::EveryBlock,
        stop_height: None,
        audit_every: 0,
        retry_attempts: 1,
        cache_bytes: None,
        views: pod::Views {
            max_concurrent: 1,
            timeout_ms: 1,
            memory_limit_bytes: 1,
            max_request_bytes: 1,
            max_response_bytes: 1,
        },
        data_dir: PathBuf::new(),
        rpc_listen: String::new(),
        ops_listen: String::new(),
        cors_origin: None,
        exit_at: None,
        data_revision: None,
        in_place: false,
        in_place_at: None,
        seed: None,
        bootstrap: None,
        snapshots: None,
    })
}

fn at(report: &Report, height: u32) -> (Phase, bool) {
    report.update(|status| status.height = Some(height));
    let status = report.status();
    (status.phase, status.ready)
}

#[test]
fn readiness_follows_the_distance_to_the_tip() {
    let report = report();
    assert_eq!(at(&report, 10), (Phase::Starting, false));
    report.update(|status| status.phase = Phase::Syncing);
    assert_eq!(at(&report, 10), (Phase::WaitingForSource, false));
    report.source_heard(20);
    assert_eq!(at(&report, 17), (Phase::Syncing, false));
    assert_eq!(at(&report, 18), (Phase::Following, true));
    assert_eq!(report.status().behind, Some(2));
}

#[test]
fn the_pace_is_shown_while_it_catches_up_and_counts_from_the_moment_it_began_to() {
    let report = report();
    let earlier = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    let pace = || {
        let status = report.status();
        (status.phase, status.blocks_per_second, status.seconds_left)
    };
    report.update(|status| (status.phase, status.height) = (Phase::Syncing, Some(100)));
    report.source_heard(1_000);
    assert_eq!(pace(), (Phase::Syncing, None, None), "not measured yet");
    report.lock().speed = Speed::measured_from(earlier);
    report.source_heard(1_000);
    report.committed(100);
    let (_, speed, left) = pace();
    // What a minute counts for is 26 seconds.
    assert!((3.0..4.0).contains(&speed.unwrap()), "{speed:?}");
    assert!((225..300).contains(&left.unwrap()), "{left:?}");

    report.update(|status| status.height = Some(1_000));
    assert_eq!(pace(), (Phase::Following, None, None));
    report.source_heard(2_000);
    assert_eq!(pace(), (Phase::Syncing, None, None), "waiting for blocks was no sync");
    report.lock().speed = Speed::measured_from(earlier);
    report.source_failed("Unreachable", "connection refused".into());
    assert_eq!(pace(), (Phase::WaitingForSource, None, None));
}

#[test]
fn a_source_that_fails_shows_at_once_but_costs_readiness_only_when_the_tip_is_stale() {
    let report = report();
    report.update(|status| status.phase = Phase::Syncing);
    report.source_heard(20);
    report.source_failed("Unreachable", "connection refused".into());
    assert_eq!(at(&report, 20), (Phase::WaitingForSource, true));
    report.lock().source_heard_at = Instant::now().checked_sub(TIP_FRESH);
    assert_eq!(at(&report, 20), (Phase::WaitingForSource, false));
}

#[test]
fn a_source_whose_chain_does_not_hold_our_last_block_is_named_and_one_on_another_branch_costs_readiness() {
    let report = report();
    report.update(|status| (status.phase, status.height) = (Phase::Syncing, Some(30)));
    let heard = |tip, standing| {
        report.source_heard(tip);
        report.source_stands(standing);
        let status = report.status();
        (status.source.reason, status.phase, status.ready)
    };
    let following = (source_reasons::FOLLOWING.into(), Phase::Following, true);
    let behind = |ready| (source_reasons::NODE_BEHIND.into(), Phase::WaitingForSource, ready);
    let apart = Standing::Apart { after: Some(24) };
    assert_eq!(heard(30, Standing::Extends), following);
    assert_eq!(heard(29, Standing::Shorter), following, "it may be late by a moment");
    assert_eq!(
        heard(29, Standing::Shorter),
        behind(true),
        "our blocks extend its chain"
    );
    assert_eq!(heard(30, Standing::Extends), following);
    assert_eq!(heard(30, apart), following);
    assert_eq!(heard(30, apart), behind(false), "no longer: our blocks left its chain");
    report.source_failed("Unreachable", "connection refused".into());
    assert!(!report.status().ready, "nor while it does not answer");
    assert_eq!(heard(31, apart), behind(false));
    let message = report.status().source.message;
    assert!(message.contains("leaves the indexed one after block 24"), "{message}");
    assert_eq!(heard(31, Standing::Extends), following);
}

#[test]
fn a_first_block_above_the_tip_is_named_until_the_tip_reaches_it() {
    let report = Report {
        start_height: 8,
        ..report()
    };
    report.update(|status| status.phase = Phase::Syncing);
    assert_eq!(report.start_above_tip(), None, "no tip is known");
    report.source_heard(7);
    assert_eq!(report.start_above_tip(), Some((8, 7)));
    let status = report.status();
    assert_eq!(
        (status.source.message.as_str(), status.phase, status.ready),
        (
            "the first block, 8, is above the node's tip 7: waiting for it",
            Phase::Syncing,
            false
        )
    );
    report.source_failed("Unreachable", "connection refused".into());
    assert_eq!(report.status().source.message, "connection refused");
    report.source_heard(8);
    assert_eq!(
        (report.start_above_tip(), report.status().source.message),
        (None, String::new())
    );
    // A node that lost blocks of an index that has some is another matter.
    report.update(|status| status.height = Some(9));
    report.source_heard(7);
    assert_eq!(report.start_above_tip(), None);
}

#[test]
fn a_run_is_shown_until_it_ends_however_that_is() {
    let report = report();
    let at = BlockRef {
        height: Height(7),
        hash: BlockHash::all_zeros(),
    };
    let shown = report.run_begins(at, BlockRun::Retry, 2);
    report.lock().run_began_at = Instant::now().checked_sub(Duration::from_secs(90)).unwrap();
    let block = report.status().block_under_way.unwrap();
    assert_eq!((block.height, block.seconds), (7, 90));
    assert_eq!(block.run_in_words(), "retry 2");
    drop(shown);
    assert_eq!(report.status().block_under_way, None);
}

#[test]
fn a_halted_index_is_never_ready() {
    let report = report();
    report.source_heard(20);
    report.update(|status| status.phase = Phase::Halted);
    assert_eq!(at(&report, 20), (Phase::Halted, false));
}
