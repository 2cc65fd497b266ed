//! One Bitcoin node: which interface it offers, and its answers, verified.

use bitcoin::BlockHash;
use crds::Network;
use tokio::sync::Mutex;

use super::{Headers, chain_info::ChainInfo, error::Error, http::Endpoint, rest, rpc};
use crate::chain::{self, Block, BlockRef, Height};

/// Blocks up to this size are checked by the thread that received them: some hundred microseconds, as much as handing
/// one over to another thread and waiting for it costs.
const CHECKED_AT_ONCE_BYTES: usize = 32 << 10;

/// A node; what was found out about it is kept until [`Node::forget`].
pub(super) struct Node {
    endpoint: Endpoint,
    network: Network,
    interface: Mutex<Option<Interface>>,
}

#[derive(Clone, Copy)]
enum Interface {
    Rest,
    Rpc,
}

impl Node {
    pub(super) fn new(endpoint: Endpoint, network: Network) -> Self {
        Self {
            endpoint,
            network,
            interface: Mutex::new(None),
        }
    }

    /// The address as logs name it.
    pub(super) fn name(&self) -> &str {
        &self.endpoint.name
    }

    /// After a failure: looks at everything anew, since the address may lead to another node by then.
    pub(super) async fn forget(&self) {
        *self.interface.lock().await = None;
    }

    pub(super) async fn tip(&self) -> Result<BlockRef, Error> {
        let info = self.chain_info(self.interface().await?).await?;
        // A regtest node calls itself behind whenever its last block is a day old, and nothing can end that but a block.
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
        // The answer begins with the first block itself: what follows it is not told otherwise from nothing.
        let count = max.saturating_add(usize::from(from.is_some()));
        let headers = match self.interface().await? {
            Interface::Rest => rest::headers(&self.endpoint, first.hash, count).await?,
            Interface::Rpc => rpc::headers(&self.endpoint, first, count).await?,
        };
        let Some((head, rest)) = headers.split_first() else {
            return Ok(Headers::NotInChain);
        };
        let found = head.block_hash();
        if found != first.hash {
            return Err(self.invalid(chain::Error::WrongBlock {
                found,
                wanted: first.hash,
            }));
        }
        let hashes = chain::check_headers(rest, first.hash, self.network).map_err(|error| self.invalid(error))?;
        let next = hashes.into_iter().scan(first.height, |height, hash| {
            *height = height.next();
            Some(BlockRef { height: *height, hash })
        });
        Ok(Headers::Next(
            from.is_none().then_some(genesis).into_iter().chain(next).collect(),
        ))
    }

