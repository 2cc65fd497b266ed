//! Where a guest trapped, in the words of its module: the functions on its stack, innermost first.

use std::num::NonZeroUsize;

use rustc_demangle::try_demangle;
use wasmtime::{FrameInfo, WasmBacktrace};

/// Functions that are named. The innermost ones of a Rust panic are its machinery, so fewer would show nothing else.
pub(super) const FRAMES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(11);

/// The most of a function's name that is shown.
const NAME_BYTES_MAX: usize = 80;

/// The most of all of them together; a halt's message has room for 1,000 characters, and last words come first.
const BYTES_MAX: usize = 400;

/// The functions that were active, or none where the error carries no stack.
pub(super) fn shown(error: &wasmtime::Error) -> Option<String> {
    let frames = error.downcast_ref::<WasmBacktrace>()?.frames();
    joined(frames.iter().map(name))
}

fn name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => readable(name),
        // The offset finds it in the module's text form.
        None => match frame.module_offset() {
            Some(offset) => format!("function {} at {offset:#x}", frame.func_index()),
            None => format!("function {}", frame.func_index()),
        },
    }
}

/// Names of Rust functions without their hashes, others as they stand.
fn readable(name: &str) -> String {
    let mut text = match try_demangle(name) {
        Ok(demangled) => format!("{demangled:#}"),
        Err(_) => name.to_owned(),
    };
    if text.len() > NAME_BYTES_MAX {
        text.truncate(text.floor_char_boundary(NAME_BYTES_MAX));
        text.push('…');
    }
    text
}

fn joined(names: impl Iterator<Item = String>) -> Option<String> {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push_str(" <- ");
        }
        if text.len() + name.len() > BYTES_MAX {
            text.push('…');
            break;
        }
        text.push_str(&name);
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_are_readable_and_all_are_bounded() {
        assert_eq!(
            readable("_ZN4core9panicking9panic_fmt17h0123456789abcdefE"),
            "core::panicking::panic_fmt"
        );
        assert_eq!(readable("~lib/rt/itcms/__new"), "~lib/rt/itcms/__new");
        let long = readable(&"é".repeat(100));
        assert_eq!(long, format!("{}…", "é".repeat(40)));
    }

    #[test]
    fn a_stack_is_one_line_within_its_bound() {
        let stack = |names: &[&str]| joined(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(stack(&["b", "a"]).as_deref(), Some("b <- a"));
        assert_eq!(stack(&[]), None);
        let text = stack(&["x".repeat(80).as_str(); 12]).unwrap();
        assert!(text.len() <= BYTES_MAX + 10 && text.ends_with(" <- …"), "{text}");
    }
}
