//! A namespace for one test, and what is applied to it.

use std::{fmt::Debug, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Namespace as Resource, Pod},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, LogParams, Patch, PatchParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{cluster::Cluster, wait};

/// The field manager of everything a test applies.
const MANAGER: &str = "e2e";

/// A namespace that enforces the restricted Pod Security Standard.
#[derive(Clone)]
pub struct Namespace {
    /// Where it is.
    pub cluster: Cluster,
    /// Its name.
    pub name: String,
}

impl Namespace {
    /// Creates one whose name contains the test's subject.
    ///
    /// # Errors
    /// If the API server refuses.
    pub(crate) async fn create(cluster: Cluster, about: &str) -> Result<Self> {
        let resource = serde_json::from_value(json!({
            "metadata": {
                "generateName": format!("e2e-{about}-"),
                "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
            },
        }))?;
        let created = Api::<Resource>::all(cluster.client.clone())
            .create(&PostParams::default(), &resource)
            .await?;
        Ok(Self {
            cluster,
            name: created.metadata.name.context("a namespace has a name")?,
        })
    }

    /// Its resources of one kind.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.client.clone(), &self.name)
    }

    /// What the process of an Indexer's pod has logged.
    ///
    /// # Errors
    /// If the cluster does not answer, or the process has not begun.
    pub async fn log_of(&self, pod: &Pod) -> Result<String> {
        let params = LogParams {
            container: Some("indexer".into()),
            ..LogParams::default()
        };
        Ok(self.api::<Pod>().logs(&pod.name_any(), &params).await?)
    }

    /// Applies a manifest, as `kubectl apply --server-side` does.
    ///
    /// # Errors
    /// If the API server refuses it; its words are in the cause.
    pub async fn apply<K>(&self, manifest: &Value) -> Result<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let name = manifest["metadata"]["name"].as_str().context("a manifest has a name")?;
        let manifest = complete::<K>(manifest);
        let params = PatchParams::apply(MANAGER).validation_strict();
        let applied = self.api::<K>().patch(name, &params, &Patch::Apply(&manifest)).await;
        applied.with_context(|| format!("apply {} {name}", K::kind(&())))
    }

    /// Deletes it and everything in it, without waiting until it is gone.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn delete(&self) -> Result<()> {
        let api = Api::<Resource>::all(self.cluster.client.clone());
        if api.get_opt(&self.name).await?.is_some() {
            api.delete(&self.name, &DeleteParams::default()).await?;
        }
        Ok(())
    }

    /// Deletes it and waits until nothing of it is left.
    ///
    /// # Errors
    /// If something is left after `within`.
    pub async fn delete_within(&self, within: Duration) -> Result<()> {
        self.delete().await?;
        wait::until(&format!("namespace {} is gone", self.name), within, async || {
            let left = Api::<Resource>::all(self.cluster.client.clone())
                .get_opt(&self.name)
                .await?;
            ensure!(left.is_none(), "{:?}", left.and_then(|namespace| namespace.status));
            Ok(())
        })
        .await
    }
}

/// A manifest with `apiVersion` and `kind`.
pub(crate) fn complete<K: kube::Resource<DynamicType = ()>>(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    manifest["apiVersion"] = json!(K::api_version(&()));
    manifest["kind"] = json!(K::kind(&()));
    manifest
}
