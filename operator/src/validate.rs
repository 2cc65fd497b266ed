//! (pure) From a resource as it was written to values nothing can be wrong with, or every problem at once.

use crds::{
    ConfigMapKey, HttpModule, Identity, Indexer, IndexerSpec, ModuleSpec, OciModule, RefreshPolicy, Registry, Revision,
    RolloutSpec, StorageSpec, Timing, conditions::reasons, pod::Views, resolve,
};
use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::{Deserialize, Serialize};

use crate::{refresh, resources};

/// An Indexer whose values were all checked: the API server has no reason to refuse what is built from it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidIndexer {
    /// Name of the resource.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its unique id, for owner references.
    pub uid: String,
    /// Image of the pods.
    pub image: String,
    /// What the index is.
    pub identity: Identity,
    /// The short name of `identity`.
    pub revision: Revision,
    /// Where pods find the module's bytes.
    pub module: ModuleSource,
    /// Base URLs of the nodes, the preferred one first.
    pub source_urls: Vec<String>,
    /// The Secret with their credentials.
    pub auth_secret: Option<String>,
    /// How many blocks can be undone.
    pub max_reorg_depth: u32,
    /// Linear memory, in bytes, at which a refresh is due.
    pub threshold_bytes: u64,
    /// When a fresh instance is made.
    pub refresh: RefreshPolicy,
    /// Every so many blocks one is audited; 0: none.
    pub audit_every: u32,
    /// How often a failed block is run again.
    pub retry_attempts: u32,
    /// Bounds on queries.
    pub views: Views,
    /// How another identity takes over.
    pub rollout: RolloutSpec,
    /// The time spans of it.
    pub timing: Timing,
    /// The volume of each pod.
    pub storage: StorageSpec,
    /// Pods wanted: none while suspended.
    pub replicas: i32,
    /// Whether the spec says that pods shall be gone.
    pub suspended: bool,
    /// Resources of the container, if the spec gives any; else see [`Self::resources_of`].
    pub resources: Option<ResourceRequirements>,
    /// The refresh a person asked for last.
    pub refresh_request: Option<String>,
    /// Registries that pods speak to without TLS, whatever their revision.
    pub plain_http_registries: Vec<Registry>,
}

/// Where pods find the module's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ModuleSource {
    /// In a `ConfigMap`.
    ConfigMap(ConfigMapKey),
    /// At a web server.
    Http(HttpModule),
    /// In a registry.
    Oci(OciModule),
}

/// What the operator's command line says of every Indexer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Image of pods whose spec names none.
    pub image: String,
    /// Registries that pods speak to without TLS.
    pub plain_http_registries: Vec<Registry>,
}

/// Why an Indexer cannot be turned into pods. Nothing that runs is touched because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// One of `crds::conditions::reasons`.
    pub reason: &'static str,
    /// Every problem, each with the field's path.
    pub problems: Vec<String>,
}

/// Checks a resource.
///
/// # Errors
/// Every problem at once.
pub fn validate(indexer: &Indexer, defaults: &Defaults) -> Result<ValidIndexer, Invalid> {
    let spec = &indexer.spec;
    let mut problems = Vec::new();
    let mut metadata = |field: &str, value: &Option<String>| {
        value.clone().unwrap_or_else(|| {
            problems.push(format!("metadata.{field}: is missing"));
            String::new()
        })
    };
    let name = metadata("name", &indexer.metadata.name);
    let namespace = metadata("namespace", &indexer.metadata.namespace);
    let uid = metadata("uid", &indexer.metadata.uid);
    let resolved = resolve(spec).map_err(|found| problems.extend(found.iter().map(ToString::to_string)));
    let local = local_only(spec);
    if let (true, Some((reason, _))) = (problems.is_empty(), local.first()) {
        return Err(Invalid {
            reason,
            problems: local.iter().map(|(_, problem)| (*problem).into()).collect(),
        });
    }
    let (Ok(resolved), Some(module), Some(bitcoind), true) = (
        resolved,
        module_source(&spec.module),
        spec.chain.source.bitcoind.as_ref(),
        problems.is_empty(),
    ) else {
        return Err(Invalid {
            reason: reasons::INVALID_SPEC,
            problems,
        });
    };
    Ok(ValidIndexer {
        name,
        namespace,
        uid,
        image: spec.image.clone().unwrap_or_else(|| defaults.image.clone()),
        revision: resolved.identity.revision(),
        module,
        source_urls: bitcoind.urls.clone(),
        auth_secret: bitcoind.auth_secret_ref.as_ref().map(|s| s.name.clone()),
        max_reorg_depth: spec.chain.max_reorg_depth,
        threshold_bytes: resolved.threshold_bytes,
        refresh: spec.memory.refresh,
        audit_every: spec.memory.audit_every,
        retry_attempts: spec.retry.attempts,
        rollout: spec.rollout.clone(),
        timing: resolved.timing,
        storage: spec.storage.clone(),
        replicas: if spec.suspend { 0 } else { spec.replicas },
        suspended: spec.suspend,
        resources: spec.resources.clone(),
        refresh_request: refresh::requested(&indexer.metadata).ok().flatten(),
        plain_http_registries: defaults.plain_http_registries.clone(),
        identity: resolved.identity,
        views: resolved.views,
    })
}

