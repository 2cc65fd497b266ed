//! Manifests of Indexers, written as a sentence: `Manifest::of("leaky").on_threshold("64Mi").delete_volumes()`.

use anyhow::Result;
use crds::Indexer;
use k8s_openapi::{ByteString, api::core::v1::ConfigMap};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    index::Index,
    namespace::{Namespace, complete},
    node,
};

const MODULE_KEY: &str = "module.wasm";

/// An Indexer that is not applied yet: regtest from genesis, fed by the namespace's node, with little memory.
///
/// The spec is kept as untyped JSON, so that a test can also write what must be refused.
#[derive(Clone)]
pub struct Manifest {
    name: String,
    guest: String,
    spec: Value,
}

impl Manifest {
    /// An Indexer that runs a guest and has its name.
    #[must_use]
    pub fn of(guest: &str) -> Self {
        let spec = json!({
            "module": {"configMap": {"name": guest, "key": MODULE_KEY}},
            "chain": {
                "network": "regtest",
                "source": {"bitcoind": {"urls": [node::URL], "authSecretRef": {"name": node::SECRET}}},
            },
            "memory": {"threshold": "128Mi", "limit": "256Mi"},
            "storage": {"size": "256Mi"},
        });
        Self {
            name: guest.into(),
            guest: guest.into(),
            spec,
        }
    }

    /// Names it differently from the guest.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Keeps one instance of the guest until it has this much memory.
    #[must_use]
    pub fn on_threshold(self, threshold: &str) -> Self {
        self.with("memory", "refresh", json!("OnThreshold"))
            .with("memory", "threshold", json!(threshold))
    }

    /// Sets a field of the spec itself.
    #[must_use]
    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.spec[field] = value;
        self
    }

    /// Shortens the soak: the default is a minute.
    #[must_use]
    pub fn soaking(self, soak: &str) -> Self {
        self.with("rollout", "soak", json!(soak))
    }

    /// Deletes the volumes with the Indexer.
    #[must_use]
    pub fn delete_volumes(self) -> Self {
        self.with("storage", "retention", json!("Delete"))
    }

    /// Sets a field of a part of the spec.
    #[must_use]
    pub fn with(mut self, part: &str, field: &str, value: Value) -> Self {
        self.spec[part][field] = value;
        self
    }

    /// Applies it, and the guest's module as a `ConfigMap`.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn apply(&self, namespace: &Namespace) -> Result<Index> {
        let module = namespace.cluster.guest(&self.guest)?;
        self.apply_with(namespace, &module).await
    }

    /// Takes the module from a registry: an artifact by digest, and the Secret that opens it.
    #[must_use]
    pub fn pulled_from(mut self, image: &str, pull_secret: &str) -> Self {
        self.spec["module"] = json!({"oci": {"image": image, "pullSecretRef": {"name": pull_secret}}});
        self
    }

    /// Applies it with other bytes as its module. Unless the spec names a digest already, it names theirs.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn apply_with(&self, namespace: &Namespace, module: &[u8]) -> Result<Index> {
        let spec = self.spec_for(module);
        if let Some(config_map) = config_map(&spec, module) {
            namespace.apply::<ConfigMap>(&config_map).await?;
        }
        namespace
            .apply::<Indexer>(&json!({"metadata": {"name": self.name}, "spec": spec}))
            .await?;
        Ok(Index::new(namespace, &self.name))
    }

    /// What a team commits for these bytes.
    #[must_use]
    pub fn documents(&self, module: &[u8]) -> Vec<Value> {
        let spec = self.spec_for(module);
        let config_map = config_map(&spec, module).map(|manifest| complete::<ConfigMap>(&manifest));
        let indexer = complete::<Indexer>(&json!({"metadata": {"name": self.name}, "spec": spec}));
        config_map.into_iter().chain([indexer]).collect()
    }

    fn spec_for(&self, module: &[u8]) -> Value {
        let mut spec = self.spec.clone();
        let digest = hex::encode(Sha256::digest(module));
        if let Some(source) = spec["module"].get_mut("configMap") {
            // As in a release: an object for each edition, so that none changes under a pod that uses it.
            source["name"] = json!(format!("{}-{}", self.guest, &digest[..10]));
        }
        if spec["module"]["sha256"].is_null() {
            spec["module"]["sha256"] = json!(digest);
        }
        spec
    }
}

/// The `ConfigMap` a spec names as its module, if it names one.
fn config_map(spec: &Value, module: &[u8]) -> Option<Value> {
    let name = spec["module"].get("configMap")?.get("name")?;
    let bytes = ByteString(module.to_vec());
    Some(json!({"metadata": {"name": name}, "binaryData": {MODULE_KEY: bytes}}))
}

/// Manifests as one file.
///
/// # Errors
/// Never in practice: all of them are JSON.
pub fn yaml(manifests: &[Value]) -> Result<String> {
    let documents = manifests
        .iter()
        .map(serde_yaml::to_string)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(documents.join("---\n"))
}
