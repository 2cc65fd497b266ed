//! (pure) Validation: turns a resource into checked values, or reports every problem at once.

use crds::{
    AutoGrow, Identity, Indexer, IndexerSpec, ModuleSpec, PlacementSpec, PodMetadataSpec, RefreshPolicy, Registry,
    Revision, RolloutSpec, STORE_FORMAT, STORE_FORMAT_OLDEST, SecretRef, StorageSpec, Timing,
    conditions::reasons,
    pod::{Bootstrap, Publishing, Views},
    resolve,
};
use k8s_openapi::{api::core::v1::ResourceRequirements, jiff::Timestamp};

mod requested;

pub use requested::{TooLong, requested};

use crate::{
    access::{Access, AccessRules},
    names,
    pod_defaults::PodDefaults,
    record::{MadeWith, ModuleSource, Record},
    resources,
};

/// An Indexer whose values have all been checked: the API server has no reason to reject what is built from it.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidIndexer {
    /// Name of the resource.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its unique id, for owner references.
    pub uid: String,
    /// When it was created, in whole seconds.
    pub created: Option<Timestamp>,
    /// Image of the pods.
    pub image: String,
    /// The formats of stores that it can work with; none if the spec names it, and so answers for it.
    pub formats: Option<Formats>,
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
    /// `chain.stopHeight`.
    pub stop_height: Option<u32>,
    /// How many times a failed block is retried.
    pub retry_attempts: u32,
    /// Bounds on queries.
    pub views: Views,
    /// With `memory.resize` in place, the most that a container may have as its limit, in bytes; none: nothing is resized.
    pub max_limit_bytes: Option<u64>,
    /// Memory of the store; none: what follows from the pod's.
    pub cache_bytes: Option<u64>,
    /// How another identity takes over.
    pub rollout: RolloutSpec,
    /// The time spans of it.
    pub timing: Timing,
    /// The volume of each pod.
    pub storage: StorageSpec,
    /// Its size, in bytes.
    pub storage_bytes: u64,
    /// How the volumes grow by themselves, if they do.
    pub auto_grow: Option<AutoGrow>,
    /// The snapshot with which empty volumes begin; where its credentials are, the pods' configuration says.
    pub bootstrap: Option<Bootstrap>,
    /// The Secret with its credentials.
    pub bootstrap_secret: Option<String>,
    /// Snapshots to publish; likewise.
    pub snapshots: Option<Publishing>,
    /// The Secret with their credentials.
    pub snapshots_secret: Option<String>,
    /// The desired number of pods: none while suspended.
    pub replicas: i32,
    /// Whether the spec suspends the index.
    pub suspended: bool,
    /// Resources of the container, if the spec sets any; otherwise see [`Self::resources_of`].
    pub resources: Option<ResourceRequirements>,
    /// Where pods run, as declared for this Indexer or for all.
    pub placement: PlacementSpec,
    /// Secrets with which nodes pull their image.
    pub image_pull_secrets: Vec<String>,
    /// Labels and annotations of pods, likewise.
    pub pod_metadata: PodMetadataSpec,
    /// Who may reach the pods; none: there is no policy on it.
    pub access: Option<Access>,
    /// The last refresh that was requested.
    pub refresh_request: Option<String>,
    /// The last snapshot that was requested.
    pub snapshot_request: Option<String>,
    /// Registries that pods access without TLS, regardless of their revision.
    pub plain_http_registries: Vec<Registry>,
}

/// Formats of stores that an image can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// The oldest one that it reads. It converts what it reads.
    pub reads_from: u32,
    /// The one that it writes, and the newest one that it reads.
    pub writes: u32,
}

impl Formats {
    /// Those of this version.
    pub const OWN: Self = Self {
        reads_from: STORE_FORMAT_OLDEST,
        writes: STORE_FORMAT,
    };
}

/// Settings of the operator's command line for all Indexers.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// Image of pods whose spec sets none.
    pub image: String,
    /// Registries that pods access without TLS.
    pub plain_http_registries: Vec<Registry>,
    /// Who may reach the pods of every Indexer; none: no policies are made.
    pub access: Option<AccessRules>,
    /// What holds for pods whose spec says nothing else.
    pub pods: PodDefaults,
}

/// Why an Indexer cannot be turned into pods. Running pods are not affected by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// One of `crds::conditions::reasons`.
    pub reason: &'static str,
    /// Every problem, each with the field's path.
    pub problems: Vec<String>,
}

/// The problem of a spec that restricts access where the operator makes no policies.
const NO_POLICIES: &str = "spec.access: this operator makes no network policies, so it cannot restrict access; \
                           start it with --network-policy (networkPolicy.enabled of the chart), or remove spec.access";

