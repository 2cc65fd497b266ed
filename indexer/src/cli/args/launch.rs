//! From flags and files to everything a run needs to know.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crds::{
    BitcoindSpec, BlockFilesSpec, ChainSpec, Indexer, IndexerSpec, MAX_BEHIND, MemorySpec, ModuleSpec, Network,
    Problem, RetrySpec, RolloutSpec, RolloutStrategy, SourceSpec, StorageSpec, ViewsSpec,
    pod::{Config, Module, OPS_PORT, RPC_PORT, Source},
};
use sha2::{Digest as _, Sha256};

use super::{KeptFlags, RunFlags, folder, validate::problems};
use crate::cli::manifest;

/// As the resource's schema has it by default.
const MAX_REORG_DEPTH: u32 = 100;

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Launch {
    /// The configuration, checked.
    pub config: Config,
    /// The node's credentials, if they were given here rather than as files.
    pub credentials: Option<Credentials>,
    /// What the user should be told at the start, one sentence each.
    pub notices: Vec<String>,
    /// A module that cannot be used ends the process instead of being waited for: a person watches, no operator.
    pub one_shot: bool,
}

/// User and password of the node. Their debug form shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Why flags and files do not say what to run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a configuration, nor a manifest, nor a module.
    #[error("nothing to run: give --manifest FILE, or --indexer FILE and --daemon-rpc-url URL, or --config FILE")]
    Nothing,
    /// No folder.
    #[error("which index? give --db-path DIR or --label NAME, --manifest FILE, or --config FILE, as the run had them")]
    NoFolder,
    /// A module without a source of blocks.
    #[error("--indexer needs --daemon-rpc-url URL or --block-files DIR, or a manifest that names the node")]
    NoNode,
    /// A file cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The configuration is none.
    #[error("read configuration {path}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        #[source]
        source: serde_yaml::Error,
    },
    /// The manifest is none.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// The module is in a cluster.
    #[error("spec.module.configMap is an object of a cluster: give --indexer FILE with the same module")]
    ModuleInCluster,
    /// No such network.
    #[error("--network {0:?}: it must be mainnet, testnet3, testnet4, signet or regtest")]
    Network(String),
    /// Credentials without a colon.
    #[error("--auth (or SHREWD_AUTH) must read USER:PASSWORD")]
    Auth,
    /// No URL.
    #[error("--daemon-rpc-url must read http(s)://HOST[:PORT]")]
    Url,
    /// Two pairs of credentials.
    #[error(
        "credentials are in more than one of --daemon-rpc-url, --auth (or SHREWD_AUTH) and --rpc-cookie-file: give one"
    )]
    AuthTwice,
    /// The manifest's values do not fit.
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))]
    Spec(Vec<Problem>),
    /// The configuration's values do not fit.
    #[error("{}", .0.join("; "))]
    Values(Vec<String>),
}

impl Launch {
    /// Reads the files the flags name and puts everything together.
    ///
    /// # Errors
    /// [`Error`].
    pub fn from_flags(flags: RunFlags) -> Result<Self, Error> {
        let RunFlags {
            config,
            manifest,
            plain_http_registries,
            kept,
        } = flags;
        let mut launch = match (config, manifest) {
            (Some(path), _) => Self::from_config(path)?,
            (None, Some(path)) => {
                let indexer = manifest::read(&path)?;
                Self::from_manifest(indexer, path.parent().unwrap_or(Path::new("")), kept)?
            }
            (None, None) => Self::from_kept(kept)?,
        };
        if let Module::Oci { image, plain_http, .. } = &mut launch.config.module {
            *plain_http |= plain_http_registries.iter().any(|registry| registry.has(image));
        }
        match problems(&launch.config) {
            none if none.is_empty() => Ok(launch),
            problems => Err(Error::Values(problems)),
        }
    }

    fn from_config(path: PathBuf) -> Result<Self, Error> {
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        let config = serde_yaml::from_str(&text).map_err(|source| Error::Config { path, source })?;
        Ok(Self {
            config,
            credentials: None,
            notices: Vec::new(),
            one_shot: false,
        })
    }

    /// Without a manifest, the flags and the resource's defaults are one.
    fn from_kept(kept: KeptFlags) -> Result<Self, Error> {
        let module = kept.indexer.clone().ok_or(Error::Nothing)?;
        if kept.daemon_rpc_url.is_none() && kept.block_files.is_none() {
            return Err(Error::NoNode);
        }
        let bytes = std::fs::read(&module).map_err(|source| Error::Read {
            path: module.clone(),
            source,
        })?;
        let stem = module.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = kept.label.clone().or(stem).ok_or(Error::Nothing)?;
        let spec = IndexerSpec {
            module: ModuleSpec {
                sha256: hex::encode(Sha256::digest(bytes)),
                config_map: None,
                http: None,
                oci: None,
                path: None,
            },
            chain: ChainSpec {
                network: Network::Mainnet,
                start_height: 0,
                max_reorg_depth: MAX_REORG_DEPTH,
                source: SourceSpec::default(),
            },
            memory: MemorySpec::default(),
            retry: RetrySpec::default(),
            storage: StorageSpec::default(),
            rollout: RolloutSpec::default(),
            replicas: 1,
            views: ViewsSpec::default(),
            suspend: false,
            image: None,
            resources: None,
        };
        Self::from_manifest(Indexer::new(&name, spec), Path::new(""), kept)
    }

