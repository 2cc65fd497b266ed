//! The whole pipeline on a chain in memory, with the real guest host and the real store.

mod audit;
mod crash;
mod exactly_once;
mod in_place;
#[allow(clippy::duplicate_mod)] // Tests of the store have it too.
#[path = "../../tests/support/rows.rs"]
mod rows;
mod storm;
mod trouble;
mod under_way;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use bitcoin::BlockHash;
use crds::{
    Identity, Network, Phase, RefreshPolicy,
    pod::{Config, FaultClass, Source, Status, Views, source_reasons},
};
use indicatif::ProgressBar;
use tempfile::TempDir;

use super::{
    Pipeline, PipelineEnd,
    execute::Executor,
    shared::{Settings, Shared},
};
use crate::{
    chain::Height,
    control::Control,
    guest::{Engine, EngineConfig, Indexing, Module},
    source::memory::{MemorySource, hash},
    store::{Store, Terms, Tip},
    telemetry::{metrics::Metrics, progress::Progress, report::Report},
};

const LEAKY: &str = include_str!("../../../tests/guests/leaky.wat");
const SLOW: &str = include_str!("../../../tests/guests/slow.wat");
const CHAINED: &str = include_str!("../../tests/support/chained.wat");
const TRAP_AT_150: &str = include_str!("../../../tests/guests/trap-at.wat");
const PATIENCE: Duration = Duration::from_secs(60);

/// One process without its ports.
struct Process {
    source: Arc<MemorySource>,
    shared: Shared,
    module: Module,
    thread: JoinHandle<PipelineEnd>,
    _runtime: tokio::runtime::Runtime,
    _folder: Option<TempDir>,
}

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config {
        indexer: "test".into(),
        identity: Identity {
            module_sha256: "ab".repeat(32),
            network: Network::Regtest,
            start_height: 0,
            memory_limit_bytes: 256 << 20,
        },
        module: crds::pod::Module::Path { path: PathBuf::new() },
        source: Source::default(),
        max_reorg_depth: 10,
        max_behind: 2,
        threshold_bytes: 32 << 20,
        refresh: RefreshPolicy::EveryBlock,
        stop_height: None,
        audit_every: 0,
        retry_attempts: 1,
        cache_bytes: None,
        views: Views {
            max_concurrent: 1,
            timeout_ms: 1,
            memory_limit_bytes: 1 << 20,
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
    };
    change(&mut config);
    config
}

impl Process {
    fn start(guest: &str, chain: MemorySource, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = Self::start_in(folder.path(), guest, chain, change);
        Self {
            _folder: Some(folder),
            ..process
        }
    }

    /// Over a store that may be there already, as a pod.
    fn start_in(folder: &Path, guest: &str, chain: MemorySource, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_as(folder, guest, chain, change, false)
    }

    fn start_as(
        folder: &Path,
        guest: &str,
        chain: MemorySource,
        change: impl FnOnce(&mut Config),
        is_one_shot: bool,
    ) -> Self {
        let config = config(change);
        let engine = Engine::new(&EngineConfig {
            limit_bytes: config.identity.memory_limit_bytes,
            view_memory_limit_bytes: config.views.memory_limit_bytes,
            max_views: 1,
            cache_dir: None,
        });
        let module = Module::load(&engine.unwrap(), &wat::parse_str(guest).unwrap()).unwrap();
        let shared = Shared {
            settings: Arc::new(Settings {
                is_one_shot,
                ..Settings::from(&config)
            }),
            store: Store::open_on(folder, &config.identity, Terms::from(&config), config.max_reorg_depth).unwrap(),
            report: Arc::new(Report::new(&config)),
            metrics: Arc::new(Metrics::new(&config).unwrap()),
            control: Arc::new(Control::default()),
            progress: Arc::new(Progress::new(ProgressBar::hidden())),
        };
        let source = Arc::new(chain);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let executor = Executor::new(Indexing::new(module.clone()));
        let pipeline = Pipeline::new(source.clone(), shared.clone(), executor, runtime.handle().clone());
        let thread = std::thread::Builder::new()
            .stack_size(4 << 20)
            .spawn(move || pipeline.run())
            .unwrap();
        Self {
            source,
            shared,
            module,
            thread,
            _runtime: runtime,
            _folder: None,
        }
    }