/// Checks a resource.
///
/// # Errors
/// Every problem at once.
pub fn validate(indexer: &Indexer, defaults: &Defaults) -> Result<ValidIndexer, Invalid> {
    let spec = &indexer.spec;
    let mut problems = Vec::new();
    let mut metadata = |field: &str, value: &Option<String>| {
        value.clone().unwrap_or_else(|| {
            problems.push(format!("metadata.{field} is missing"));
            String::new()
        })
    };
    let name = metadata("name", &indexer.metadata.name);
    let namespace = metadata("namespace", &indexer.metadata.namespace);
    let uid = metadata("uid", &indexer.metadata.uid);
    let resolved = resolve(spec).map_err(|found| problems.extend(found.iter().map(ToString::to_string)));
    if spec.access.is_some() && defaults.access.is_none() {
        // Otherwise people would take pods for closed that are open.
        problems.push(NO_POLICIES.to_owned());
    }
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
    let asked = |annotation| requested(&indexer.metadata, annotation).ok().flatten();
    Ok(ValidIndexer {
        name,
        namespace,
        uid,
        created: indexer.metadata.creation_timestamp.as_ref().map(|time| time.0),
        formats: spec.image.is_none().then_some(Formats::OWN),
        image: spec.image.clone().unwrap_or_else(|| defaults.image.clone()),
        revision: resolved.identity.revision(),
        module,
        source_urls: bitcoind.urls.clone(),
        auth_secret: secret(bitcoind.auth_secret_ref.as_ref()),
        max_reorg_depth: spec.chain.max_reorg_depth,
        threshold_bytes: resolved.threshold_bytes,
        refresh: spec.memory.refresh,
        audit_every: spec.memory.audit_every,
        stop_height: spec.chain.stop_height,
        retry_attempts: spec.retry.attempts,
        rollout: spec.rollout.clone(),
        timing: resolved.timing,
        storage: spec.storage.clone(),
        storage_bytes: resolved.storage_bytes,
        auto_grow: resolved.auto_grow,
        bootstrap: resolved.bootstrap,
        bootstrap_secret: secret(
            spec.bootstrap
                .as_ref()
                .and_then(|it| it.snapshot.auth_secret_ref.as_ref()),
        ),
        snapshots: resolved.snapshots,
        snapshots_secret: secret(spec.snapshots.as_ref().and_then(|it| it.auth_secret_ref.as_ref())),
        replicas: if spec.suspend { 0 } else { spec.replicas },
        suspended: spec.suspend,
        resources: spec.resources.clone(),
        placement: defaults.pods.placement(spec),
        image_pull_secrets: defaults.pods.image_pull_secrets(spec),
        pod_metadata: defaults.pods.pod_metadata(spec),
        access: defaults.access.as_ref().map(|rules| rules.of(spec)),
        refresh_request: asked(names::ANNOTATION_REFRESH),
        snapshot_request: asked(names::ANNOTATION_SNAPSHOT),
        plain_http_registries: defaults.plain_http_registries.clone(),
        identity: resolved.identity,
        views: resolved.views,
        cache_bytes: resolved.cache_bytes,
        max_limit_bytes: resolved.max_limit_bytes,
    })
}

impl ValidIndexer {
    /// The record of a revision that is built from scratch as the spec declares it.
    #[must_use]
    pub fn declared(&self) -> Record {
        Record {
            identity: self.identity.clone(),
            module: self.module.clone(),
            in_place: false,
            in_place_at: None,
            seed: None,
            made_with: Some(MadeWith {
                image: self.image.clone(),
                store_format: self.formats.map_or(STORE_FORMAT, |formats| formats.writes),
            }),
            served: None,
        }
    }

    /// The threshold of a revision. One whose limit is below the declared threshold is refreshed when it reaches its
    /// limit.
    #[must_use]
    pub fn threshold_of(&self, identity: &Identity) -> u64 {
        self.threshold_bytes.min(identity.memory_limit_bytes)
    }

    /// Resources of a revision's containers: those of the spec, or derived from the memory that its guest may have.
    #[must_use]
    pub fn resources_of(&self, identity: &Identity) -> ResourceRequirements {
        let derived = || {
            let threshold_bytes = self.threshold_of(identity);
            resources::derive(
                threshold_bytes,
                identity.memory_limit_bytes,
                &self.views,
                self.cache_bytes,
            )
        };
        self.resources.clone().unwrap_or_else(derived)
    }
}

fn secret(given: Option<&SecretRef>) -> Option<String> {
    given.map(|secret| secret.name.clone())
}

/// None for a path, which is rejected earlier.
fn module_source(module: &ModuleSpec) -> Option<ModuleSource> {
    let config_map = module.config_map.clone().map(ModuleSource::ConfigMap);
    let http = || module.http.clone().map(ModuleSource::Http);
    let oci = || module.oci.clone().map(ModuleSource::Oci);
    config_map.or_else(http).or_else(oci)
}

/// What a spec names that only exists on a local machine: a reason and a problem each.
fn local_only(spec: &IndexerSpec) -> Vec<(&'static str, &'static str)> {
    let module = (
        reasons::MODULE_PATH_NOT_FOR_PODS,
        "spec.module.path: names a local file, which is not available to pods; \
         publish the module in a ConfigMap, on a web server or in a registry instead",
    );
    let files = (
        reasons::BLOCK_FILES_NOT_FOR_PODS,
        "spec.chain.source.blockFiles: names a local folder, which is not available to pods; \
         set the address of a node in spec.chain.source.bitcoind instead",
    );
    let bootstrap = (
        reasons::SNAPSHOT_FOLDER_NOT_FOR_PODS,
        "spec.bootstrap.snapshot.url: names a local folder, which is not available to pods; \
         give the URL of a snapshot in an object storage or on a web server instead",
    );
    let snapshots = (
        reasons::SNAPSHOT_FOLDER_NOT_FOR_PODS,
        "spec.snapshots.url: names a local folder, which is not available to pods; \
         give s3://BUCKET/PREFIX instead",
    );
    let is_folder = |url: Option<&String>| url.is_some_and(|url| url.starts_with("file:"));
    let bootstrap_url = spec.bootstrap.as_ref().map(|bootstrap| &bootstrap.snapshot.url);
    let snapshots_url = spec.snapshots.as_ref().map(|snapshots| &snapshots.url);
    let found = [
        (spec.module.path.is_some(), module),
        (spec.chain.source.block_files.is_some(), files),
        (is_folder(bootstrap_url), bootstrap),
        (is_folder(snapshots_url), snapshots),
    ];
    found
        .into_iter()
        .filter_map(|(is_local, problem)| is_local.then_some(problem))
        .collect()
}

#[cfg(test)]
mod tests;
