//! A Bitcoin node over JSON-RPC: the few calls needed to make and check a chain.

use std::{ops::RangeInclusive, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bitcoin::{Block, BlockHash, consensus::encode};
use serde::Deserialize;
use serde_json::{Value, json};

/// Bodies stay below the node's 32 MiB with this many bytes of blocks in one batch, as hex.
const SUBMIT_BYTES_MAX: usize = 8 << 20;
/// A block of regtest may have 4 MB, so this many in one answer stay below 150 MB.
const READ_BLOCKS_MAX: usize = 16;
const HASHES_MAX: usize = 500;
const TIMEOUT: Duration = Duration::from_secs(60);
/// A node closes a connection on which nothing was asked for 30 s: a question must not meet that.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// A node that answers JSON-RPC.
#[derive(Clone)]
pub struct Bitcoind {
    http: reqwest::Client,
    url: String,
    username: String,
    password: String,
}

/// The last block of the node's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: u32,
    /// Its hash.
    pub hash: BlockHash,
}

#[derive(Deserialize)]
struct Answer {
    id: usize,
    result: Value,
    error: Option<Value>,
}

impl Bitcoind {
    /// Connects on the first call.
    ///
    /// # Errors
    /// If no HTTP client can be made on this machine.
    pub fn new(url: &str, username: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .pool_idle_timeout(IDLE_MAX)
            .no_proxy()
            .build()?;
        Ok(Self {
            http,
            url: url.into(),
            username: username.into(),
            password: password.into(),
        })
    }

    /// The last block of its chain.
    ///
    /// # Errors
    /// If the node does not answer, or not as expected. The same holds for every call here.
    pub async fn tip(&self) -> Result<Tip> {
        let info = self.call("getblockchaininfo", json!([])).await?;
        let height = info["blocks"].as_u64().context("getblockchaininfo gives no height")?;
        let hash = info["bestblockhash"]
            .as_str()
            .context("getblockchaininfo gives no hash")?;
        Ok(Tip {
            height: u32::try_from(height)?,
            hash: hash.parse()?,
        })
    }

    /// Hash of a block of its chain.
    ///
    /// # Errors
    /// As [`Self::tip`], and above the tip.
    pub async fn hash_at(&self, height: u32) -> Result<BlockHash> {
        parsed(&self.call("getblockhash", json!([height])).await?)
    }

    /// A block of its chain.
    ///
    /// # Errors
    /// As [`Self::tip`], and above the tip.
    pub async fn block_at(&self, height: u32) -> Result<Block> {
        let mut blocks = self.blocks(height..=height).await?;
        blocks.pop().context("no block")
    }

    /// Blocks of its chain.
    ///
    /// # Errors
    /// As [`Self::tip`], and above the tip.
    pub async fn blocks(&self, heights: RangeInclusive<u32>) -> Result<Vec<Block>> {
        let heights: Vec<u32> = heights.collect();
        let mut blocks = Vec::with_capacity(heights.len());
        for heights in heights.chunks(HASHES_MAX) {
            let hashes = self
                .batch("getblockhash", heights.iter().map(|h| json!([h])).collect())
                .await?;
            for hashes in hashes.chunks(READ_BLOCKS_MAX) {
                let raw = self
                    .batch("getblock", hashes.iter().map(|hash| json!([hash, 0])).collect())
                    .await?;
                for hex in raw {
                    blocks.push(encode::deserialize_hex(hex.as_str().context("a block is no text")?)?);
                }
            }
        }
        Ok(blocks)
    }

    /// Hands blocks to the node, parents first.
    ///
    /// # Errors
    /// If it refuses one. A block of a branch that is not the longest yet is accepted.
    pub async fn submit(&self, blocks: &[Block]) -> Result<()> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (n, block) in blocks.iter().enumerate() {
            let hex = encode::serialize_hex(block);
            bytes += hex.len();
            batch.push(json!([hex]));
            if bytes >= SUBMIT_BYTES_MAX || n + 1 == blocks.len() {
                for answer in self.batch("submitblock", std::mem::take(&mut batch)).await? {
                    ensure!(is_taken(&answer), "the node refused a block: {answer}");
                }
                bytes = 0;
            }
        }
        Ok(())
    }

    /// One call.
    ///
    /// # Errors
    /// As [`Self::tip`], and with the node's own words if it answers with an error.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.batch(method, vec![params])
            .await?
            .pop()
            .context("the node's answer is empty")
    }

    async fn batch(&self, method: &str, params: Vec<Value>) -> Result<Vec<Value>> {
        let count = params.len();
        let calls: Vec<_> = (0..)
            .zip(params)
            .map(|(id, params): (usize, _)| json!({"jsonrpc": "1.0", "id": id, "method": method, "params": params}))
            .collect();
        let request = self
            .http
            .post(&self.url)
            .basic_auth(&self.username, Some(&self.password))
            .json(&calls);
        let response = request.send().await.with_context(|| format!("call {method}"))?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the node answers {method} with {status}: {}",
            response.text().await?
        );
        let mut answers: Vec<Answer> = response
            .json()
            .await
            .with_context(|| format!("read the answer to {method}"))?;
        ensure!(
            answers.len() == count,
            "{} answers to {count} calls of {method}",
            answers.len()
        );
        answers.sort_by_key(|answer| answer.id);
        answers
            .into_iter()
            .map(|answer| match answer.error {
                None => Ok(answer.result),
                Some(error) => bail!("{method}: {error}"),
            })
            .collect()
    }
}

/// `submitblock` returns null on success, and `inconclusive` for a block that is not on the longest branch.
fn is_taken(answer: &Value) -> bool {
    match answer {
        Value::Null => true,
        Value::String(word) => matches!(word.as_str(), "inconclusive" | "duplicate" | "duplicate-inconclusive"),
        _ => false,
    }
}

fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(value: &Value) -> Result<T> {
    Ok(value.as_str().context("not a text")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_block_the_node_keeps_counts_as_taken() {
        for kept in [Value::Null, json!("inconclusive"), json!("duplicate")] {
            assert!(is_taken(&kept), "{kept}");
        }
        for refused in [json!("bad-txnmrklroot"), json!("duplicate-invalid"), json!({})] {
            assert!(!is_taken(&refused), "{refused}");
        }
    }
}
