//! (pure) A block that has been running for long. Blocks have no time limit, so a guest that never returns shows here only.

use crds::pod::{BlockUnderWay, Status};

/// From how many seconds on a block runs for long. Real modules take seconds for the largest blocks there are.
const LONG_SECONDS: u64 = 60;

/// The block that a pod has been running for more than a minute. How long exactly it says is left out: the figure would
/// change the status all the time.
#[must_use]
pub fn long_run(status: &Status) -> Option<&BlockUnderWay> {
    let block = status.block_under_way.as_ref();
    block.filter(|block| block.seconds >= LONG_SECONDS)
}

/// What to say of it.
#[must_use]
pub fn long_run_in_words(pod: &str, block: &BlockUnderWay) -> String {
    let (height, run) = (block.height, block.run_in_words());
    format!("{pod} has been running block {height} for more than a minute ({run}); if it never ends, the module loops")
}
