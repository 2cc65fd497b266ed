//! Indexers of a cluster.

use anyhow::Result;
use crds::Indexer;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::Value;

use crate::{
    cluster::Cluster,
    failure::Failure,
    read::{Seen, read},
    rights::Right,
    similar,
};

/// The resource, as rights name it.
pub const INDEXERS: &str = "indexers.shrewd.dev";
/// The field manager of what is changed. Flux takes away what those wrote whose names begin with `kubectl`.
const MANAGER: &str = "shrewd-plugin";
/// Objects that one answer of a list has: as kubectl asks for.
const PAGE: u32 = 500;
/// Pages that are asked for: ten thousand Indexers, ten times what an operator is measured with.
const PAGES_MAX: usize = 20;

/// A list of Indexers.
#[derive(Debug, Default)]
pub struct Listed {
    /// Those that can be read.
    pub seen: Vec<Seen>,
    /// What is wrong with the others.
    pub unreadable: Vec<String>,
    /// Whether there are more than were asked for.
    pub is_cut: bool,
}

/// The Indexer of this name.
///
/// # Errors
/// If there is none, which then says which ones there are, or it cannot be had.
pub async fn get(cluster: &Cluster, name: &str) -> Result<Seen> {
    Ok(read(get_raw(cluster, name).await?)?)
}

/// Likewise, as the API server has it.
///
/// # Errors
/// The same.
pub async fn get_raw(cluster: &Cluster, name: &str) -> Result<Value> {
    match find_raw(cluster, name).await? {
        Some(object) => Ok(object),
        None => Err(no_such(cluster, name).await.into()),
    }
}

/// The Indexer of this name as the API server has it; none if there is none.
///
/// # Errors
/// If it cannot be had.
pub async fn find_raw(cluster: &Cluster, name: &str) -> Result<Option<Value>> {
    let right = Right::within("get", INDEXERS, &cluster.namespace);
    match cluster.call(&right, api(cluster).get(name)).await {
        Err(Failure::NotFound(_)) => Ok(None),
        found => Ok(Some(serde_json::to_value(found?)?)),
    }
}

/// The Indexers of the namespace, or of all of them.
///
/// # Errors
/// If they cannot be had.
pub async fn list(cluster: &Cluster, everywhere: bool) -> Result<Listed> {
    let (api, right) = if everywhere {
        (
            Api::all_with(cluster.client.clone(), &resource()),
            Right::everywhere("list", INDEXERS),
        )
    } else {
        (api(cluster), Right::within("list", INDEXERS, &cluster.namespace))
    };
    let mut listed = Listed::default();
    let mut params = ListParams::default().limit(PAGE);
    for _ in 0..PAGES_MAX {
        let page = cluster.call(&right, api.list(&params)).await?;
        for object in page.items {
            match read(serde_json::to_value(object)?) {
                Ok(seen) => listed.seen.push(seen),
                Err(error) => listed.unreadable.push(error.to_string()),
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(listed),
        }
    }
    listed.is_cut = true;
    Ok(listed)
}

/// Names of the first Indexers of the namespace, as many as one answer has. Nothing else of them is sent.
///
/// # Errors
/// If they cannot be had.
pub async fn names(cluster: &Cluster) -> Result<Vec<String>> {
    let right = Right::within("list", INDEXERS, &cluster.namespace);
    let (api, params) = (api(cluster), ListParams::default().limit(PAGE));
    let page = cluster.call(&right, api.list_metadata(&params)).await?;
    Ok(page
        .items
        .into_iter()
        .filter_map(|object| object.metadata.name)
        .collect())
}

/// Changes fields of an Indexer, as a merge patch says.
///
/// # Errors
/// If the API server does not let it be changed.
pub async fn patch(cluster: &Cluster, name: &str, patch: &Value) -> Result<()> {
    let right = Right::within("patch", INDEXERS, &cluster.namespace);
    let params = PatchParams {
        field_manager: Some(MANAGER.into()),
        ..PatchParams::default()
    };
    cluster
        .call(&right, api(cluster).patch(name, &params, &Patch::Merge(patch)))
        .await?;
    Ok(())
}

/// The API of Indexers in the namespace, as objects of any form.
#[must_use]
pub fn api(cluster: &Cluster) -> Api<DynamicObject> {
    Api::namespaced_with(cluster.client.clone(), &cluster.namespace, &resource())
}

fn resource() -> ApiResource {
    ApiResource::erase::<Indexer>(&())
}

/// What is said of a name that does not exist. It is a courtesy: where lists are not allowed, it is left out.
async fn no_such(cluster: &Cluster, name: &str) -> Failure {
    let names = |listed: Result<Listed>| -> Vec<(String, String)> {
        let seen = listed.map(|listed| listed.seen).unwrap_or_default();
        let metadata = seen.into_iter().map(|seen| seen.indexer.metadata);
        metadata
            .map(|it| (it.name.unwrap_or_default(), it.namespace.unwrap_or_default()))
            .collect()
    };
    let here: Vec<String> = names(list(cluster, false).await)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let similar = similar::similar(name, &here);
    let elsewhere = match similar.is_empty() {
        true => similar::namespaces_with(name, &names(list(cluster, true).await)),
        false => Vec::new(),
    };
    Failure::NoSuchIndexer {
        name: name.to_owned(),
        namespace: cluster.namespace.clone(),
        similar,
        elsewhere,
    }
}