    /// What the manifest says, with the flags' word against it. Relative paths in it start at `folder`.
    fn from_manifest(indexer: Indexer, folder: &Path, kept: KeptFlags) -> Result<Self, Error> {
        // Every flag must be named here: a new one does not compile before it is used.
        let KeptFlags {
            indexer: module,
            daemon_rpc_url,
            block_files,
            network,
            db_path,
            start_block,
            auth,
            rpc_cookie_file,
            host,
            port,
            ops_port,
            label,
            exit_at,
            in_place,
            cors,
            max_reorg_depth,
            reorg_check_threshold,
        } = kept;
        let name = indexer.metadata.name.unwrap_or_default();
        let mut spec = indexer.spec;
        let mut notices = Vec::new();
        let module = reach_module(&mut spec.module, module, folder, &mut notices)?;
        if let Some(text) = network {
            spec.chain.network = parse_network(&text)?;
        }
        spec.chain.start_height = start_block.unwrap_or(spec.chain.start_height);
        spec.chain.max_reorg_depth = max_reorg_depth.unwrap_or(spec.chain.max_reorg_depth);
        let source = &mut spec.chain.source;
        let credentials = reach_node(&mut source.bitcoind, daemon_rpc_url, auth.as_deref())?;
        if credentials.is_some() && rpc_cookie_file.is_some() {
            return Err(Error::AuthTwice);
        }
        if credentials.is_none() && rpc_cookie_file.is_none() {
            notices.extend(no_credentials(source.bitcoind.as_ref()));
        }
        // Whatever named the folder, it is one seen from here now.
        let in_manifest = source.block_files.take().map(|files| folder.join(files.path));
        let block_files = block_files.or(in_manifest);
        source.block_files = block_files.as_ref().map(|path| BlockFilesSpec {
            path: path.display().to_string(),
        });
        if reorg_check_threshold.is_some() {
            notices.push("--reorg-check-threshold changes nothing: every block is checked against its parent".into());
        }
        let resolved = crds::resolve(&spec).map_err(Error::Spec)?;
        let data_dir = folder::data_dir(db_path, label.as_deref(), Some(&name)).ok_or(Error::Nothing)?;
        let config = Config {
            indexer: label.unwrap_or(name),
            identity: resolved.identity,
            module,
            source: Source {
                urls: spec.chain.source.bitcoind.map_or_else(Vec::new, |node| node.urls),
                credentials_dir: None,
                cookie_file: rpc_cookie_file,
                block_files,
            },
            max_reorg_depth: spec.chain.max_reorg_depth,
            max_behind: MAX_BEHIND,
            threshold_bytes: resolved.threshold_bytes,
            refresh: spec.memory.refresh,
            audit_every: spec.memory.audit_every,
            retry_attempts: spec.retry.attempts,
            views: resolved.views,
            data_dir,
            rpc_listen: listen(host.as_deref().unwrap_or("127.0.0.1"), port.unwrap_or(RPC_PORT)),
            ops_listen: listen("127.0.0.1", ops_port.unwrap_or(OPS_PORT)),
            cors_origin: cors,
            exit_at,
            data_revision: None,
            in_place: in_place || spec.rollout.strategy == RolloutStrategy::InPlace,
            in_place_at: None,
            seed: None,
        };
        Ok(Self {
            config,
            credentials,
            notices,
            one_shot: true,
        })
    }
}

impl Credentials {
    /// `USER:PASSWORD`; the password may have colons.
    fn parse(text: &str) -> Result<Self, Error> {
        match text.split_once(':') {
            Some((username, password)) if !username.is_empty() => Ok(Self {
                username: username.into(),
                password: password.into(),
            }),
            _ => Err(Error::Auth),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Puts the flag's word about the module in place of the manifest's.
fn reach_module(
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
            "secret {:?} is an object of a cluster: the registry is asked without credentials; --indexer FILE does without it",
            secret.name
        )
    }));
    Ok(Module::Oci {
        image: oci.image.clone(),
        pull_secret: None,
        plain_http: false,
    })
}

/// Puts the flags' word about the node in place of the manifest's; gives the credentials, wherever they were.
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

/// Takes `USER:PASSWORD@` out of a URL, so that the URL can be shown.
fn split_credentials(text: &str) -> Result<(String, Option<Credentials>), Error> {
    let (Some((scheme, rest)), Ok(_)) = (text.split_once("://"), reqwest::Url::parse(text)) else {
        return Err(Error::Url);
    };
    match rest.rsplit_once('@') {
        None => Ok((text.into(), None)),
        Some((credentials, host)) => Ok((format!("{scheme}://{host}"), Some(Credentials::parse(credentials)?))),
    }
}

fn parse_network(text: &str) -> Result<Network, Error> {
    serde_yaml::from_str(text).map_err(|_| Error::Network(text.into()))
}

/// IPv6 addresses get their brackets.
fn listen(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
