//! Files that run commands: tests in Rust, and scripts.

use std::{fs, path::Path};

use super::command::{Command, in_script};

/// A file that runs commands.
pub(super) struct Place {
    path: String,
    kind: Kind,
}

enum Kind {
    Script(Vec<Command>),
    /// Its text without spaces and comments.
    Rust(String),
}

impl Place {
    /// None if there is no such file.
    pub(super) fn read(root: &Path, path: &str) -> Option<Self> {
        let text = fs::read_to_string(root.join(path)).ok()?;
        let is_rust = Path::new(path).extension().is_some_and(|it| it == "rs");
        let kind = if is_rust {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            Kind::Rust(code.flat_map(str::chars).filter(|it| !it.is_whitespace()).collect())
        } else {
            Kind::Script(in_script(&text))
        };
        let path = path.to_owned();
        Some(Self { path, kind })
    }

    fn rust(&self) -> Option<&str> {
        match &self.kind {
            Kind::Rust(text) => Some(text),
            Kind::Script(_) => None,
        }
    }

    /// In a script it stands as it is typed; what a target of `make` runs may be named itself.
    fn scripted(&self, makefile: &str, command: &Command) -> bool {
        let Kind::Script(commands) = &self.kind else {
            return false;
        };
        let recipe = command.make_target().and_then(|target| recipe(makefile, target));
        let is_recipe = || {
            let mut words = recipe.iter().flat_map(|it| it.split_whitespace());
            words.any(|word| word.trim_start_matches('@') == self.path)
        };
        commands.iter().any(|it| it.words == command.words) || is_recipe()
    }
}

/// Whether one of these files runs a command. Of tests in Rust, one may have the program and another the arguments.
pub(super) fn has(places: &[Place], makefile: &str, command: &Command) -> bool {
    if places.iter().any(|place| place.scripted(makefile, command)) {
        return true;
    }
    let program = command.program();
    let mut codes = places.iter().filter_map(Place::rust);
    codes.clone().any(|code| code.contains(&format!("{}\"", program.name)))
        && codes.any(|code| tells(code, program.subcommand))
}

/// Whether a list of arguments, or a call with an argument, begins with the last of these words, and the others are there
/// too.
fn tells(code: &str, subcommand: &[String]) -> bool {
    let Some((last, before)) = subcommand.split_last() else {
        return true;
    };
    let begins = ["[", "("]
        .iter()
        .any(|opening| code.contains(&format!("{opening}\"{last}\"")));
    let follows = || {
        before
            .last()
            .is_some_and(|it| code.contains(&format!("\"{it}\",\"{last}\"")))
    };
    (begins || follows()) && before.iter().all(|word| code.contains(&format!("\"{word}\"")))
}

/// What a target of the Makefile runs, if there is such a target.
pub(super) fn recipe(makefile: &str, target: &str) -> Option<String> {
    let mut lines = makefile.lines();
    lines.find(|line| line.strip_prefix(target).is_some_and(|rest| rest.starts_with(':')))?;
    Some(
        lines
            .take_while(|line| line.starts_with('\t'))
            .collect::<Vec<_>>()
            .join("\n"),
    )
}
