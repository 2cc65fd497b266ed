//! The custom resource definition, as it is installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;

use crate::spec::Indexer;

/// Elements of lists that are booleans to a reader of YAML 1.1, as values of our enumerations are written.
const BOOLEANS: [&str; 4] = ["On", "Off", "Yes", "No"];

/// The custom resource definition of [`Indexer`].
///
/// It differs from the derived one in one point: the status of a new resource defaults to `observedGeneration: -1`, so
/// that kstatus (Flux, `kubectl wait`, Argo CD) does not report a resource as current before the operator has seen it.
///
/// # Panics
/// If the derived schema has no `status` object, which a test in this crate rules out.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = Indexer::crd();
    for version in &mut crd.spec.versions {
        #[allow(clippy::expect_used)] // see # Panics
        let status = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
            .and_then(|s| s.properties.as_mut())
            .and_then(|p| p.get_mut("status"))
            .expect("the kind has a status");
        status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
    }
    crd
}

/// The custom resource definition as YAML. Words that are booleans in YAML 1.1 are quoted: Helm and kubectl would read
/// the value `Off` of a field as `false`.
///
/// # Errors
/// Never in practice: all of it has a YAML form.
pub fn crd_yaml() -> Result<String, serde_yaml::Error> {
    let yaml = serde_yaml::to_string(&crd())?;
    let quoted = |line: &str| match line.trim_start().strip_prefix("- ") {
        Some(word) if BOOLEANS.contains(&word) => line.replace(word, &format!("'{word}'")),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = yaml.lines().map(quoted).collect();
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_a_bare_word_that_is_a_boolean_to_older_readers() {
        let yaml = crd_yaml().unwrap();
        assert!(yaml.contains("- 'Off'\n"), "the words are quoted");
        let is_bare = |line: &&str| {
            let word = line.rsplit(['-', ':']).next().unwrap_or_default().trim();
            ["on", "off", "yes", "no", "y", "n"].contains(&word.to_lowercase().as_str())
        };
        assert_eq!(yaml.lines().find(is_bare), None);
        let read: CustomResourceDefinition = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(read, crd());
    }
}
