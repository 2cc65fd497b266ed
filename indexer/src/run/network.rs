//! Which network an index is of, where nothing declares it.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bitcoin::BlockHash;
use crds::{Network, pod::Config};

use crate::{
    chain::{self, Height},
    cli::args::store_dir,
    source::{BlockSource as _, Error, Login, bitcoind::Bitcoind},
    store::{self, Store},
};

/// All there are.
const NETWORKS: [Network; 5] = [
    Network::Mainnet,
    Network::Testnet3,
    Network::Testnet4,
    Network::Signet,
    Network::Regtest,
];
/// First and longest pause between two attempts to reach the node.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The network of the store; if there are no blocks yet, that of the node. So what the node says at the first start is
/// kept, and a node of another network is refused from then on.
///
/// Waits for a node that does not answer.
///
/// # Errors
/// When the store cannot be opened, or when asking the node again is pointless.
pub(super) async fn find(config: &Config, login: Option<&Login>) -> Result<Network> {
    let dir = store_dir(&config.data_dir);
    match Store::open_existing(&dir) {
        // Without blocks it is nothing that the network was kept for.
        Ok(store) if store.tip().is_some() => {
            let network = store.lineage().root().network;
            tracing::info!(%network, "the network is that of the index in {}", dir.display());
            return Ok(network);
        }
        Ok(_) | Err(store::Error::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    // Whichever network it is asked for: a node of another one is refused with the genesis block it has.
    let node = Bitcoind::with_login(&config.source, NETWORKS[0], login)?;
    let mut pause = PAUSES.0;
    loop {
        let network = match node.hash_at(Height(0)).await {
            Ok(_) => NETWORKS[0],
            Err(Error::WrongNetwork { found, url, .. }) => {
                of_genesis(found).with_context(|| format!("{url}: give --network"))?
            }
            Err(error) if error.is_lasting() => {
                return Err(anyhow!(error.message()).context("the node cannot be used"));
            }
            Err(error) => {
                tracing::warn!(
                    reason = error.reason(),
                    error = error.message(),
                    "the node cannot say which network it is on, retrying"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
                continue;
            }
        };
        tracing::info!(%network, "the network is that of the node");
        return Ok(network);
    }
}

/// The network that begins with this block.
fn of_genesis(hash: BlockHash) -> Result<Network> {
    let found = NETWORKS.into_iter().find(|network| chain::genesis(*network) == hash);
    found.ok_or_else(|| anyhow!("no network is known that begins with block {hash}"))
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash as _;

    use super::*;

    #[test]
    fn networks_are_told_apart_by_their_first_block() {
        for network in NETWORKS {
            assert_eq!(of_genesis(chain::genesis(network)).unwrap(), network);
        }
        assert!(of_genesis(BlockHash::all_zeros()).is_err());
    }
}
