//! Whatever course a chain takes, and whatever happens to the process meanwhile, the index ends as that of a fresh sync
//! of the chain that won. Contract §8.7.

use proptest::{prelude::*, test_runner::Config as Cases};

use super::*;

/// Blocks a storm begins with, and the deepest fork; every storm stays within what can be undone.
const BEGIN: u32 = 12;
const DEPTH_MAX: u32 = 9;
const UNDOABLE: u32 = 1_000;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many blocks more.
    Extend(u32),
    /// Another branch takes the place of so many blocks and is longer by so many; none: it is as long.
    Fork { depth: u32, longer: u32 },
    /// The branch before the last fork wins again, by one block.
    Back,
    /// The process ends and another one takes over.
    Restart,
    /// The process ends, and the newest blocks are undone before another one runs; if it `dies`, it leaves a file that
    /// no batch names.
    Rollback { depth: u32, dies: bool },
    /// A fresh instance is requested.
    Refresh,
    /// The index comes as far as the chain is now.
    Settle,
}

use Step::{Back, Extend, Fork, Refresh, Restart, Rollback, Settle};

/// An index in a storm.
struct Storm {
    folder: TempDir,
    process: Option<Process>,
    start: u32,
    policy: RefreshPolicy,
    branch: u8,
    /// The chain that the last fork left.
    left: Option<Vec<BlockHash>>,
}

impl Storm {
    fn new(start: u32, policy: RefreshPolicy) -> Self {
        let mut storm = Self {
            folder: tempfile::tempdir().unwrap(),
            process: None,
            start,
            policy,
            branch: 1,
            left: None,
        };
        storm.run(MemorySource::up_to(1, BEGIN));
        storm
    }

