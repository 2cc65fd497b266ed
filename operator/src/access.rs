//! (pure) Who may reach the pods of an Indexer over the network.

use std::str::FromStr;

use crds::IndexerSpec;
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde::Deserialize;
use serde_json::Value;

/// Who may reach the pods of every Indexer, as it is set for the operator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessRules {
    /// The pods of this operator.
    operator: NetworkPolicyPeer,
    /// Who reads metrics of all Indexers.
    #[serde(default)]
    metrics: Vec<NetworkPolicyPeer>,
}

/// Who may reach the pods of one Indexer, beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// The operator, on either port.
    pub operator: NetworkPolicyPeer,
    /// Who may send queries; none: anyone.
    pub clients: Option<Vec<NetworkPolicyPeer>>,
    /// Who may read metrics, and whatever else is on that port.
    pub metrics: Vec<NetworkPolicyPeer>,
}

/// Rules that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// They are no JSON, or not of these types.
    #[error("not readable as {{\"operator\": PEER, \"metrics\": [PEER…]}}: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A peer selects nothing, or has a field that does not exist.
    #[error("{0} must have either ipBlock, or podSelector, namespaceSelector or both, and nothing else")]
    NoPeer(Value),
}

impl FromStr for AccessRules {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Self, Unusable> {
        let given: Value = serde_json::from_str(text)?;
        let rules: Self = serde_json::from_value(given.clone())?;
        let metrics = given["metrics"].as_array();
        for peer in std::iter::once(&given["operator"]).chain(metrics.into_iter().flatten()) {
            let fields: Vec<&str> = peer
                .as_object()
                .into_iter()
                .flat_map(|fields| fields.keys().map(String::as_str))
                .collect();
            let are_pods = fields
                .iter()
                .all(|field| ["podSelector", "namespaceSelector"].contains(field));
            if fields.is_empty() || !(are_pods || fields == ["ipBlock"]) {
                return Err(Unusable::NoPeer(peer.clone()));
            }
        }
        Ok(rules)
    }
}

impl AccessRules {
    /// Who may reach the pods of an Indexer.
    #[must_use]
    pub fn of(&self, spec: &IndexerSpec) -> Access {
        let declared = spec.access.clone().unwrap_or_default();
        let metrics = self.metrics.iter().cloned();
        Access {
            operator: self.operator.clone(),
            clients: declared.clients,
            metrics: metrics.chain(declared.metrics.unwrap_or_default()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_would_select_nobody_or_everybody_is_refused() {
        let pods = r#"{"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}}"#;
        let block = r#"{"ipBlock": {"cidr": "10.0.0.0/8"}}"#;
        let rules = |operator: &str, metrics: &str| {
            format!(r#"{{"operator": {operator}, "metrics": [{metrics}]}}"#).parse::<AccessRules>()
        };
        let read = rules(pods, block).unwrap();
        assert_eq!(read.metrics.len(), 1);
        assert!(format!(r#"{{"operator": {pods}}}"#).parse::<AccessRules>().is_ok());
        for (operator, metrics) in [("{}", block), (pods, "{}"), (pods, r#"{"podSelectors": {}}"#)] {
            let error = rules(operator, metrics).unwrap_err().to_string();
            assert!(error.contains("must have either"), "{error}");
        }
        let both = r#"{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}"#;
        assert!(rules(pods, both).is_err());
        for unreadable in ["{}", "[]", r#"{"operator": {"podSelector": {}}, "client": []}"#] {
            let error = unreadable.parse::<AccessRules>().unwrap_err().to_string();
            assert!(error.contains("not readable"), "{error}");
        }
    }
}
