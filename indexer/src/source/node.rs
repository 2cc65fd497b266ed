//! One Bitcoin node: which interface it offers, and its answers, verified.

use std::sync::{Arc, MutexGuard, PoisonError};

use bitcoin::{BlockHash, block::Header};
use bytes::Bytes;
use crds::Network;
use tokio::sync::{Mutex, Semaphore};

use super::{
    Headers,
    chain_info::ChainInfo,
    error::Error,
    http::{Answer, Endpoint},
    rest, rpc,
};
use crate::chain::{self, Block, BlockRef, Claim, Difficulty, Height, Link, Rules, Work};

/// Blocks up to this size are checked by the thread that received them: some hundred microseconds, as much as handing
/// one over to another thread and waiting for it costs.
const CHECKED_AT_ONCE_BYTES: usize = 32 << 10;
/// Large blocks that are read and checked at a time: more would only wait for processors, with up to 12 MB each: the
/// answer in hex, and the block.
const READING_MAX: usize = 4;

/// A node; what was found out about it is kept until [`Node::forget`].
pub(super) struct Node {
    endpoint: Arc<Endpoint>,
    network: Network,
    rules: Rules,
    interface: Mutex<Option<Interface>>,
    /// The last header handed out, and the difficulty up to it: where the next answer continues.
    followed: std::sync::Mutex<Option<(BlockHash, Difficulty)>>,
    /// A permit for each large block that is being read.
    reading: Arc<Semaphore>,
}

#[derive(Clone, Copy)]
enum Interface {
    Rest,
    Rpc,
}

/// What came of a block.
enum BlockAnswer {
    /// Its bytes; none: the node does not have it.
    Bytes(Option<Bytes>),
    /// JSON that holds them as hex.
    Json(Answer),
}

