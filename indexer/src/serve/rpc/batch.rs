//! The entries of one body, answered one after the other, so that a batch takes one view's permit at a time.

use std::time::{Duration, Instant};

use jsonrpsee_types::error::ErrorObjectOwned;
use serde_json::value::RawValue;

use super::{
    caller::{BATCH_TIMEOUTS, Caller},
    codes::{OVER_LIMIT, error},
    context::Context,
    index::Index,
    methods,
    reply::{Answer, Reply},
    wire,
};

/// What a batch may answer besides one longest result: the thousand short answers of a full batch, 256 bytes each.
const OVERHEAD_BYTES: u64 = 256 << 10;

/// Bounds on all answers of a batch together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes after which the next answers are errors.
    bytes_max: u64,
    /// Time after which they are.
    pub(super) time: Duration,
}

/// One entry's answer, and the id it is for.
type Entry<'a> = (Option<&'a RawValue>, Result<Answer, ErrorObjectOwned>);

impl Limits {
    /// Of views that may answer so many bytes, and take so long.
    pub(super) fn new(max_response_bytes: u64, timeout: Duration) -> Self {
        Self {
            // In hex, one byte is two.
            bytes_max: max_response_bytes.saturating_mul(2).saturating_add(OVERHEAD_BYTES),
            time: timeout.saturating_mul(BATCH_TIMEOUTS),
        }
    }

    /// Why the next entry is not even tried.
    fn reached(&self, written_bytes: u64, deadline: Instant) -> Option<ErrorObjectOwned> {
        let message = if written_bytes > self.bytes_max {
            format!("the answers before this one already exceed {} bytes", self.bytes_max)
        } else if Instant::now() >= deadline {
            format!(
                "the batch took longer than {} ms, {BATCH_TIMEOUTS} times views.timeout; split it",
                self.time.as_millis()
            )
        } else {
            return None;
        };
        Some(error(OVER_LIMIT, message))
    }
}

/// Answers one body. The reply stays empty if it has notifications only. Where the request as a whole is `refused`,
/// that is the answer to each entry.
pub(super) async fn answer<I: Index>(
    context: &Context<I>,
    caller: Caller,
    limits: Limits,
    body: &[u8],
    refused: Option<&ErrorObjectOwned>,
) -> Reply {
    let mut reply = Reply::default();
    match wire::message(body) {
        Ok(wire::Message::Single(raw)) => {
            if let Some((id, answer)) = answer_one(context, caller, raw, refused).await {
                reply.answer(id, answer);
            }
        }
        Ok(wire::Message::Batch(entries)) => {
            let mut separator = b'[';
            for raw in entries {
                let reached = limits.reached(reply.len_bytes(), caller.deadline);
                let refused = refused.or(reached.as_ref());
                if let Some((id, answer)) = answer_one(context, caller, raw, refused).await {
                    reply.text(|out| out.push(separator));
                    reply.answer(id, answer);
                    separator = b',';
                }
            }
            if separator == b',' {
                reply.text(|out| out.push(b']'));
            }
        }
        Err(error) => reply.answer(None, Err(error)),
    }
    reply
}

/// None: there is nothing to answer.
async fn answer_one<'a, I: Index>(
    context: &Context<I>,
    caller: Caller,
    raw: &'a RawValue,
    refused: Option<&ErrorObjectOwned>,
) -> Option<Entry<'a>> {
    let request = match wire::request(raw) {
        Ok(request) => request,
        Err(invalid) => return Some((invalid.id, Err(invalid.error))),
    };
    // All methods only read: without an id there is nothing to do.
    let id = request.id?;
    let answer = match refused {
        Some(error) => Err(error.clone()),
        None => methods::call(context, caller, &request).await,
    };
    Some((Some(id), answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_on_a_batch_obeyed_and_violated() {
        let limits = Limits::new(10, Duration::from_secs(1));
        let (later, now) = (Instant::now() + Duration::from_secs(60), Instant::now());
        let bytes_max = 20 + OVERHEAD_BYTES;
        assert!(limits.reached(bytes_max, later).is_none());
        let text = |error: Option<ErrorObjectOwned>| error.unwrap().message().to_owned();
        assert!(text(limits.reached(bytes_max + 1, later)).contains("exceed 262164 bytes"));
        assert_eq!(
            text(limits.reached(0, now)),
            "the batch took longer than 6000 ms, 6 times views.timeout; split it"
        );
    }
}
