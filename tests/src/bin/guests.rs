//! Compiles the guests that are written as text, and says what a manifest must name.
#![allow(clippy::print_stdout)] // a command's result goes there

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use sha2::{Digest, Sha256};

/// Compiles every `*.wat` of a folder to `*.wasm` in another; prints each name with its SHA-256.
#[derive(Parser)]
struct Args {
    /// The folder with the texts.
    source: PathBuf,
    /// The folder for the modules; it is made if it is missing.
    output: PathBuf,
}

fn main() -> Result<()> {
    let Args { source, output } = Args::parse();
    fs::create_dir_all(&output).with_context(|| format!("make {}", output.display()))?;
    let entries = fs::read_dir(&source).with_context(|| format!("read {}", source.display()))?;
    let mut texts = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    texts.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    ensure!(!texts.is_empty(), "no *.wat in {}", source.display());
    texts.sort();
    for text in texts {
        compile(&text, &output)?;
    }
    Ok(())
}

fn compile(text: &Path, output: &Path) -> Result<()> {
    let module = wat::parse_file(text).with_context(|| format!("compile {}", text.display()))?;
    let name = text.file_stem().context("a file has a name")?;
    let path = output.join(name).with_extension("wasm");
    fs::write(&path, &module).with_context(|| format!("write {}", path.display()))?;
    println!("{} {}", name.to_string_lossy(), hex::encode(Sha256::digest(&module)));
    Ok(())
}
