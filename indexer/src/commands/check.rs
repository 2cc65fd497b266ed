//! `check MODULE`: what a module has and needs, before it is deployed.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use crate::{
    cli::args::CheckFlags,
    guest::{self, Description, Engine, EngineConfig, LoadError, Module},
    telemetry::{report::resident_bytes, units::mebibytes},
};

/// The default of the resource.
const LIMIT_BYTES: u64 = 4 << 30;

/// Why a module cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// Its text form is no module.
    #[error("read the text form of the module")]
    Text(#[source] wat::Error),
    /// The engine does not start on this machine.
    #[error("start the engine")]
    Engine(#[source] guest::Error),
    /// It cannot be run.
    #[error("{}", .0.reason())]
    Load(#[source] LoadError),
    /// The report cannot be written.
    #[error("write the findings")]
    Write(#[source] io::Error),
}

/// Loads a module as a run would and writes a report.
///
/// # Errors
/// [`Error`]; all but [`Error::Write`] mean that the module cannot be used.
pub fn check(flags: &CheckFlags, out: &mut impl Write) -> Result<(), Error> {
    let bytes = module_bytes(&flags.module)?;
    // Without a cache, so that the module is compiled and the time can be measured.
    let config = EngineConfig {
        limit_bytes: LIMIT_BYTES,
        view_memory_limit_bytes: LIMIT_BYTES,
        max_views: 1,
        cache_dir: None,
    };
    let engine = Engine::new(&config).map_err(Error::Engine)?;
    let started = Instant::now();
    let module = Module::load(&engine, &bytes).map_err(Error::Load)?;
    let compiled_in = started.elapsed();
    out.write_all(shown(&bytes, compiled_in, &module.describe()).as_bytes())
        .map_err(Error::Write)
}

/// The binary form, whichever the file has.
fn module_bytes(path: &PathBuf) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    if path.extension().is_some_and(|extension| extension == "wat") {
        return wat::parse_bytes(&bytes)
            .map(std::borrow::Cow::into_owned)
            .map_err(Error::Text);
    }
    Ok(bytes)
}

fn shown(bytes: &[u8], compiled_in: Duration, description: &Description) -> String {
    let Description {
        views,
        imports,
        unused_host_functions,
        memory_min_bytes,
        memory_max_bytes,
        memories,
        meta,
    } = description;
    let max = memory_max_bytes.map_or("not declared".into(), mebibytes);
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Into a string: cannot fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    line(
        "module",
        &format!("{} bytes, sha256 {}", bytes.len(), hex::encode(Sha256::digest(bytes))),
    );
    line(
        "compiled",
        &format!(
            "in {} ms; this process now has {}",
            compiled_in.as_millis(),
            mebibytes(resident_bytes())
        ),
    );
    line(
        "memory",
        &format!(
            "starts with {}, its own maximum {max}, memories {memories}",
            mebibytes(*memory_min_bytes)
        ),
    );
    for view in views {
        match meta.iter().flatten().find(|view_meta| &view_meta.name == view) {
            Some(meta) => line("view", &format!("{view} ({} -> {})", meta.input_type, meta.output_type)),
            None => line("view", view),
        }
    }
    for import in imports {
        line(
            "import",
            &format!(
                "{}{}",
                import.name,
                if import.offered { "" } else { " (fails when called)" }
            ),
        );
    }
    if unused_host_functions.contains(&"__flush") {
        line("warning", "it does not import env.__flush: no block can complete");
    }
    line("result", "it can be run");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("module.wat");
        fs::write(&module, text).unwrap();
        let mut out = Vec::new();
        check(&CheckFlags { module }, &mut out).map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_good_module_is_described() {
        let found = check_text(
            r#"(module
                (import "env" "__flush" (func (param i32)))
                (import "env" "__host_len" (func (result i32)))
                (import "wbg" "unused" (func))
                (memory (export "memory") 2 32768)
                (func (export "_start"))
                (func (export "balance") (result i32) i32.const 0))"#,
        )
        .unwrap();
        for line in [
            "memory     starts with 0.2 MiB, its own maximum 2048.0 MiB, memories 1",
            "view       balance",
            "import     env.__flush",
            "import     wbg.unused (fails when called)",
            "result     it can be run",
        ] {
            assert!(found.lines().any(|found| found == line), "{line} is not in\n{found}");
        }
        assert!(!found.contains("warning"), "{found}");
    }

    #[test]
    fn a_module_that_never_flushes_is_warned_of() {
        let found = check_text(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap();
        assert!(found.contains("warning    it does not import env.__flush"), "{found}");
    }

    #[test]
    fn a_module_that_cannot_be_used_is_an_error_that_says_why() {
        let missing = check_text(r#"(module (memory (export "memory") 1))"#).unwrap_err();
        assert!(
            missing.starts_with("MissingExport: ") && missing.contains("_start"),
            "{missing}"
        );
        assert!(
            check_text("(module (func")
                .unwrap_err()
                .starts_with("read the text form")
        );
        let module = PathBuf::from("/nowhere.wasm");
        assert!(matches!(
            check(&CheckFlags { module }, &mut Vec::new()),
            Err(Error::Read { .. })
        ));
    }
}
