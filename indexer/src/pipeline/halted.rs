//! Waits for a reason to resume a halted index.

use std::time::Duration;

use crds::pod::{FaultClass, Halt};

use super::shared::Shared;
use crate::{
    chain::Height,
    source::{self, BlockSource},
};

/// Pause between two requests to the node. A halt usually lasts until a person intervenes, so there is no hurry, except
/// in tests of the crate.
const LOOK_EVERY: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 2_000 });

/// What ended the wait.
pub(super) enum Wait {
    Stopped,
    /// There is a reason to try again.
    Resume(&'static str),
}

/// Waits until the block that failed has left the chain, a refresh is requested, or the process stops.
pub(super) async fn wait<S: BlockSource>(source: &S, shared: &Shared, halt: &Halt) -> Wait {
    loop {
        let look = async {
            tokio::time::sleep(LOOK_EVERY).await;
            chain_moved(source, shared, halt).await
        };
        let moved = tokio::select! {
            biased;
            () = shared.control.stop_token().cancelled() => return Wait::Stopped,
            // The request itself stays pending for the executor.
            () = shared.control.refresh_requested() => return Wait::Resume("a refresh was requested"),
            moved = look => moved,
        };
        match moved {
            Ok(Some(why)) => return Wait::Resume(why),
            Ok(None) => {}
            Err(error) => {
                shared.metrics.source_error(error.reason());
                shared.report.source_failed(error.reason(), error.message());
            }
        }
    }
}

async fn chain_moved<S: BlockSource>(
    source: &S,
    shared: &Shared,
    halt: &Halt,
) -> Result<Option<&'static str>, source::Error> {
    shared.report.source_heard(source.tip().await?.height.0);
    if halt.class == FaultClass::Reorg {
        let Some(tip) = shared.store.tip() else { return Ok(None) };
        let same = source.hash_at(tip.at.height).await? == Some(tip.at.hash);
        return Ok(same.then_some("the chain came back to the indexed one"));
    }
    let now = source.hash_at(Height(halt.height)).await?;
    Ok(now
        .is_some_and(|hash| hash.to_string() != halt.block_hash)
        .then_some("another block took the place of the one that failed"))
}
