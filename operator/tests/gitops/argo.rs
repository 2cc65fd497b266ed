//! Argo CD's view of an Indexer: `health.lua`, and what its own tests and its configuration take from this folder.

use serde::{Deserialize, Serialize};

use crate::{customization, lua, read, recorded, repository};

/// The verdicts a script may give; another one counts as `Unknown`.
const VERDICTS: [&str; 4] = ["Healthy", "Progressing", "Degraded", "Suspended"];

/// As `health_test.yaml` has it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Health {
    status: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthTest {
    health_status: Health,
    input_path: String,
}

#[test]
fn argo_cd_shows_every_recorded_object_as_expected() {
    let script = customization().join("health.lua");
    for recorded in recorded::all() {
        let shown: Health = serde_json::from_value(lua::run(&script, &recorded.object)).unwrap();
        let expected = Health {
            status: recorded.expected.argo,
            message: recorded.expected.message,
        };
        assert_eq!(shown, expected, "{}", recorded.file);
        assert!(VERDICTS.contains(&shown.status.as_str()), "{}", recorded.file);
    }
}

/// The same expectations in the form that Argo CD's own tests read.
#[test]
fn argo_cds_own_tests_list_every_recorded_object() {
    let tests: Vec<HealthTest> = recorded::all()
        .into_iter()
        .map(|recorded| HealthTest {
            health_status: Health {
                status: recorded.expected.argo,
                message: recorded.expected.message,
            },
            input_path: format!("testdata/{}", recorded.file),
        })
        .collect();
    let yaml = serde_yaml::to_string(&serde_json::json!({ "tests": tests })).unwrap();
    expectorate::assert_contents(customization().join("health_test.yaml"), &yaml);
}

/// Argo CD takes scripts of a kind it does not know from its ConfigMap.
#[test]
fn the_patch_of_the_config_map_has_the_scripts() {
    let script = |path: &str| read(&customization().join(path));
    let definition = |name: &str| {
        let path = format!("actions/{name}/action.lua");
        serde_json::json!({ "name": name, "action.lua": script(&path) })
    };
    let definitions = ["refresh", "suspend", "resume"].map(definition);
    let actions = serde_json::json!({
        "discovery.lua": script("actions/discovery.lua"),
        "definitions": definitions,
    });
    let patch = serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": "argocd-cm", "namespace": "argocd" },
        "data": {
            "resource.customizations.health.shrewd.dev_Indexer": script("health.lua"),
            "resource.customizations.actions.shrewd.dev_Indexer": serde_yaml::to_string(&actions).unwrap(),
        },
    });
    let head = "# A patch of Argo CD's own ConfigMap, made of the scripts beside it by `make golden`.\n";
    let yaml = serde_yaml::to_string(&patch).unwrap();
    expectorate::assert_contents(
        repository().join("integrations/argocd/argocd-cm.yaml"),
        &format!("{head}{yaml}"),
    );
}
