//! How much may be on its way between the stages.

/// Bytes of blocks fetched and not yet executed, in KiB: some sixteen of the largest blocks, a second of dense ones.
pub(super) const FETCH_BUDGET_KIB: usize = 64 << 10;
/// Blocks fetched and not yet executed. Small blocks are bound by this: 256 of them are 0.1 s of work at 2,000 a second.
pub(super) const FETCH_BLOCKS: usize = 256;
/// Blocks are written together once they hold this much, as flushed and in order, so that a file has some 32 MiB: eleven
/// of the densest blocks. Half of it makes twice as many files to merge, twice of it is twice the memory, of which two
/// such heaps exist: one being written, one filling.
pub(super) const BATCH_BYTES: usize = 72 << 20;
/// Bytes of write sets executed and not yet committed, in KiB: what one step writes, and what arrives meanwhile.
pub(super) const COMMIT_BUDGET_KIB: usize = (2 * BATCH_BYTES) >> 10;
/// Write sets on their way to the commit stage, so that the guest keeps running during the fifth of a second for which
/// that stage writes a file.
pub(super) const COMMIT_BLOCKS: usize = 2_048;
