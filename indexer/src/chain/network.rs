//! What tells the networks apart.

use bitcoin::{BlockHash, params::Params};
use crds::Network;

/// The consensus parameters of a network.
#[must_use]
pub fn params(network: Network) -> &'static Params {
    match network {
        Network::Mainnet => &Params::BITCOIN,
        Network::Testnet3 => &Params::TESTNET3,
        Network::Testnet4 => &Params::TESTNET4,
        Network::Signet => &Params::SIGNET,
        Network::Regtest => &Params::REGTEST,
    }
}

/// Hash of the network's first block, which tells a node's network.
#[must_use]
pub fn genesis(network: Network) -> BlockHash {
    bitcoin::constants::genesis_block(params(network)).block_hash()
}