impl ValidIndexer {
    /// The threshold of a revision. One with a lower limit than the declared one is refreshed when it reaches that.
    #[must_use]
    pub fn threshold_of(&self, identity: &Identity) -> u64 {
        self.threshold_bytes.min(identity.memory_limit_bytes)
    }

    /// Resources of a revision's containers: those of the spec, or derived from the memory that its guest may have.
    #[must_use]
    pub fn resources_of(&self, identity: &Identity) -> ResourceRequirements {
        let derived = || {
            let threshold_bytes = self.threshold_of(identity);
            resources::derive(threshold_bytes, identity.memory_limit_bytes, &self.views)
        };
        self.resources.clone().unwrap_or_else(derived)
    }
}

/// None for a path, which is refused before.
fn module_source(module: &ModuleSpec) -> Option<ModuleSource> {
    let config_map = module.config_map.clone().map(ModuleSource::ConfigMap);
    let http = || module.http.clone().map(ModuleSource::Http);
    let oci = || module.oci.clone().map(ModuleSource::Oci);
    config_map.or_else(http).or_else(oci)
}

/// What a spec names of somebody's own machine: a reason and a problem each.
fn local_only(spec: &IndexerSpec) -> Vec<(&'static str, &'static str)> {
    let module = (
        reasons::MODULE_PATH_NOT_FOR_PODS,
        "spec.module.path: names a file of one machine, which no pod has; \
         put the bytes into a ConfigMap, at a web server or into a registry, and name that",
    );
    let files = (
        reasons::BLOCK_FILES_NOT_FOR_PODS,
        "spec.chain.source.blockFiles: names a folder of one machine, which no pod has; \
         give the address of a node in spec.chain.source.bitcoind",
    );
    let module = spec.module.path.is_some().then_some(module);
    let files = spec.chain.source.block_files.is_some().then_some(files);
    module.into_iter().chain(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_valid_spec_gets_the_default_image_and_derived_resources() {
        let valid = validate(&fixtures::indexer(), &fixtures::defaults()).unwrap();
        assert_eq!(valid.image, "shrewd-indexer:test");
        assert_eq!(valid.replicas, 1);
        let resources = valid.resources_of(&valid.identity);
        assert_eq!(resources.requests.unwrap()["memory"].0, "2304Mi");
        assert_eq!(resources.limits.unwrap()["memory"].0, "6220Mi");
        // A revision that was declared with less memory keeps what it had.
        let smaller = Identity {
            memory_limit_bytes: 1 << 30,
            ..valid.identity.clone()
        };
        let resources = valid.resources_of(&smaller);
        assert_eq!(resources.requests.unwrap()["memory"].0, "1536Mi");
        assert_eq!(resources.limits.unwrap()["memory"].0, "3148Mi");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let mut indexer = fixtures::indexer();
        indexer.spec.module.sha256 = "abc".into();
        indexer.spec.memory.threshold = crds::ByteSize("5Gi".into());
        indexer.spec.views.timeout = crds::TimeSpan("soon".into());
        indexer.metadata.uid = None;
        let invalid = validate(&indexer, &fixtures::defaults()).unwrap_err();
        assert_eq!(invalid.reason, reasons::INVALID_SPEC);
        let text = invalid.problems.join("\n");
        for part in ["metadata.uid", "spec.module.sha256", "spec.views.timeout"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn what_is_on_one_machine_only_is_refused_with_its_own_reason() {
        let mut files = fixtures::indexer();
        files.spec.chain.source.block_files = Some(crds::BlockFilesSpec {
            path: "./blocks".into(),
        });
        let invalid = validate(&files, &fixtures::defaults()).unwrap_err();
        assert_eq!(invalid.reason, reasons::BLOCK_FILES_NOT_FOR_PODS);
        assert!(
            invalid.problems[0].contains("spec.chain.source.bitcoind"),
            "{invalid:?}"
        );

        let mut both = files;
        both.spec.module.config_map = None;
        both.spec.module.path = Some("./a.wasm".into());
        let invalid = validate(&both, &fixtures::defaults()).unwrap_err();
        assert_eq!(invalid.reason, reasons::MODULE_PATH_NOT_FOR_PODS);
        assert_eq!(invalid.problems.len(), 2);
    }

    #[test]
    fn suspended_wants_no_pods() {
        let mut indexer = fixtures::indexer();
        indexer.spec.suspend = true;
        indexer.spec.replicas = 3;
        assert_eq!(validate(&indexer, &fixtures::defaults()).unwrap().replicas, 0);
    }
}
