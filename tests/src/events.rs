//! Events that the operator has published.

use anyhow::Result;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;

use crate::namespace::Namespace;

/// The component under which the operator publishes them.
const OPERATOR: &str = "shrewd-operator";

/// All of them in a namespace.
///
/// # Errors
/// If the cluster does not answer.
pub async fn of_the_operator(namespace: &Namespace) -> Result<Vec<Event>> {
    let mut events = namespace.api::<Event>().list(&ListParams::default()).await?.items;
    events.retain(|event| event.reporting_component.as_deref() == Some(OPERATOR));
    Ok(events)
}

/// Whether an event is about an object of this name, or mentions it.
#[must_use]
pub fn names(event: &Event, name: &str) -> bool {
    let says = event.message.as_ref().is_some_and(|message| message.contains(name));
    says || event.involved_object.name.as_deref() == Some(name)
}
