//! Two operators in place of the one that is installed: which of them leads, and the network taken from one.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    cluster::{Cluster, OPERATOR},
    pod::is_ready,
    wait,
};

/// The name of the release, of its Deployment, and of the Lease.
const RELEASE: &str = "shrewd";
/// The table of our rules in a node, which only drop.
const TABLE: &str = "e2e_cut";

/// See the module. [`Self::restore`] leaves the one that was installed.
pub struct Operators<'a> {
    cluster: &'a Cluster,
}

/// What a pod of the operator shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Whether it works.
    pub leads: bool,
    /// Its writes to the API server since its process began.
    pub writes: f64,
}

impl<'a> Operators<'a> {
    /// Installs two, as the documentation says: none first, then both at once.
    ///
    /// # Errors
    /// If Helm fails, or they are not ready in time.
    pub async fn two(cluster: &'a Cluster) -> Result<Self> {
        let operators = Self { cluster };
        operators.upgrade(&["--set", "replicas=0"])?;
        wait::until("no operator is left", wait::PATIENCE, async || {
            ensure!(operators.pods().await?.is_empty(), "there is one");
            Ok(())
        })
        .await?;
        operators.upgrade(&["--values", "charts/shrewd/values-ha.yaml"])?;
        Ok(operators)
    }

    /// Back to one, as `scripts/install` has it.
    ///
    /// # Errors
    /// If Helm fails.
    pub async fn restore(self) -> Result<()> {
        self.upgrade(&["--set", "replicas=1"])
    }

    /// Waits until one leads and the other is ready beside it. Returns them in this order.
    ///
    /// # Errors
    /// If that does not happen, or as soon as both lead.
    pub async fn led(&self) -> Result<(Pod, Pod)> {
        wait::until("one of two operators leads", wait::PATIENCE, async || {
            let pods = self.pods().await?;
            let [first, second] = pods.as_slice() else {
                anyhow::bail!("{} pods", pods.len())
            };
            ensure!(is_ready(first) && is_ready(second), "not both are ready");
            match (self.shown(first).await?.leads, self.shown(second).await?.leads) {
                (true, false) => Ok((first.clone(), second.clone())),
                (false, true) => Ok((second.clone(), first.clone())),
                (true, true) => panic!("two operators lead"),
                (false, false) => anyhow::bail!("none leads"),
            }
        })
        .await
    }

    /// Waits until this pod leads.
    ///
    /// # Errors
    /// If it does not in this time.
    pub async fn leads_within(&self, pod: &Pod, within: Duration) -> Result<()> {
        wait::until(&format!("{} leads", pod.name_any()), within, async || {
            ensure!(self.shown(pod).await?.leads, "it stands by");
            let holder = self.holder().await?;
            ensure!(
                holder.starts_with(&format!("{}_", pod.name_any())),
                "{holder} holds the Lease"
            );
            Ok(())
        })
        .await
    }

    /// What this pod shows at this moment.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn shown(&self, pod: &Pod) -> Result<Shown> {
        let (namespace, name) = (&self.cluster.operator_namespace, pod.name_any());
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:9090/proxy/metrics");
        let text = self
            .cluster
            .client
            .request_text(http::Request::get(path).body(Vec::new())?)
            .await?;
        let values = |metric: &str| {
            let name = format!("shrewd_operator_{metric}");
            let lines = text
                .lines()
                .filter_map(move |line| line.strip_prefix(&name).map(str::to_owned));
            lines.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        };
        Ok(Shown {
            leads: values("leader").next().context("no metric leader")? > 0.0,
            writes: values("api_writes_total").sum(),
        })
    }

    /// The pod as it is now.
    ///
    /// # Errors
    /// If it is gone.
    pub async fn again(&self, pod: &Pod) -> Result<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.cluster.operator_namespace);
        Ok(pods.get(&pod.name_any()).await?)
    }

    /// Drops every packet from this pod to the API server, and nothing else: its probes go on. Dropped until
    /// [`Self::heal`].
    ///
    /// # Errors
    /// If the node has no nft.
    pub fn cut(&self, pod: &Pod) -> Result<()> {
        let status = pod.status.as_ref();
        let ip = status
            .and_then(|status| status.pod_ip.clone())
            .context("the pod has no address")?;
        // Before the address of the Service is replaced, and for connections that exist.
        let chain = "{ type filter hook prerouting priority -350; }";
        nft(pod, &format!("add table ip {TABLE}; add chain ip {TABLE} cut {chain}"))?;
        nft(
            pod,
            &format!("add rule ip {TABLE} cut ip saddr {ip} tcp dport {{ 443, 6443 }} drop"),
        )
    }

    /// Undoes [`Self::cut`].
    ///
    /// # Errors
    /// If the node refuses.
    pub fn heal(&self, pod: &Pod) -> Result<()> {
        nft(pod, &format!("delete table ip {TABLE}"))
    }

    async fn holder(&self) -> Result<String> {
        let leases: Api<Lease> = Api::namespaced(self.cluster.client.clone(), &self.cluster.operator_namespace);
        let spec = leases.get(RELEASE).await?.spec;
        spec.and_then(|spec| spec.holder_identity)
            .context("nobody holds the Lease")
    }

    async fn pods(&self) -> Result<Vec<Pod>> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.cluster.operator_namespace);
        Ok(pods.list(&ListParams::default().labels(OPERATOR)).await?.items)
    }

    /// Changes values of the release that is installed, and waits until its pods are ready.
    fn upgrade(&self, values: &[&str]) -> Result<()> {
        let output = Command::new("helm")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .env("KUBECONFIG", &self.cluster.kubeconfig)
            .args([
                "upgrade",
                RELEASE,
                "charts/shrewd",
                "--reuse-values",
                "--wait",
                "--timeout",
                "3m",
            ])
            .args(["--namespace", &self.cluster.operator_namespace])
            .args(values)
            .output()
            .context("run helm")?;
        ensure!(
            output.status.success(),
            "helm: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// Runs nft in the node of a pod, which is a container.
fn nft(pod: &Pod, commands: &str) -> Result<()> {
    let spec = pod.spec.as_ref();
    let node = spec
        .and_then(|spec| spec.node_name.as_ref())
        .context("the pod is on no node")?;
    let output = Command::new("docker").args(["exec", node, "nft", commands]).output();
    let output = output.context("run docker")?;
    ensure!(
        output.status.success(),
        "nft: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
