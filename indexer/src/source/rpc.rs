//! The node's JSON-RPC interface: for nodes without REST. Needs credentials, and sends blocks as hex.

use std::ops::RangeInclusive;

use bitcoin::{BlockHash, block::Header, consensus::deserialize};
use bytes::Bytes;
use reqwest::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    chain_info::ChainInfo,
    error::Error,
    http::{Answer, Endpoint},
};
use crate::chain::{BlockRef, Height};

const GET_BLOCK: &str = "getblock";
/// Most headers of one answer: each costs two calls, and a batch of calls is answered as a whole or not at all.
pub(super) const HEADERS_MAX: usize = 500;
/// How much of a node's own words is shown.
const MESSAGE_CHARS_MAX: usize = 200;

/// Codes by which nodes say that there is no such height: Bitcoin Core's and btcd's.
const OUT_OF_RANGE: [i64; 2] = [-8, -1];
/// Bitcoin Core: it has just been started, and loads its index.
const WARMING_UP: i64 = -28;
/// No such block. Also, in Bitcoin Core before 25, a block that was pruned is -1.
const NO_BLOCK: [i64; 2] = [-5, -1];

#[derive(Deserialize)]
struct Reply<T> {
    id: usize,
    result: Option<T>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    message: String,
}

/// The state of the chain.
pub(super) async fn chain_info(endpoint: &Endpoint) -> Result<ChainInfo, Error> {
    call(endpoint, "getblockchaininfo", json!([]))
        .await?
        .map_err(|failure| failed(endpoint, "getblockchaininfo", &failure))
}

/// The block at a height; none above the tip.
pub(super) async fn hash_at(endpoint: &Endpoint, height: Height) -> Result<Option<BlockHash>, Error> {
    const WHAT: &str = "getblockhash";
    match call::<String>(endpoint, WHAT, json!([height.0])).await? {
        Ok(text) => parse(endpoint, WHAT, &text).map(Some),
        Err(failure) if OUT_OF_RANGE.contains(&failure.code) => Ok(None),
        Err(failure) => Err(failed(endpoint, WHAT, &failure)),
    }
}

/// At most `count` headers of the best chain, the first that of `from`; empty if that is not in the best chain.
pub(super) async fn headers(endpoint: &Endpoint, from: BlockRef, count: usize) -> Result<Vec<Header>, Error> {
    let last = from.height.0.saturating_add(
        u32::try_from(count.min(HEADERS_MAX))
            .unwrap_or(u32::MAX)
            .saturating_sub(1),
    );
    let hashes = hashes(endpoint, from.height.0..=last).await?;
    if hashes.first() != Some(&from.hash) {
        return Ok(Vec::new());
    }
    let params = hashes.iter().map(|hash| json!([hash.to_string(), false])).collect();
    const WHAT: &str = "getblockheader";
    let replies: Vec<Result<String, Failure>> = batch(endpoint, WHAT, params).await?;
    let header = |reply: Result<String, Failure>| {
        let bytes = unhex(
            endpoint,
            WHAT,
            &reply.map_err(|failure| failed(endpoint, WHAT, &failure))?,
        )?;
        deserialize(&bytes).map_err(|_| endpoint.malformed(WHAT))
    };
    replies.into_iter().map(header).collect()
}

/// The hashes at these heights, as far as the best chain goes.
async fn hashes(endpoint: &Endpoint, heights: RangeInclusive<u32>) -> Result<Vec<BlockHash>, Error> {
    const WHAT: &str = "getblockhash";
    let replies: Vec<Result<String, Failure>> =
        batch(endpoint, WHAT, heights.map(|height| json!([height])).collect()).await?;
    let mut hashes = Vec::with_capacity(replies.len());
    for reply in replies {
        match reply {
            Ok(text) => hashes.push(parse(endpoint, WHAT, &text)?),
            Err(failure) if OUT_OF_RANGE.contains(&failure.code) => break,
            Err(failure) => return Err(failed(endpoint, WHAT, &failure)),
        }
    }
    Ok(hashes)
}

