//! (pure) The objects that should exist. It cannot fail: everything that can be wrong with a spec was checked before.

use crds::Revision;

mod child;
mod config_map;
mod hash;
mod metadata;
mod network_policy;
mod pod_disruption_budget;
mod service;
mod service_account;
mod stateful_set;

pub use child::Child;

use crate::{memory::Memories, objects::ChildKind, rollout::Decision, storage::Sizes, validate::ValidIndexer};

/// Every object of an Indexer, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The objects.
    pub children: Vec<Child>,
    /// Revisions whose objects stay as they are.
    pub untouched: Vec<Revision>,
}

/// Plans every object of an Indexer, with volumes of these sizes, and containers with this memory.
#[must_use]
pub fn plan(valid: &ValidIndexer, decision: &Decision, sizes: &Sizes, memories: &Memories) -> Plan {
    let mut children = vec![
        Child::new(ChildKind::ServiceAccount, &service_account::build(valid)),
        Child::new(ChildKind::Service, &service::for_clients(valid, decision)),
        Child::new(ChildKind::Service, &service::for_pods(valid)),
        Child::new(
            ChildKind::PodDisruptionBudget,
            &pod_disruption_budget::build(valid, &decision.serving),
        ),
    ];
    children.extend(valid.access.as_ref().map(|access| {
        let policy = network_policy::build(valid, access);
        Child::new(ChildKind::NetworkPolicy, &policy)
    }));
    for (revision, record) in &decision.sets {
        let config = config_map::build(valid, revision, record, *revision == decision.serving);
        let own = stateful_set::Own {
            config_hash: config_map::config_hash(&config),
            size: sizes.size(valid, revision),
            resources: memories.resources(valid, revision, &record.identity),
        };
        let set = stateful_set::build(valid, revision, record, &own);
        children.extend([
            Child::new(ChildKind::ConfigMap, &config),
            Child::new(ChildKind::StatefulSet, &set),
        ]);
    }
    children.sort_by_key(|child| child.kind);
    Plan {
        children,
        untouched: decision.untouched.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        apply::changes,
        fixtures::{live, settled, valid},
    };

    fn planned() -> Plan {
        plan(&valid(), &settled(&valid()), &Sizes::default(), &Memories::default())
    }

    #[test]
    fn what_a_pod_mounts_is_applied_before_the_pod() {
        let kinds: Vec<ChildKind> = planned().children.iter().map(|child| child.kind).collect();
        assert!(kinds.is_sorted());
        assert_eq!(kinds.last(), Some(&ChildKind::StatefulSet));
    }

    #[test]
    fn a_policy_is_there_before_the_pods_and_goes_when_there_are_to_be_none() {
        let with = planned();
        let is_policy = |child: &Child| child.kind == ChildKind::NetworkPolicy;
        assert_eq!(with.children.iter().filter(|child| is_policy(child)).count(), 1);
        let mut valid = valid();
        valid.access = None;
        let without = plan(&valid, &settled(&valid), &Sizes::default(), &Memories::default());
        let observed = live(&with);
        let pruned = changes(&without, &observed).prune;
        let pruned: Vec<ChildKind> = pruned.iter().map(|pruned| pruned.kind).collect();
        assert_eq!(pruned, [ChildKind::NetworkPolicy]);
    }
}
