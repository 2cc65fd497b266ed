//! Commands in the text of a shell: of a page, or of a script.

use std::fmt;

use super::shell::{parts, statements};

/// Programs that are looked for, and how many words after them say what they do.
const PROGRAMS: [(&str, usize); 14] = [
    ("asc", 0),
    ("cargo", 1),
    ("curl", 0),
    ("git", 1),
    ("helm", 1),
    (KUBECTL, 1),
    ("make", 1),
    ("oras", 1),
    ("regtest-chain", 0),
    ("rustc", 0),
    ("rustup", 1),
    ("shrewd-indexer", 1),
    ("shrewd-operator", 0),
    ("scripts/version", 1),
];
const KUBECTL: &str = "kubectl";
/// What scripts call kubectl where it has to be run in the network of the cluster.
const KUBE: &str = "kube";
/// Words that one more word belongs to.
const GROUPS: [&str; 10] = [
    "annotate", "auth", "create", "delete", "describe", "get", "patch", "shrewd", "snapshot", "label",
];
/// Flags that stand before a subcommand, with a value.
const VALUED: [&str; 6] = [
    "--namespace",
    "-n",
    "--context",
    "--kubeconfig",
    "--package",
    "--dry-run",
];
/// What the help of every program has.
const HELP: &str = "--help";

/// A program and what it is told to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Command {
    /// The program, and its subcommand.
    pub(super) words: Vec<String>,
    /// Its long flags, without values.
    pub(super) flags: Vec<String>,
}

/// A program as tests in Rust name it.
pub(super) struct Program<'a> {
    pub(super) name: &'a str,
    /// What it is told to do.
    pub(super) subcommand: &'a [String],
}

impl Command {
    /// The command that begins with the first of these words, if that is a program that is looked for.
    fn at(tokens: &[String]) -> Option<Self> {
        let first = tokens.first()?;
        let first = if first == KUBE { KUBECTL } else { first };
        let is = |name: &str| first == name || first.ends_with(&format!("/{name}"));
        let (program, count) = PROGRAMS.into_iter().find(|(name, _)| is(name))?;
        let mut words = vec![program.to_owned()];
        let mut wanted = count;
        let mut rest = tokens[1..].iter();
        while let Some(token) = rest.next().filter(|_| wanted > 0) {
            if token.starts_with('-') {
                if VALUED.contains(&token.as_str()) {
                    rest.next();
                }
                continue;
            }
            wanted -= 1;
            wanted += usize::from(GROUPS.contains(&token.as_str()) && words.len() == 1);
            words.push(singular(program, token).to_owned());
        }
        let flags = tokens
            .iter()
            .filter(|it| it.starts_with("--") && it.len() > 2 && *it != HELP);
        let flags = flags.map(|it| it.split('=').next().unwrap_or_default().to_owned());
        Some(Self {
            words,
            flags: flags.collect(),
        })
    }

    /// Whether its flags are in our reference.
    pub(super) fn is_ours(&self) -> bool {
        self.words[0].starts_with("shrewd-") || self.words.get(1).is_some_and(|it| it == "shrewd")
    }

    pub(super) fn make_target(&self) -> Option<&str> {
        let is_make = self.words[0] == "make";
        self.words.get(1).filter(|_| is_make).map(String::as_str)
    }

    pub(super) fn program(&self) -> Program<'_> {
        if self.words[0] == KUBECTL && self.words.get(1).is_some_and(|it| it == "shrewd") {
            let (name, subcommand) = ("kubectl-shrewd", &self.words[2..]);
            return Program { name, subcommand };
        }
        Program {
            name: &self.words[0],
            subcommand: &self.words[1..],
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words.join(" "))
    }
}

/// kubectl takes kinds of resources in both numbers.
fn singular<'a>(program: &str, word: &'a str) -> &'a str {
    let word = word.split([',', '/']).next().unwrap_or_default();
    match word {
        "persistentvolumeclaims" | "persistentvolumeclaim" => "pvc",
        word if program == KUBECTL => word.strip_suffix('s').filter(|it| it.len() > 2).unwrap_or(word),
        word => word,
    }
}

/// The commands of a block, with their lines, of which the first is `first`. Where lines have a prompt, others are what was
/// printed.
pub(super) fn commands(block: &[&str], first: usize) -> Vec<(usize, Command)> {
    let prompted = block.iter().any(|line| line.trim_start().starts_with("$ "));
    let mut commands = Vec::new();
    for (number, line) in statements(block) {
        let line = line.trim_start();
        if let Some(line) = if prompted { line.strip_prefix("$ ") } else { Some(line) } {
            commands.extend(in_statement(line).into_iter().map(|command| (first + number, command)));
        }
    }
    commands
}

/// The commands of a script.
pub(super) fn in_script(text: &str) -> Vec<Command> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let statements = statements(&lines).into_iter();
    statements.flat_map(|(_, statement)| in_statement(&statement)).collect()
}

/// A program may stand behind words that run it, such as `step TEXT`; one command is as long as its pipe's part.
fn in_statement(statement: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    for part in parts(statement) {
        commands.extend((0..part.len()).find_map(|at| Command::at(&part[at..])));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(block: &[&str]) -> Vec<String> {
        commands(block, 1)
            .iter()
            .map(|(_, command)| command.to_string())
            .collect()
    }

    #[test]
    fn a_command_is_a_program_and_its_subcommand() {
        assert_eq!(
            said(&[
                "kubectl --namespace NAMESPACE get indexers INDEXER -o json | jq .x",
                "kubectl exec POD -- shrewd-indexer status",
                "source <(kubectl shrewd completion bash)  # helm test",
                "A=b shrewd-indexer snapshot \\",
                "  list URL && make try",
            ]),
            [
                "kubectl get indexer",
                "kubectl exec",
                "shrewd-indexer status",
                "kubectl shrewd completion",
                "shrewd-indexer snapshot list",
                "make try"
            ]
        );
        assert_eq!(said(&["$ make try", "make demo is what it prints"]), ["make try"]);
    }

    #[test]
    fn scripts_have_them_behind_other_words() {
        let script = "# helm test\nstep \"it is made\" in_engine kube apply --filename x\n\
                      RUN=(\"$BINARIES/shrewd-indexer\" run --indexer \"$1\"\n";
        let found: Vec<String> = in_script(script).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["kubectl apply", "shrewd-indexer run"]);
    }

    #[test]
    fn flags_are_without_values() {
        let (_, command) = &commands(&["shrewd-indexer run --port=1 --db-path x -v --help"], 1)[0];
        assert_eq!(command.flags, ["--port", "--db-path"]);
    }
}
