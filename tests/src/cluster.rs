//! The cluster under test: never one that happens to be configured on this machine.

use std::{env, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Node, Pod, Service},
};
use kube::{
    Api, Client, Config,
    api::{ListParams, LogParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

use crate::{
    pod::{is_ready, restarts},
    wait,
};

/// The label of the operator's objects in its namespace.
pub(crate) const OPERATOR: &str = "app.kubernetes.io/component=operator";
const SCALES: Duration = Duration::from_secs(120);

/// A connection to the cluster, and the names of what was loaded into it.
#[derive(Clone)]
pub struct Cluster {
    /// Acts as the cluster's administrator.
    pub client: Client,
    /// Image of `shrewd-indexer`.
    pub indexer_image: String,
    /// Image whose arguments are those of `bitcoind`.
    pub bitcoind_image: String,
    /// Image of the client `asker`.
    pub asker_image: String,
    /// Image of `tamper`.
    pub tamper_image: String,
    /// Image of an S3 server that serves folders, with the arguments of `versitygw`.
    pub s3_image: String,
    pub(crate) kubeconfig: PathBuf,
    guests: PathBuf,
    pub(crate) operator_namespace: String,
}

impl Cluster {
    /// Connects to the cluster that `make test` has created.
    ///
    /// # Errors
    /// If there is none; the message says how to create it.
    pub async fn connect() -> Result<Self> {
        let kubeconfig = PathBuf::from(setting("SHREWD_E2E_KUBECONFIG")?);
        let read = Kubeconfig::read_from(&kubeconfig)?;
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        Ok(Self {
            kubeconfig,
            client: Client::try_from(config)?,
            indexer_image: setting("SHREWD_INDEXER_IMAGE")?,
            bitcoind_image: setting("SHREWD_BITCOIND_IMAGE")?,
            asker_image: setting("SHREWD_ASKER_IMAGE")?,
            tamper_image: setting("SHREWD_TAMPER_IMAGE")?,
            s3_image: setting("SHREWD_S3_IMAGE")?,
            guests: setting("SHREWD_GUESTS")?.into(),
            operator_namespace: env::var("SHREWD_OPERATOR_NAMESPACE").unwrap_or_else(|_| "shrewd-system".into()),
        })
    }

    /// Bytes of a guest module.
    ///
    /// # Errors
    /// If it was not compiled.
    pub fn guest(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.guests.join(name).with_extension("wasm");
        std::fs::read(&path).with_context(|| format!("read {}; run `make guests`", path.display()))
    }

    /// Address of a node, where every `NodePort` answers.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn node_address(&self) -> Result<String> {
        let nodes = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default())
            .await?;
        nodes
            .into_iter()
            .filter_map(|node| node.status?.addresses)
            .flatten()
            .find(|address| address.type_ == "InternalIP")
            .map(|address| address.address)
            .context("no node has an address")
    }

    /// Where a Service of type `NodePort` answers this machine.
    ///
    /// # Errors
    /// If there is no such Service.
    pub async fn node_port_url(&self, namespace: &str, service: &str) -> Result<String> {
        let found: Service = Api::namespaced(self.client.clone(), namespace).get(service).await?;
        let ports = found.spec.and_then(|spec| spec.ports).unwrap_or_default();
        let port = ports.first().and_then(|port| port.node_port);
        let port = port.with_context(|| format!("the Service {service} has no node port"))?;
        Ok(format!("http://{}:{port}", self.node_address().await?))
    }

    /// Restarts of the operator's containers so far.
    ///
    /// # Errors
    /// If the cluster does not answer or there is no operator.
    pub async fn operator_restarts(&self) -> Result<i32> {
        let pods = self.operator_pods().await?;
        ensure!(!pods.is_empty(), "no pod has {OPERATOR} in {}", self.operator_namespace);
        Ok(pods.iter().map(restarts).sum())
    }

    /// The end of the operator's log, for a test that failed.
    ///
    /// # Errors
    /// If the cluster does not answer.
    pub async fn operator_log(&self) -> Result<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.operator_namespace);
        let mut text = String::new();
        for pod in self.operator_pods().await? {
            let name = pod.metadata.name.unwrap_or_default();
            text += &format!("-- {name}\n");
            text += &pods
                .logs(
                    &name,
                    &LogParams {
                        tail_lines: Some(80),
                        ..LogParams::default()
                    },
                )
                .await?;
        }
        Ok(text)
    }

    /// Changes the number of operator pods, and waits until that many run.
    ///
    /// # Errors
    /// If that does not happen in two minutes.
    pub async fn scale_operator(&self, replicas: i32) -> Result<()> {
        self.scale(&self.operator_namespace, OPERATOR, replicas).await
    }

    /// Changes the number of pods of a Deployment that has the same label as its pods, and waits until that many run.
    ///
    /// # Errors
    /// If that does not happen in two minutes.
    pub(crate) async fn scale(&self, namespace: &str, label: &str, replicas: i32) -> Result<()> {
        let labelled = ListParams::default().labels(label);
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let found = api.list(&labelled).await?;
        let deployment = found
            .items
            .first()
            .with_context(|| format!("no Deployment has {label}"))?;
        let name = deployment.metadata.name.as_deref().context("a Deployment has a name")?;
        let patch = json!({"spec": {"replicas": replicas}});
        api.patch_scale(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        wait::until(&format!("{replicas} pods of {name}"), SCALES, async || {
            let pods = api.list(&labelled).await?.items;
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            ensure!(
                i32::try_from(pods.len()) == Ok(replicas) && pods.len() == ready,
                "{} pods, {ready} ready",
                pods.len()
            );
            Ok(())
        })
        .await
    }

    async fn operator_pods(&self) -> Result<Vec<Pod>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.operator_namespace);
        Ok(api.list(&ListParams::default().labels(OPERATOR)).await?.items)
    }
}

fn setting(name: &str) -> Result<String> {
    env::var(name)
        .with_context(|| format!("{name} is not set: these tests need a cluster of their own, run `make test`"))
}
