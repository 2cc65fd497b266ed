//! Blocks from one Bitcoin node or several: the next in order serves when one fails.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bitcoin::BlockHash;
use crds::{Network, pod};
use futures::future::{BoxFuture, FutureExt};

use super::{
    BlockSource, Headers,
    error::{AddressError, Error},
    http::{self, Endpoint, Login, LoginFiles},
    node::Node,
};
use crate::chain::{Block, BlockRef, Height};

/// How long another node serves before the first one is tried again. Long against the 5 s that one request waits for
/// a node that is gone.
const FIRST_AGAIN: Duration = Duration::from_secs(60);

/// A Bitcoin node, or several tried in order. REST is used where it is offered, else JSON-RPC.
pub struct Bitcoind {
    nodes: Vec<Node>,
    turn: Mutex<Turn>,
}

/// Which node serves.
#[derive(Clone, Copy)]
struct Turn {
    serving: usize,
    /// When it began to serve, or when the first node last failed again.
    since: Instant,
}

impl Bitcoind {
    /// Nothing is sent before the first question.
    ///
    /// # Errors
    /// When an address cannot be used.
    pub fn new(source: &pod::Source, network: Network) -> Result<Self, AddressError> {
        Self::with_login(source, network, None)
    }

    /// The same, with credentials that are not in files; every node is sent them.
    ///
    /// # Errors
    /// When an address cannot be used.
    pub fn with_login(source: &pod::Source, network: Network, login: Option<&Login>) -> Result<Self, AddressError> {
        if source.urls.is_empty() {
            return Err(AddressError::Missing);
        }
        let client = http::client(http::ANSWER_TIMEOUT)?;
        let cookie = source.cookie_file.clone().map(LoginFiles::Cookie);
        let files = cookie.or_else(|| source.credentials_dir.clone().map(LoginFiles::Folder));
        let node = |(url, position): (&String, usize)| {
            let endpoint = Endpoint::new(url, position, files.clone(), login.cloned(), client.clone())?;
            Ok(Node::new(endpoint, network))
        };
        let nodes = source.urls.iter().zip(1..).map(node).collect::<Result<_, _>>()?;
        Ok(Self {
            nodes,
            turn: Mutex::new(Turn {
                serving: 0,
                since: Instant::now(),
            }),
        })
    }

    /// Asks the node whose turn it is, then the others. If none answers, the first error counts.
    async fn ask<'a, T>(&'a self, question: impl Fn(&'a Node) -> BoxFuture<'a, Result<T, Error>>) -> Result<T, Error> {
        let (before, first) = self.begin(Instant::now());
        let error = match question(&self.nodes[first]).await {
            Ok(answer) => {
                self.serves(before, first);
                return Ok(answer);
            }
            Err(error) => error,
        };
        self.nodes[first].forget().await;
        for index in (1..self.nodes.len()).map(|step| (first + step) % self.nodes.len()) {
            match question(&self.nodes[index]).await {
                Ok(answer) => {
                    tracing::debug!(node = self.nodes[first].name(), %error, "node passed over");
                    self.serves(before, index);
                    return Ok(answer);
                }
                Err(_) => self.nodes[index].forget().await,
            }
        }
        Err(error)
    }

    /// The node that serves, and the one to ask first: that one, or now and then the first of all. Of many concurrent
    /// questions only one tries the first node again, so that the others do not wait for it.
    fn begin(&self, now: Instant) -> (usize, usize) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let serving = turn.serving;
        if serving == 0 || now.duration_since(turn.since) < FIRST_AGAIN {
            return (serving, serving);
        }
        turn.since = now;
        (serving, 0)
    }

    /// Another node than before has answered. A question that began before a change of turns must not undo it, so an
    /// answer by the node that served when it began says nothing.
    fn serves(&self, before: usize, index: usize) {
        if before == index {
            return;
        }
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if turn.serving != index {
            *turn = Turn {
                serving: index,
                since: Instant::now(),
            };
            tracing::info!(node = self.nodes[index].name(), "blocks come from another node now");
        }
    }
}

impl BlockSource for Bitcoind {
    async fn tip(&self) -> Result<BlockRef, Error> {
        self.ask(|node| node.tip().boxed()).await
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, Error> {
        self.ask(|node| node.hash_at(height).boxed()).await
    }

    async fn headers_after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, Error> {
        self.ask(|node| node.headers_after(from, max).boxed()).await
    }

    async fn block(&self, at: BlockRef) -> Result<Block, Error> {
        self.ask(|node| node.block(at).boxed()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bitcoind(urls: &[&str]) -> Result<Bitcoind, AddressError> {
        let urls = urls.iter().map(ToString::to_string).collect();
        Bitcoind::new(
            &pod::Source {
                urls,
                ..pod::Source::default()
            },
            Network::Regtest,
        )
    }

    #[test]
    fn addresses_are_checked_and_never_repeated_in_errors() {
        let refused = [
            (&[][..], "no node given: give the address of at least one"),
            (
                &["http://a", "secret word"],
                "address 2 of the node is no http:// or https:// URL",
            ),
            (&["ftp://a"], "address 1 of the node is no http:// or https:// URL"),
            (
                &["http://user:secret@a"],
                "address 1 of the node has credentials in it: give them in files instead",
            ),
        ];
        for (urls, text) in refused {
            assert_eq!(bitcoind(urls).err().unwrap().to_string(), text);
        }
        let names = [
            ("http://a:8332/", "http://a:8332"),
            ("https://a/b/?key=secret#x", "https://a/b"),
        ];
        for (url, name) in names {
            assert_eq!(bitcoind(&[url]).unwrap().nodes[0].name(), name);
        }
    }

    #[test]
    fn first_node_is_tried_again_by_one_question_a_minute() {
        let source = bitcoind(&["http://a", "http://b", "http://c"]).unwrap();
        let start = Instant::now();
        assert_eq!(source.begin(start + FIRST_AGAIN), (0, 0));
        source.serves(0, 1);
        assert_eq!(source.begin(start), (1, 1));
        let later = Instant::now() + FIRST_AGAIN;
        assert_eq!(source.begin(later), (1, 0));
        assert_eq!(source.begin(later), (1, 1));
        // One that began under the second node and was answered by it comes in after the first is back.
        source.serves(1, 0);
        source.serves(1, 1);
        assert_eq!(source.begin(later), (0, 0));
    }
}
