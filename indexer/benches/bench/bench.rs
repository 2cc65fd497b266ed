//! What all groups of figures share.

use std::{ops::Range, path::PathBuf};

use crate::{
    alone::{self, Alone},
    chain::Chain,
    report::{Report, median},
    sync::{BlocksFrom, Setup},
};

/// A chain, modules, a folder, and the figures measured so far.
pub(crate) struct Bench {
    pub(crate) chain: Chain,
    /// The folder of our own modules.
    pub(crate) guests: PathBuf,
    /// The module that ratios are measured with instead.
    pub(crate) guest: Option<PathBuf>,
    pub(crate) dir: PathBuf,
    pub(crate) report: Report,
}

/// Syncs, and what the guest took alone, in turns.
pub(crate) struct Compared {
    /// Milliseconds a block, one for each turn.
    sync_ms: Vec<f64>,
    /// The same of the guest alone.
    alone_ms: Vec<f64>,
    /// The most memory a sync had resident.
    pub(crate) peak_bytes: u64,
    /// The last run of the guest alone.
    pub(crate) alone: Alone,
}

impl Bench {
    /// A sync of one of our own modules, in a folder of this name.
    pub(crate) fn setup(&self, guest: &str, heights: Range<u32>, db: &str) -> Setup {
        Setup {
            guest: self.guests.join(guest).with_extension("wasm"),
            from: BlocksFrom::Node(self.chain.node.url()),
            heights,
            db: self.dir.join(db),
        }
    }

    /// Syncs blocks, and runs them through the guest alone, in turns. The module given by `--guest` replaces the one
    /// named here.
    pub(crate) fn compare(&self, guest: &str, heights: Range<u32>, turns: usize) -> Compared {
        let mut setup = self.setup(guest, heights.clone(), "db");
        if let Some(guest) = &self.guest {
            setup.guest.clone_from(guest);
        }
        let count = heights.len() as f64;
        let module = alone::load(&setup.guest);
        let blocks = self.chain.blocks(heights);
        let mut reads = Vec::new();
        let mut compared = Compared {
            sync_ms: Vec::new(),
            alone_ms: Vec::new(),
            peak_bytes: 0,
            alone: Alone::default(),
        };
        for turn in 0..turns {
            let sync = setup.sync();
            if turn == 0 {
                reads = alone::record(&module, &blocks, &setup.store());
            }
            compared.alone = alone::run(&module, &blocks, &reads);
            compared.sync_ms.push(sync.took.as_secs_f64() * 1e3 / count);
            compared.alone_ms.push(compared.alone.took.as_secs_f64() * 1e3 / count);
            compared.peak_bytes = compared.peak_bytes.max(sync.peak_bytes);
        }
        compared
    }
}

impl Compared {
    /// How many times as long as the guest alone the sync took: the median of the turns.
    pub(crate) fn ratio(&self) -> f64 {
        let turns = self.sync_ms.iter().zip(&self.alone_ms);
        median(turns.map(|(sync, alone)| sync / alone).collect())
    }

    /// Milliseconds a block of a sync, the median of the turns.
    pub(crate) fn sync_ms(&self) -> f64 {
        median(self.sync_ms.clone())
    }

    /// Milliseconds a block of the guest alone, the median of the turns.
    pub(crate) fn alone_ms(&self) -> f64 {
        median(self.alone_ms.clone())
    }
}
