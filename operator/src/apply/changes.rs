//! (pure) How the objects that exist differ from those that are planned.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    facts::Observed,
    objects::{ChildKind, revision_of, uid},
    plan::{Child, Plan},
};

/// The changes that lead from the existing objects to the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes<'a> {
    /// Objects to apply, in order.
    pub apply: Vec<&'a Child>,
    /// Objects to delete: kind, name and unique id.
    pub prune: Vec<(ChildKind, String, String)>,
}

/// Compares the plan with the existing objects.
#[must_use]
pub fn changes<'a>(plan: &'a Plan, observed: &Observed) -> Changes<'a> {
    let live = |child: &Child| observed.children.get(&(child.kind, child.name.clone()));
    let apply = plan
        .children
        .iter()
        .filter(|c| !live(c).is_some_and(|live| covers(live, &c.body)))
        .collect();
    let planned: BTreeSet<(ChildKind, &str)> = plan.children.iter().map(|c| (c.kind, c.name.as_str())).collect();
    let prune = observed
        .children
        .iter()
        .filter(|((kind, name), live)| !planned.contains(&(*kind, name)) && !is_being_deleted(live))
        .filter(|(_, live)| !revision_of(live).is_some_and(|revision| plan.untouched.contains(&revision)))
        .filter_map(|((kind, name), live)| Some((*kind, name.clone(), uid(live)?)))
        .collect();
    Changes { apply, prune }
}

/// Whether an object has every planned field with the planned value. The API server adds fields of its own; the
/// annotation with the hash of the plan reveals fields that are no longer planned.
fn covers(live: &Value, planned: &Value) -> bool {
    match (live, planned) {
        (Value::Object(live), Value::Object(planned)) => planned
            .iter()
            .all(|(key, planned)| live.get(key).is_some_and(|live| covers(live, planned))),
        (Value::Array(live), Value::Array(planned)) => {
            live.len() == planned.len() && live.iter().zip(planned).all(|(live, planned)| covers(live, planned))
        }
        (live, planned) => live == planned,
    }
}

fn is_being_deleted(live: &Value) -> bool {
    !live["metadata"]["deletionTimestamp"].is_null()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures::{live, settled, valid},
        names,
        plan::plan,
    };

    fn planned() -> Plan {
        plan(&valid(), &settled(&valid()))
    }

    #[test]
    fn what_is_as_planned_is_left_alone() {
        let plan = planned();
        let observed = live(&plan);
        let found = changes(&plan, &observed);
        assert_eq!(
            found,
            Changes {
                apply: vec![],
                prune: vec![]
            }
        );
    }

    #[test]
    fn an_edited_field_and_a_field_that_left_the_plan_are_put_right() {
        let plan = planned();
        let mut observed = live(&plan);
        let service = (ChildKind::Service, "one".to_owned());
        observed.children.get_mut(&service).unwrap()["spec"]["selector"] = json!({"app": "mine"});
        let budget = (ChildKind::PodDisruptionBudget, "one".to_owned());
        observed.children.get_mut(&budget).unwrap()["metadata"]["annotations"][names::ANNOTATION_APPLIED] =
            json!("old");
        let changed: Vec<ChildKind> = changes(&plan, &observed).apply.iter().map(|child| child.kind).collect();
        assert_eq!(changed, [ChildKind::Service, ChildKind::PodDisruptionBudget]);
    }

    #[test]
    fn objects_of_an_earlier_revision_are_pruned_once() {
        let plan = planned();
        let mut observed = live(&plan);
        let old = json!({"metadata": {"name": "one-0000000000", "uid": "u1"}});
        let going = json!({"metadata": {"name": "one-1", "uid": "u2", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
        observed
            .children
            .insert((ChildKind::StatefulSet, "one-0000000000".into()), old);
        observed
            .children
            .insert((ChildKind::StatefulSet, "one-1".into()), going);
        let expected = vec![(ChildKind::StatefulSet, "one-0000000000".to_owned(), "u1".to_owned())];
        assert_eq!(changes(&plan, &observed).prune, expected);
    }
}
