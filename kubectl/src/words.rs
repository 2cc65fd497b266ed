//! What may stand where a word of the command line is being written.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::{Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};

use crate::{args::Args, cluster::Place};

/// The argument of a command that is the name of an Indexer.
const INDEXER: &str = "name";
/// Stands for the names of all Indexers, which only the cluster knows. No argument begins with a line break.
const INDEXERS: &str = "\nindexers";

/// What completes a word.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Words, each with what it means if that is known.
    pub candidates: Vec<(String, Option<String>)>,
    /// Also the names of Indexers at this place that begin with this.
    pub indexers: Option<(Place, String)>,
}

/// What completes the last of these words, which follow `kubectl shrewd`. Words that make no sense are completed by
/// nothing. Names of files are those in `folder`, where it is known.
#[must_use]
pub fn completion(words: &[OsString], folder: Option<&Path>) -> Completion {
    let last = words.last().and_then(|word| word.to_str()).unwrap_or_default();
    let mut all = vec![OsString::from("kubectl-shrewd")];
    all.extend_from_slice(words);
    let at = all.len() - 1;
    let found = complete(&mut with_indexers(Args::command()), all, at, folder).unwrap_or_default();
    let mut completion = Completion::default();
    // As kubectl does it: flags are for those who begin with a hyphen.
    let is_flag = last.starts_with('-');
    for candidate in found.iter().filter(|candidate| !candidate.is_hide_set()) {
        match candidate.get_value().to_str() {
            Some(INDEXERS) if !is_flag => completion.indexers = Some((place(words), last.to_owned())),
            Some(value) if value.starts_with('-') == is_flag && value != INDEXERS => {
                let help = candidate.get_help().map(|help| first_line(&help.to_string()));
                completion.candidates.push((value.to_owned(), help));
            }
            _ => {}
        }
    }
    completion
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn with_indexers(command: Command) -> Command {
    let names = |_: &OsStr| vec![CompletionCandidate::new(INDEXERS)];
    command
        .mut_args(|arg| match arg.get_id() == INDEXER {
            true => arg.add(ArgValueCompleter::new(names)),
            false => arg,
        })
        .mut_subcommands(with_indexers)
}

/// The cluster and the namespace that a line names, which is not finished.
fn place(words: &[OsString]) -> Place {
    let line = [OsStr::new("kubectl-shrewd")]
        .into_iter()
        .chain(words.iter().map(OsString::as_os_str));
    match Args::command().ignore_errors(true).try_get_matches_from(line) {
        Ok(matches) => Place {
            kubeconfig: matches.get_one("kubeconfig").cloned(),
            context: matches.get_one("context").cloned(),
            namespace: matches.get_one("namespace").cloned(),
        },
        Err(_) => Place::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(line: &str) -> Completion {
        let words: Vec<_> = line.split(' ').map(OsString::from).collect();
        completion(&words, None)
    }

    fn values(line: &str) -> Vec<String> {
        let candidates = completed(line).candidates.into_iter();
        candidates.map(|(value, _)| value).collect()
    }

    #[test]
    fn commands_flags_and_values_are_completed() {
        assert_eq!(values("sta"), ["status"]);
        assert_eq!(values("s"), ["status", "snapshot", "suspend"]);
        assert_eq!(values("snapshot n"), ["now"]);
        assert_eq!(values("refresh --wa"), ["--wait"]);
        assert_eq!(values("refresh one "), [""; 0]);
        assert_eq!(values("status one -o j"), ["json"]);
        assert_eq!(values("nonsense --w"), Vec::<String>::new());
        let all = completed("");
        let status = all.candidates.iter().find(|(value, _)| value == "status");
        let help = status.and_then(|(_, help)| help.as_deref());
        assert_eq!(help, Some("Everything about an Indexer on one screen"));
    }

    #[test]
    fn names_of_indexers_are_those_of_the_place_that_the_line_names() {
        let place = Place {
            namespace: Some("ns".into()),
            context: Some("c".into()),
            kubeconfig: Some("f".into()),
        };
        assert_eq!(completed("status o").indexers, Some((Place::default(), "o".into())));
        let line = "-n ns refresh --context c --kubeconfig=f ";
        assert_eq!(completed(line).indexers, Some((place.clone(), String::new())));
        let line = "snapshot now --namespace ns --context c --kubeconfig f --wait out";
        assert_eq!(completed(line).indexers, Some((place, "out".into())));
        assert_eq!(completed("query one o").indexers, None);
        assert_eq!(completed("top ").indexers, None);
        assert_eq!(completed("status -").indexers, None);
    }

    #[test]
    fn nothing_that_is_typed_breaks_it() {
        for line in [
            "",
            "-",
            "--",
            "-- --",
            "status -n",
            "status -n ",
            "query a b c d e",
            "-x -y",
            "--namespace",
        ] {
            completed(line);
        }
        assert_eq!(completion(&[], None), Completion::default());
    }
}