/// The answer about a block, which is yet to be read by [`read_block`].
pub(super) async fn block(endpoint: &Endpoint, at: BlockRef) -> Result<Answer, Error> {
    let request = request(0, GET_BLOCK, &json!([at.hash.to_string(), 0]));
    endpoint.post(request.to_string().into(), GET_BLOCK).await
}

/// The bytes of a block; none if the node does not have it. Takes tens of milliseconds for a large one.
pub(super) fn read_block(endpoint: &Endpoint, answer: &Answer) -> Result<Option<Bytes>, Error> {
    let reply: Reply<&str> = read(endpoint, GET_BLOCK, answer)?;
    match outcome(endpoint, GET_BLOCK, reply)? {
        Ok(text) => unhex(endpoint, GET_BLOCK, text).map(|bytes| Some(bytes.into())),
        Err(failure) if NO_BLOCK.contains(&failure.code) => Ok(None),
        Err(failure) => Err(failed(endpoint, GET_BLOCK, &failure)),
    }
}

/// One call. The outer error: no valid answer; the inner one: the answer says no.
async fn call<T: DeserializeOwned>(
    endpoint: &Endpoint,
    method: &'static str,
    params: Value,
) -> Result<Result<T, Failure>, Error> {
    let reply: Reply<T> = post(endpoint, method, &request(0, method, &params)).await?;
    outcome(endpoint, method, reply)
}

/// Several calls of one method in one request; the answers in the order of the calls.
async fn batch<T: DeserializeOwned>(
    endpoint: &Endpoint,
    method: &'static str,
    params: Vec<Value>,
) -> Result<Vec<Result<T, Failure>>, Error> {
    let count = params.len();
    let calls = params.into_iter().enumerate();
    let request = calls.map(|(id, params)| request(id, method, &params));
    let mut replies: Vec<Reply<T>> = post(endpoint, method, &request.collect()).await?;
    replies.sort_by_key(|reply| reply.id);
    if replies.len() != count || replies.iter().enumerate().any(|(id, reply)| reply.id != id) {
        return Err(endpoint.malformed(method));
    }
    replies
        .into_iter()
        .map(|reply| outcome(endpoint, method, reply))
        .collect()
}

/// Sends a request and reads the answer whatever its status is: nodes send JSON-RPC errors with 404 or 500.
async fn post<T: DeserializeOwned>(endpoint: &Endpoint, method: &'static str, request: &Value) -> Result<T, Error> {
    let answer = endpoint.post(request.to_string().into(), method).await?;
    read(endpoint, method, &answer)
}

fn request(id: usize, method: &'static str, params: &Value) -> Value {
    json!({"jsonrpc": "1.0", "id": id, "method": method, "params": params})
}

fn read<'a, T: Deserialize<'a>>(endpoint: &Endpoint, method: &'static str, answer: &'a Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body).map_err(|_| match answer.status {
        StatusCode::OK => endpoint.malformed(method),
        status => endpoint.unexpected(method, status),
    })
}

fn outcome<T>(endpoint: &Endpoint, method: &'static str, reply: Reply<T>) -> Result<Result<T, Failure>, Error> {
    match (reply.error, reply.result) {
        (Some(failure), _) if failure.code == WARMING_UP => Err(Error::Busy {
            url: endpoint.name.clone(),
        }),
        (Some(failure), _) => Ok(Err(failure)),
        (None, Some(result)) => Ok(Ok(result)),
        (None, None) => Err(endpoint.malformed(method)),
    }
}

fn parse(endpoint: &Endpoint, what: &'static str, text: &str) -> Result<BlockHash, Error> {
    text.parse().map_err(|_| endpoint.malformed(what))
}

fn unhex(endpoint: &Endpoint, what: &'static str, text: &str) -> Result<Vec<u8>, Error> {
    hex::decode(text).map_err(|_| endpoint.malformed(what))
}

fn failed(endpoint: &Endpoint, what: &'static str, failure: &Failure) -> Error {
    let message = failure.message.chars().take(MESSAGE_CHARS_MAX).collect();
    Error::Rpc {
        url: endpoint.name.clone(),
        what,
        code: failure.code,
        message,
    }
}
