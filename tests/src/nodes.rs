//! The two nodes of the cluster under test.

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt, api::ListParams};

use crate::cluster::Cluster;

/// The label, and the taint, of the nodes that run the API server.
pub const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// Their names.
pub struct Nodes {
    /// Runs the API server, and no pod that does not tolerate [`CONTROL_PLANE`].
    pub control_plane: String,
    /// Runs all others.
    pub worker: String,
}

impl Nodes {
    /// Asks the cluster.
    ///
    /// # Errors
    /// If it does not answer, or has not both.
    pub async fn of(cluster: &Cluster) -> Result<Self> {
        let nodes: Api<Node> = Api::all(cluster.client.clone());
        let (control_planes, workers): (Vec<_>, Vec<_>) = nodes
            .list(&ListParams::default())
            .await?
            .into_iter()
            .partition(|node| node.labels().contains_key(CONTROL_PLANE));
        let name_of = |nodes: Vec<Node>| nodes.first().map(ResourceExt::name_any);
        Ok(Self {
            control_plane: name_of(control_planes).context("no control plane")?,
            worker: name_of(workers).context("no worker")?,
        })
    }
}
