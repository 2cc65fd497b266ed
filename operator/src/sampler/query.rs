//! (I/O) Questions to a pod's JSON-RPC port, as clients ask them.

use std::{net::SocketAddr, time::Duration};

use crds::pod::RPC_PORT;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Sampler, TIMEOUT, Target, told};

/// How much of an answer is kept to be shown, in bytes. A digest, the shortest question's answer, takes 110.
const START_BYTES: usize = 256;
/// The longest answer read: `views.maxResponseBytes` may be 1 GiB, and hex doubles it.
const ANSWER_BYTES_MAX: u64 = (2 << 30) + 1024;

/// An answer, of which only the start is kept: two are equal if their hashes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// SHA-256 of the whole body. The id in it is always the same.
    pub hash: [u8; 32],
    /// What it begins with: the result's first digits, or the error.
    pub start: String,
}

impl Sampler {
    /// The digest of a pod's index at a height, hex without `0x`.
    ///
    /// # Errors
    /// Why it does not tell, for people.
    pub async fn state_root(&self, target: &Target, height: u32) -> Result<String, String> {
        let answer = self
            .query(target, "metashrew_stateroot", &json!([height]), TIMEOUT)
            .await?;
        let digest = answer.start.strip_prefix("0x").filter(|digits| digits.len() == 64);
        digest.map(str::to_owned).ok_or(answer.start)
    }

    /// What a pod answers to a view.
    ///
    /// # Errors
    /// If it does not answer; a view that fails is an answer.
    pub async fn view(
        &self,
        target: &Target,
        function: &str,
        input: &str,
        height: u32,
        timeout: Duration,
    ) -> Result<Answer, String> {
        self.query(target, "metashrew_view", &json!([function, input, height]), timeout)
            .await
            .map_err(|why| format!("{} does not answer {function}: {why}", target.pod))
    }

    async fn query(&self, target: &Target, method: &str, params: &Value, timeout: Duration) -> Result<Answer, String> {
        let url = format!("http://{}/", SocketAddr::new(target.address, RPC_PORT));
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self.http.post(url).timeout(timeout).json(&call);
        let mut response = request.send().await.map_err(|e| told(&e))?;
        if !response.status().is_success() {
            return Err(format!("it answered {}", response.status()));
        }
        let (mut hasher, mut start, mut length) = (Sha256::new(), Vec::new(), 0_u64);
        while let Some(chunk) = response.chunk().await.map_err(|e| told(&e))? {
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
}

/// The result or the error of an answer of which the start is known; if neither can be read, the start itself.
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
