//! The size of every block, and of all so far: a whole module in one file, without dependencies.
//!
//! ```text
//! rustc --edition 2021 --target wasm32-unknown-unknown -O -C panic=abort -C strip=symbols --crate-type cdylib sizes.rs
//! ```
//!
//! Rows, numbers little-endian: the height, u32 → bytes of its block, u64; `total` → bytes of all blocks, u64.
//! Views: `size` (height → bytes of its block), `total` (nothing → bytes of all blocks up to the height asked for).

#[link(wasm_import_module = "env")]
extern "C" {
    fn __host_len() -> usize;
    fn __load_input(to: *mut u8);
    fn __get_len(key: *const u8) -> usize;
    fn __get(key: *const u8, to: *mut u8);
    fn __flush(message: *const u8);
}

/// Indexes one block: the host calls it for each.
#[no_mangle]
pub extern "C" fn _start() {
    let (height, block) = input();
    let size = block.len() as u64;
    // What the blocks before have left. Nothing else of them is there: memory is new.
    let total = number(&get(b"total")) + size;
    flush(&[(&height, &size.to_le_bytes()), (b"total", &total.to_le_bytes())]);
}

/// Bytes of a block.
#[no_mangle]
pub extern "C" fn size() -> *const u8 {
    let (_, height) = input();
    answer(&get(&height))
}

/// Bytes of all blocks up to the height that the client asks at.
#[no_mangle]
pub extern "C" fn total() -> *const u8 {
    answer(&get(b"total"))
}

/// The height, and the block; in a view what the client sent.
fn input() -> ([u8; 4], Vec<u8>) {
    let mut bytes = vec![0; unsafe { __host_len() }];
    unsafe { __load_input(bytes.as_mut_ptr()) };
    let rest = bytes.split_off(4);
    (bytes.try_into().unwrap(), rest)
}

/// The value stored below this height; empty if there is none.
fn get(key: &[u8]) -> Vec<u8> {
    let key = sized(key);
    let mut value = vec![0; unsafe { __get_len(key[4..].as_ptr()) }];
    unsafe { __get(key[4..].as_ptr(), value.as_mut_ptr()) };
    value
}

/// Stores pairs, as the message `KeyValueFlush { repeated bytes list = 1; }`. All of these are shorter than 128 bytes, so
/// that a length is one byte.
fn flush(pairs: &[(&[u8], &[u8])]) {
    let mut message = Vec::new();
    for bytes in pairs.iter().flat_map(|(key, value)| [key, value]) {
        message.extend_from_slice(&[0x0a, bytes.len() as u8]);
        message.extend_from_slice(bytes);
    }
    unsafe { __flush(sized(&message)[4..].as_ptr()) }
}

/// An answer has to stay where it is after the view has returned.
fn answer(bytes: &[u8]) -> *const u8 {
    sized(bytes).leak()[4..].as_ptr()
}

/// Bytes with their length before them, as the host expects them. The pointer is that of the bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
