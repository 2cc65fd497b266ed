//! Where output goes: a terminal, a file, another program.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    ops::ControlFlow,
};

use terminal_size::{Width, terminal_size};

use crate::{style::Style, text};

/// What standard output can show. Colours are for terminals, unless `NO_COLOR` is set (<https://no-color.org>).
#[must_use]
pub fn style() -> Style {
    let is_terminal = io::stdout().is_terminal();
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Style {
        width: terminal_size()
            .filter(|_| is_terminal)
            .map(|(Width(columns), _)| usize::from(columns)),
        colour: is_terminal && !is_plain,
    }
}

/// Writes to standard output. A reader that has left, as `head` does, is no failure.
///
/// # Errors
/// If it cannot be written, to a full disk for instance.
pub fn print(text: &str) -> io::Result<()> {
    stream(text).map(drop)
}

/// Likewise, a part of what does not end by itself: it says whether to stop, as the reader has left.
///
/// # Errors
/// The same.
pub fn stream(text: &str) -> io::Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        done => done.map(ControlFlow::Continue),
    }
}

/// Writes a remark to standard error, so that standard output has nothing but what was asked for. Words of servers are
/// among it.
pub fn note(remark: &str) {
    // Whoever closed standard error does not read it.
    let _ = writeln!(io::stderr(), "{}", text::plain(remark));
}

/// Writes an error and its causes to standard error. Words of servers are among them.
pub fn complain(error: &anyhow::Error) {
    // Whoever closed standard error does not read it.
    let _ = writeln!(io::stderr(), "error: {}", text::plain(&with_causes(error)));
}

/// An error and its causes, but for those that it quotes: errors of libraries have both.
fn with_causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.as_str() {
            "" => cause,
            said if said.contains(&cause) => said.to_owned(),
            said => format!("{said}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow!("connection refused")
            .context("connect: connection refused")
            .context("ask pod a");
        assert_eq!(with_causes(&error), "ask pod a: connect: connection refused");
    }
}
