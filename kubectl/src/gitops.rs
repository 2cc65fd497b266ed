//! (pure) Whether a tool applies an Indexer from git, and so sets back what is changed by hand.

use kube::core::ObjectMeta;

/// Keys that tools leave on what they apply, and their names.
const MARKS: [(&str, &str); 4] = [
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
];

/// The tool that applies it, as far as its labels and annotations say.
#[must_use]
pub fn tool(metadata: &ObjectMeta) -> Option<&'static str> {
    let has = |key: &str| {
        let maps = [&metadata.labels, &metadata.annotations];
        maps.into_iter().flatten().any(|map| map.contains_key(key))
    };
    MARKS.into_iter().find(|(key, _)| has(key)).map(|(_, tool)| tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_tools_are_recognised() {
        let mut metadata = ObjectMeta::default();
        assert_eq!(tool(&metadata), None);
        metadata.annotations = Some([("argocd.argoproj.io/tracking-id".into(), "a:b".into())].into());
        assert_eq!(tool(&metadata), Some("Argo CD"));
        metadata.labels = Some([("kustomize.toolkit.fluxcd.io/name".into(), "apps".into())].into());
        assert_eq!(tool(&metadata), Some("Flux"));
    }
}
