//! Source files: where a module's file lies, and what is in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// Why the sources of a crate could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file is not Rust.
    #[error("parse {}:{}", path.display(), source.span().start().line)]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: syn::Error,
    },
}

/// What is in a file.
pub(crate) fn parse(path: &Path) -> Result<syn::File, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    syn::parse_file(&text).map_err(|source| Error::Parse {
        path: path.into(),
        source,
    })
}

/// The folder in which a file's child modules lie. The root of a crate has them beside it.
pub(crate) fn children_of(file: &Path, is_root: bool) -> PathBuf {
    if is_root || file.file_name().is_some_and(|name| name == "mod.rs") {
        file.parent().unwrap_or(Path::new("")).into()
    } else {
        file.with_extension("")
    }
}

/// The file of `mod NAME;`, declared in `declaring` whose child modules lie in `folder`.
pub(crate) fn file_of(name: &str, attributes: &[Attribute], declaring: &Path, folder: &Path) -> PathBuf {
    if let Some(path) = attributes.iter().find_map(path_attribute) {
        return declaring.parent().unwrap_or(Path::new("")).join(path);
    }
    let flat = folder.join(format!("{name}.rs"));
    let nested = folder.join(name).join("mod.rs");
    if nested.exists() { nested } else { flat }
}

/// The text of `#[path = "…"]`.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) if pair.path.is_ident("path") => Some(text.value()),
        _ => None,
    }
}
