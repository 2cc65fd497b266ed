//! The beginning of each test: a team's repository and its delivery.

use anyhow::Result;
use e2e::{
    gitops::{delivery::Delivery, repository::Repository},
    index::Index,
    manifest::Manifest,
    namespace::Namespace,
};
use serde_json::Value;

/// A repository whose files are one Indexer each, and Flux, which applies it to the test's namespace.
pub(crate) struct Team {
    namespace: Namespace,
    pub(crate) repository: Repository,
    pub(crate) flux: Delivery,
    /// The first commit.
    pub(crate) commit: String,
}

impl Team {
    /// Commits one file for each manifest, and has them delivered.
    pub(crate) async fn with(namespace: &Namespace, manifests: &[(&str, Vec<Value>)]) -> Result<Self> {
        let repository = Repository::create(&namespace.cluster, &namespace.name).await?;
        for (file, documents) in manifests {
            repository.write(file, documents)?;
        }
        let commit = repository.push("Begin").await?;
        let flux = Delivery::start(namespace, &repository).await?;
        Ok(Self {
            namespace: namespace.clone(),
            repository,
            flux,
            commit,
        })
    }

    /// Commits a new version of a file. Returns the commit.
    pub(crate) async fn commits(&self, file: &str, documents: &[Value]) -> Result<String> {
        self.repository.write(file, documents)?;
        self.repository.push(&format!("Change {file}")).await
    }

    /// An Indexer that was delivered.
    pub(crate) fn index(&self, name: &str) -> Index {
        Index::new(&self.namespace, name)
    }
}

/// What is committed for a manifest whose module is the guest of that name.
pub(crate) fn documents(namespace: &Namespace, guest: &str, manifest: &Manifest) -> Result<Vec<Value>> {
    Ok(manifest.documents(&namespace.cluster.guest(guest)?))
}
