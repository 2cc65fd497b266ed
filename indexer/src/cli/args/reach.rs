//! What the flags say about the module and the chain, put in place of the manifest's.

use std::path::{Path, PathBuf};

use crds::{
    BitcoindSpec, BlockFilesSpec, ChainSpec, ModuleSpec, Network,
    pod::{Module, Source},
};
use sha2::{Digest as _, Sha256};

use super::{
    credentials::{Credentials, split_credentials},
    error::Error,
    run::ChainFlags,
};

/// Puts the flag's module in place of the manifest's.
pub(super) fn reach_module(
    spec: &mut ModuleSpec,
    file: Option<PathBuf>,
    folder: &Path,
    notices: &mut Vec<String>,
) -> Result<Module, Error> {
    let path = file.or_else(|| spec.path.as_ref().map(|path| folder.join(path)));
    if let Some(path) = path {
        // Whatever named it, it is a file now.
        *spec = ModuleSpec {
            sha256: std::mem::take(&mut spec.sha256),
            config_map: None,
            http: None,
            oci: None,
            path: Some(path.display().to_string()),
        };
        return Ok(Module::Path { path });
    }
    if let Some(http) = &spec.http {
        return Ok(Module::Http { url: http.url.clone() });
    }
    let oci = spec.oci.as_ref().ok_or(Error::ModuleInCluster)?;
    notices.extend(oci.pull_secret_ref.as_ref().map(|secret| {
        format!(
            "secret {:?} is an object of a cluster: the module is pulled without credentials; --indexer FILE avoids the registry",
            secret.name
        )
    }));
    Ok(Module::Oci {
        image: oci.image.clone(),
        pull_secret: None,
        plain_http: false,
    })
}

/// A file that a person named must be the declared one, if it is there: the run would find a copy of the declared one
/// among its data, and the file would have no effect.
pub(super) fn check_digest(module: &Module, declared: &str) -> Result<(), Error> {
    let Module::Path { path } = module else { return Ok(()) };
    let Ok(bytes) = std::fs::read(path) else { return Ok(()) };
    let found = hex::encode(Sha256::digest(bytes));
    if found == declared {
        return Ok(());
    }
    Err(Error::OtherModule {
        path: path.clone(),
        found,
        declared: declared.into(),
    })
}

/// Puts the flags' chain in place of the manifest's.
///
/// Returns where blocks come from, and the node's credentials if they were given here rather than as files.
pub(super) fn reach_chain(
    spec: &mut ChainSpec,
    flags: ChainFlags,
    folder: &Path,
    notices: &mut Vec<String>,
) -> Result<(Source, Option<Credentials>), Error> {
    // Every flag must be named here: a new one does not compile before it is used.
    let ChainFlags {
        daemon_rpc_url,
        block_files,
        network,
        start_block,
        auth,
        rpc_cookie_file,
        max_reorg_depth,
        reorg_check_threshold,
    } = flags;
    if let Some(text) = network {
        spec.network = parse_network(&text)?;
    }
    spec.start_height = start_block.unwrap_or(spec.start_height);
    spec.max_reorg_depth = max_reorg_depth.unwrap_or(spec.max_reorg_depth);
    let credentials = reach_node(&mut spec.source.bitcoind, daemon_rpc_url, auth.as_deref())?;
    if credentials.is_some() && rpc_cookie_file.is_some() {
        return Err(Error::AuthTwice);
    }
    if credentials.is_none() && rpc_cookie_file.is_none() {
        notices.extend(no_credentials(spec.source.bitcoind.as_ref()));
    }
    // Relative paths in a manifest start at its folder, those of flags at the working directory.
    let in_manifest = spec.source.block_files.take().map(|files| folder.join(files.path));
    let block_files = block_files.or(in_manifest);
    spec.source.block_files = block_files.as_ref().map(|path| BlockFilesSpec {
        path: path.display().to_string(),
    });
    if reorg_check_threshold.is_some() {
        notices.push("--reorg-check-threshold is ignored: every block is checked against its parent".into());
    }
    let source = Source {
        urls: spec
            .source
            .bitcoind
            .as_ref()
            .map_or_else(Vec::new, |node| node.urls.clone()),
        credentials_dir: None,
        cookie_file: rpc_cookie_file,
        block_files,
    };
    Ok((source, credentials))
}

/// Puts the flags' node in place of the manifest's, and returns the credentials, wherever they were.
fn reach_node(
    node: &mut Option<BitcoindSpec>,
    url: Option<String>,
    auth: Option<&str>,
) -> Result<Option<Credentials>, Error> {
    let credentials = auth.map(Credentials::parse).transpose()?;
    let Some(url) = url else {
        return Ok(credentials);
    };
    let (url, inside) = split_credentials(&url)?;
    *node = Some(BitcoindSpec {
        urls: vec![url],
        auth_secret_ref: None,
    });
    match (credentials, inside) {
        (Some(_), Some(_)) => Err(Error::AuthTwice),
        (credentials, inside) => Ok(credentials.or(inside)),
    }
}

/// What to say of a node whose credentials are where no local run finds them.
fn no_credentials(node: Option<&BitcoindSpec>) -> Option<String> {
    let secret = node?.auth_secret_ref.as_ref()?;
    Some(format!(
        "secret {:?} is an object of a cluster: without --auth, SHREWD_AUTH or --rpc-cookie-file only the node's REST \
         interface is used",
        secret.name
    ))
}

pub(super) fn parse_network(text: &str) -> Result<Network, Error> {
    serde_yaml::from_str(text).map_err(|_| Error::Network(text.into()))
}