    pub(super) async fn block(&self, at: BlockRef) -> Result<Block, Error> {
        let interface = self.interface().await?;
        let bytes = match interface {
            Interface::Rest => rest::block(&self.endpoint, at).await?,
            Interface::Rpc => rpc::block(&self.endpoint, at).await?,
        };
        let Some(bytes) = bytes else {
            return Err(self.why_no_block(interface, at).await?);
        };
        let network = self.network;
        if bytes.len() <= CHECKED_AT_ONCE_BYTES {
            return chain::check_block(bytes, at, network).map_err(|error| self.invalid(error));
        }
        // Hashing a full block takes tens of milliseconds: too long for the threads that wait for sockets.
        match tokio::task::spawn_blocking(move || chain::check_block(bytes, at, network)).await {
            Ok(checked) => checked.map_err(|error| self.invalid(error)),
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

    fn invalid(&self, source: chain::Error) -> Error {
        Error::Invalid {
            url: self.endpoint.name.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bitcoin::{consensus::serialize, constants::genesis_block, params::Params};
    use crds::pod::source_reasons;

    use super::*;
    use crate::source::{
        fake::{Fake, answer},
        http,
    };

    type Answer = Option<Vec<u8>>;

    fn genesis() -> BlockRef {
        BlockRef {
            height: Height(0),
            hash: chain::genesis(Network::Regtest),
        }
    }

    /// A node whose chain is the genesis block, but for what `fault` answers to some of the requests.
    async fn node(fault: impl Fn(&str) -> Option<Answer> + Send + 'static) -> (Node, Fake) {
        let block = genesis_block(Params::REGTEST);
        let fake = Fake::new(move |request| {
            let path = request.split(' ').nth(1).unwrap();
            let hash = block.block_hash();
            fault(path).unwrap_or_else(|| match path.split('/').nth(2) {
                Some("chaininfo.json") => {
                    let info = serde_json::json!({"blocks": 0, "headers": 0, "bestblockhash": hash.to_string()});
                    answer(200, info.to_string().as_bytes())
                }
                Some("blockhashbyheight") => answer(200, format!("{hash}\n").as_bytes()),
                Some("headers") => answer(200, &serialize(&block.header)),
                Some("block") => answer(200, &serialize(&block)),
                _ => answer(404, b""),
            })
        })
        .await;
        let client = http::client(Duration::from_millis(500)).unwrap();
        let endpoint = Endpoint::new(&fake.url, 1, None, None, client).unwrap();
        (Node::new(endpoint, Network::Regtest), fake)
    }

    /// A node that answers requests for paths with this word in them so.
    async fn node_with(word: &'static str, fault: Answer) -> (Node, Fake) {
        node(move |path| path.contains(word).then(|| fault.clone())).await
    }

    #[tokio::test]
    async fn a_sane_node_is_believed() {
        let (node, _fake) = node(|_| None).await;
        assert_eq!(node.tip().await.unwrap(), genesis());
        assert_eq!(
            node.headers_after(None, 10).await.unwrap(),
            Headers::Next(vec![genesis()])
        );
        assert_eq!(
            node.headers_after(Some(genesis()), 10).await.unwrap(),
            Headers::Next(vec![])
        );
        assert_eq!(node.block(genesis()).await.unwrap().at, genesis());
    }

    /// Contract §8.2.
    #[tokio::test]
    async fn whatever_is_wrong_with_an_answer_has_its_reason() {
        let garbage = answer(200, b"<html>it works</html>");
        let too_long = answer(200, &vec![b'0'; http::ANSWER_BYTES_MAX + 1]);
        let breaks_off = b"HTTP/1.1 200 x\r\ncontent-length: 99\r\n\r\n{\"blocks\":".to_vec();
        let cases = [
            ("no JSON", garbage, source_reasons::BAD_ANSWER),
            ("longer than anything", too_long, source_reasons::BAD_ANSWER),
            ("an error of the server", answer(500, b""), source_reasons::BAD_ANSWER),
            ("a redirect", answer(302, b""), source_reasons::BAD_ANSWER),
            ("401", answer(401, b""), source_reasons::UNAUTHORIZED),
            ("403", answer(403, b""), source_reasons::UNAUTHORIZED),
            (
                "starting",
                answer(503, b"Loading block index"),
                source_reasons::UNREACHABLE,
            ),
            ("a broken connection", Some(b"HT".to_vec()), source_reasons::UNREACHABLE),
            ("a body that breaks off", Some(breaks_off), source_reasons::UNREACHABLE),
            ("silence", None, source_reasons::UNREACHABLE),
            (
                "no REST, and no credentials",
                answer(404, b""),
                source_reasons::NO_INTERFACE,
            ),
        ];
        for (name, fault, reason) in cases {
            let (node, fake) = node_with("chaininfo", fault).await;
            let error = node.tip().await.unwrap_err();
            assert_eq!(error.reason(), reason, "{name}");
            assert!(error.message().contains(&fake.url), "{name}: {}", error.message());
        }
    }

    /// Contract §8.2.
    #[tokio::test]
    async fn a_block_that_is_not_the_one_asked_for_is_refused() {
        let other = serialize(&genesis_block(Params::BITCOIN));
        let cut = serialize(&genesis_block(Params::REGTEST))[..200].to_vec();
        for bytes in [other, cut, Vec::new()] {
            let (node, _fake) = node_with("/rest/block/", answer(200, &bytes)).await;
            assert!(matches!(node.block(genesis()).await, Err(Error::Invalid { .. })));
        }
    }

    #[tokio::test]
    async fn headers_that_do_not_follow_are_refused() {
        let header = |params| serialize(&genesis_block(params).header);
        let twice = [header(Params::REGTEST), header(Params::REGTEST)].concat();
        for bytes in [header(Params::BITCOIN), twice] {
            let (node, _fake) = node_with("/rest/headers/", answer(200, &bytes)).await;
            assert!(matches!(
                node.headers_after(Some(genesis()), 10).await,
                Err(Error::Invalid { .. })
            ));
        }
        for bytes in [vec![0; 79], header(Params::REGTEST).repeat(12)] {
            let (node, _fake) = node_with("/rest/headers/", answer(200, &bytes)).await;
            assert!(matches!(
                node.headers_after(Some(genesis()), 10).await,
                Err(Error::Malformed { .. })
            ));
        }
    }

    #[tokio::test]
    async fn a_block_the_node_does_not_have_is_no_pruned_one() {
        let (node, _fake) = node_with("/rest/block/", answer(404, b"")).await;
        assert!(matches!(node.block(genesis()).await, Err(Error::NoBlock { at, .. }) if at == genesis()));
    }

    #[tokio::test]
    async fn a_node_that_lost_its_rest_interface_is_not_one_with_a_short_chain() {
        let lost = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_lost = lost.clone();
        let (node, _fake) = node(move |_| {
            is_lost
                .load(std::sync::atomic::Ordering::Relaxed)
                .then(|| answer(404, b""))
        })
        .await;
        node.tip().await.unwrap();
        lost.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(node.hash_at(Height(5)).await, Err(Error::NoInterface { .. })));
    }
}
