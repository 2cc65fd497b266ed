//! Who may reach the pods of an Indexer. What leaves them is not restricted.
//!
//! Probes are not mentioned: they come from the node that the pod is on, and network plugins let those through whatever a
//! policy says.

use crds::pod::{OPS_PORT, RPC_PORT};
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use super::metadata::metadata;
use crate::{access::Access, names, validate::ValidIndexer};

pub(super) fn build(valid: &ValidIndexer, access: &Access) -> NetworkPolicy {
    let own = LabelSelector {
        match_labels: Some([(names::LABEL_INDEXER.to_owned(), valid.name.clone())].into()),
        ..LabelSelector::default()
    };
    NetworkPolicy {
        metadata: metadata(valid, names::shared(&valid.name), None),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(own.clone()),
            policy_types: Some(vec!["Ingress".into()]),
            ingress: Some(vec![to_ops(access, own), to_views(access)]),
            ..NetworkPolicySpec::default()
        }),
    }
}

/// Pods of one Indexer, of whatever revision, copy data from each other on this port.
fn to_ops(access: &Access, own: LabelSelector) -> NetworkPolicyIngressRule {
    let siblings = NetworkPolicyPeer {
        pod_selector: Some(own),
        ..NetworkPolicyPeer::default()
    };
    let mut from = vec![access.operator.clone(), siblings];
    from.extend(access.metrics.iter().cloned());
    rule(OPS_PORT, Some(from))
}

/// The operator compares answers and digests as any client would. It is also why the list is never empty, which would
/// mean anyone.
fn to_views(access: &Access) -> NetworkPolicyIngressRule {
    let from = access.clients.as_ref().map(|clients| {
        let mut from = vec![access.operator.clone()];
        from.extend(clients.iter().cloned());
        from
    });
    rule(RPC_PORT, from)
}

fn rule(port: u16, from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from,
        // By number: a name would be looked up in pods by each plugin.
        ports: Some(vec![NetworkPolicyPort {
            port: Some(IntOrString::Int(i32::from(port))),
            protocol: Some("TCP".into()),
            ..NetworkPolicyPort::default()
        }]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{access_rules, indexer, valid};

    /// Who may reach each port: `from` of the rule for it.
    fn from(access: &Value) -> (Value, Value) {
        let mut indexer = indexer();
        indexer.spec.access = serde_json::from_value(access.clone()).unwrap();
        let policy = json!(build(&valid(), &access_rules().of(&indexer.spec)));
        let rules = policy["spec"]["ingress"].as_array().unwrap();
        let of = |port: u16| {
            let rule = rules.iter().find(|rule| rule["ports"][0]["port"] == port).unwrap();
            rule["from"].clone()
        };
        assert_eq!(rules.len(), 2, "no third port is open");
        (of(OPS_PORT), of(RPC_PORT))
    }

    #[test]
    fn each_port_is_open_to_whom_it_is_for() {
        let operator = json!({"podSelector": {"matchLabels": {"app": "operator"}}, "namespaceSelector": {}});
        let siblings = json!({"podSelector": {"matchLabels": {names::LABEL_INDEXER: "one"}}});
        let prometheus = json!({"namespaceSelector": {"matchLabels": {"name": "monitoring"}}});
        let client = json!({"podSelector": {"matchLabels": {"app": "wallet"}}});
        let other = json!({"ipBlock": {"cidr": "10.0.0.0/8"}});
        let always = json!([operator, siblings, prometheus]);
        for (access, ops, views) in [
            (json!(null), always.clone(), Value::Null),
            (json!({}), always.clone(), Value::Null),
            (json!({"clients": [client]}), always.clone(), json!([operator, client])),
            // Nobody, and not everybody, as an empty list would mean.
            (json!({"clients": []}), always, json!([operator])),
            (
                json!({"metrics": [other]}),
                json!([operator, siblings, prometheus, other]),
                Value::Null,
            ),
        ] {
            assert_eq!(from(&access), (ops, views), "{access}");
        }
    }
}
