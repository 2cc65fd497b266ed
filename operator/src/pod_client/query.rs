//! (I/O) Calls to a pod's JSON-RPC port, as clients make them.

use std::time::Duration;

use crds::pod::RPC_PORT;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::request::{failure, url};
use crate::facts::Target;

/// How much of an answer is kept for display, in bytes. A digest, which must fit in whole, takes 110.
const START_BYTES: usize = 256;
/// The maximum length of an answer: `views.maxResponseBytes` may be 1 GiB, and hex doubles it.
const ANSWER_BYTES_MAX: u64 = (2 << 30) + 1024;

/// An answer, of which only the start is kept: two are equal if their hashes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// SHA-256 of the whole body. The id in it is always the same.
    pub hash: [u8; 32],
    /// Its start: the result's first digits, or the error.
    pub start: String,
}

/// Calls a method; an error that it returns is an answer.
pub(super) async fn query(
    http: &reqwest::Client,
    target: &Target,
    method: &str,
    params: &Value,
    timeout: Duration,
) -> Result<Answer, String> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = http.post(url(target, RPC_PORT, "/")).timeout(timeout).json(&call);
    let mut response = request.send().await.map_err(|e| failure(&e))?;
    if !response.status().is_success() {
        return Err(format!("it responded with {}", response.status()));
    }
    let (mut hasher, mut start, mut length) = (Sha256::new(), Vec::new(), 0_u64);
    while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e))? {
        length += chunk.len() as u64;
        if length > ANSWER_BYTES_MAX {
            return Err(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes"));
        }
        hasher.update(&chunk);
        let room = START_BYTES - start.len();
        start.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(Answer {
        hash: hasher.finalize().into(),
        start: shown(&start),
    })
}

/// The result or the error in the start of an answer; if neither can be parsed, the start itself.
fn shown(start: &[u8]) -> String {
    if let Ok(whole) = serde_json::from_slice::<Value>(start) {
        if let Some(result) = whole["result"].as_str() {
            return result.to_owned();
        }
        if !whole["error"].is_null() {
            return whole["error"].to_string();
        }
    }
    let text = String::from_utf8_lossy(start);
    let result = text.split_once(r#""result":""#).map_or(&*text, |(_, result)| result);
    format!("{result}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_errors_and_what_is_cut_are_shown() {
        let cases = [
            (r#"{"jsonrpc":"2.0","result":"0xab","id":1}"#, "0xab"),
            (
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"trap"},"id":1}"#,
                r#"{"code":-32000,"message":"trap"}"#,
            ),
            (r#"{"jsonrpc":"2.0","result":"0xabcd"#, "0xabcd…"),
            ("<html>", "<html>…"),
        ];
        for (body, expected) in cases {
            assert_eq!(shown(body.as_bytes()), expected);
        }
    }
}
