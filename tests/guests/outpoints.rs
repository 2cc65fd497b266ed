//! An index of outpoints and scripts: the example guest, in one file and without dependencies.
//!
//! ```text
//! rustc --edition 2021 --target wasm32-unknown-unknown -O -C panic=abort -C strip=debuginfo --crate-type cdylib outpoints.rs
//! ```
//!
//! Rows, all numbers little-endian, txids in the byte order they are hashed in:
//!
//! | key                                     | value                                     |
//! |-----------------------------------------|-------------------------------------------|
//! | txid 32, output index u32               | value u64, height u32, script             |
//! | `s/`, SHA-256 of a script 32, n u32     | the n-th outpoint that paid the script 36 |
//! | `n/`, SHA-256 of a script 32            | how many outpoints paid the script u32    |
//! | `x/`, outpoint 36                       | txid that spends it 32                    |
//! | `tip`                                   | height u32, block hash 32                 |
//!
//! Views: `outpoint` (outpoint → its row), `spender` (outpoint → txid), `script` (script → all its outpoints, oldest
//! first), `tip` (nothing → the row `tip`). What is unknown answers with nothing.
//!
//! No state is kept between blocks: each starts with what the host has stored.

use std::collections::BTreeMap;

/// txid and output index.
const OUTPOINT_LEN: usize = 36;
const HEADER_LEN: usize = 80;
const TIP: &[u8] = b"tip";

// ---- what the host calls ----

/// Indexes one block.
#[no_mangle]
pub extern "C" fn _start() {
    let (height, block) = input();
    index(height, &block).flush();
}

/// Value, height and script of an outpoint.
#[no_mangle]
pub extern "C" fn outpoint() -> *const u8 {
    answer(get(&outpoint_request()))
}

/// The transaction that spends an outpoint.
#[no_mangle]
pub extern "C" fn spender() -> *const u8 {
    answer(get(&spend_key(&outpoint_request())))
}

/// All outpoints that ever paid a script.
#[no_mangle]
pub extern "C" fn script() -> *const u8 {
    let hash = sha256(&[&input().1]);
    let count = stored_count(&hash);
    answer((0..count).flat_map(|n| get(&script_key(&hash, n))).collect())
}

/// The last block indexed.
#[no_mangle]
pub extern "C" fn tip() -> *const u8 {
    answer(get(TIP))
}

fn outpoint_request() -> Vec<u8> {
    let (_, request) = input();
    if request.len() != OUTPOINT_LEN {
        fail("an outpoint has 36 bytes: txid, then output index");
    }
    request
}

// ---- from a block to rows ----

fn index(height: u32, block: &[u8]) -> Writes {
    let mut reader = Reader { bytes: block, at: 0 };
    let header = reader.take(HEADER_LEN);
    let mut writes = Writes::default();
    let mut counts = BTreeMap::new();
    for _ in 0..reader.compact_size() {
        let tx = transaction(&mut reader);
        for spent in tx.spends {
            writes.put(&spend_key(spent), &tx.txid);
        }
        for (n, (value, script)) in (0u32..).zip(tx.outputs) {
            let outpoint = [&tx.txid[..], &n.to_le_bytes()].concat();
            writes.put(&outpoint, &[value, &height.to_le_bytes(), script].concat());
            let hash = sha256(&[script]);
            let count = counts.entry(hash).or_insert_with(|| stored_count(&hash));
            writes.put(&script_key(&hash, *count), &outpoint);
            *count += 1;
        }
    }
    for (hash, count) in counts {
        writes.put(&count_key(&hash), &count.to_le_bytes());
    }
    writes.put(TIP, &[&height.to_le_bytes()[..], &sha256d(&[header])].concat());
    writes
}

fn script_key(hash: &[u8; 32], n: u32) -> Vec<u8> {
    [b"s/", &hash[..], &n.to_le_bytes()].concat()
}

fn count_key(hash: &[u8; 32]) -> Vec<u8> {
    [b"n/", &hash[..]].concat()
}

fn spend_key(outpoint: &[u8]) -> Vec<u8> {
    [b"x/", outpoint].concat()
}

fn stored_count(hash: &[u8; 32]) -> u32 {
    let value = get(&count_key(hash));
    if value.is_empty() {
        return 0;
    }
    u32::from_le_bytes(array(&value))
}

// ---- reading blocks ----

struct Transaction<'a> {
    txid: [u8; 32],
    /// Outpoints, as they stand in the inputs; none of a coinbase.
    spends: Vec<&'a [u8]>,
    /// Value, eight bytes, and script.
    outputs: Vec<(&'a [u8], &'a [u8])>,
}

/// Reads one transaction, with or without witnesses. Its id covers all but the witnesses and their marker.
fn transaction<'a>(reader: &mut Reader<'a>) -> Transaction<'a> {
    let version = reader.take(4);
    // A transaction has inputs, so a zero here is the marker of BIP 144, with one byte of flags behind it.
    let has_witness = reader.peek() == 0;
    if has_witness {
        reader.take(2);
    }
    let start = reader.at;
    let inputs = reader.compact_size();
    let spends: Vec<_> = (0..inputs).map(|_| input_outpoint(reader)).collect();
    let outputs = (0..reader.compact_size()).map(|_| (reader.take(8), reader.take_sized())).collect();
    let body = &reader.bytes[start..reader.at];
    if has_witness {
        for _ in 0..inputs {
            for _ in 0..reader.compact_size() {
                reader.take_sized();
            }
        }
    }
    let txid = sha256d(&[version, body, reader.take(4)]);
    Transaction { txid, spends: spends.into_iter().filter(|o| o[..32] != [0; 32]).collect(), outputs }
}

