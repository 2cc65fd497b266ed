//! An S3 server in the cluster, one for each test, with one bucket.

use std::{
    fs::File,
    io::Read,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Pod, Secret, Service},
};
use serde_json::{Value, json};

use crate::{
    asking::{asking_pod, run_to_end},
    namespace::Namespace,
    pod::is_ready,
    wait,
};

/// Where indexers of the same namespace find it.
pub const URL: &str = "http://s3:7070";
/// The Secret with its keys, by the names that an Indexer expects.
pub const SECRET: &str = "s3";
/// Its bucket.
pub const BUCKET: &str = "snapshots";

const NAME: &str = "s3";
const PORT: u16 = 7070;
const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// A running server.
pub struct S3 {
    /// Its two keys, which nobody may show.
    pub keys: [String; 2],
    /// How often it was asked what there is.
    lists: AtomicU32,
}

/// A line of a list of snapshots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The first digits of its module's SHA-256.
    pub module: String,
    /// Its height.
    pub height: u32,
}

impl Listed {
    /// `PREFIX/HEIGHT[-REVISION]  NETWORK  module DIGITS…  …`
    fn read(line: &str, prefix: &str) -> Option<Self> {
        let name = line.strip_prefix(prefix)?.strip_prefix('/')?.split("  ").next()?;
        let module = line.split("  module ").nth(1)?.split('…').next()?;
        Some(Self {
            module: module.to_owned(),
            height: name.split('-').next()?.parse().ok()?,
        })
    }
}

impl S3 {
    /// Starts a server with an empty bucket, and makes the Secret.
    ///
    /// # Errors
    /// If it is not ready in time.
    pub async fn start(namespace: &Namespace) -> Result<Self> {
        let keys = [random_key()?, random_key()?];
        namespace.apply::<Secret>(&secret(&keys)).await?;
        namespace.apply::<Service>(&service()).await?;
        namespace
            .apply::<StatefulSet>(&stateful_set(&namespace.cluster.s3_image))
            .await?;
        let pods = namespace.api::<Pod>();
        wait::until("the S3 server is ready", wait::PATIENCE, async || {
            let pod = pods.get(&format!("{NAME}-0")).await?;
            ensure!(is_ready(&pod), "{:?}", pod.status);
            Ok(())
        })
        .await?;
        Ok(Self {
            keys,
            lists: AtomicU32::new(0),
        })
    }

    /// The snapshots below a prefix as `shrewd-indexer snapshot list` lists them, by module and height.
    ///
    /// # Errors
    /// If the command fails, or prints something else.
    pub async fn list(&self, namespace: &Namespace, prefix: &str) -> Result<Vec<Listed>> {
        let name = format!("list-{}", self.lists.fetch_add(1, Relaxed));
        let arguments = ["snapshot", "list", "--endpoint", URL, "--allow-http", prefix];
        let mut pod = asking_pod(&name, &namespace.cluster.indexer_image, &arguments);
        pod["spec"]["containers"][0]["envFrom"] = json!([{"secretRef": {"name": SECRET}}]);
        let printed = run_to_end(namespace, &pod).await?;
        let listed = printed.lines().map(|line| Listed::read(line, prefix));
        let listed: Option<Vec<Listed>> = listed.collect();
        let mut listed = listed.with_context(|| format!("the list is {printed}"))?;
        listed.sort_unstable();
        Ok(listed)
    }

    /// What a part of a spec says of this server.
    #[must_use]
    pub fn reached(url: &str) -> Value {
        json!({"url": url, "endpoint": URL, "allowHttp": true, "authSecretRef": {"name": SECRET}})
    }
}

fn random_key() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(hex::encode(bytes))
}

fn secret([access, secret]: &[String; 2]) -> Value {
    json!({"metadata": {"name": SECRET}, "stringData": {ACCESS_KEY: access, SECRET_KEY: secret}})
}

fn service() -> Value {
    json!({
        "metadata": {"name": NAME},
        "spec": {"selector": {"app": NAME}, "ports": [{"name": "s3", "port": PORT}]},
    })
}

fn stateful_set(image: &str) -> Value {
    json!({
        "metadata": {"name": NAME},
        "spec": {
            "serviceName": NAME,
            "replicas": 1,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": pod(image)},
        },
    })
}

fn pod(image: &str) -> Value {
    let key = |variable: &str, key: &str| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": SECRET, "key": key}}});
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
            "args": ["--port", format!("0.0.0.0:{PORT}"), "--quiet", "posix", "/data"],
            "env": [key("ROOT_ACCESS_KEY", ACCESS_KEY), key("ROOT_SECRET_KEY", SECRET_KEY)],
            "workingDir": "/tmp",
            "ports": [{"name": "s3", "containerPort": PORT}],
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
            "securityContext": {
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            },
            // A bucket is a folder of the folder that is served: there is one where something is mounted.
            "volumeMounts": [
                {"name": "data", "mountPath": "/data"},
                {"name": "bucket", "mountPath": format!("/data/{BUCKET}")},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        }],
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "bucket", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
        ],
    })
}
