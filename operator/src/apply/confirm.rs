//! (I/O) Whether what is known is what there is, asked of the API server before something that exists is changed.
//!
//! The caches are fed by watches, and a watch may have gone silent without either end knowing. Preconditions protect the
//! object that is written; what else a step was decided on, above all the spec and the readiness of other pods, is read
//! anew here, past every cache.

use std::{collections::BTreeSet, fmt::Debug};

use crds::OperatorStatus;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{Pod, Service},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, Resource, api::ListParams};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    error::{Cause, Error, bounded},
    indexers,
};
use crate::{
    facts::Observed,
    names,
    objects::{ChildKind, Key, uid, version},
};

/// Unique id and version of an object.
type Known = (Option<String>, Option<String>);

/// Compares the spec, the pods, the sets and the Services a decision was made on with those the API server has, and whether
/// the Indexer is still this `operator`'s. What the caches do not have yet is no obstacle; what they have must be so still.
///
/// # Errors
/// If a call fails. With [`Class::LookAgain`](super::Class::LookAgain) if anything changed meanwhile.
pub async fn confirm(
    client: &Client,
    key: &Key,
    operator: &OperatorStatus,
    decided_on: &ObjectMeta,
    observed: &Observed,
) -> Result<(), Error> {
    let error = |cause| Error::of_indexer("confirm what is known of", key, cause);
    let pods: BTreeSet<Known> = observed
        .pods
        .iter()
        .map(|pod| (Some(pod.uid.clone()), pod.version.clone()))
        .collect();
    let is_so = is_ours(client, key, operator, decided_on).await.map_err(error)?
        && found::<Pod>(client, key).await.map_err(error)?.is_superset(&pods)
        && found::<StatefulSet>(client, key)
            .await
            .map_err(error)?
            .is_superset(&known(observed, ChildKind::StatefulSet))
        && found::<Service>(client, key)
            .await
            .map_err(error)?
            .is_superset(&known(observed, ChildKind::Service));
    if is_so { Ok(()) } else { Err(error(Cause::Outdated)) }
}

/// Whether the spec is still the one that was decided on, and the Indexer was not taken over. The generation counts, not
/// the version, which every write of the status changes.
async fn is_ours(
    client: &Client,
    key: &Key,
    operator: &OperatorStatus,
    decided_on: &ObjectMeta,
) -> Result<bool, Cause> {
    let found = bounded(indexers(client, key).get(&key.name)).await?;
    let (metadata, theirs) = (found.metadata, &found.data["status"]["operator"]);
    Ok(metadata.uid == decided_on.uid
        && metadata.generation == decided_on.generation
        && metadata.deletion_timestamp == decided_on.deletion_timestamp
        && OperatorStatus::deserialize(theirs).is_ok_and(|theirs| theirs == *operator))
}

/// The objects of a kind that carry the Indexer's label, as the API server has them: a list without a version is read from
/// the store itself.
async fn found<K>(client: &Client, key: &Key) -> Result<BTreeSet<Known>, Cause>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let objects: Api<K> = Api::namespaced(client.clone(), &key.namespace);
    let labelled = ListParams::default().labels(&format!("{}={}", names::LABEL_INDEXER, key.name));
    let found = bounded(objects.list_metadata(&labelled)).await?;
    Ok(found
        .items
        .into_iter()
        .map(|object| (object.metadata.uid, object.metadata.resource_version))
        .collect())
}

fn known(observed: &Observed, wanted: ChildKind) -> BTreeSet<Known> {
    let of_kind = observed.children.iter().filter(|((kind, _), _)| *kind == wanted);
    of_kind.map(|(_, object)| (uid(object), version(object))).collect()
}
