//! The node's REST interface (`rest=1`): binary, without credentials, the faster of the two.

use bitcoin::{BlockHash, block::Header, consensus::deserialize};
use bytes::Bytes;
use reqwest::StatusCode;

use super::{chain_info::ChainInfo, error::Error, http::Endpoint};
use crate::chain::{BlockRef, Height};

/// Most headers of one answer, `from` included: the node's own limit.
pub(super) const HEADERS_MAX: usize = 2000;
const HEADER_BYTES: usize = 80;

/// The state of the chain; none if this interface is not offered.
pub(super) async fn probe(endpoint: &Endpoint) -> Result<Option<ChainInfo>, Error> {
    const WHAT: &str = "/rest/chaininfo";
    let answer = endpoint.get("rest/chaininfo.json", WHAT).await?;
    match answer.status {
        StatusCode::OK => match serde_json::from_slice(&answer.body) {
            Ok(info) => Ok(Some(info)),
            Err(_) => Err(endpoint.malformed(WHAT)),
        },
        // 404: bitcoind without rest=1. The others: servers that know JSON-RPC only.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST => Ok(None),
        _ => Err(endpoint.unexpected(WHAT, answer.status)),
    }
}

/// The state of the chain.
pub(super) async fn chain_info(endpoint: &Endpoint) -> Result<ChainInfo, Error> {
    // Once it was offered; a node that was restarted without it is probed again.
    probe(endpoint).await?.ok_or_else(|| Error::NoInterface {
        url: endpoint.name.clone(),
    })
}

/// The block at a height; none above the tip.
pub(super) async fn hash_at(endpoint: &Endpoint, height: Height) -> Result<Option<BlockHash>, Error> {
    const WHAT: &str = "/rest/blockhashbyheight";
    let answer = endpoint
        .get(&format!("rest/blockhashbyheight/{height}.hex"), WHAT)
        .await?;
    match answer.status {
        StatusCode::OK => {
            let text = std::str::from_utf8(&answer.body).map_err(|_| endpoint.malformed(WHAT))?;
            text.trim().parse().map(Some).map_err(|_| endpoint.malformed(WHAT))
        }
        StatusCode::NOT_FOUND => {
            // Also what a node without REST answers: only the chain's state tells the two apart.
            chain_info(endpoint).await?;
            Ok(None)
        }
        _ => Err(endpoint.unexpected(WHAT, answer.status)),
    }
}

/// At most `count` headers of the best chain, the first that of `from`; empty if that is not in the best chain.
pub(super) async fn headers(endpoint: &Endpoint, from: BlockHash, count: usize) -> Result<Vec<Header>, Error> {
    const WHAT: &str = "/rest/headers";
    let answer = endpoint
        .get(&format!("rest/headers/{}/{from}.bin", count.min(HEADERS_MAX)), WHAT)
        .await?;
    if answer.status != StatusCode::OK {
        return Err(endpoint.unexpected(WHAT, answer.status));
    }
    let chunks = answer.body.chunks_exact(HEADER_BYTES);
    if !chunks.remainder().is_empty() || chunks.len() > count {
        return Err(endpoint.malformed(WHAT));
    }
    chunks
        .map(|bytes| deserialize(bytes).map_err(|_| endpoint.malformed(WHAT)))
        .collect()
}

/// The bytes of a block; none if the node does not have it.
pub(super) async fn block(endpoint: &Endpoint, at: BlockRef) -> Result<Option<Bytes>, Error> {
    const WHAT: &str = "/rest/block";
    let answer = endpoint.get(&format!("rest/block/{}.bin", at.hash), WHAT).await?;
    match answer.status {
        StatusCode::OK => Ok(Some(answer.body)),
        StatusCode::NOT_FOUND => Ok(None),
        _ => Err(endpoint.unexpected(WHAT, answer.status)),
    }
}
