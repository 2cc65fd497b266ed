//! The host functions, and stubs for everything else a module imports.

use std::collections::HashSet;

use wasmtime::{Caller, Extern, ExternType, Linker, Module};

use super::{
    abi::{self, BadPointer},
    host::Host,
};
use crate::fault::Fault;

/// The import module of the host functions.
const ENV: &str = "env";

/// What is offered. [`linker`] defines exactly these.
pub(super) const OFFERED: [&str; 7] = [
    "__host_len",
    "__load_input",
    "__get_len",
    "__get",
    "__flush",
    "__log",
    "abort",
];

/// The most that is decoded of an `abort` message or file name; longer ones are cut.
const ABORT_TEXT_BYTES_MAX: usize = 1000;

/// Whether an import is one of ours.
pub(super) fn is_offered(module: &str, name: &str) -> bool {
    module == ENV && OFFERED.contains(&name)
}

/// The import table for a module: ours, and for each function we do not have a stub that fails when it is called. Rust
/// guests carry imports of wasm-bindgen that they never call.
pub(super) fn linker(engine: &wasmtime::Engine, module: &Module) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(ENV, "__host_len", host_len)?;
    linker.func_wrap(ENV, "__load_input", load_input)?;
    linker.func_wrap(ENV, "__get_len", get_len)?;
    linker.func_wrap(ENV, "__get", get)?;
    linker.func_wrap(ENV, "__flush", flush)?;
    linker.func_wrap(ENV, "__log", log)?;
    linker.func_wrap(ENV, "abort", abort)?;
    let mut stubbed = HashSet::new();
    for import in module.imports() {
        let (from, name) = (import.module(), import.name());
        let ExternType::Func(ty) = import.ty() else { continue };
        // A module may import one function several times.
        if is_offered(from, name) || !stubbed.insert((from, name)) {
            continue;
        }
        let text = format!("called the import {from}.{name}, which is not offered here");
        linker.func_new(from, name, ty, move |_, _, _| Err(Fault::guest(text.clone()).into()))?;
    }
    Ok(linker)
}

/// `__host_len() -> i32`: what `__load_input` will write, the 4 bytes of the height included.
fn host_len(mut caller: Caller<'_, Host>) -> wasmtime::Result<u32> {
    let (height, input) = caller.data_mut().job("__host_len")?.input();
    let len = u32::try_from(height.len() + input.len());
    Ok(len.map_err(|_| Fault::host("the input does not fit a 32-bit guest"))?)
}

/// `__load_input(ptr)`: height and input, without a length before them.
fn load_input(mut caller: Caller<'_, Host>, ptr: u32) -> wasmtime::Result<()> {
    let (memory, host) = border(&mut caller)?;
    let (height, input) = host.job("__load_input")?.input();
    let room = abi::target(memory, ptr, height.len() + input.len()).map_err(|bad| bad_pointer("__load_input", bad))?;
    let (height_room, input_room) = room.split_at_mut(height.len());
    height_room.copy_from_slice(&height);
    input_room.copy_from_slice(input);
    Ok(())
}

/// `__get_len(key) -> i32`: length of the value, 0 if absent.
fn get_len(mut caller: Caller<'_, Host>, key: u32) -> wasmtime::Result<u32> {
    let (memory, host) = border(&mut caller)?;
    let key = abi::sized(memory, key).map_err(|bad| bad_pointer("__get_len", bad))?;
    let value = host.job("__get_len")?.read(key)?;
    let len = u32::try_from(value.map_or(0, |value| value.len()));
    Ok(len.map_err(|_| Fault::host("a stored value does not fit a 32-bit guest"))?)
}

/// `__get(key, out)`: writes the value at `out`, nothing if absent.
fn get(mut caller: Caller<'_, Host>, key: u32, out: u32) -> wasmtime::Result<()> {
    let (memory, host) = border(&mut caller)?;
    let key = abi::sized(memory, key).map_err(|bad| bad_pointer("__get", bad))?;
    if let Some(value) = host.job("__get")?.read(key)? {
        let room = abi::target(memory, out, value.len()).map_err(|bad| bad_pointer("__get", bad))?;
        room.copy_from_slice(&value);
    }
    Ok(())
}

/// `__flush(message)`: pairs for the write set. Of no effect in a view.
fn flush(mut caller: Caller<'_, Host>, message: u32) -> wasmtime::Result<()> {
    let (memory, host) = border(&mut caller)?;
    let job = host.job("__flush")?;
    if !job.is_view() {
        let message = abi::sized(memory, message).map_err(|bad| bad_pointer("__flush", bad))?;
        job.flush(message)?;
    }
    Ok(())
}

/// `__log(text)`.
fn log(mut caller: Caller<'_, Host>, text: u32) -> wasmtime::Result<()> {
    let (memory, host) = border(&mut caller)?;
    let text = abi::sized(memory, text).map_err(|bad| bad_pointer("__log", bad))?;
    host.log_text(text);
    Ok(())
}

/// `abort(message, file, line, column)` of `AssemblyScript`. Always fails; what cannot be read is left out.
fn abort(mut caller: Caller<'_, Host>, message: u32, file: u32, line: u32, column: u32) -> wasmtime::Result<()> {
    let (memory, _) = border(&mut caller)?;
    let text = |ptr| {
        abi::sized(memory, ptr)
            .ok()
            .map(|bytes| abi::utf16(bytes, ABORT_TEXT_BYTES_MAX))
    };
    let message = text(message).unwrap_or_else(|| "no message".into());
    let file = text(file).unwrap_or_else(|| "unknown file".into());
    Err(Fault::guest(format!("abort: {message} ({file}:{line}:{column})")).into())
}

/// The guest's memory and the host's side of it, both at once.
fn border<'a>(caller: &'a mut Caller<'_, Host>) -> Result<(&'a mut [u8], &'a mut Host), Fault> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => caller
            .get_export("memory")
            .and_then(Extern::into_memory)
            .ok_or_else(|| Fault::guest("called the host without a memory"))?,
    };
    Ok(memory.data_and_store_mut(caller))
}

fn bad_pointer(function: &str, bad: BadPointer) -> Fault {
    Fault::guest(format!("{function}: {bad}"))
}
