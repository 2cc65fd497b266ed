//! What is to be seen in what Prometheus has kept of the other tests, and the operator taken away.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    cluster::Cluster,
    prometheus::{Alert, Prometheus},
};
use serde_json::Value;

use crate::SOON;

/// Longer than the tests take.
const KEPT: Duration = Duration::from_secs(2 * 3600);
/// Replicas of the operator as the chart installs it.
const INSTALLED: i32 = 1;

/// One test, since each part goes by what was before it.
#[tokio::test]
async fn afterwards_every_alert_has_fired_and_ended_and_every_query_has_had_data() -> Result<()> {
    let cluster = Cluster::connect().await?;
    without_leader(&cluster).await?;
    let prometheus = Prometheus::of(&cluster);
    each_alert_fired(&prometheus).await?;
    each_query_had_data(&prometheus).await
}

async fn without_leader(cluster: &Cluster) -> Result<()> {
    let alert = Alert::of(cluster, "ShrewdOperatorWithoutLeader", "critical", r#"job="""#);
    ensure!(!alert.is_firing().await?, "there is an operator");
    let fired: Result<()> = async {
        cluster.scale_operator(0).await?;
        alert.fires(SOON).await
    }
    .await;
    cluster.scale_operator(INSTALLED).await?;
    fired?;
    alert.ends(SOON).await
}

async fn each_alert_fired(prometheus: &Prometheus) -> Result<()> {
    let of = |labels: &Value, name: &str| labels[name].as_str().unwrap_or_default().to_owned();
    // However short: points of time would miss some.
    let query = format!(r#"last_over_time(ALERTS{{alertstate="firing"}}[{}s])"#, KEPT.as_secs());
    let fired = prometheus.now(&query).await?;
    let fired: BTreeSet<_> = fired
        .iter()
        .map(|series| [of(&series["metric"], "alertname"), of(&series["metric"], "severity")])
        .collect();
    let mut rules = BTreeSet::new();
    for rule in prometheus.rules().await? {
        ensure!(rule["health"] == "ok", "{rule}");
        rules.insert([of(&rule, "name"), of(&rule["labels"], "severity")]);
    }
    ensure!(rules.len() > 10, "{rules:?}");
    eprintln!("{} of {} rules have fired", fired.len(), rules.len());
    let never: Vec<_> = rules.difference(&fired).collect();
    ensure!(never.is_empty(), "never fired: {never:?}");
    Ok(())
}

async fn each_query_had_data(prometheus: &Prometheus) -> Result<()> {
    let queries = queries()?;
    ensure!(queries.len() > 50, "{}", queries.len());
    let mut without = BTreeSet::new();
    for query in &queries {
        let series = prometheus.within(query, KEPT).await.with_context(|| query.clone())?;
        let points = series.iter().filter_map(|one| one["values"].as_array()).flatten();
        let mut numbers = points.filter(|point| point[1] != "NaN");
        if numbers.next().is_none() {
            without.insert(query.as_str());
        }
    }
    eprintln!(
        "{} of {} queries have had data",
        queries.len() - without.len(),
        queries.len()
    );
    ensure!(without.is_empty(), "queries without data: {without:#?}");
    Ok(())
}

/// Of all dashboards, with values in place of Grafana's variables.
fn queries() -> Result<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/shrewd/files/dashboards");
    let mut queries = BTreeSet::new();
    for file in std::fs::read_dir(folder)? {
        let dashboard: Value = serde_json::from_slice(&std::fs::read(file?.path())?)?;
        let panels = dashboard["panels"].as_array().context("a dashboard has panels")?;
        let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
        queries.extend(targets.filter_map(|target| target["expr"].as_str()).map(with_values));
        let variables = dashboard["templating"]["list"].as_array().into_iter().flatten();
        queries.extend(variables.filter_map(listed).map(with_values));
    }
    Ok(queries)
}

/// The query of a variable, of which Grafana lists the values of a label.
fn listed(variable: &Value) -> Option<&str> {
    let definition = variable["definition"].as_str()?.strip_prefix("label_values(")?;
    Some(definition.rsplit_once(", ")?.0)
}

/// Any series, over five minutes.
fn with_values(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "5m");
    for variable in ["namespace", "indexer", "revision", "pod"] {
        query = query.replace(&format!("=~\"${variable}\""), "=~\".+\"");
        query = query.replace(&format!("=\"${variable}\""), "=~\".+\"");
    }
    query
}
