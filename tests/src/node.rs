//! A Bitcoin node in the cluster, one for each test: indexers reach it as `bitcoind`, the test by a port of the nodes.

use std::{fs::File, io::Read};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Pod, Secret, Service},
};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    bitcoind::{Bitcoind, Tip},
    chain::recipe::Recipe,
    mine,
    namespace::Namespace,
    wait,
};

/// Where indexers of the same namespace find it.
pub const URL: &str = "http://bitcoind:18443";
/// The Secret with its `username` and `password`.
pub const SECRET: &str = "bitcoind-rpc";

const NAME: &str = "bitcoind";
const PORT: u16 = 18443;
const RECIPE: Recipe = Recipe::light(1, 8);

/// A running regtest node.
pub struct Node {
    namespace: Namespace,
    /// Its JSON-RPC.
    pub rpc: Bitcoind,
}

impl Node {
    /// Starts a node whose chain is the genesis block.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn start_empty(namespace: &Namespace) -> Result<Self> {
        Self::start_with(namespace, &json!({})).await
    }

    /// Starts a node with a chain up to a height, on this node of the cluster, whichever that is.
    ///
    /// # Errors
    /// If it does not answer in time or refuses a block.
    pub async fn start_on(namespace: &Namespace, node: &str, height: u32) -> Result<Self> {
        let selector = json!({"kubernetes.io/hostname": node});
        let placement = json!({"nodeSelector": selector, "tolerations": [{"operator": "Exists"}]});
        let node = Self::start_with(namespace, &placement).await?;
        node.mine_to(height).await?;
        Ok(node)
    }

    async fn start_with(namespace: &Namespace, placement: &Value) -> Result<Self> {
        let password = random_password()?;
        namespace.apply::<Secret>(&secret(&password)).await?;
        namespace.apply::<Service>(&service()).await?;
        namespace
            .apply::<StatefulSet>(&stateful_set(&namespace.cluster.bitcoind_image, placement))
            .await?;
        let url = namespace.cluster.node_port_url(&namespace.name, NAME).await?;
        let node = Self {
            namespace: namespace.clone(),
            rpc: Bitcoind::new(&url, NAME, &password)?,
        };
        node.answers().await?;
        Ok(node)
    }

    /// Starts a node with a chain up to a height.
    ///
    /// # Errors
    /// If it does not answer in time or refuses a block.
    pub async fn start(namespace: &Namespace, height: u32) -> Result<Self> {
        let node = Self::start_empty(namespace).await?;
        node.mine_to(height).await?;
        Ok(node)
    }

    /// Extends the chain up to a height.
    ///
    /// # Errors
    /// If the node does not answer or refuses a block.
    pub async fn mine_to(&self, height: u32) -> Result<Tip> {
        mine::extend(&self.rpc, RECIPE, height).await
    }

    /// Replaces the last `depth` blocks by one more.
    ///
    /// # Errors
    /// If the node does not answer or refuses a block.
    pub async fn reorganise(&self, depth: u32) -> Result<Tip> {
        let tip = self.rpc.tip().await?;
        mine::fork(&self.rpc, RECIPE, tip.height - depth, tip.height + 1).await
    }

    /// Stops the process and keeps its data.
    ///
    /// # Errors
    /// If the pod does not go in time.
    pub async fn stop(&self) -> Result<()> {
        self.scale(0).await?;
        wait::until("the node's pod is gone", wait::PATIENCE, async || {
            let pods = self
                .namespace
                .api::<Pod>()
                .list(&ListParams::default().labels("app=bitcoind"))
                .await?;
            ensure!(pods.items.is_empty(), "{} pods", pods.items.len());
            Ok(())
        })
        .await
    }

    /// Starts a stopped node again, with the chain it had.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn restart(&self) -> Result<()> {
        self.scale(1).await?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        wait::until("the node answers", wait::PATIENCE, async || {
            self.rpc.tip().await.map(drop)
        })
        .await
    }

    async fn scale(&self, replicas: i32) -> Result<()> {
        let patch = json!({"spec": {"replicas": replicas}});
        let api = self.namespace.api::<StatefulSet>();
        api.patch_scale(NAME, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(())
    }
}

fn random_password() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(hex::encode(bytes))
}

/// Two keys for indexers, a configuration file for the node: arguments are visible to anyone who can read the pod.
fn secret(password: &str) -> Value {
    let conf = format!("rpcuser={NAME}\nrpcpassword={password}\n");
    json!({
        "metadata": {"name": SECRET},
        "stringData": {"username": NAME, "password": password, "bitcoin.conf": conf},
    })
}

fn service() -> Value {
    json!({
        "metadata": {"name": NAME},
        "spec": {"type": "NodePort", "selector": {"app": NAME}, "ports": [{"name": "rpc", "port": PORT}]},
    })
}

fn stateful_set(image: &str, placement: &Value) -> Value {
    let mut pod = pod(image);
    for (field, value) in placement.as_object().into_iter().flatten() {
        pod[field] = value.clone();
    }
    json!({
        "metadata": {"name": NAME},
        "spec": {
            "serviceName": NAME,
            "replicas": 1,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod},
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "256Mi"}}},
            }],
        },
    })
}

fn pod(image: &str) -> Value {
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": NAME,
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "args": arguments(),
            "ports": [{"name": "rpc", "containerPort": PORT}],
            "readinessProbe": {"httpGet": {"path": "/rest/chaininfo.json", "port": PORT}, "periodSeconds": 1, "timeoutSeconds": 5},
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "conf", "mountPath": "/conf", "readOnly": true},
            ],
        }],
        "volumes": [
            {"name": "conf", "secret": {"secretName": SECRET, "items": [{"key": "bitcoin.conf", "path": "bitcoin.conf"}]}},
        ],
    })
}

fn arguments() -> Value {
    json!([
        "-regtest",
        "-conf=/conf/bitcoin.conf",
        "-datadir=/data",
        "-server",
        "-rest",
        "-listen=0",
        "-disablewallet",
        "-printtoconsole",
        "-rpcbind=0.0.0.0",
        "-rpcallowip=0.0.0.0/0",
        format!("-rpcport={PORT}"),
        // The blocks are as old as the genesis block, since their hashes must not depend on the date: without this the
        // node would never report that it has caught up.
        "-maxtipage=2000000000",
        "-dbcache=16",
    ])
}
