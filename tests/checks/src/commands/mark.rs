//! Blocks of commands on a page, and the marks before them.

use super::command::{Command, commands};

/// Why nobody runs a block.
pub const REASONS: [&str; 7] = [
    "needs a cloud",
    "needs your cluster",
    "needs a cluster of its own",
    "needs ports 8080 and 9090",
    "needs your registry or repository",
    "changes your machine",
    "publishes a release",
];
/// Languages of blocks of commands.
const LANGUAGES: [&str; 2] = ["sh", "console"];

/// A block of commands.
pub(super) struct Block {
    /// Of its fence, from 1.
    pub(super) line: usize,
    /// What stands before it, or what to do about that.
    pub(super) mark: Result<Mark, String>,
    /// With their lines.
    pub(super) commands: Vec<(usize, Command)>,
}

/// Who runs a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// These files do, all of it or a part.
    RunBy {
        paths: Vec<String>,
        all: bool,
    },
    /// This file reads it from the page.
    ReadBy {
        path: String,
    },
    NotRun,
}

/// The blocks of commands of a page.
pub(super) fn blocks(page: &str) -> Vec<Block> {
    let lines: Vec<&str> = page.lines().collect();
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let Some(language) = lines[at].trim_start().strip_prefix("```") else {
            at += 1;
            continue;
        };
        let inside = lines[at + 1..].iter().take_while(|line| line.trim() != "```").count();
        if LANGUAGES.contains(&language.trim()) {
            let before = if at == 0 { "" } else { lines[at - 1] };
            blocks.push(Block {
                line: at + 1,
                mark: mark(before.trim()),
                commands: commands(&lines[at + 1..at + 1 + inside], at + 2),
            });
        }
        at += inside + 2;
    }
    blocks
}

/// The mark on a line.
fn mark(line: &str) -> Result<Mark, String> {
    let text = line
        .strip_prefix("<!--")
        .and_then(|it| it.strip_suffix("-->"))
        .map(str::trim);
    if let Some(reason) = text.and_then(|it| it.strip_prefix("not run: ")) {
        return known(reason).map(|()| Mark::NotRun);
    }
    if let Some(path) = text.and_then(|it| it.strip_prefix("read and run by ")) {
        return Ok(Mark::ReadBy { path: path.to_owned() });
    }
    let Some(by) = text.and_then(|it| it.strip_prefix("run by ")) else {
        return Err(
            "nothing says who runs this: put `<!-- run by PATH -->` or `<!-- not run: REASON -->` on the line \
                    before it"
                .into(),
        );
    };
    let (paths, rest) = match by.split_once("; the rest ") {
        Some((paths, reason)) => (paths, Some(reason)),
        None => (by, None),
    };
    rest.map_or(Ok(()), known)?;
    let paths = paths.split([' ', ',']).filter(|path| !path.is_empty());
    Ok(Mark::RunBy {
        paths: paths.map(Into::into).collect(),
        all: rest.is_none(),
    })
}

fn known(reason: &str) -> Result<(), String> {
    if REASONS.contains(&reason) {
        return Ok(());
    }
    Err(format!("{reason}: no known reason; there are: {}", REASONS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_before_fences() {
        let page = "<!-- run by a b; the rest needs a cloud -->\n```sh\nmake try\n```\n\n```console\nmake x\n```\n\
                    <!-- not run: needs a cloud -->\n   ```sh\n   make y\n   ```\n```text\nmake z\n```\n";
        let blocks = blocks(page);
        let lines: Vec<usize> = blocks.iter().map(|block| block.line).collect();
        assert_eq!(lines, [2, 6, 10]);
        let paths = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(blocks[0].mark, Ok(Mark::RunBy { paths, all: false }));
        assert!(blocks[1].mark.is_err());
        assert_eq!(blocks[2].mark, Ok(Mark::NotRun));
        assert_eq!(blocks[2].commands[0].0, 11);
    }

    #[test]
    fn reasons_are_known_ones() {
        assert!(mark("<!-- not run: no time -->").unwrap_err().contains("needs a cloud"));
        assert!(mark("<!-- run by a; the rest later -->").is_err());
        assert!(mark("<!-- other words -->").is_err());
    }
}
