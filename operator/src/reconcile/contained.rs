//! A panic of one pass is that Indexer's error, and no end of the process for all of them.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::FutureExt;

use super::error::Error;

/// Runs a pass. Nothing it shares with others is left half changed by a panic: the locks of this crate are held only
/// while a map is changed by one call.
///
/// # Errors
/// That of the pass, or the words of its panic.
pub(super) async fn contained<T>(pass: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let done = AssertUnwindSafe(pass).catch_unwind().await;
    match done {
        Ok(done) => done,
        Err(panic) => Err(Error::Panicked(words(&*panic))),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}
