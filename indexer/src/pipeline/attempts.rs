//! Runs one block: on the kept instance, again on a fresh one after a failure, and on a second one where it is audited.

use crds::{
    RefreshPolicy, RefreshReason,
    pod::{BlockRun, FaultClass, Halt, Memory},
};

use super::{
    ahead::{BlockState, Reads},
    audit,
    kept_guest::KeptGuest,
    shared::Shared,
};
use crate::{
    chain::{Block, Height},
    fault::{Fault, Remedy},
    state::{State, WriteSet},
};

/// The longest text of a guest's failure that is kept, in characters.
const MESSAGE_MAX: usize = 1_000;

/// Why a block has no write set.
#[derive(Debug)]
pub(super) enum BlockFailed {
    /// The process was asked to stop meanwhile.
    Stopped,
    /// It failed as often as it may.
    Halted(Halt),
    /// The host failed, which time may heal.
    Failed(Fault),
}

/// Runs one block, again on a fresh instance after a failure of the guest, as often as the settings say.
pub(super) fn run_block(
    guest: &mut KeptGuest,
    shared: &Shared,
    reads: &Reads<'_>,
    block: &Block,
) -> Result<WriteSet, BlockFailed> {
    let mut runs = 0;
    loop {
        guest.take_request(shared);
        runs += 1;
        let ran = run_once(guest, shared, reads, block, runs)
            .and_then(|writes| audited(guest, shared, reads, block, &writes).map(|()| writes));
        let fault = match ran {
            Ok(writes) => break Ok(writes),
            Err(_) if shared.control.stop_token().is_cancelled() => break Err(BlockFailed::Stopped),
            Err(fault) => fault,
        };
        guest.ended_with(None);
        guest.want(RefreshReason::Failure);
        tracing::warn!(height = %block.at.height, run = runs, class = ?fault.class, error = %fault, "block failed");
        match fault.remedy() {
            Remedy::Backoff => break Err(BlockFailed::Failed(fault)),
            Remedy::RetryThenHalt if runs <= shared.settings.retry_attempts => {}
            Remedy::RetryThenHalt | Remedy::Halt => break Err(BlockFailed::Halted(halt(block, runs, &fault))),
        }
    }
}

/// One run of a block, the `number`-th from 1, on a fresh instance if one is due.
fn run_once(
    guest: &mut KeptGuest,
    shared: &Shared,
    reads: &Reads<'_>,
    block: &Block,
    number: u32,
) -> Result<WriteSet, Fault> {
    let height = block.at.height;
    let _shown = match number.checked_sub(1) {
        Some(retry @ 1..) => shared.report.run_begins(block.at, BlockRun::Retry, retry),
        _ => shared.report.run_begins(block.at, BlockRun::First, 1),
    };
    // A fresh instance runs the module's start section, so making one can fail, or never end, as running the block can.
    guest.refresh_if_due(shared, height)?;
    let state = state_below(shared, reads, height);
    let writes = guest
        .indexing
        .run(height, block.bytes.clone(), state, shared.control.stop_flag())?;
    let bytes = guest.indexing.guest_bytes();
    guest.ended_with(Some(bytes));
    let threshold = shared.settings.threshold_bytes;
    shared
        .report
        .update(|status| note_memory(&mut status.memory, bytes, threshold, height));
    if shared.settings.refresh == RefreshPolicy::EveryBlock {
        // It will never run again: its memory need not wait for the next block.
        guest.indexing.drop_instance();
    }
    Ok(writes)
}

/// Audits a block that was run, if it is one of those that are.
fn audited(
    guest: &KeptGuest,
    shared: &Shared,
    reads: &Reads<'_>,
    block: &Block,
    writes: &WriteSet,
) -> Result<(), Fault> {
    if !audit::is_due(&shared.settings, block.at.height) {
        return Ok(());
    }
    let _shown = shared.report.run_begins(block.at, BlockRun::Audit, 1);
    let state = state_below(shared, reads, block.at.height);
    audit::audit(shared, &guest.indexing, block, state, writes)
}

/// What a block at this height may read.
fn state_below(shared: &Shared, reads: &Reads<'_>, height: Height) -> Box<dyn State> {
    // What is committed before the reader is made is in both, and equal.
    let below = shared.store.reader(height.prev().unwrap_or(Height(0)));
    Box::new(BlockState::new(shared, reads, below))
}

fn note_memory(memory: &mut Memory, bytes: u64, threshold: u64, height: Height) {
    memory.guest_bytes = bytes;
    if bytes > memory.guest_peak_bytes {
        memory.guest_peak_bytes = bytes;
        memory.guest_peak_height = Some(height.0);
    }
    if bytes >= threshold {
        memory.last_crossing_height = Some(height.0);
    }
}

fn halt(block: &Block, runs: u32, fault: &Fault) -> Halt {
    debug_assert!(matches!(
        fault.class,
        FaultClass::Guest | FaultClass::Limit | FaultClass::Nondeterminism
    ));
    Halt {
        class: fault.class,
        height: block.at.height.0,
        block_hash: block.at.hash.to_string(),
        runs,
        message: fault.message.chars().take(MESSAGE_MAX).collect(),
    }
}
