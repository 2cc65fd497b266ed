//! Log lines: written to standard error, as text or JSON, above the progress bar if there is one.

use std::io::{self, IsTerminal as _, Write};

use indicatif::ProgressBar;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::cli::args::LogFormat;

/// What is logged without `RUST_LOG`: this program's lines, those of guests, and warnings of libraries. Cranelift and
/// hyper log every step at lower levels.
const DEFAULT_FILTER: &str = "warn,guest=info,indexer=info,shrewd_indexer=info";

/// Starts logging and returns the bar that log lines make room for. It is hidden unless standard error is a terminal and
/// lines are text.
///
/// # Errors
/// If logging was started already, or `RUST_LOG` is not a filter.
pub fn init(format: LogFormat) -> Result<ProgressBar, Box<dyn std::error::Error + Send + Sync>> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter)?,
        _ => EnvFilter::new(DEFAULT_FILTER),
    };
    let terminal = io::stderr().is_terminal();
    let bar = if terminal && format == LogFormat::Text {
        ProgressBar::no_length()
    } else {
        ProgressBar::hidden()
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal)
        // It would say on standard error that standard error cannot be written, and panic.
        .log_internal_errors(false)
        .with_writer(Aside(bar.clone()));
    match format {
        LogFormat::Text => lines.try_init()?,
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()?,
    }
    Ok(bar)
}

/// Writes lines to standard error while the bar is hidden. A line that cannot be written is lost: neither a full disk nor
/// a collector that is gone stops an index.
#[derive(Clone)]
struct Aside(ProgressBar);

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // One call is one whole line: tracing-subscriber formats into a buffer first.
        let _ = self.0.suspend(|| io::stderr().lock().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Aside {
    type Writer = Self;

    fn make_writer(&'a self) -> Self::Writer {
        self.clone()
    }
}
