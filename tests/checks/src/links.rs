//! Links between Markdown files: what they name must exist, and the book must be whole.

mod markdown;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
};

use self::markdown::{Link, anchors, links};

/// The page of a book that lists its pages.
const SUMMARY: &str = "SUMMARY.md";

/// A link that leads nowhere, or a page that no link leads to.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// What is broken in these files, in their order. `book` is the folder of the book's pages: what is there must be listed
/// in its `SUMMARY.md`, and its links must stay inside, since nothing else is published with it.
///
/// # Errors
/// When a file cannot be read.
pub fn broken(files: &[PathBuf], book: &Path) -> io::Result<Vec<Broken>> {
    let texts = files.iter().map(|file| Ok((file.as_path(), fs::read_to_string(file)?)));
    let texts: BTreeMap<&Path, String> = texts.collect::<io::Result<_>>()?;
    let mut broken = Vec::new();
    for (file, text) in &texts {
        for link in links(text) {
            if let Some(what) = problem(&texts, book, file, &link) {
                let file = file.to_path_buf();
                broken.push(Broken {
                    file,
                    line: link.line,
                    what,
                });
            }
        }
    }
    broken.extend(unlisted(&texts, book));
    Ok(broken)
}

/// Why a link leads nowhere.
fn problem(texts: &BTreeMap<&Path, String>, book: &Path, file: &Path, link: &Link) -> Option<String> {
    let (path, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
    let target = match path {
        "" => file.to_path_buf(),
        path => normal(&file.parent().unwrap_or(Path::new("")).join(path)),
    };
    if file.starts_with(book) && !target.starts_with(book) {
        return Some(format!(
            "{}: outside of the book, where it is not published",
            link.target
        ));
    }
    if !target.exists() {
        return Some(format!("{}: there is no such file", link.target));
    }
    if anchor.is_empty() {
        return None;
    }
    let known = texts.get(target.as_path()).map(|text| anchors(text))?;
    (!known.contains(anchor)).then(|| format!("{}: there is no such heading", link.target))
}

/// Pages of the book that its summary does not list.
fn unlisted(texts: &BTreeMap<&Path, String>, book: &Path) -> Vec<Broken> {
    let summary = book.join(SUMMARY);
    let listed: BTreeSet<PathBuf> = match texts.get(summary.as_path()) {
        Some(text) => links(text).into_iter().map(|link| book.join(link.target)).collect(),
        None => return Vec::new(),
    };
    texts
        .keys()
        .filter(|file| file.starts_with(book) && **file != summary && !listed.contains(**file))
        .map(|file| Broken {
            file: file.to_path_buf(),
            line: 1,
            what: format!("this page is not in {}", summary.display()),
        })
        .collect()
}

/// Without `.` and `..`, by the text alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