    /// The value of a metric; none while it is not shown.
    fn metric(&self, name: &str) -> Option<u64> {
        let text = self.shared.metrics.render(&self.shared.report.status()).unwrap();
        let name = format!("shrewd_indexer_{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name))?;
        Some(value.parse().unwrap())
    }

    #[track_caller]
    fn wait(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.shared.report.status();
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < end, "waited for {what}: {status:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for_tip(&self, branch: u8, height: u32) -> Status {
        let wanted = hash(branch, height).to_string();
        self.wait("the tip", |s| {
            s.height == Some(height) && s.block_hash.as_ref() == Some(&wanted)
        })
    }

    fn finish(self) -> (PipelineEnd, Option<Tip>) {
        let end = self.thread.join().unwrap();
        (end, self.shared.store.tip())
    }

    fn stop(self) -> (PipelineEnd, Option<Tip>) {
        self.shared.control.stop();
        self.finish()
    }
}

/// The tip of an index that never saw another chain than this one.
fn fresh(guest: &str, chain: MemorySource, tip: (u8, u32)) -> Option<Tip> {
    let process = Process::start(guest, chain, |_| {});
    process.wait_for_tip(tip.0, tip.1);
    process.stop().1
}

fn forked(at: u32, tip: u32) -> MemorySource {
    let chain = MemorySource::up_to(1, at - 1);
    chain.replace(at, 2, tip);
    chain
}

/// Contract §8.7.
#[test]
fn a_reorg_while_blocks_wait_undoes_only_what_left_the_chain() {
    // The guest takes its time, so all 120 blocks wait in the queue when the last three of them are replaced. Judged
    // by what was committed then, a hundred blocks would have to be undone, and no more than ten can be.
    let process = Process::start(SLOW, MemorySource::up_to(1, 119), |_| {});
    process.wait("some blocks", |s| s.height >= Some(5));
    process.source.replace(117, 2, 121);
    process.wait_for_tip(2, 121);
    let (end, tip) = process.stop();
    assert_eq!(end, PipelineEnd::Stopped);
    assert_eq!(tip, fresh(SLOW, forked(117, 121), (2, 121)));
}

/// Contract §8.7.
#[test]
fn reorgs_of_any_depth_that_can_be_undone_end_as_a_fresh_sync() {
    for (depth, policy) in [(1, RefreshPolicy::EveryBlock), (9, RefreshPolicy::OnThreshold)] {
        let process = Process::start(LEAKY, MemorySource::up_to(1, 50), |c| c.refresh = policy);
        process.wait_for_tip(1, 50);
        process.source.replace(51 - depth, 2, 51);
        let status = process.wait_for_tip(2, 51);
        assert_eq!(status.memory.refreshes.unwind, 1, "{depth}");
        assert_eq!(
            process.stop().1,
            fresh(LEAKY, forked(51 - depth, 51), (2, 51)),
            "{depth}"
        );
    }
}

#[test]
fn what_the_node_says_of_its_height_costs_no_depth() {
    let chain = MemorySource::up_to(1, 50);
    chain.claim(10_000);
    let process = Process::start(LEAKY, chain, |_| {});
    process.wait_for_tip(1, 50);
    process.source.replace(42, 2, 51);
    process.wait_for_tip(2, 51);
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

/// Contract §8.7.
#[test]
fn a_reorg_that_cannot_be_undone_halts_until_the_chain_comes_back() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 50), |_| {});
    process.wait_for_tip(1, 50);
    process.source.replace(20, 2, 60);
    let halted = process.wait("a halt", |s| s.halt.is_some());
    assert_eq!(halted.halt.unwrap().class, FaultClass::Reorg);
    assert_eq!(
        (halted.phase, halted.ready, halted.height),
        (Phase::Halted, false, Some(50))
    );
    process.source.replace(20, 1, 61);
    let status = process.wait_for_tip(1, 61);
    assert!(status.halt.is_none());
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

/// Contract §8.3.
#[test]
fn a_block_that_fails_twice_halts_below_it_and_is_tried_again_when_replaced() {
    let process = Process::start(TRAP_AT_150, MemorySource::up_to(1, 160), |_| {});
    let status = process.wait("a halt", |s| s.halt.is_some());
    let halt = status.halt.unwrap();
    assert_eq!((halt.class, halt.height, halt.runs), (FaultClass::Guest, 150, 2));
    assert!(halt.message.contains("no luck at height 150"), "{}", halt.message);
    assert_eq!((status.height, status.memory.refreshes.failure), (Some(149), 1));
    process.source.replace(150, 2, 161);
    let replaced = hash(2, 150).to_string();
    process.wait("the other block", |s| {
        s.halt.as_ref().is_some_and(|h| h.block_hash == replaced)
    });
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

/// Contract §8.3.
#[test]
fn a_one_shot_run_that_halts_ends_with_the_reason() {
    let process = Process::start(TRAP_AT_150, MemorySource::up_to(1, 160), |c| c.exit_at = Some(155));
    let (end, tip) = process.finish();
    assert!(matches!(end, PipelineEnd::Halted(halt) if halt.height == 150));
    assert_eq!(tip.map(|t| t.at.height), Some(Height(149)));
}

#[test]
fn the_height_to_exit_at_is_not_indexed() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 30), |c| c.exit_at = Some(20));
    let (end, tip) = process.finish();
    assert_eq!(
        (end, tip.map(|t| t.at.height)),
        (PipelineEnd::ReachedExit, Some(Height(19)))
    );
}

