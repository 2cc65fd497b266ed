//! Completion of a word while it is typed, as kubectl asks its plugins for it.

use std::{env, ffi::OsString, fmt::Write as _, sync::mpsc, thread, time::Duration};

use tokio::runtime;

use crate::{
    cluster::{Cluster, Place},
    indexers, words,
};

/// Whom kubectl runs when somebody completes `kubectl shrewd`.
pub const PROGRAM: &str = "kubectl_complete-shrewd";

/// Somebody waits for it with a key pressed: names that take longer are left out.
const PATIENCE: Duration = Duration::from_secs(3);
/// The last line says what the shell is to do, as the sum of these (cobra, `ShellCompDirective`): no space behind a
/// word, and no names of files.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// What completes the last of these words: a candidate on each line, with what it means behind a tab, and a last line
/// that says what the shell is to do.
///
/// What cannot be had is left out: nobody could read an error there.
#[must_use]
pub fn complete(words: &[OsString]) -> String {
    let words::Completion {
        mut candidates,
        indexers,
    } = words::completion(words, env::current_dir().ok().as_deref());
    if let Some((place, prefix)) = indexers {
        let names = names_in_time(place, prefix);
        candidates.extend(names.into_iter().map(|name| (name, None)));
    }
    lines(&candidates)
}

/// A thread of its own, which ends with the process: a plugin for credentials, which a kubeconfig may name, is waited for
/// without a limit.
fn names_in_time(place: Place, prefix: String) -> Vec<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let found = runtime::Builder::new_current_thread().enable_all().build().map(|it| {
            it.block_on(async {
                match Cluster::at(&place).await {
                    Ok(cluster) => names(&cluster, &prefix).await,
                    Err(_) => Vec::new(),
                }
            })
        });
        // Nobody waits for what comes too late.
        let _ = sender.send(found.unwrap_or_default());
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_default()
}

/// Names of the Indexers of a namespace that begin with this.
pub async fn names(cluster: &Cluster, prefix: &str) -> Vec<String> {
    let mut names = indexers::names(cluster).await.unwrap_or_default();
    names.retain(|name| name.starts_with(prefix));
    names
}

fn lines(candidates: &[(String, Option<String>)]) -> String {
    let mut lines = String::new();
    for (value, help) in candidates {
        let _ = match help {
            Some(help) => writeln!(lines, "{value}\t{help}"),
            None => writeln!(lines, "{value}"),
        };
    }
    // More follows a folder.
    let is_unfinished = candidates.iter().any(|(value, _)| value.ends_with('/'));
    let directive = NO_FILES + if is_unfinished { NO_SPACE } else { 0 };
    let _ = writeln!(lines, ":{directive}");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_a_word_on_each_line_and_what_to_do_on_the_last() {
        let candidates = [
            ("status".to_owned(), Some("Everything".to_owned())),
            ("one".to_owned(), None),
        ];
        assert_eq!(lines(&candidates), "status\tEverything\none\n:4\n");
        assert_eq!(lines(&[("folder/".to_owned(), None)]), "folder/\n:6\n");
        assert_eq!(lines(&[]), ":4\n");
    }
}