fn input_outpoint<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let outpoint = reader.take(OUTPOINT_LEN);
    reader.take_sized(); // script
    reader.take(4); // sequence
    outpoint
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let bytes: &'a [u8] = self.bytes;
        match self.at.checked_add(len).and_then(|end| bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += len;
                taken
            }
            None => fail("the block ends in the middle of a field"),
        }
    }

    fn peek(&mut self) -> u8 {
        let byte = self.take(1)[0];
        self.at -= 1;
        byte
    }

    /// Bitcoin's variable-length integer.
    fn compact_size(&mut self) -> usize {
        match self.take(1)[0] {
            0xff => fail("a block has no count above 32 bits"),
            0xfe => u32::from_le_bytes(array(self.take(4))) as usize,
            0xfd => u16::from_le_bytes(array(self.take(2))) as usize,
            small => small as usize,
        }
    }

    fn take_sized(&mut self) -> &'a [u8] {
        let len = self.compact_size();
        self.take(len)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    match bytes.try_into() {
        Ok(array) => array,
        Err(_) => fail("a stored number has another size than this guest writes"),
    }
}

// ---- the host's side ----

#[link(wasm_import_module = "env")]
extern "C" {
    fn __host_len() -> usize;
    fn __load_input(to: *mut u8);
    fn __get_len(key: *const u8) -> usize;
    fn __get(key: *const u8, to: *mut u8);
    fn __flush(message: *const u8);
    fn abort(message: *const u8, file: *const u8, line: u32, column: u32) -> !;
}

/// Bytes as host and guest exchange them: pointers address the data, and its length stands in the four bytes before.
struct Buffer(Vec<u8>);

impl Buffer {
    const PREFIX: usize = 4;

    fn of(data: &[u8]) -> Self {
        Buffer([&(data.len() as u32).to_le_bytes(), data].concat())
    }

    fn as_ptr(&self) -> *const u8 {
        self.0[Self::PREFIX..].as_ptr()
    }

    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0[Self::PREFIX..].as_mut_ptr()
    }

    fn into_data(mut self) -> Vec<u8> {
        self.0.split_off(Self::PREFIX)
    }
}

/// Height and block, or height and request.
fn input() -> (u32, Vec<u8>) {
    let mut bytes = vec![0; unsafe { __host_len() }];
    unsafe { __load_input(bytes.as_mut_ptr()) };
    let rest = bytes.split_off(4);
    (u32::from_le_bytes(array(&bytes)), rest)
}

/// The value stored below this height; empty if there is none.
fn get(key: &[u8]) -> Vec<u8> {
    let key = Buffer::of(key);
    let len = unsafe { __get_len(key.as_ptr()) };
    let mut value = Buffer::of(&vec![0; len]);
    unsafe { __get(key.as_ptr(), value.as_mut_ptr()) };
    value.into_data()
}

/// Leaves the bytes in memory for the host, which drops the whole instance of a view after it has read them.
fn answer(bytes: Vec<u8>) -> *const u8 {
    std::mem::ManuallyDrop::new(Buffer::of(&bytes)).as_ptr()
}

/// Ends this block or view as failed, with a text that the host shows.
fn fail(why: &str) -> ! {
    let utf16: Vec<u8> = why.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (message, file) = (Buffer::of(&utf16), Buffer::of(&[]));
    unsafe { abort(message.as_ptr(), file.as_ptr(), 0, 0) }
}

/// The pairs of one block, as the message `KeyValueFlush { repeated bytes list = 1; }`: key, value, key, value.
#[derive(Default)]
struct Writes(Vec<u8>);

impl Writes {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.field(key);
        self.field(value);
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.push(0x0a); // field 1, length-delimited
        let mut len = bytes.len();
        while len >= 0x80 {
            self.0.push(len as u8 | 0x80);
            len >>= 7;
        }
        self.0.push(len as u8);
        self.0.extend_from_slice(bytes);
    }

    fn flush(self) {
        let message = Buffer::of(&self.0);
        unsafe { __flush(message.as_ptr()) }
    }
}

// ---- SHA-256 (FIPS 180-4) ----

fn sha256d(parts: &[&[u8]]) -> [u8; 32] {
    sha256(&[&sha256(parts)])
}

/// The hash of the parts, one after the other.
fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut message = parts.concat();
    let bits = message.len() as u64 * 8;
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&bits.to_be_bytes());
    let mut state = INITIAL;
    for block in message.chunks_exact(64) {
        compress(&mut state, block);
    }
    let mut hash = [0; 32];
    for (bytes, word) in hash.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

fn compress(state: &mut [u32; 8], block: &[u8]) {
    let mut w = [0u32; 64];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes(array(bytes));
    }
    for i in 16..64 {
        let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
        let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16].wrapping_add(s0).wrapping_add(w[i - 7]).wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for i in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(ROUNDS[i]).wrapping_add(w[i]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let t2 = s0.wrapping_add(majority);
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(mixed);
    }
}

const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
