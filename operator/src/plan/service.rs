//! The Service for clients, which points at one revision, and the headless one, which gives pods DNS names.

use crds::pod::{OPS_PORT, RPC_PORT};
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::metadata::metadata;
use crate::{names, rollout::Decision, validate::ValidIndexer};

/// Port name of JSON-RPC, in Services and pods.
pub(super) const RPC: &str = "rpc";
/// Port name of the ops server, in Services and pods.
pub(super) const OPS: &str = "ops";

/// Moving clients to another revision is one write: this selector, and the annotations that record the previous
/// revision.
pub(super) fn for_clients(valid: &ValidIndexer, decision: &Decision) -> Service {
    let mut metadata = metadata(valid, names::shared(&valid.name), None);
    metadata.annotations = decision.previous.as_ref().map(|(revision, at)| {
        [
            (names::ANNOTATION_PREVIOUS.to_owned(), revision.to_string()),
            (names::ANNOTATION_SWITCHED.to_owned(), at.to_string()),
        ]
        .into()
    });
    let mut selector = names::selector(&valid.name, &decision.serving);
    selector.insert(names::LABEL_SERVES.to_owned(), names::SERVES.to_owned());
    Service {
        metadata,
        spec: Some(ServiceSpec {
            selector: Some(selector),
            ports: Some(vec![port(RPC, RPC_PORT)]),
            // A pod that has halted is never ready, and answers for every block below. No other pod could.
            publish_not_ready_addresses: decision.halted.then_some(true),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Includes every pod, ready or not: a pod that is syncing or halted is the one people want to look at.
pub(super) fn for_pods(valid: &ValidIndexer) -> Service {
    Service {
        metadata: metadata(valid, names::headless(&valid.name), None),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".into()),
            publish_not_ready_addresses: Some(true),
            selector: Some([(names::LABEL_INDEXER.to_owned(), valid.name.clone())].into()),
            ports: Some(vec![port(RPC, RPC_PORT), port(OPS, OPS_PORT)]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn port(name: &str, port: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(port),
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{settled, valid};

    #[test]
    fn clients_are_led_to_pods_that_are_not_ready_only_where_all_have_halted() {
        let mut decision = settled(&valid());
        let leads = |decision: &Decision| {
            let spec = for_clients(&valid(), decision).spec;
            spec.and_then(|spec| spec.publish_not_ready_addresses)
        };
        assert_eq!(leads(&decision), None);
        decision.halted = true;
        assert_eq!(leads(&decision), Some(true));
    }
}
