//! Commands that the book shows: each block of them says who runs it, or why nobody does.
//!
//! On the line before the fence of a block of `sh` or `console` stands a comment that no reader sees:
//!
//! - `<!-- run by PATH... -->`: each command of the block is in one of these files of tests and scripts;
//! - `<!-- run by PATH...; the rest REASON -->`: one at least is;
//! - `<!-- read and run by PATH -->`: this test reads the page and runs what it finds after this mark;
//! - `<!-- not run: REASON -->`, with one of [`REASONS`].
//!
//! A command is its program and its subcommand, as in `helm upgrade`, `kubectl get indexer`, `shrewd-indexer snapshot
//! list`; its other arguments are not compared. Filters such as `jq`, and whatever else is not in the list of programs, are
//! not looked for. With or without a mark, targets of `make` must exist, and flags of our programs must be in the reference,
//! which tests of these programs hold to what they take.

mod command;
mod mark;
mod place;
mod shell;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use self::mark::REASONS;
use self::{
    command::Command,
    mark::{Block, Mark, blocks},
    place::Place,
};
use crate::fences::outside_fences;

/// Where the targets of `make` are.
const MAKEFILE: &str = "Makefile";
/// Where the flags of our programs are described.
const REFERENCES: [&str; 2] = ["docs/src/reference.md", "docs/src/kubectl.md"];

/// A block of commands that nobody is known to run, or a command that cannot work.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unproven {
    /// The page.
    pub file: PathBuf,
    /// The line, from 1: of the fence, or of the command.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

/// What the commands of these pages are compared with.
struct Sources {
    root: PathBuf,
    makefile: String,
    /// Prose of the pages that describe flags.
    flags: String,
}

/// What is wrong with the commands of these pages, in their order. Paths are taken from `root`, the folder of the
/// repository.
///
/// # Errors
/// When a page, the Makefile or the reference cannot be read.
pub fn unproven(root: &Path, pages: &[PathBuf]) -> io::Result<Vec<Unproven>> {
    let sources = Sources::read(root)?;
    let mut unproven = Vec::new();
    for page in pages {
        let text = fs::read_to_string(root.join(page))?;
        for block in blocks(&text) {
            let found = sources.problems(page, &block).into_iter().map(|(line, what)| Unproven {
                file: page.clone(),
                line,
                what,
            });
            unproven.extend(found);
        }
    }
    unproven.sort();
    Ok(unproven)
}

impl Sources {
    fn read(root: &Path) -> io::Result<Self> {
        let mut flags = String::new();
        for page in REFERENCES {
            let text = fs::read_to_string(root.join(page))?;
            for (line, _) in text
                .lines()
                .zip(outside_fences(&text))
                .filter(|(_, is_outside)| *is_outside)
            {
                flags.push_str(line);
                flags.push('\n');
            }
        }
        Ok(Self {
            root: root.to_owned(),
            makefile: fs::read_to_string(root.join(MAKEFILE))?,
            flags,
        })
    }

    /// Lines and what is wrong there.
    fn problems(&self, page: &Path, block: &Block) -> Vec<(usize, String)> {
        let mut problems = Vec::new();
        for (line, command) in &block.commands {
            problems.extend(self.impossible(command).into_iter().map(|what| (*line, what)));
        }
        match &block.mark {
            Ok(Mark::NotRun) => {}
            Ok(Mark::ReadBy { path }) => {
                problems.extend(self.not_read(page, path).map(|what| (block.line, what)));
            }
            Ok(Mark::RunBy { paths, all }) => problems.extend(self.not_run(block, paths, *all)),
            Err(what) => problems.push((block.line, what.clone())),
        }
        problems
    }

    /// What cannot work, whoever runs it.
    fn impossible(&self, command: &Command) -> Vec<String> {
        let mut what = Vec::new();
        if let Some(target) = command.make_target()
            && place::recipe(&self.makefile, target).is_none()
        {
            what.push(format!("make {target}: the Makefile has no such target"));
        }
        if command.is_ours() {
            let unknown = command.flags.iter().filter(|flag| !describes(&self.flags, flag));
            what.extend(unknown.map(|flag| format!("{command} {flag}: the reference has no such flag")));
        }
        what
    }

    /// Why a test cannot have read a page.
    fn not_read(&self, page: &Path, path: &str) -> Option<String> {
        let Ok(test) = fs::read_to_string(self.root.join(path)) else {
            return Some(format!("{path}: there is no such file; name who runs this"));
        };
        let folder = page.parent().unwrap_or(page).display().to_string();
        (!test.contains(&folder))
            .then(|| format!("{path}: it does not name the folder {folder}, so it reads no page of it"))
    }

    /// Claims of a mark that are empty.
    fn not_run(&self, block: &Block, paths: &[String], all: bool) -> Vec<(usize, String)> {
        let mut problems = Vec::new();
        let mut places = Vec::new();
        for path in paths {
            match Place::read(&self.root, path) {
                Some(place) => places.push(place),
                None => problems.push((block.line, format!("{path}: there is no such file; name who runs this"))),
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        let named = paths.join(" and ");
        let is_run = |command: &Command| place::has(&places, &self.makefile, command);
        let missing: Vec<_> = block.commands.iter().filter(|(_, command)| !is_run(command)).collect();
        if missing.len() == block.commands.len() {
            let what = format!("no command of this block is in {named}; name who runs it, or say why nobody does");
            return vec![(block.line, what)];
        }
        if all {
            let words = "name who runs it, or add `; the rest REASON` to the mark";
            problems.extend(
                missing
                    .into_iter()
                    .map(|(line, command)| (*line, format!("{command}: not in {named}; {words}"))),
            );
        }
        problems
    }
}

/// Whether a text has a flag as a word.
fn describes(text: &str, flag: &str) -> bool {
    text.match_indices(flag).any(|(at, _)| {
        let next = text[at + flag.len()..].chars().next();
        !next.is_some_and(|it| it.is_ascii_alphanumeric() || it == '-')
    })
}