    fn run(&mut self, chain: MemorySource) {
        let change = |config: &mut Config| {
            config.refresh = self.policy;
            config.identity.start_height = self.start;
            config.max_reorg_depth = UNDOABLE;
        };
        self.process = Some(Process::start_in(self.folder.path(), CHAINED, chain, change));
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    fn best(&self) -> Vec<BlockHash> {
        self.process().source.best()
    }

    fn take(&mut self, step: Step) {
        let best = self.best();
        let tip = u32::try_from(best.len()).unwrap() - 1;
        match step {
            Extend(blocks) => self.process().source.replace(tip + 1, self.branch, tip + blocks),
            Fork { depth, longer } => {
                self.branch += 1;
                self.left = Some(best);
                // All chains have one first block.
                let from = (tip + 1).saturating_sub(depth).max(1);
                self.process().source.replace(from, self.branch, tip + longer);
            }
            Back => {
                let Some(mut left) = self.left.replace(best) else {
                    return;
                };
                self.branch += 1;
                while u32::try_from(left.len()).unwrap() <= tip + 1 {
                    left.push(hash(self.branch, u32::try_from(left.len()).unwrap()));
                }
                self.process().source.set_best(left);
            }
            Restart => self.restart(|_| {}),
            Rollback { depth, dies } => {
                let start = self.start;
                self.restart(|folder| undo(folder, start, depth, dies));
            }
            Refresh => {
                self.process().shared.control.request_refresh(format!("at {tip}"));
            }
            Settle => self.settle(),
        }
    }

    /// Ends the process, does something to its folder, and starts another process.
    fn restart(&mut self, meanwhile: impl FnOnce(&Path)) {
        let process = self.process.take().unwrap();
        let source = process.source.clone();
        assert_eq!(process.stop().0, PipelineEnd::Stopped);
        meanwhile(self.folder.path());
        self.run(Arc::try_unwrap(source).ok().unwrap());
    }

    fn settle(&self) {
        let best = self.best();
        let (height, tip) = (best.len() - 1, best.last().unwrap().to_string());
        self.process().wait("the tip", |status| {
            status.height.map(|height| height as usize) == Some(height) && status.block_hash.as_ref() == Some(&tip)
        });
    }

    /// The tip and everything on disk.
    fn end(mut self) -> (Option<Tip>, impl PartialEq) {
        self.settle();
        let (end, tip) = self.process.take().unwrap().stop();
        assert_eq!(end, PipelineEnd::Stopped);
        (tip, rows::dump(self.folder.path()))
    }
}

/// Undoes the newest blocks of a closed store but the first one. If the process dies before it names the file of its
/// next blocks, that has the number of the next process's first one.
fn undo(folder: &Path, start: u32, depth: u32, dies: bool) {
    let store = Store::open_existing(folder).unwrap();
    let Some(tip) = store.tip() else { return };
    let to = Height(tip.at.height.0.saturating_sub(depth).max(start));
    store.unwind(Some(to)).unwrap();
    drop(store);
    if dies && let Some(last) = rows::files(folder).pop() {
        let number: u64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        std::fs::copy(&last, last.with_file_name(format!("{:012}.rows", number + 1))).unwrap();
    }
}

fn ends_like_a_fresh_sync(start: u32, policy: RefreshPolicy, steps: &[Step]) {
    let mut storm = Storm::new(start, policy);
    for step in steps {
        storm.take(*step);
    }
    let mut fresh = Storm::new(start, RefreshPolicy::EveryBlock);
    // Nothing of the first chain is in it: another process, another folder.
    fresh.process.take().unwrap().stop();
    fresh.folder = tempfile::tempdir().unwrap();
    let winner = MemorySource::default();
    winner.set_best(storm.best());
    fresh.run(winner);
    assert!(storm.end() == fresh.end(), "{policy:?} from {start}: {steps:?}");
}

/// Contract §8.7.
#[test]
fn each_kind_of_reorg_ends_like_a_fresh_sync() {
    let cases: [&[Step]; 10] = [
        &[Settle, Fork { depth: 1, longer: 1 }],
        &[Settle, Fork { depth: 9, longer: 1 }],
        // To genesis.
        &[
            Settle,
            Fork {
                depth: BEGIN,
                longer: 1,
            },
        ],
        // A, B, A again; each time seen, or not.
        &[Settle, Fork { depth: 5, longer: 2 }, Settle, Back],
        &[Settle, Fork { depth: 5, longer: 2 }, Back],
        // As long as the one it replaces.
        &[
            Settle,
            Fork { depth: 1, longer: 0 },
            Settle,
            Fork { depth: 3, longer: 0 },
        ],
        // While it catches up, again and again.
        &[
            Extend(200),
            Fork { depth: 9, longer: 3 },
            Fork { depth: 200, longer: 1 },
            Settle,
        ],
        // With a restart before it is seen, and in the middle of it.
        &[
            Settle,
            Restart,
            Fork { depth: 7, longer: 1 },
            Settle,
            Fork { depth: 8, longer: 1 },
            Restart,
        ],
        &[
            Settle,
            Fork { depth: 9, longer: 1 },
            Refresh,
            Settle,
            Restart,
            Back,
            Refresh,
        ],
        // Undone, indexed again near the tip, and a file of the next one's number that no batch names.
        &[
            Settle,
            Rollback { depth: 3, dies: false },
            Settle,
            Rollback { depth: 3, dies: true },
            Settle,
        ],
    ];
    for (number, steps) in cases.into_iter().enumerate() {
        let policy = [RefreshPolicy::EveryBlock, RefreshPolicy::OnThreshold][number % 2];
        ends_like_a_fresh_sync(0, policy, steps);
    }
}

/// Contract §8.7.
#[test]
fn a_reorg_to_below_the_first_block_of_the_index_ends_like_a_fresh_sync() {
    let below = Fork { depth: 9, longer: 1 };
    ends_like_a_fresh_sync(8, RefreshPolicy::OnThreshold, &[Settle, below, Settle, Back]);
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1..30u32).prop_map(Extend),
        4 => (1..=DEPTH_MAX, 0..4u32).prop_map(|(depth, longer)| Fork { depth, longer }),
        1 => Just(Back),
        1 => Just(Restart),
        2 => (1..=DEPTH_MAX, any::<bool>()).prop_map(|(depth, dies)| Rollback { depth, dies }),
        1 => Just(Refresh),
        3 => Just(Settle),
    ];
    prop::collection::vec(step, 1..14)
}

proptest! {
    #![proptest_config(Cases {
        cases: if std::env::var_os("SHREWD_SOAK").is_some() { 300 } else { 12 },
        // Each takes about a second.
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Cases::default()
    })]

    /// Contract §8.7.
    #[test]
    fn any_storm_ends_like_a_fresh_sync_of_the_winner(steps in steps(), start in 0..3u32, keeps in any::<bool>()) {
        let policy = if keeps { RefreshPolicy::OnThreshold } else { RefreshPolicy::EveryBlock };
        ends_like_a_fresh_sync(start, policy, &steps);
    }
}
