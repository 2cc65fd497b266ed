//! The Prometheus that `tests/monitoring/cluster` runs in the cluster: what it knows of alerts and of any query.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{cluster::Cluster, runbook, wait};

/// Where it is: `tests/monitoring/prometheus.yaml`.
const PROXY: &str = "/api/v1/namespaces/e2e-monitoring/pods/prometheus:9090/proxy/api/v1";
/// Between two points of a query over a time: less than what a series lives for.
const STEP: &str = "15";

/// It is asked through the API server. It asks pods and the operator itself, by the network.
pub struct Prometheus {
    cluster: Cluster,
}

impl Prometheus {
    /// Of this cluster.
    #[must_use]
    pub fn of(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
        }
    }

    /// The series that a query gives now.
    ///
    /// # Errors
    /// If it does not answer, or refuses the query.
    pub async fn now(&self, query: &str) -> Result<Vec<Value>> {
        self.series("query", &[("query", query)]).await
    }

    /// The series that a query gave at any time in a time until now.
    ///
    /// # Errors
    /// As [`Self::now`].
    pub async fn within(&self, query: &str, time: Duration) -> Result<Vec<Value>> {
        let end = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let [start, end] = [end.saturating_sub(time), end].map(|at| at.as_secs().to_string());
        let parameters = [("query", query), ("start", &start), ("end", &end), ("step", STEP)];
        self.series("query_range", &parameters).await
    }

    /// The rules of its alerts, as it has read them.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn rules(&self) -> Result<Vec<Value>> {
        let answer = self.ask("rules", &[("type", "alert")]).await?;
        let groups = answer["data"]["groups"].as_array().context("it has groups of rules")?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        Ok(rules.flatten().cloned().collect())
    }

    async fn series(&self, of: &str, parameters: &[(&str, &str)]) -> Result<Vec<Value>> {
        let answer = self.ask(of, parameters).await?;
        let series = answer["data"]["result"].as_array();
        Ok(series.with_context(|| format!("it answers {answer}"))?.clone())
    }

    async fn ask(&self, of: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let url = reqwest::Url::parse_with_params("http://prometheus", parameters)?;
        let path = format!("{PROXY}/{of}?{}", url.query().unwrap_or_default());
        let request = http::Request::get(path).body(Vec::new())?;
        let text = self.cluster.client.request_text(request).await?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// An alert that a test brings about.
pub struct Alert {
    prometheus: Prometheus,
    name: &'static str,
    severity: &'static str,
    /// More matchers of its labels.
    labels: String,
}

impl Alert {
    /// Of this severity, with labels as a query selects them.
    #[must_use]
    pub fn of(cluster: &Cluster, name: &'static str, severity: &'static str, labels: &str) -> Self {
        Self {
            prometheus: Prometheus::of(cluster),
            name,
            severity,
            labels: labels.to_owned(),
        }
    }

    /// Waits until it fires, and does what its runbook says to check.
    ///
    /// # Errors
    /// If it does not in time, or the runbook is of no use.
    pub async fn fires(&self, within: Duration) -> Result<()> {
        self.becomes("fires", within, |count| count > 0).await?;
        self.follow_runbook().await
    }

    /// Does what its runbook says to check, while it fires.
    ///
    /// # Errors
    /// If it does not fire, or a command of the runbook fails.
    pub async fn follow_runbook(&self) -> Result<()> {
        let firing = self.firing().await?;
        let first = firing.first().context("it does not fire any more")?;
        runbook::follow(&self.prometheus.cluster, self.name, self.severity, &first["metric"]).await
    }

    /// Waits until it fires no more.
    ///
    /// # Errors
    /// If it still does afterwards.
    pub async fn ends(&self, within: Duration) -> Result<()> {
        self.becomes("ends", within, |count| count == 0).await
    }

    /// Whether it fires.
    ///
    /// # Errors
    /// If Prometheus does not answer.
    pub async fn is_firing(&self) -> Result<bool> {
        Ok(self.count().await? > 0)
    }

    async fn becomes(&self, what: &str, within: Duration, is_so: impl Fn(usize) -> bool) -> Result<()> {
        let (name, severity) = (self.name, self.severity);
        let begun = Instant::now();
        wait::until(&format!("{name}, {severity}, {what}"), within, async || {
            let count = self.count().await?;
            ensure!(is_so(count), "{count} fire with {}", self.labels);
            Ok(())
        })
        .await?;
        eprintln!("{name}, {severity}, {what} after {} s", begun.elapsed().as_secs());
        Ok(())
    }

    async fn count(&self) -> Result<usize> {
        Ok(self.firing().await?.len())
    }

    /// The series of it that fire.
    async fn firing(&self) -> Result<Vec<Value>> {
        let (name, severity, labels) = (self.name, self.severity, &self.labels);
        let query = format!(r#"ALERTS{{alertstate="firing",alertname="{name}",severity="{severity}",{labels}}}"#);
        self.prometheus.now(&query).await
    }
}
