//! Values read from the store for a client that wants the data itself, within the bounds of a view.

use std::time::Instant;

use super::rpc::{Page, Range, Terms, Written};
use crate::{
    chain::Height,
    fault::Fault,
    guest::ViewError,
    store::{Error, Found, SnapshotReader},
};

/// The value of a key as of a height.
pub(super) fn value(
    snapshot: &SnapshotReader,
    at: Height,
    key: &[u8],
    max_bytes: u64,
    terms: &Terms<'_>,
) -> Result<Option<Written>, ViewError> {
    let Some((height, value)) = snapshot.at(at).get_written(key).map_err(host)? else {
        return Ok(None);
    };
    if length(key, &value) > max_bytes {
        return Err(too_long(key, &value, max_bytes));
    }
    charged(terms, key, height, &value).map(Some)
}

/// The next keys of a range as of a height. It ends early when the answer gets too long or time is up, having come at
/// least one key further, so that whoever continues where it ended gets through any range.
pub(super) fn page(
    snapshot: &SnapshotReader,
    at: Height,
    range: &Range,
    max_bytes: u64,
    terms: &Terms<'_>,
) -> Result<Page, ViewError> {
    // The other half is for writing and sending it.
    let half = terms.deadline.saturating_duration_since(Instant::now()) / 2;
    let end = Instant::now() + half;
    let mut entries: Vec<Written> = Vec::new();
    let mut bytes = 0;
    let after = range.after.as_deref();
    let mut scan = snapshot.scan(at, &range.prefix, after).map_err(host)?;
    loop {
        match scan.step().map_err(host)? {
            Found::End => return Ok(Page { entries, after: None }),
            Found::Passed => {}
            Found::Value { key, height, value } => {
                bytes += length(key, value);
                if bytes > max_bytes {
                    let last = entries.last().ok_or_else(|| too_long(key, value, max_bytes))?;
                    let after = Some(last.key.clone());
                    return Ok(Page { entries, after });
                }
                entries.push(charged(terms, key, height, value)?);
            }
        }
        if terms.cancel.is_cancelled() {
            return Err(ViewError::Cancelled);
        }
        if entries.len() >= range.limit || Instant::now() >= end {
            let after = scan.key().ok_or(ViewError::Deadline)?;
            let after = terms.budget.charge(after.len() as u64)?.hold(after.to_vec());
            return Ok(Page {
                entries,
                after: Some(after),
            });
        }
    }
}

fn charged(terms: &Terms<'_>, key: &[u8], height: Height, value: &[u8]) -> Result<Written, ViewError> {
    let charge = terms.budget.charge(length(key, value))?;
    let mut both = charge.hold([key, value].concat());
    let value = both.split_off(key.len());
    Ok(Written {
        key: both,
        height,
        value,
    })
}

fn length(key: &[u8], value: &[u8]) -> u64 {
    key.len() as u64 + value.len() as u64
}

fn too_long(key: &[u8], value: &[u8], max_bytes: u64) -> ViewError {
    ViewError::Limit(format!(
        "a key of {} bytes has a value of {}; an answer may have {max_bytes} bytes (views.maxResponseBytes)",
        key.len(),
        value.len()
    ))
}

fn host(error: Error) -> ViewError {
    ViewError::Host(Fault::from(error).message)
}
