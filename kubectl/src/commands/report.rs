//! `report`: a folder with what others need to help, without secrets.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use crds::Revision;
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{Event, PersistentVolumeClaim, Pod},
    },
    jiff::Timestamp,
};
use kube::{
    Api, Resource,
    api::{ListParams, LogParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    cluster::Cluster, facts::Facts, failure::Failure, findings::findings, indexers, names, pods, read::read,
    rights::Right, screen, scrub, style::Style, text,
};

/// Objects of a kind that are taken: more than three revisions have.
const OBJECTS_MAX: u32 = 200;
/// Events that are looked through for those of the Indexer and its objects; the API server keeps an hour of them.
const EVENTS_MAX: u32 = 5_000;
/// The end of a pod's log that is taken: some hours of an index that follows, and small enough to be sent by mail.
const LOG_LINES: i64 = 5_000;
const LOG_BYTES: i64 = 4 << 20;
/// Columns of the screens in it.
const SCREEN_COLUMNS: usize = 120;

/// A report that is being written.
struct Report<'a> {
    cluster: &'a Cluster,
    name: &'a str,
    folder: String,
    parent: &'a Path,
    /// What could not be had, and why.
    missing: Vec<String>,
}

/// Writes a folder into this one and says what is in it.
///
/// # Errors
/// If the Indexer cannot be had, or nothing can be written. What else cannot be had is named in the folder.
pub async fn report(cluster: &Cluster, name: &str, parent: &Path) -> Result<String> {
    let now = Timestamp::now();
    let mut object = indexers::get_raw(cluster, name).await?;
    // Before anything is made of it: a screen wraps its lines, and the next line would have a token without its name.
    scrub::object(&mut object);
    let mut report = Report {
        cluster,
        name,
        folder: format!("shrewd-report-{name}-{}", now.strftime("%Y%m%dT%H%M%SZ")),
        parent,
        missing: Vec::new(),
    };
    fs::create_dir_all(report.path("logs")).with_context(|| format!("create {}", report.path("logs").display()))?;
    report.screens(&object, now)?;
    report.objects("indexer.yaml", vec![object])?;
    report
        .list::<StatefulSet>("statefulsets.yaml", "statefulsets.apps")
        .await?;
    let pods = report.list::<Pod>("pods.yaml", "pods").await?;
    report
        .list::<PersistentVolumeClaim>("claims.yaml", "persistentvolumeclaims")
        .await?;
    report.events().await?;
    for pod in &pods {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        report.log(name, false).await?;
        if has_restarted(pod) {
            report.log(name, true).await?;
        }
    }
    report.finish()
}