impl Node {
    pub(super) fn new(endpoint: Endpoint, network: Network) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
            network,
            rules: Rules::of(network),
            interface: Mutex::new(None),
            followed: std::sync::Mutex::default(),
            reading: Arc::new(Semaphore::new(READING_MAX)),
        }
    }

    /// The address as logs name it.
    pub(super) fn name(&self) -> &str {
        &self.endpoint.name
    }

    /// After a failure: forgets what was found out, since the address may lead to another node by then.
    pub(super) async fn forget(&self) {
        *self.interface.lock().await = None;
    }

    pub(super) async fn tip(&self) -> Result<BlockRef, Error> {
        let info = self.chain_info(self.interface().await?).await?;
        // A regtest node calls itself behind whenever its last block is a day old, and nothing can end that but a
        // block.
        if info.initialblockdownload && self.network != Network::Regtest {
            let (url, blocks, headers) = (self.endpoint.name.clone(), info.blocks, info.headers);
            return Err(Error::InitialSync { url, blocks, headers });
        }
        let hash = info
            .bestblockhash
            .parse()
            .map_err(|_| self.endpoint.malformed("bestblockhash"))?;
        Ok(BlockRef {
            height: Height(info.blocks),
            hash,
        })
    }

    pub(super) async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, Error> {
        self.hash_by(self.interface().await?, height).await
    }

    pub(super) async fn headers_after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, Error> {
        let genesis = BlockRef {
            height: Height(0),
            hash: chain::genesis(self.network),
        };
        let first = from.unwrap_or(genesis);
        let interface = self.interface().await?;
        // The answer begins with the first block itself: this distinguishes an empty one from one about another chain.
        let count = max.saturating_add(usize::from(from.is_some()));
        let headers = self.headers(interface, first, count).await?;
        let Some((head, rest)) = headers.split_first() else {
            return Ok(Headers::NotInChain);
        };
        let Some(mut difficulty) = self.difficulty(interface, first, head).await? else {
            return Ok(Headers::NotInChain);
        };
        let next =
            chain::check_headers(rest, first.hash, &mut difficulty).map_err(|error| self.endpoint.invalid(error))?;
        let last = next.last().map_or(first, |last| last.at);
        *self.followed() = Some((last.hash, difficulty));
        let genesis = from.is_none().then(|| Link {
            at: genesis,
            work: Work::of(head.bits),
        });
        Ok(Headers::Next(genesis.into_iter().chain(next).collect()))
    }

    /// At most `count` headers of the best chain, the first that of `from`; none if that is not in the best chain.
    async fn headers(&self, interface: Interface, from: BlockRef, count: usize) -> Result<Vec<Header>, Error> {
        let headers = match interface {
            Interface::Rest => rest::headers(&self.endpoint, from.hash, count).await?,
            Interface::Rpc => rpc::headers(&self.endpoint, from, count).await?,
        };
        match headers.first().map(Header::block_hash) {
            Some(found) if found != from.hash => Err(self.endpoint.invalid(chain::Error::WrongBlock {
                found,
                wanted: from.hash,
            })),
            _ => Ok(headers),
        }
    }

    /// The difficulty of the chain up to a block, whose header is `head`; none if it left the best chain meanwhile.
    ///
    /// In a sync it is known from the headers before. Else the headers of the period are fetched, 2,016 at most.
    async fn difficulty(&self, interface: Interface, of: BlockRef, head: &Header) -> Result<Option<Difficulty>, Error> {
        if let Some((hash, difficulty)) = *self.followed()
            && hash == of.hash
        {
            return Ok(Some(difficulty));
        }
        let start = self.rules.needed_from(of.height);
        if start == of.height {
            return Ok(Some(Difficulty::begin(self.rules, start, Claim::from(head))));
        }
        let Some(hash) = self.hash_by(interface, start).await? else {
            return Ok(None);
        };
        let mut at = BlockRef { height: start, hash };
        let mut known: Option<Difficulty> = None;
        while at.height < of.height {
            let count = of.height.above(at.height) as usize + 1;
            let headers = self.headers(interface, at, count).await?;
            let Some((head, rest)) = headers.split_first() else {
                return Ok(None);
            };
            let difficulty = known.get_or_insert_with(|| Difficulty::begin(self.rules, start, Claim::from(head)));
            let next = chain::check_headers(rest, at.hash, difficulty).map_err(|error| self.endpoint.invalid(error))?;
            match next.last() {
                Some(last) => at = last.at,
                None => return Ok(None),
            }
        }
        Ok(known.filter(|_| at == of))
    }

    // A panic between lock and unlock leaves what was there before.
    fn followed(&self) -> MutexGuard<'_, Option<(BlockHash, Difficulty)>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn block(&self, at: BlockRef) -> Result<Block, Error> {
        let interface = self.interface().await?;
        let answer = match interface {
            Interface::Rest => BlockAnswer::Bytes(rest::block(&self.endpoint, at).await?),
            Interface::Rpc => BlockAnswer::Json(rpc::block(&self.endpoint, at).await?),
        };
        match self.read_block(answer, at).await? {
            Some(block) => Ok(block),
            None => Err(self.why_no_block(interface, at).await?),
        }
    }

    /// The block of an answer, checked; none if the node does not have it.
    ///
    /// Reading JSON and hashing a full block take tens of milliseconds: too long for the threads that wait for sockets.
    async fn read_block(&self, answer: BlockAnswer, at: BlockRef) -> Result<Option<Block>, Error> {
        let (endpoint, network) = (self.endpoint.clone(), self.network);
        let is_small = answer.len() <= CHECKED_AT_ONCE_BYTES;
        let read = move || {
            let bytes = match answer {
                BlockAnswer::Bytes(bytes) => bytes,
                BlockAnswer::Json(answer) => rpc::read_block(&endpoint, &answer)?,
            };
            let checked = bytes.map(|bytes| chain::check_block(bytes, at, network)).transpose();
            checked.map_err(|error| endpoint.invalid(error))
        };
        if is_small {
            return read();
        }
        // It goes with the job, which runs to its end whoever waits for it. The semaphore is never closed.
        let permit = Arc::clone(&self.reading).acquire_owned().await;
        let job = move || {
            let _permit = permit;
            read()
        };
        match tokio::task::spawn_blocking(job).await {
            Ok(block) => block,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    async fn why_no_block(&self, interface: Interface, at: BlockRef) -> Result<Error, Error> {
        let url = self.endpoint.name.clone();
        Ok(match self.chain_info(interface).await?.pruneheight {
            Some(lowest) if at.height.0 < lowest => Error::Pruned { url, height: at.height },
            _ => Error::NoBlock { url, at },
        })
    }

    /// The interface to use. When it is not known yet, finds out, and whether the node is one of our network.
    async fn interface(&self) -> Result<Interface, Error> {
        let mut known = self.interface.lock().await;
        if let Some(interface) = *known {
            return Ok(interface);
        }
        let interface = match rest::probe(&self.endpoint).await? {
            Some(_) => Interface::Rest,
            None if self.endpoint.has_credentials() => Interface::Rpc,
            None => {
                return Err(Error::NoInterface {
                    url: self.endpoint.name.clone(),
                });
            }
        };
        match self.hash_by(interface, Height(0)).await? {
            Some(hash) if hash == chain::genesis(self.network) => {}
            Some(found) => {
                return Err(Error::WrongNetwork {
                    url: self.endpoint.name.clone(),
                    network: self.network,
                    found,
                });
            }
            None => return Err(self.endpoint.malformed("the hash of the genesis block")),
        }
        *known = Some(interface);
        Ok(interface)
    }

    async fn chain_info(&self, interface: Interface) -> Result<ChainInfo, Error> {
        match interface {
            Interface::Rest => rest::chain_info(&self.endpoint).await,
            Interface::Rpc => rpc::chain_info(&self.endpoint).await,
        }
    }

    async fn hash_by(&self, interface: Interface, height: Height) -> Result<Option<BlockHash>, Error> {
        match interface {
            Interface::Rest => rest::hash_at(&self.endpoint, height).await,
            Interface::Rpc => rpc::hash_at(&self.endpoint, height).await,
        }
    }
}

impl BlockAnswer {
    /// Bytes of it.
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, Bytes::len),
            Self::Json(answer) => answer.body.len(),
        }
    }
}

#[cfg(test)]
mod tests;
