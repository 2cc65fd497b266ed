//! The container registry in the cluster: modules are pushed to it as artifacts, indexers pull them from it.
//!
//! `make gitops-up` puts it into the cluster. It requires a login, which is in its Secret.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::Api;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{cluster::Cluster, namespace::Namespace, wait};

/// Its address inside the cluster, for HTTP without TLS.
pub const HOST: &str = "registry.registry.svc.cluster.local:5000";

/// Namespace and name of its Service.
const REGISTRY: &str = "registry";
const LABEL: &str = "app=registry";
const SECRET: &str = "login";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const TIMEOUT: Duration = Duration::from_secs(30);

/// The registry, as this machine reaches it.
pub struct Registry {
    cluster: Cluster,
    http: reqwest::Client,
    url: String,
    username: String,
    password: String,
}

impl Registry {
    /// Finds it, and the login.
    ///
    /// # Errors
    /// If the cluster has none, or it rejects the login.
    pub async fn find(cluster: &Cluster) -> Result<Self> {
        let url = cluster
            .node_port_url(REGISTRY, REGISTRY)
            .await
            .context("find the registry: run `make gitops-up`")?;
        let secret = Api::<Secret>::namespaced(cluster.client.clone(), REGISTRY)
            .get(SECRET)
            .await?;
        let data = secret.data.unwrap_or_default();
        let value = |key: &str| -> Result<String> {
            let ByteString(bytes) = data
                .get(key)
                .with_context(|| format!("the Secret {SECRET} has no {key}"))?;
            Ok(String::from_utf8(bytes.clone())?)
        };
        let registry = Self {
            cluster: cluster.clone(),
            http: reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?,
            url,
            username: value("username")?,
            password: value("password")?,
        };
        wait::until("the registry accepts the login", wait::PATIENCE, async || {
            registry.send(Method::GET, "/v2/", &[], Vec::new()).await
        })
        .await?;
        Ok(registry)
    }

    /// Pushes a module as the only layer of an artifact. Returns the artifact's name with its digest, for pods.
    ///
    /// # Errors
    /// If the registry does not accept it.
    pub async fn push(&self, repository: &str, module: &[u8]) -> Result<String> {
        const EMPTY: &[u8] = b"{}";
        self.push_blob(repository, EMPTY).await?;
        self.push_blob(repository, module).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.empty.v1+json", EMPTY),
            "layers": [descriptor("application/wasm", module)],
        })
        .to_string();
        let digest = digest(manifest.as_bytes());
        let path = format!("/v2/{repository}/manifests/{digest}");
        self.send(Method::PUT, &path, &[(header::CONTENT_TYPE, MANIFEST)], manifest.into())
            .await?;
        Ok(format!("{HOST}/{repository}@{digest}"))
    }

    /// Writes the login as a pull secret into a namespace.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn pull_secret(&self, namespace: &Namespace, name: &str) -> Result<()> {
        let login = json!({"username": self.username, "password": self.password});
        let config = json!({"auths": {HOST: login}}).to_string();
        let secret = json!({
            "metadata": {"name": name},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": config},
        });
        namespace.apply::<Secret>(&secret).await?;
        Ok(())
    }

    /// Stops its process and keeps what was pushed.
    ///
    /// # Errors
    /// If the pod does not go in time.
    pub async fn stop(&self) -> Result<()> {
        self.cluster.scale(REGISTRY, LABEL, 0).await
    }

    /// Starts it again.
    ///
    /// # Errors
    /// If it is not ready in time.
    pub async fn restart(&self) -> Result<()> {
        self.cluster.scale(REGISTRY, LABEL, 1).await
    }

    async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Result<()> {
        let begun = self
            .send(
                Method::POST,
                &format!("/v2/{repository}/blobs/uploads/"),
                &[],
                Vec::new(),
            )
            .await?;
        let location = begun
            .headers()
            .get(header::LOCATION)
            .context("the registry returns no location for a blob")?;
        let path = format!("{}&digest={}", location.to_str()?, digest(bytes));
        self.send(
            Method::PUT,
            &path,
            &[(header::CONTENT_TYPE, "application/octet-stream")],
            bytes.into(),
        )
        .await?;
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
        body: Vec<u8>,
    ) -> Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        request = request.basic_auth(&self.username, Some(&self.password)).body(body);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = request.send().await?;
        let status = response.status();
        ensure!(
            status.is_success(),
            "the registry answers {path} with {status}: {}",
            response.text().await?
        );
        Ok(response)
    }
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
