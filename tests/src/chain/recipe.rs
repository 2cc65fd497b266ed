//! What determines a chain.

/// What determines a chain.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Another seed is another chain.
    pub seed: u64,
    /// Transactions in a block besides the coinbase, once enough coins can be spent.
    pub txs_per_block: usize,
    /// A transaction pays at least one owner and at most this many.
    pub payments_max: u64,
    /// How many owners there are, with six scripts each, so that most scripts occur more than once.
    pub owners: u64,
}

impl Recipe {
    /// Some kilobytes a block.
    #[must_use]
    pub const fn light(seed: u64, txs_per_block: usize) -> Self {
        Self {
            seed,
            txs_per_block,
            payments_max: 3,
            owners: 40,
        }
    }

    /// Blocks as full as those of a busy main network: the guest `outpoints` writes some 40,000 pairs for each and
    /// reads some 5,000.
    #[must_use]
    pub const fn dense(seed: u64) -> Self {
        Self {
            seed,
            txs_per_block: 2_500,
            payments_max: 10,
            owners: 850,
        }
    }
}
