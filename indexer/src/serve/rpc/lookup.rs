//! The methods that read the data itself, without a view: for programs that would otherwise open the database.

use bytes::Bytes;
use jsonrpsee_types::error::ErrorObjectOwned;

use super::{
    caller::Caller,
    context::Context,
    index::{Index, Page, Range, Read, Terms, Written},
    params::{Params, bad},
    reply::{Answer, Outcome},
};
use crate::guest::ViewError;

/// Entries of one page: a client that reads on takes a request for so many, and none holds a place for long.
const LIMIT_MAX: u32 = 10_000;
/// Bytes of an entry's JSON beside its hex digits: names, quotes, and a height of ten digits.
const ENTRY_BYTES: u64 = 64;

/// The value of one key.
pub(super) async fn get<I: Index>(
    context: &Context<I>,
    caller: Caller,
    name: &'static str,
    mut params: Params<'_>,
) -> Result<Answer, ErrorObjectOwned> {
    let key = params.hex("key", &context.budget)?;
    let height = params.height_or_tip()?;
    let work = move |index: &I, terms: &Terms<'_>| {
        let Read { found, at } = index.get(&key, height, terms)?;
        let json = encoded(found.as_slice(), terms, |json| match &found {
            Some(written) => {
                json.extend_from_slice(b"{");
                push_value(json, written);
            }
            None => json.extend_from_slice(b"null"),
        })?;
        Ok(Read { found: json, at })
    };
    answer(context, caller, name, height.is_none(), work).await
}

/// The next keys with a prefix, and their values.
pub(super) async fn scan<I: Index>(
    context: &Context<I>,
    caller: Caller,
    name: &'static str,
    mut params: Params<'_>,
) -> Result<Answer, ErrorObjectOwned> {
    let prefix = params.hex("prefix", &context.budget)?;
    let height = params.height_or_tip()?;
    let after = params.hex_if_any("after", &context.budget)?;
    let limit = params.count("limit", LIMIT_MAX)?;
    if after.as_ref().is_some_and(|after| !after.starts_with(&prefix)) {
        return Err(bad("after must begin with the prefix: give the one of the page before"));
    }
    let range = Range { prefix, after, limit };
    let work = move |index: &I, terms: &Terms<'_>| {
        let Read { found, at } = index.scan(&range, height, terms)?;
        let Page { entries, after } = &found;
        let json = encoded(entries, terms, |json| {
            json.extend_from_slice(b"{\"entries\":[");
            for (n, entry) in entries.iter().enumerate() {
                json.extend_from_slice(if n == 0 { b"{\"key\":" } else { b",{\"key\":" });
                push_hex(json, &entry.key);
                json.push(b',');
                push_value(json, entry);
            }
            json.extend_from_slice(b"],\"after\":");
            match after {
                Some(key) => push_hex(json, key),
                None => json.extend_from_slice(b"null"),
            }
            json.push(b'}');
        })?;
        Ok(Read { found: json, at })
    };
    answer(context, caller, name, height.is_none(), work).await
}

async fn answer<I: Index>(
    context: &Context<I>,
    caller: Caller,
    name: &'static str,
    is_of_tip: bool,
    work: impl FnOnce(&I, &Terms<'_>) -> Result<Read<Bytes>, ViewError> + Send + 'static,
) -> Result<Answer, ErrorObjectOwned> {
    context.indexed()?;
    let read = context.views.read(caller, name, work).await;
    let Read { found, at } = read.map_err(|failure| failure.refused())?;
    caller.check(is_of_tip, at)?;
    Ok(Answer {
        result: Outcome::Json(found),
        at: Some(at),
    })
}

/// JSON with these entries, charged before it is written.
fn encoded(entries: &[Written], terms: &Terms<'_>, write: impl FnOnce(&mut Vec<u8>)) -> Result<Bytes, ViewError> {
    let digits = |entry: &Written| 2 * (entry.key.len() + entry.value.len()) as u64 + ENTRY_BYTES;
    // One key more: the one to go on from.
    let after = entries.last().map_or(0, digits);
    let bytes = entries.iter().map(digits).sum::<u64>() + after + ENTRY_BYTES;
    let charge = terms.budget.charge(bytes)?;
    let mut json = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    write(&mut json);
    Ok(charge.hold(json))
}

/// The members that say what was written, and at which height; and the end of their object.
fn push_value(json: &mut Vec<u8>, written: &Written) {
    json.extend_from_slice(b"\"value\":");
    push_hex(json, &written.value);
    json.extend_from_slice(format!(",\"height\":{}}}", written.height).as_bytes());
}

fn push_hex(json: &mut Vec<u8>, bytes: &[u8]) {
    json.extend_from_slice(b"\"0x");
    json.extend_from_slice(hex::encode(bytes).as_bytes());
    json.push(b'"');
}
