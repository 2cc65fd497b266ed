//! Where the pods of a revision run: what is declared, and what holds where nothing is.

use std::collections::BTreeMap;

use crds::PlacementSpec;
use k8s_openapi::{
    api::core::v1::{Affinity, PodAffinityTerm, PodAntiAffinity, TopologySpreadConstraint, WeightedPodAffinityTerm},
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};

/// The label of nodes that says what they can run, and what images are made for.
const ARCH: (&str, &str) = ("kubernetes.io/arch", "amd64");
/// What pods are kept apart by where possible, and how much that counts beside other preferences, of at most 100: nodes
/// before zones, because a node is lost more often.
const APART: [(&str, i32); 2] = [("kubernetes.io/hostname", 100), ("topology.kubernetes.io/zone", 50)];

/// Labels that a node must have.
pub(super) fn node_selector(placement: &PlacementSpec) -> BTreeMap<String, String> {
    let mut labels = placement.node_selector.clone().unwrap_or_default();
    if !requires(placement.affinity.as_ref(), ARCH.0) {
        labels.entry(ARCH.0.to_owned()).or_insert_with(|| ARCH.1.to_owned());
    }
    labels
}

/// Whether nodes are required to have, or not to have, something of a label.
fn requires(affinity: Option<&Affinity>, label: &str) -> bool {
    let nodes = affinity.and_then(|affinity| affinity.node_affinity.as_ref());
    let required = nodes.and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution.as_ref());
    let terms = required.map_or(&[][..], |required| &required.node_selector_terms);
    let rules = terms.iter().flat_map(|term| term.match_expressions.iter().flatten());
    rules.into_iter().any(|rule| rule.key == label)
}

/// Rules on nodes and other pods. `own` selects the pods of the revision.
///
/// Preferences keep pods apart, not spread constraints: with these the scheduler would leave aside all preferences where
/// nodes have no zone, and its own default constraints.
pub(super) fn affinity(placement: &PlacementSpec, own: &BTreeMap<String, String>) -> Affinity {
    let mut affinity = placement.affinity.clone().unwrap_or_default();
    match &mut affinity.pod_anti_affinity {
        Some(declared) => complete(declared, own),
        none if placement.topology_spread_constraints.is_none() => *none = Some(apart(own)),
        _ => {}
    }
    affinity
}

fn apart(own: &BTreeMap<String, String>) -> PodAntiAffinity {
    let terms = APART.map(|(topology_key, weight)| WeightedPodAffinityTerm {
        weight,
        pod_affinity_term: PodAffinityTerm {
            label_selector: Some(selecting(own)),
            topology_key: topology_key.to_owned(),
            ..PodAffinityTerm::default()
        },
    });
    PodAntiAffinity {
        preferred_during_scheduling_ignored_during_execution: Some(terms.into()),
        ..PodAntiAffinity::default()
    }
}

/// Gives terms without a selector, which would be about no pod at all, that of the revision.
fn complete(declared: &mut PodAntiAffinity, own: &BTreeMap<String, String>) {
    let preferred = declared.preferred_during_scheduling_ignored_during_execution.iter_mut();
    let preferred = preferred.flatten().map(|weighted| &mut weighted.pod_affinity_term);
    let required = declared.required_during_scheduling_ignored_during_execution.iter_mut();
    for term in preferred.chain(required.flatten()) {
        let PodAffinityTerm {
            label_selector,
            match_label_keys,
            mismatch_label_keys,
            ..
        } = term;
        // With these, which the API server refuses without a selector, its words help more than a guess.
        if match_label_keys.is_none() && mismatch_label_keys.is_none() {
            label_selector.get_or_insert_with(|| selecting(own));
        }
    }
}

/// How evenly pods are spread; none where nothing is declared.
pub(super) fn topology_spread_constraints(
    placement: &PlacementSpec,
    own: &BTreeMap<String, String>,
) -> Option<Vec<TopologySpreadConstraint>> {
    let mut constraints = placement.topology_spread_constraints.clone()?;
    for constraint in &mut constraints {
        if constraint.match_label_keys.is_none() {
            constraint.label_selector.get_or_insert_with(|| selecting(own));
        }
    }
    Some(constraints)
}