#[test]
fn an_index_stays_at_the_stop_height_serves_as_caught_up_and_follows_reorganisations_below_it() {
    let stopped = |c: &mut Config| c.stop_height = Some(20);
    let process = Process::start(LEAKY, MemorySource::up_to(1, 30), stopped);
    let at_stop = |s: &Status| s.phase == Phase::AtStopHeight && s.ready;
    let status = process.wait("the stop height", at_stop);
    assert_eq!(
        (status.height, status.behind, status.tip),
        (Some(20), Some(0), Some(30))
    );
    process.source.replace(15, 2, 31);
    let before = status.block_hash;
    let status = process.wait("the other branch", |s| at_stop(s) && s.block_hash != before);
    assert_eq!((status.height, status.behind), (Some(20), Some(0)));
    assert_eq!(process.stop().1, fresh(LEAKY, forked(15, 20), (2, 20)));
}

#[test]
fn an_index_above_a_new_stop_height_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start_in(folder.path(), LEAKY, MemorySource::up_to(1, 30), |_| {});
    process.wait_for_tip(1, 30);
    let (_, tip) = process.stop();
    let process = Process::start_in(folder.path(), LEAKY, MemorySource::up_to(1, 31), |c| {
        c.stop_height = Some(20)
    });
    process.wait("the stop height", |s| {
        s.phase == Phase::AtStopHeight && s.ready && s.tip == Some(31)
    });
    assert_eq!(process.stop().1, tip);
}

#[test]
fn both_policies_build_the_same_index_and_memory_stays_at_the_threshold() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 100), |c| {
        c.refresh = RefreshPolicy::OnThreshold
    });
    let status = process.wait_for_tip(1, 100);
    // From 5 MiB, one more with each block: 28 blocks to 32 MiB.
    assert_eq!(status.memory.refreshes.threshold, 3);
    assert_eq!(status.memory.refreshes.total(), 3);
    assert_eq!(status.memory.guest_peak_bytes, 32 << 20);
    assert_eq!(process.stop().1, fresh(LEAKY, MemorySource::up_to(1, 100), (1, 100)));
}

#[test]
fn every_stage_of_every_block_is_timed_and_what_waits_is_counted() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 20), |_| {});
    process.wait_for_tip(1, 20);
    let (metrics, report) = (process.shared.metrics.clone(), process.shared.report.clone());
    process.stop();
    let text = metrics.render(&report.status()).unwrap();
    let has = |line: String| assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    for stage in ["fetch", "wait", "execute", "commit"] {
        has(format!(
            "shrewd_indexer_block_stage_seconds_count{{stage=\"{stage}\"}} 21"
        ));
    }
    for queue in ["fetched", "executed"] {
        has(format!("shrewd_indexer_queued_blocks{{queue=\"{queue}\"}} 0"));
    }
}

#[test]
fn a_refresh_on_request_is_carried_out_while_no_block_comes() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 10), |c| {
        c.refresh = RefreshPolicy::OnThreshold
    });
    process.wait_for_tip(1, 10);
    assert!(process.shared.control.request_refresh("now".into()));
    let status = process.wait("the echo", |s| s.last_refresh_request.as_deref() == Some("now"));
    assert_eq!(status.memory.refreshes.manual, 1);
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

#[test]
fn a_source_that_fails_is_shown_and_waited_for() {
    let process = Process::start(LEAKY, MemorySource::up_to(1, 10), |_| {});
    process.wait_for_tip(1, 10);
    process.source.fail();
    let status = process.wait("the failure", |s| s.source.ok == Some(false));
    assert_eq!(
        (status.phase, status.ready, status.height),
        (Phase::WaitingForSource, true, Some(10))
    );
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}

#[test]
fn what_no_retry_can_change_ends_a_one_shot_run_and_is_retried_by_a_pod() {
    let folder = tempfile::tempdir().unwrap();
    let chain = || MemorySource::up_to(1, 10);
    let process = Process::start_as(folder.path(), LEAKY, chain(), |_| {}, true);
    process.wait_for_tip(1, 10);
    process.source.refuse();
    let (end, tip) = process.finish();
    assert!(
        matches!(&end, PipelineEnd::SourceFailed(fault) if fault.message.contains("HTTP 401")),
        "{end:?}"
    );
    assert_eq!(tip.map(|t| t.at.height), Some(Height(10)));

    let process = Process::start_in(folder.path(), LEAKY, chain(), |_| {});
    process.wait_for_tip(1, 10);
    process.source.refuse();
    process.wait("the refusal", |s| s.source.reason == source_reasons::UNAUTHORIZED);
    process.source.accept();
    process.source.replace(11, 1, 12);
    process.wait_for_tip(1, 12);
    assert_eq!(process.stop().0, PipelineEnd::Stopped);
}
