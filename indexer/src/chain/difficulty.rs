//! The difficulty that each header must have: how the networks set a new target every two weeks, and their exceptions.
//!
//! Signatures of signet, times of blocks and everything else about a header are the business of nodes. The difficulty
//! is ours, since chain work decides which chain is followed: without this rule, work would be cheap to claim.

use bitcoin::{CompactTarget, Target, block::Header, params::Params};
use crds::Network;

use super::{height::Height, network::params};

/// The rules of a network.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    params: &'static Params,
    /// BIP 94: a new target is computed from the first one of a period, which is never an exception, not from the last.
    from_first: bool,
}

/// A chain up to a header, as far as the difficulty of the headers after it depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Difficulty {
    rules: Rules,
    height: Height,
    last: Claim,
    /// The first header of the period.
    first: Claim,
    /// The newest target of the period that was no exception.
    regular: CompactTarget,
}

/// What a header says of difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its time, in seconds since 1970.
    pub time: u32,
    /// Its target.
    pub bits: CompactTarget,
}

impl From<&Header> for Claim {
    fn from(header: &Header) -> Self {
        Self {
            time: header.time,
            bits: header.bits,
        }
    }
}

impl Rules {
    /// The rules of a network.
    #[must_use]
    pub fn of(network: Network) -> Self {
        Self {
            params: params(network),
            from_first: network == Network::Testnet4,
        }
    }

    /// The easiest target that any header may have.
    #[must_use]
    pub fn easiest(&self) -> Target {
        self.params.max_attainable_target
    }

    /// The height from which headers must be known to tell the difficulty of those after `height`: the first of its
    /// period, or `height` itself where the difficulty never changes.
    #[must_use]
    pub fn needed_from(&self, height: Height) -> Height {
        if self.params.no_pow_retargeting {
            height
        } else {
            Height(height.0 - height.0 % self.period())
        }
    }

    /// Blocks between two changes: 2016 on every network.
    fn period(&self) -> u32 {
        u32::try_from(self.params.difficulty_adjustment_interval()).unwrap_or(u32::MAX)
    }

    /// The rules of a network that changes the difficulty every ten blocks, from the easiest target that there is.
    #[cfg(test)]
    pub(crate) fn of_ten_blocks() -> Self {
        let mut params = Params::REGTEST.clone();
        params.no_pow_retargeting = false;
        params.allow_min_difficulty_blocks = false;
        params.pow_target_timespan = 10 * params.pow_target_spacing;
        Self {
            params: Box::leak(Box::new(params)),
            from_first: false,
        }
    }
}

impl Difficulty {
    /// That of a chain whose header at `height`, which must be one of [`Rules::needed_from`], is believed.
    #[must_use]
    pub fn begin(rules: Rules, height: Height, claim: Claim) -> Self {
        Self {
            rules,
            height,
            last: claim,
            first: claim,
            regular: claim.bits,
        }
    }

    /// The last header's height.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// The rules followed.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Adds the next header.
    ///
    /// # Errors
    /// The target it must have, if it has another one.
    pub fn follow(&mut self, next: Claim) -> Result<(), CompactTarget> {
        let height = self.height.next();
        let required = self.required(height, next.time);
        if next.bits != required {
            return Err(required);
        }
        if height == self.rules.needed_from(height) {
            self.first = next;
            self.regular = next.bits;
        } else if next.bits != self.limit() {
            self.regular = next.bits;
        }
        self.height = height;
        self.last = next;
        Ok(())
    }

    /// The target of the header at the next height, if it is of that time.
    fn required(&self, height: Height, time: u32) -> CompactTarget {
        let params = self.rules.params;
        if params.no_pow_retargeting {
            return self.last.bits;
        }
        if height.0.is_multiple_of(self.rules.period()) {
            let base = if self.rules.from_first { self.first } else { self.last };
            // Times may run backwards; less than a quarter of two weeks counts as that.
            let took = self.last.time.saturating_sub(self.first.time);
            return CompactTarget::from_next_work_required(base.bits, took.into(), params);
        }
        if !params.allow_min_difficulty_blocks {
            return self.last.bits;
        }
        // Test networks: whoever finds no block for twenty minutes may find an easy one, which changes nothing else.
        let is_exception = u64::from(time) > u64::from(self.last.time) + 2 * params.pow_target_spacing;
        if is_exception { self.limit() } else { self.regular }
    }

    fn limit(&self) -> CompactTarget {
        self.rules.easiest().to_compact_lossy()
    }
}

#[cfg(test)]
mod tests;
