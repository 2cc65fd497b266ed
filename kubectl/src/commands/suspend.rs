//! `suspend` and `resume`: pods away and back, data kept.

use anyhow::Result;
use crds::Indexer;
use serde_json::json;

use crate::{cluster::Cluster, gitops, indexers};

/// Sets `spec.suspend`. Returns what was done, and what happens next.
///
/// # Errors
/// If the Indexer cannot be changed.
pub async fn set(cluster: &Cluster, name: &str, suspended: bool) -> Result<String> {
    let before = indexers::get(cluster, name).await?.indexer;
    if before.spec.suspend != suspended {
        indexers::patch(cluster, name, &json!({ "spec": { "suspend": suspended } })).await?;
    }
    Ok(said(&before, name, suspended))
}

fn said(before: &Indexer, name: &str, suspended: bool) -> String {
    if before.spec.suspend == suspended {
        let state = if suspended {
            "suspended already"
        } else {
            "not suspended"
        };
        return format!("{name} is {state}: nothing was changed.\n");
    }
    let height = before.status.as_ref().and_then(|status| status.active.as_ref()?.height);
    let mut said = match (suspended, height) {
        (true, _) => format!(
            "Suspended {name}: its pods are removed and its data is kept; \
             `kubectl shrewd resume {name}` starts it again."
        ),
        (false, Some(height)) => format!("Resumed {name}: its pods start, and continue after height {height}."),
        (false, None) => format!("Resumed {name}: its pods start, and continue where they were."),
    };
    if let Some(tool) = gitops::tool(&before.metadata) {
        said += &format!(" {tool} applies it from git and may set it back: change spec.suspend there too.");
    }
    said + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn what_was_done_and_comes_next_is_one_line() {
        let mut following = fixtures::following();
        let suspended = fixtures::suspended();
        assert_eq!(
            said(&suspended, "one", true),
            "one is suspended already: nothing was changed.\n"
        );
        assert_eq!(
            said(&following, "one", false),
            "one is not suspended: nothing was changed.\n"
        );
        assert_eq!(
            said(&suspended, "one", false),
            "Resumed one: its pods start, and continue where they were.\n"
        );
        following.metadata.labels = Some([("kustomize.toolkit.fluxcd.io/name".into(), "x".into())].into());
        let words = said(&following, "one", true);
        assert!(
            words.starts_with("Suspended one: ") && words.contains(" Flux applies it from git"),
            "{words}"
        );
        assert_eq!(words.lines().count(), 1);
    }
}
