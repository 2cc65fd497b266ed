//! (pure) What a change of each field of a spec does: the table of the reference, as a function of the field.

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// The API server refuses it.
    Immutable,
    /// The field is for local runs; the operator refuses it.
    LocalOnly,
    /// It is another index: a rollout.
    NewIdentity,
    /// Pods are replaced one at a time, and their data is kept.
    PodsReplaced,
    /// Other operators look after it.
    HandedOver,
    /// It takes effect without new data; pods are left running, or follow one at a time where they must.
    InPlace,
    /// The operator acts on it at once; pods do not notice.
    AtOnce,
    /// It says how the next rollout is done.
    NextRollout,
}

/// Fields and the effects of a change. The longest name that a field is, or is below, counts.
const EFFECTS: [(&str, Effect); 50] = [
    ("module.sha256", Effect::NewIdentity),
    ("module.configMap", Effect::PodsReplaced),
    ("module.http", Effect::InPlace),
    ("module.oci", Effect::InPlace),
    ("module.path", Effect::LocalOnly),
    ("chain.network", Effect::Immutable),
    ("chain.startHeight", Effect::NewIdentity),
    ("chain.stopHeight", Effect::InPlace),
    ("chain.maxReorgDepth", Effect::InPlace),
    ("chain.source.bitcoind", Effect::InPlace),
    ("chain.source.blockFiles", Effect::LocalOnly),
    ("memory.threshold", Effect::InPlace),
    ("memory.refresh", Effect::InPlace),
    ("memory.auditEvery", Effect::InPlace),
    ("memory.limit", Effect::NewIdentity),
    ("memory.resize", Effect::PodsReplaced),
    ("memory.maxLimit", Effect::InPlace),
    ("retry.attempts", Effect::InPlace),
    ("storage.size", Effect::InPlace),
    ("storage.autoGrow", Effect::AtOnce),
    ("storage.storageClassName", Effect::Immutable),
    ("storage.cache", Effect::PodsReplaced),
    ("storage.retention", Effect::InPlace),
    ("bootstrap.snapshot", Effect::PodsReplaced),
    ("snapshots", Effect::PodsReplaced),
    ("rollout.strategy", Effect::NextRollout),
    ("rollout.maxBehind", Effect::InPlace),
    ("rollout.soak", Effect::AtOnce),
    ("rollout.progressDeadline", Effect::AtOnce),
    ("rollout.keepPrevious", Effect::AtOnce),
    ("rollout.activateAt", Effect::AtOnce),
    ("rollout.compareViews", Effect::AtOnce),
    ("rollout.onDifference", Effect::AtOnce),
    ("rollout.seed", Effect::NextRollout),
    ("replicas", Effect::InPlace),
    ("views.maxConcurrent", Effect::InPlace),
    ("views.timeout", Effect::InPlace),
    ("views.memoryLimit", Effect::InPlace),
    ("views.maxRequestBytes", Effect::InPlace),
    ("views.maxResponseBytes", Effect::InPlace),
    ("suspend", Effect::InPlace),
    ("operatorClass", Effect::HandedOver),
    ("image", Effect::PodsReplaced),
    ("resources", Effect::PodsReplaced),
    ("placement", Effect::PodsReplaced),
    ("imagePullSecrets", Effect::PodsReplaced),
    ("podMetadata", Effect::PodsReplaced),
    ("access", Effect::AtOnce),
    ("bootstrap", Effect::PodsReplaced),
    ("rollout", Effect::AtOnce),
];

/// The effect of a change of a field, by its path below `spec`; none of a field that is not known.
#[must_use]
pub fn effect(path: &str) -> Option<Effect> {
    let is_at = |name: &str| {
        let below = path.strip_prefix(name);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let names = EFFECTS.iter().filter(|(name, _)| is_at(name));
    names.max_by_key(|(name, _)| name.len()).map(|(_, effect)| *effect)
}

impl Effect {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Immutable => "refused: it never changes; create another Indexer",
            Self::LocalOnly => "refused by the operator: it is for local runs",
            Self::NewIdentity => "a new identity, and so a rollout",
            Self::PodsReplaced => "pods are replaced one at a time, data is kept",
            Self::HandedOver => "the operators of that class take over",
            Self::InPlace => "in place, data is kept",
            Self::AtOnce => "at once",
            Self::NextRollout => "at the next change of identity",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = include_str!("../../docs/src/reference.md");

    /// The rows of the reference's table of the spec: fields, and what a change of them does.
    fn rows() -> Vec<(String, String)> {
        let (_, table) = REFERENCE.split_once("### spec\n").unwrap();
        let (table, _) = table.split_once("### status\n").unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            (
                cells[0].trim().to_owned(),
                cells[cells.len() - 1].trim().trim_matches('|').trim().to_owned(),
            )
        })
        .collect()
    }

    /// The paths that a cell names: `a.{b,c}`, `d`.
    fn paths(cell: &str) -> Vec<String> {
        let names = cell.split('`').skip(1).step_by(2);
        names
            .flat_map(|name| match name.split_once('{') {
                Some((stem, rest)) => {
                    let inner = rest.trim_end_matches('}');
                    inner.split(',').map(|leaf| format!("{stem}{leaf}")).collect()
                }
                None => vec![name.to_owned()],
            })
            .collect()
    }

    fn said(cell: &str) -> Effect {
        let begins = [
            ("as a new identity", Effect::NewIdentity),
            ("pods are replaced", Effect::PodsReplaced),
            ("in place", Effect::InPlace),
            ("at once", Effect::AtOnce),
            ("never", Effect::Immutable),
            ("at the next change of identity", Effect::NextRollout),
            ("when a candidate is created", Effect::NextRollout),
            ("the operators of that class take over", Effect::HandedOver),
        ];
        let found = begins.into_iter().find(|(words, _)| cell.starts_with(words));
        found.map_or(Effect::LocalOnly, |(_, effect)| effect)
    }

    #[test]
    fn effects_are_those_of_the_reference() {
        let rows = rows();
        assert!(rows.len() > 50, "{} rows", rows.len());
        for (fields, change) in rows {
            for path in paths(&fields) {
                assert_eq!(effect(&path), Some(said(&change)), "{path}: {change}");
            }
        }
        assert_eq!(effect("imagePullSecret"), None);
    }
}
