//! The third stage: one atomic batch for each block, then the announcement.

use std::{sync::mpsc::Receiver, time::Instant};

use super::{Shared, execute::Executed, show_tip};
use crate::{fault::Fault, fault_point, state::Digest, store::Durability};

/// Writes what was executed into the store.
pub struct Committer {
    shared: Shared,
    /// The digest of the last block committed.
    digest: Digest,
}

impl Committer {
    /// A committer that goes on from `digest`, that of the store's tip.
    #[must_use]
    pub fn new(shared: &Shared, digest: Digest) -> Self {
        Self {
            shared: shared.clone(),
            digest,
        }
    }

    /// Commits blocks in the order in which they come, until no more come.
    ///
    /// A height is announced after its batch is written: never before, and near the tip only once it would survive a
    /// power cut.
    ///
    /// # Errors
    /// The first failure of the store. Nothing of that block is in the store then, nor of those after it.
    pub fn run(mut self, blocks: &Receiver<Executed>) -> Result<(), Fault> {
        let mut lazy = false;
        for Executed { at, writes, permit } in blocks {
            let started = Instant::now();
            let durability = self.durability(at.height.0);
            lazy = durability == Durability::Lazy;
            fault_point::reach("before the digest");
            self.digest = self.digest.next(at.height, at.hash, writes.hash());
            fault_point::reach("before the batch");
            self.shared.store.commit(at, &writes, self.digest, durability)?;
            fault_point::reach("after the batch");
            drop(permit);
            self.shared.metrics.committed(writes.pairs().len(), writes.bytes());
            self.shared.metrics.stage("commit", started.elapsed());
            // Announced: never before it is written.
            show_tip(&self.shared);
            fault_point::reach("announced");
            self.shared.progress.observe(&self.shared.report);
        }
        if lazy {
            self.shared.store.flush()?;
        }
        Ok(())
    }

    /// Far below the tip a crash may cost blocks that are simply indexed again; at the tip it may not.
    fn durability(&self, height: u32) -> Durability {
        let tip = self.shared.report.tip().unwrap_or(0);
        if tip.saturating_sub(height) <= self.shared.settings.max_behind {
            Durability::EachBlock
        } else {
            Durability::Lazy
        }
    }
}
