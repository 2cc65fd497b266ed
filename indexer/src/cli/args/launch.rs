//! From flags and files to everything a run needs to know.

use std::path::{Path, PathBuf};

use crds::{
    ChainSpec, Indexer, IndexerSpec, MAX_BEHIND, MemorySpec, ModuleSpec, Network, RetrySpec, RolloutSpec,
    RolloutStrategy, SourceSpec, StorageSpec, ViewsSpec,
    pod::{Config, Module, OPS_PORT, RPC_PORT},
};
use sha2::{Digest as _, Sha256};

use super::{
    credentials::Credentials,
    error::Error,
    folder,
    reach::{check_digest, reach_chain, reach_module},
    run::{LocalFlags, RunFlags, ServerFlags, ViewLimitFlags},
    validate::problems,
    variables,
};
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
    /// What the user should know at the start, one sentence each.
    pub notices: Vec<String>,
    /// The run was started by a person, not by the operator: what cannot heal ends the process instead of being waited
    /// for.
    pub one_shot: bool,
    /// The network was not declared: that of the store counts, or that of the node if it has no blocks yet.
    /// `config.identity.network` is a placeholder until then.
    pub ask_network: bool,
}

impl Launch {
    /// Reads the files the flags name and puts everything together.
    ///
    /// # Errors
    /// [`Error`].
    pub fn from_flags(flags: RunFlags) -> Result<Self, Error> {
        Self::from_flags_among(flags, &|name| variables::is_set(name))
    }

    /// As [`Self::from_flags`], where these variables are set.
    ///
    /// # Errors
    /// [`Error`].
    pub fn from_flags_among(flags: RunFlags, is_set: &dyn Fn(&str) -> bool) -> Result<Self, Error> {
        let of_variables = variables::notices(&flags, is_set);
        let RunFlags {
            config,
            manifest,
            plain_http_registries,
            local,
        } = flags;
        let mut launch = match (config, manifest) {
            (Some(path), _) => Self::from_config(path)?,
            (None, Some(path)) => {
                let indexer = manifest::read(&path)?;
                let launch = Self::from_manifest(indexer, path.parent().unwrap_or(Path::new("")), local)?;
                check_digest(&launch.config.module, &launch.config.identity.module_sha256)?;
                launch
            }
            (None, None) => Self::from_local(local)?,
        };
        launch.notices.extend(of_variables);
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
            ask_network: false,
        })
    }

    /// Without a manifest, the flags and the resource's defaults are one.
    fn from_local(flags: LocalFlags) -> Result<Self, Error> {
        let module = flags.indexer.clone().ok_or(Error::Nothing)?;
        let has_node = flags.chain.daemon_rpc_url.is_some();
        if !has_node && flags.chain.block_files.is_none() {
            return Err(Error::NoNode);
        }
        let bytes = std::fs::read(&module).map_err(|source| Error::Read {
            path: module.clone(),
            source,
        })?;
        let stem = module.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = flags.label.clone().or(stem).ok_or(Error::Nothing)?;
        let ask_network = has_node && flags.chain.network.is_none();
        let spec = defaults(hex::encode(Sha256::digest(bytes)));
        let launch = Self::from_manifest(Indexer::new(&name, spec), Path::new(""), flags)?;
        Ok(Self { ask_network, ..launch })
    }

    /// The manifest's fields, overridden by the flags. Relative paths in it start at `folder`.
    fn from_manifest(indexer: Indexer, folder: &Path, flags: LocalFlags) -> Result<Self, Error> {
        // Every flag must be named here: a new one does not compile before it is used.
        let LocalFlags {
            indexer: module,
            db_path,
            label,
            exit_at,
            in_place,
            chain,
            servers,
            views,
        } = flags;
        let name = indexer.metadata.name.unwrap_or_default();
        let mut spec = indexer.spec;
        let mut notices = Vec::new();
        let module = reach_module(&mut spec.module, module, folder, &mut notices)?;
        let (source, credentials) = reach_chain(&mut spec.chain, chain, folder, &mut notices)?;
        override_views(&mut spec.views, views);
        let resolved = crds::resolve(&spec).map_err(Error::Spec)?;
        let data_dir = folder::data_dir(db_path, label.as_deref(), Some(&name)).ok_or(Error::Nothing)?;
        let ServerFlags {
            host,
            port,
            ops_port,
            cors,
        } = servers;
        let config = Config {
            indexer: label.unwrap_or(name),
            identity: resolved.identity,
            module,
            source,
            max_reorg_depth: spec.chain.max_reorg_depth,
            max_behind: MAX_BEHIND,
            threshold_bytes: resolved.threshold_bytes,
            refresh: spec.memory.refresh,
            stop_height: spec.chain.stop_height,
            audit_every: spec.memory.audit_every,
            retry_attempts: spec.retry.attempts,
            views: resolved.views,
            cache_bytes: resolved.cache_bytes,
            data_dir,
            rpc_listen: listen(host.as_deref().unwrap_or("127.0.0.1"), port.unwrap_or(RPC_PORT)),
            ops_listen: listen("127.0.0.1", ops_port.unwrap_or(OPS_PORT)),
            cors_origin: cors,
            exit_at,
            data_revision: None,
            in_place: in_place || spec.rollout.strategy == RolloutStrategy::InPlace,
            in_place_at: None,
            seed: None,
            bootstrap: resolved.bootstrap,
            snapshots: resolved.snapshots,
        };
        Ok(Self {
            config,
            credentials,
            notices,
            one_shot: true,
            ask_network: false,
        })
    }
}

/// The resource's defaults for a module of this digest. The source of blocks is still missing.
fn defaults(sha256: String) -> IndexerSpec {
    IndexerSpec {
        module: ModuleSpec {
            sha256,
            config_map: None,
            http: None,
            oci: None,
            path: None,
        },
        chain: ChainSpec {
            stop_height: None,
            network: Network::Mainnet,
            start_height: 0,
            max_reorg_depth: MAX_REORG_DEPTH,
            source: SourceSpec::default(),
        },
        memory: MemorySpec::default(),
        retry: RetrySpec::default(),
        storage: StorageSpec::default(),
        bootstrap: None,
        snapshots: None,
        rollout: RolloutSpec::default(),
        replicas: 1,
        views: ViewsSpec::default(),
        suspend: false,
        image: None,
        resources: None,
        placement: None,
        image_pull_secrets: None,
        pod_metadata: None,
        operator_class: None,
        access: None,
    }
}

fn override_views(spec: &mut ViewsSpec, flags: ViewLimitFlags) {
    let ViewLimitFlags {
        max_concurrent_views,
        view_timeout,
        view_memory_limit,
        max_request_bytes,
        max_response_bytes,
    } = flags;
    let declared = std::mem::take(spec);
    *spec = ViewsSpec {
        max_concurrent: max_concurrent_views.unwrap_or(declared.max_concurrent),
        timeout: view_timeout.unwrap_or(declared.timeout),
        memory_limit: view_memory_limit.unwrap_or(declared.memory_limit),
        max_request_bytes: max_request_bytes.unwrap_or(declared.max_request_bytes),
        max_response_bytes: max_response_bytes.unwrap_or(declared.max_response_bytes),
    };
}

/// IPv6 addresses get their brackets.
fn listen(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