impl Report<'_> {
    fn path(&self, file: &str) -> PathBuf {
        self.parent.join(&self.folder).join(file)
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.path(file);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }

    /// What `status` and `why` show of what has no secrets. An Indexer that cannot be read is a reason to report.
    fn screens(&mut self, object: &Value, now: Timestamp) -> Result<()> {
        let seen = match read(object.clone()) {
            Ok(seen) => seen,
            Err(error) => {
                self.missing.push(format!("status.txt, why.txt: {error}"));
                return Ok(());
            }
        };
        let facts = Facts::of(&seen);
        let style = Style {
            width: Some(SCREEN_COLUMNS),
            colour: false,
        };
        self.write("status.txt", &screen::status::status(&facts, now, style))?;
        self.write("why.txt", &screen::why::why(&facts, &findings(&seen), now, style))
    }

    fn objects(&self, file: &str, mut objects: Vec<Value>) -> Result<()> {
        objects.iter_mut().for_each(scrub::object);
        let documents: Result<Vec<String>, serde_yaml::Error> = objects.iter().map(serde_yaml::to_string).collect();
        self.write(file, &documents?.join("---\n"))
    }

    /// Writes the objects of a kind that belong to the Indexer.
    async fn list<K>(&mut self, file: &str, resource: &'static str) -> Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
        K::DynamicType: Default,
    {
        let api: Api<K> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let right = Right::within("list", resource, &self.cluster.namespace);
        let params = ListParams::default()
            .labels(&names::of_indexer(self.name))
            .limit(OBJECTS_MAX);
        let listed = self.cluster.call(&right, api.list(&params)).await;
        let Some(listed) = self.had(file, listed) else {
            return Ok(Vec::new());
        };
        let values: Result<Vec<Value>, serde_json::Error> = listed.items.iter().map(serde_json::to_value).collect();
        self.objects(file, values?)?;
        Ok(listed.items)
    }

    /// Writes the events about the Indexer and its objects.
    async fn events(&mut self) -> Result<()> {
        let api: Api<Event> = Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace);
        let right = Right::within("list", "events", &self.cluster.namespace);
        let params = ListParams::default().limit(EVENTS_MAX);
        let listed = self.cluster.call(&right, api.list(&params)).await;
        let Some(listed) = self.had("events.yaml", listed) else {
            return Ok(());
        };
        let about = listed.items.iter().filter(|event| {
            event
                .involved_object
                .name
                .as_deref()
                .is_some_and(|it| is_of(it, self.name))
        });
        let values: Result<Vec<Value>, serde_json::Error> = about.map(serde_json::to_value).collect();
        self.objects("events.yaml", values?)
    }

    /// Writes the end of a pod's log, or of the container before.
    async fn log(&mut self, pod: &str, previous: bool) -> Result<()> {
        let right = Right::within("get", "pods/log", &self.cluster.namespace);
        let params = LogParams {
            container: Some(names::CONTAINER.into()),
            previous,
            tail_lines: Some(LOG_LINES),
            limit_bytes: Some(LOG_BYTES),
            ..LogParams::default()
        };
        let file = format!("logs/{pod}{}.log", if previous { "-before" } else { "" });
        let log = self
            .cluster
            .call(&right, pods::api(self.cluster).logs(pod, &params))
            .await;
        match self.had(&file, log) {
            Some(log) => self.write(&file, &scrub::text(&log)),
            None => Ok(()),
        }
    }

    /// What was had; else it is noted why not.
    fn had<T>(&mut self, file: &str, found: Result<T, Failure>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                // Servers have words of their own for it.
                let why = text::plain(&scrub::text(&error.to_string()));
                self.missing.push(format!("{file}: {why}"));
                None
            }
        }
    }

    fn finish(self) -> Result<String> {
        let folder = self.path("");
        let mut said = format!("Wrote {}: look through it before you send it.\n", folder.display());
        if !self.missing.is_empty() {
            let missing = self.missing.join("\n") + "\n";
            self.write("missing.txt", &missing)?;
            said += &format!("It lacks:\n{missing}");
        }
        Ok(said)
    }
}

/// Whether an object of this name belongs to an Indexer: what all revisions share has its name, sets, pods and claims have
/// that of a revision behind it. Another Indexer's name may begin with its own.
fn is_of(object: &str, indexer: &str) -> bool {
    let own = object.strip_prefix("data-").unwrap_or(object);
    match own.strip_prefix(indexer) {
        Some("" | "-pods") => true,
        Some(rest) => rest
            .strip_prefix('-')
            .and_then(|rest| rest.split('-').next())
            .is_some_and(|revision| Revision::parse(revision).is_some()),
        None => false,
    }
}

fn has_restarted(pod: &Pod) -> bool {
    let containers = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    containers
        .filter(|container| container.name == names::CONTAINER)
        .any(|container| container.restart_count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_an_indexer_are_known_by_their_names() {
        for own in [
            "one",
            "one-pods",
            "one-7c1d9a0b2e",
            "one-7c1d9a0b2e-0",
            "data-one-7c1d9a0b2e-0",
        ] {
            assert!(is_of(own, "one"), "{own}");
        }
        for other in [
            "one-2",
            "one-2-7c1d9a0b2e-0",
            "data-one-2-7c1d9a0b2e-0",
            "ones",
            "two",
            "data-",
        ] {
            assert!(!is_of(other, "one"), "{other}");
        }
    }
}