fn selecting(own: &BTreeMap<String, String>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(own.clone()),
        ..LabelSelector::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn placement(fields: Value) -> PlacementSpec {
        serde_json::from_value(fields).unwrap()
    }

    fn own() -> BTreeMap<String, String> {
        [("shrewd.dev/indexer".to_owned(), "one".to_owned())].into()
    }

    #[test]
    fn nodes_are_those_that_images_are_made_for_unless_something_is_said_of_it() {
        let required = |key: &str| {
            let terms = json!([{"matchExpressions": [{"key": key, "operator": "In", "values": ["arm64"]}]}]);
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
        };
        for (fields, expected) in [
            (json!({}), json!({"kubernetes.io/arch": "amd64"})),
            (
                json!({"nodeSelector": {"disk": "nvme"}}),
                json!({"disk": "nvme", "kubernetes.io/arch": "amd64"}),
            ),
            (
                json!({"nodeSelector": {"kubernetes.io/arch": "arm64"}}),
                json!({"kubernetes.io/arch": "arm64"}),
            ),
            (json!({"affinity": required("kubernetes.io/arch")}), json!({})),
            (
                json!({"affinity": required("pool")}),
                json!({"kubernetes.io/arch": "amd64"}),
            ),
        ] {
            assert_eq!(json!(node_selector(&placement(fields.clone()))), expected, "{fields}");
        }
    }

    /// The keys by which pods are kept apart, and whether each rule is about the pods of the revision.
    fn kept_apart(fields: Value) -> Vec<(String, bool)> {
        let affinity = affinity(&placement(fields), &own());
        let anti = affinity.pod_anti_affinity.unwrap_or_default();
        let preferred = anti.preferred_during_scheduling_ignored_during_execution;
        let preferred = preferred.into_iter().flatten().map(|term| term.pod_affinity_term);
        let required = anti.required_during_scheduling_ignored_during_execution;
        let terms = preferred.chain(required.into_iter().flatten());
        let read = |term: PodAffinityTerm| (term.topology_key, term.label_selector == Some(selecting(&own())));
        terms.map(read).collect()
    }

    #[test]
    fn pods_are_kept_apart_unless_something_is_said_of_it() {
        let default = [
            ("kubernetes.io/hostname".to_owned(), true),
            ("topology.kubernetes.io/zone".to_owned(), true),
        ];
        assert_eq!(kept_apart(json!({})), default);
        assert_eq!(kept_apart(json!({"affinity": {"nodeAffinity": {}}})), default);
        for own in [
            json!({"affinity": {"podAntiAffinity": {}}}),
            json!({"topologySpreadConstraints": []}),
        ] {
            assert_eq!(kept_apart(own.clone()), [], "{own}");
        }
        let required = |term: Value| json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}});
        let rack = |is_own| [("rack".to_owned(), is_own)];
        assert_eq!(kept_apart(required(json!({"topologyKey": "rack"}))), rack(true));
        for other in [
            json!({"topologyKey": "rack", "labelSelector": {}}),
            json!({"topologyKey": "rack", "matchLabelKeys": ["a"]}),
        ] {
            assert_eq!(kept_apart(required(other.clone())), rack(false), "{other}");
        }
    }

    #[test]
    fn a_constraint_without_selector_counts_the_pods_of_the_revision() {
        let constraint = json!({"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
        let mut everything = constraint.clone();
        everything["labelSelector"] = json!({});
        let declared = placement(json!({"topologySpreadConstraints": [constraint, everything]}));
        let constraints = topology_spread_constraints(&declared, &own()).unwrap();
        assert_eq!(constraints[0].label_selector, Some(selecting(&own())));
        assert_eq!(constraints[1].label_selector, Some(LabelSelector::default()));
        assert_eq!(topology_spread_constraints(&PlacementSpec::default(), &own()), None);
    }
}
