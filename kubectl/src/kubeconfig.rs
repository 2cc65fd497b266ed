//! The kubeconfig, found as kubectl finds it.

use std::{
    env,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use kube::config::{Kubeconfig, KubeconfigError};

/// The variable that names files; of those in which something is, the first one counts.
const VARIABLE: &str = "KUBECONFIG";

/// The kubeconfig of a file; without one, that of all files that `KUBECONFIG` names, or else that of the home folder.
/// None: there is none.
///
/// # Errors
/// If a file is there and cannot be read, or the one that was given is not there.
pub fn read(file: Option<&Path>) -> Result<Option<Kubeconfig>, KubeconfigError> {
    if let Some(file) = file {
        return Kubeconfig::read_from(file).map(Some);
    }
    match listed() {
        files if files.is_empty() => there(Kubeconfig::read()),
        files => merged(&files),
    }
}

/// The files that `KUBECONFIG` names.
fn listed() -> Vec<PathBuf> {
    let list = env::var_os(VARIABLE).unwrap_or_default();
    env::split_paths(&list)
        .filter(|file| !file.as_os_str().is_empty())
        .collect()
}

/// What is in those files that are there.
fn merged(files: &[PathBuf]) -> Result<Option<Kubeconfig>, KubeconfigError> {
    let mut merged: Option<Kubeconfig> = None;
    for file in files {
        let Some(mut next) = there(Kubeconfig::read_from(file))? else {
            continue;
        };
        // As it is left by `kubectl config unset current-context`: it does not hide that of another file.
        next.current_context = next.current_context.filter(|context| !context.is_empty());
        merged = Some(match merged {
            Some(before) => before.merge(next)?,
            None => next,
        });
    }
    Ok(merged)
}

/// What was read; none if there is no such file.
fn there(read: Result<Kubeconfig, KubeconfigError>) -> Result<Option<Kubeconfig>, KubeconfigError> {
    match read {
        Err(KubeconfigError::FindPath) => Ok(None),
        Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The proxy that it declares for the cluster of a context, or of the current one.
#[must_use]
pub fn proxy_url<'a>(kubeconfig: &'a Kubeconfig, context: Option<&'a str>) -> Option<&'a str> {
    let context = context.or(kubeconfig.current_context.as_deref())?;
    let named = kubeconfig.contexts.iter().find(|named| named.name == context)?;
    let cluster = &named.context.as_ref()?.cluster;
    let named = kubeconfig.clusters.iter().find(|named| named.name == *cluster)?;
    named.cluster.as_ref()?.proxy_url.as_deref()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A file with a context of this name, whose cluster has a proxy of the same.
    fn file(folder: &Path, name: &str, current: &str) -> PathBuf {
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: '{current}',
              contexts: [{{name: {name}, context: {{cluster: {name}, user: u}}}}],
              clusters: [{{name: {name}, cluster: {{server: 'https://{name}', proxy-url: 'http://{name}:1'}}}}]}}"
        );
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn files_that_are_there_are_merged_and_others_are_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(merged(std::slice::from_ref(&missing)).unwrap().is_none());
        let (one, two) = (file(folder.path(), "one", ""), file(folder.path(), "two", "two"));
        let merged = merged(&[missing, one, two]).unwrap().unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("two"));
        assert_eq!(proxy_url(&merged, None), Some("http://two:1"));
        assert_eq!(proxy_url(&merged, Some("one")), Some("http://one:1"));
        assert_eq!(proxy_url(&merged, Some("three")), None);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broken");
        fs::write(&file, "clusters: 7").unwrap();
        assert!(merged(&[file]).is_err());
        assert!(read(Some(&folder.path().join("missing"))).is_err());
    }
}
