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
    fault::Fault,
    guest::{self, Description, Engine, EngineConfig, LoadError, Module},
    telemetry::{report::resident_bytes, units::mebibytes},
};

/// The default of the resource.
const LIMIT_BYTES: u64 = 4 << 30;
/// Start sections set globals and tables: one that takes longer is taken to be without end. A run would wait for it.
const START_TIME_MAX: Duration = Duration::from_secs(30);

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
    /// Every block would fail before it begins.
    #[error("no instance of the module can be made")]
    Instance(#[source] Fault),
    /// Every block would fail at its end.
    #[error(
        "no block can complete: the module does not import env.__flush, by which it hands over what it has indexed"
    )]
    NeverFlushes,
    /// The report cannot be written.
    #[error("write the findings")]
    Write(#[source] io::Error),
}

/// Loads a module as a run would, makes one instance, and writes a report.
///
/// # Errors
/// [`Error`]; all but [`Error::Write`] mean that the module cannot be used.
pub fn check(flags: &CheckFlags, out: &mut impl Write) -> Result<(), Error> {
    let is_text = flags.module.extension().is_some_and(|extension| extension == "wat");
    let bytes = module_bytes(&flags.module, is_text)?;
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
    let description = module.describe();
    let unusable = unusable(&description, module.try_instance(Instant::now() + START_TIME_MAX));
    let result = match &unusable {
        Some(Error::NeverFlushes) => "no block can complete",
        Some(_) => "it cannot be run",
        None if is_text => "the binary made from it can be run",
        None => "it can be run",
    };
    let mut text = shown(&bytes, compiled_in, &description);
    if is_text {
        // Into a string: cannot fail.
        let _ = writeln!(
            text,
            "{:<10} this is the text form: run takes the binary, which wat2wasm makes",
            "warning"
        );
    }
    let _ = writeln!(text, "{:<10} {result}", "result");
    out.write_all(text.as_bytes()).map_err(Error::Write)?;
    unusable.map_or(Ok(()), Err)
}

/// Why a module that was loaded can index nothing all the same.
fn unusable(description: &Description, instance: Result<(), Fault>) -> Option<Error> {
    let never_flushes = description.unused_host_functions.contains(&"__flush");
    let failed = instance.err().map(Error::Instance);
    failed.or_else(|| never_flushes.then_some(Error::NeverFlushes))
}

/// The binary form, whichever the file has.
fn module_bytes(path: &PathBuf, is_text: bool) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(|source| Error::Read {
        path: path.clone(),
        source,
    })?;
    if is_text {
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
        unused_host_functions: _,
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
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: &str = r#"(import "env" "__flush" (func (param i32)))"#;
    const START: &str = r#"(memory (export "memory") 1) (func (export "_start"))"#;

    /// What is written, and the error.
    fn checked(name: &str, bytes: &[u8]) -> (String, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join(name);
        fs::write(&module, bytes).unwrap();
        let mut out = Vec::new();
        let error = check(&CheckFlags { module }, &mut out).err();
        let error = error.map(|e| format!("{:#}", anyhow::Error::from(e)));
        (String::from_utf8(out).unwrap(), error)
    }

    fn check_text(text: &str) -> Result<String, String> {
        match checked("module.wasm", &wat::parse_str(text).unwrap()) {
            (found, None) => Ok(found),
            (_, Some(error)) => Err(error),
        }
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
    fn a_module_that_can_index_nothing_is_described_and_refused() {
        let trap = format!("(module {FLUSH} {START} (func $trap unreachable) (start $trap))");
        let outside = format!(r#"(module {FLUSH} {START} (data (i32.const 65536) "x"))"#);
        let silent = format!("(module {START})");
        for (text, result, error) in [
            (trap, "it cannot be run", "no instance of the module can be made: "),
            (outside, "it cannot be run", "no instance of the module can be made: "),
            (
                silent,
                "no block can complete",
                "no block can complete: the module does not import env.__flush",
            ),
        ] {
            let (found, refused) = checked("module.wasm", &wat::parse_str(&text).unwrap());
            assert!(refused.is_some_and(|words| words.starts_with(error)), "{text}");
            assert!(found.ends_with(&format!("result     {result}\n")), "{found}");
        }
    }

    #[test]
    fn the_text_form_is_checked_and_named() {
        let (found, refused) = checked("module.wat", format!("(module {FLUSH} {START})").as_bytes());
        assert_eq!(refused, None);
        assert!(
            found.contains("warning    this is the text form: run takes the binary"),
            "{found}"
        );
        assert!(
            found.ends_with("result     the binary made from it can be run\n"),
            "{found}"
        );
        let (_, refused) = checked("module.wat", b"(module (func");
        assert!(refused.is_some_and(|words| words.starts_with("read the text form")));
    }

    #[test]
    fn a_module_that_cannot_be_used_is_an_error_that_says_why() {
        let missing = check_text(r#"(module (memory (export "memory") 1))"#).unwrap_err();
        assert!(
            missing.starts_with("MissingExport: ") && missing.contains("_start"),
            "{missing}"
        );
        let module = PathBuf::from("/nowhere.wasm");
        assert!(matches!(
            check(&CheckFlags { module }, &mut Vec::new()),
            Err(Error::Read { .. })
        ));
    }
}
