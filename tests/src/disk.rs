//! Volumes with a file system of their own, whose size is real: folders in the memory of a node. They grow while pods use
//! them, if a test plays the provider.

use anyhow::{Context, Result, ensure};
use crds::quantity::ByteSize;
use k8s_openapi::api::{
    core::v1::{Namespace as NamespaceResource, Node, PersistentVolume, PersistentVolumeClaim},
    storage::v1::StorageClass,
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    machine,
    namespace::{Namespace, complete},
    storage::requested,
};

/// Where they are on a node.
const FOLDERS: &str = "/var/lib/e2e-disks";
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// One such volume, for the only pod of an Indexer. Its memory is free again when it is dropped and no pod uses it any
/// more; the objects go with the namespace.
pub struct Disk {
    namespace: Namespace,
    node: String,
    /// The name of the class that only its claim has, and of the volume.
    pub name: String,
}

impl Disk {
    /// Mounts a file system of this size, and offers it as the only volume of a class that may grow.
    ///
    /// # Errors
    /// If the node or the API server refuses.
    pub async fn of(namespace: &Namespace, size: &str) -> Result<Self> {
        let disk = Self {
            namespace: namespace.clone(),
            node: worker(namespace).await?,
            name: format!("disk-{}", namespace.name),
        };
        let (folder, options) = (disk.folder(), format!("size={},mode=0777", bytes(size)?));
        machine::run(&disk.node, &["mkdir", "-p", &folder])?;
        machine::run(&disk.node, &["mount", "-t", "tmpfs", "-o", &options, "tmpfs", &folder])?;
        let namespaces = Api::<NamespaceResource>::all(namespace.cluster.client.clone());
        let owner = namespaces.get(&namespace.name).await?.uid().context("it has a uid")?;
        let metadata = json!({
            "name": disk.name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": namespace.name, "uid": owner}],
        });
        disk.apply::<StorageClass>(&json!({
            "metadata": metadata,
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": true,
        }))
        .await?;
        disk.apply::<PersistentVolume>(&json!({
            "metadata": metadata,
            "spec": {
                "storageClassName": disk.name,
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": folder},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "kubernetes.io/hostname", "operator": "In", "values": [disk.node]},
                ]}]}},
            },
        }))
        .await?;
        Ok(disk)
    }

    /// Gives it the size that its claim asks for, as a provider and the node do: first the file system, then the figures.
    ///
    /// # Errors
    /// If it has no claim, or somebody refuses.
    pub async fn grow(&self) -> Result<()> {
        let volumes = Api::<PersistentVolume>::all(self.namespace.cluster.client.clone());
        let spec = volumes.get(&self.name).await?.spec.context("a volume has a spec")?;
        let claim = spec
            .claim_ref
            .and_then(|claim| claim.name)
            .context("nobody claims it")?;
        let claims = self.namespace.api::<PersistentVolumeClaim>();
        let size = requested(&claims.get(&claim).await?).context("the claim asks for nothing")?;
        let options = format!("remount,size={}", bytes(&size.0)?);
        machine::run(&self.node, &["mount", "-o", &options, &self.folder()])?;
        let capacity = json!({"capacity": {"storage": size}});
        let params = PatchParams::default();
        volumes
            .patch(&self.name, &params, &Patch::Merge(json!({"spec": capacity})))
            .await?;
        claims
            .patch_status(&claim, &params, &Patch::Merge(json!({"status": capacity})))
            .await?;
        Ok(())
    }

    fn folder(&self) -> String {
        format!("{FOLDERS}/{}", self.name)
    }

    /// Of what is in no namespace.
    async fn apply<K>(&self, manifest: &Value) -> Result<()>
    where
        K: kube::Resource<Scope = k8s_openapi::ClusterResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let manifest = complete::<K>(manifest);
        let params = PatchParams::apply("e2e").validation_strict();
        let api = Api::<K>::all(self.namespace.cluster.client.clone());
        api.patch(&self.name, &params, &Patch::Apply(&manifest)).await?;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a pod may use it still.
        let folder = self.folder();
        for command in [["umount", "-l", &folder].as_slice(), &["rmdir", &folder]] {
            if let Err(error) = machine::run(&self.node, command) {
                eprintln!("{folder} stays on {}: {error:#}", self.node);
            }
        }
    }
}

/// A node for pods.
async fn worker(namespace: &Namespace) -> Result<String> {
    let nodes = Api::<Node>::all(namespace.cluster.client.clone());
    let nodes = nodes.list(&ListParams::default()).await?.items;
    ensure!(!nodes.is_empty(), "the cluster has no node");
    let worker = nodes.iter().find(|node| !node.labels().contains_key(CONTROL_PLANE));
    Ok(worker.unwrap_or(&nodes[0]).name_any())
}

fn bytes(size: &str) -> Result<u64> {
    ByteSize(size.into())
        .bytes()
        .with_context(|| format!("{size} is no size"))
}
