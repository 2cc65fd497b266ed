//! Two operators in place of the one that is installed: which of them leads, and the network taken from one.

use std::{io::Write as _, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    cluster::{Cluster, OPERATOR},
    machine,
    namespace::Namespace,
    pod::{is_ready, node_of},
    wait,
};

/// The name of the release, of its Deployment, and of the Lease.
const RELEASE: &str = "shrewd";
/// The table of our rules in a node, which only drop.
const TABLE: &str = "e2e_cut";

/// See the module. [`Self::restore`] leaves the one that was installed.
pub struct Operators<'a> {
    cluster: &'a Cluster,
    /// Those of the release as it was installed, in YAML.
    values: String,
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
        let operators = Self::installed(cluster)?;
        operators.upgrade(&["--set", "replicas=0"])?;
        wait::until("no operator is left", wait::PATIENCE, async || {
            ensure!(operators.pods().await?.is_empty(), "there is one");
            Ok(())
        })
        .await?;
        operators.upgrade(&["--values", "charts/shrewd/values-ha.yaml"])?;
        Ok(operators)
    }

    /// What is installed, unchanged.
    ///
    /// # Errors
    /// If Helm fails.
    pub fn installed(cluster: &'a Cluster) -> Result<Self> {
        let values = helm(
            cluster,
            &cluster.operator_namespace,
            &["get", "values", RELEASE, "--output", "yaml"],
        )?;
        Ok(Self { cluster, values })
    }

    /// Removes the operator, and leaves the definition of Indexers.
    ///
    /// # Errors
    /// If Helm fails.
    pub fn uninstall(&self) -> Result<()> {
        self.helm(&["uninstall", RELEASE, "--wait"]).map(drop)
    }

    /// Installs the definition and the operator, as they were.
    ///
    /// # Errors
    /// If Helm fails.
    pub fn install(&self) -> Result<()> {
        let values = self.values_file()?;
        let path = values.path().to_str().context("a path in UTF-8")?;
        let installs = ["upgrade", "--install", "--wait", "--timeout", "3m"];
        self.helm(&[&installs[..], &["shrewd-crds", "charts/shrewd-crds"]].concat())?;
        self.helm(&[&installs[..], &[RELEASE, "charts/shrewd", "--values", path]].concat())?;
        Ok(())
    }

    /// Installs another release beside it, with the same images, that looks after one class of Indexers in one namespace,
    /// where it also runs and has all of its rights. It goes with the namespace.
    ///
    /// # Errors
    /// If Helm fails.
    pub fn beside(&self, namespace: &Namespace, class: &str) -> Result<()> {
        let watched = format!("watchNamespaces={{{}}}", namespace.name);
        let class_is = format!("operatorClass={class}");
        let values = self.values_file()?;
        let path = values.path().to_str().context("a path in UTF-8")?;
        let install = [
            "install",
            class,
            "charts/shrewd",
            "--wait",
            "--timeout",
            "3m",
            "--values",
            path,
        ];
        let sets = ["--set", &watched, "--set", &class_is];
        helm(self.cluster, &namespace.name, &[&install[..], &sets].concat()).map(drop)
    }

    fn values_file(&self) -> Result<tempfile::NamedTempFile> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(self.values.as_bytes())?;
        Ok(file)
    }

    /// Moves the one that is installed to a node.
    ///
    /// # Errors
    /// If Helm fails.
    pub fn one_on(cluster: &'a Cluster, node: &str) -> Result<Self> {
        let operators = Self::installed(cluster)?;
        let selector = format!(r#"nodeSelector={{"kubernetes.io/hostname": "{node}"}}"#);
        operators.upgrade(&[
            "--set-json",
            &selector,
            "--set-json",
            r#"tolerations=[{"operator": "Exists"}]"#,
        ])?;
        Ok(operators)
    }

    /// Undoes [`Self::one_on`].
    ///
    /// # Errors
    /// If Helm fails.
    pub fn anywhere(self) -> Result<()> {
        self.install()
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
        let upgrade = [
            "upgrade",
            RELEASE,
            "charts/shrewd",
            "--reset-then-reuse-values",
            "--wait",
            "--timeout",
            "3m",
        ];
        self.helm(&[&upgrade[..], values].concat()).map(drop)
    }

    fn helm(&self, arguments: &[&str]) -> Result<String> {
        helm(self.cluster, &self.cluster.operator_namespace, arguments)
    }
}

/// What a command of Helm prints.
fn helm(cluster: &Cluster, namespace: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new("helm")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("KUBECONFIG", &cluster.kubeconfig)
        .args(["--namespace", namespace])
        .args(arguments)
        .output()
        .context("run helm")?;
    ensure!(
        output.status.success(),
        "helm: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs nft in the node of a pod.
fn nft(pod: &Pod, commands: &str) -> Result<()> {
    machine::run(node_of(pod)?, &["nft", commands]).map(drop)
}
