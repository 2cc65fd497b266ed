//! Claims the folder of an index for as long as its store is being opened, and waits for a process that has it.

use std::{
    fmt,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{origins::origins, process::Process};
use crate::{
    cli::args,
    snapshot::{self, Claim, restore},
};

/// How long the process before this one may keep the data after this one has started: a pod that was deleted by force has
/// a successor before its own process has ended. An exit instead is held back by the kubelet for longer than that takes.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries to open data that is in use.
const LOCK_TRY_EVERY: Duration = Duration::from_millis(200);

/// The claim, before anything in the folder is touched. While a snapshot is restored there, it is refused.
pub(super) fn claim(process: &Process) -> Result<Claim, snapshot::Error> {
    let data_dir = &process.config.data_dir;
    let is_in_use = |error: &_| matches!(error, snapshot::Error::Busy { .. });
    let claim = when_free(process, || Claim::new(data_dir), is_in_use)?;
    // A pod continues the snapshot that it begins with, or is to do without; a person may have forgotten one.
    if process.one_shot && origins(&process.config).is_empty() {
        restore::must_have_ended(data_dir, &args::store_dir(data_dir), &claim)?;
    }
    Ok(claim)
}

/// What `open` gives when no other process has the data, which is waited for unless somebody waits for this process.
pub(super) fn when_free<T, E: fmt::Display>(
    process: &Process,
    open: impl Fn() -> Result<T, E>,
    is_in_use: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let end = Instant::now() + LOCK_PATIENCE;
    let mut is_told = false;
    loop {
        match open() {
            Err(error)
                if is_in_use(&error)
                    && !process.one_shot
                    && !process.control.stop_token().is_cancelled()
                    && Instant::now() < end =>
            {
                if !is_told {
                    tracing::warn!(%error, patience_s = LOCK_PATIENCE.as_secs(), "waits for the data");
                    is_told = true;
                }
                sleep(LOCK_TRY_EVERY);
            }
            opened => return opened,
        }
    }
}
