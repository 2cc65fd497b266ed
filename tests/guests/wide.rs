//! A guest as wide as an index of mainnet: each block writes many keys that are new and reads old ones, anywhere in the
//! index. Benchmarks run it; see `tests/guests/build` for how it is compiled.
//!
//! Rows are computed from a block and a number within it, all numbers little-endian. So every value that is read is
//! checked, though the guest remembers nothing, and a wrong one ends the block or view:
//!
//! | key                                         | value                                              |
//! |---------------------------------------------|----------------------------------------------------|
//! | a hash of both 32, number modulo 4 u32      | another hash 8, block u32, `51 20`, its hashes 32  |
//! | 36 times `ff`                               | height of the first block of the index u64         |
//!
//! Blocks are counted from the first one of the index. Each writes 40,000 rows, and before that reads 4,700 rows of
//! blocks below it, every other one of any block and the rest of the last 1,000, and 100 keys that were never written.
//! What is in a Bitcoin block does not matter.
//!
//! Views: `probe` (block u32, number u32 → the row's value, nothing if there is none) and `reads` (count u32, seed u64 →
//! the count, after so many reads of rows of any block up to the height that the view is asked at).

/// Rows that a block writes.
const ROWS: u64 = 40_000;
/// Rows that a block reads.
const READS: u64 = 4_700;
/// Keys that it looks for and that are not there.
const ABSENT: u64 = 100;
/// What lies further back is old.
const RECENT_BLOCKS: u64 = 1_000;
/// No index has so many blocks: keys of those above it are never written.
const BLOCKS_MAX: u64 = 1 << 30;
/// Makes values differ from keys.
const VALUES: u64 = 0x5555_5555_5555;
/// The key of the first block's height.
const FIRST: [u8; KEY_LEN] = [0xff; KEY_LEN];
const KEY_LEN: usize = 36;
const VALUE_LEN: usize = 46;

// ---- what the host calls ----

/// Indexes one block.
#[no_mangle]
pub extern "C" fn _start() {
    let (height, _) = input();
    let mut state = State::default();
    let first = state.first_height();
    let block = u64::from(height) - first.unwrap_or(u64::from(height));
    if block > 0 {
        read_rows_below(&mut state, block);
    }
    let mut writes = Writes::with_room_for(ROWS as usize);
    for number in 0..ROWS {
        let row = Row::of(block, number);
        writes.put(&row.key, &row.value());
    }
    if first.is_none() {
        writes.put(&FIRST, &u64::from(height).to_le_bytes());
    }
    writes.flush();
}

/// The value of one row.
#[no_mangle]
pub extern "C" fn probe() -> *const u8 {
    let (_, request) = input();
    if request.len() != 8 {
        fail("a row has 8 bytes: block, then number");
    }
    let [block, number] = [&request[..4], &request[4..]].map(|bytes| u32::from_le_bytes(array(bytes)));
    answer(State::default().get(&Row::of(block.into(), number.into()).key))
}

/// Reads many rows, each of any block.
#[no_mangle]
pub extern "C" fn reads() -> *const u8 {
    let (height, request) = input();
    if request.len() != 12 {
        fail("the request has 12 bytes: count, then seed");
    }
    let (count, seed) = (u32::from_le_bytes(array(&request[..4])), u64::from_le_bytes(array(&request[4..])));
    let mut state = State::default();
    let Some(first) = state.first_height() else {
        fail("nothing is indexed");
    };
    let blocks = u64::from(height) - first + 1;
    for read in 0..u64::from(count) {
        let random = mix(mix(seed).wrapping_add(read));
        state.check(random % blocks, mix(random) % ROWS);
    }
    answer(&count.to_le_bytes())
}

/// Reads what a block reads.
fn read_rows_below(state: &mut State, block: u64) {
    for read in 0..READS {
        let random = mix(block * 1_000_003 + read);
        let of = match read % 2 {
            0 => random % block,
            _ => block - 1 - random % block.min(RECENT_BLOCKS),
        };
        state.check(of, mix(random) % ROWS);
    }
    for read in 0..ABSENT {
        if !state.get(&Row::of(block + BLOCKS_MAX + read, read).key).is_empty() {
            fail("a key has a value that was never written");
        }
    }
}

// ---- rows ----

struct Row {
    key: [u8; KEY_LEN],
    block: u64,
    /// What its value begins with.
    hash: u64,
}

impl Row {
    fn of(block: u64, number: u64) -> Self {
        let seed = (block << 20 | number) * 4;
        let mut key = [0; KEY_LEN];
        for (word, bytes) in (0..4).zip(key.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&mix(seed + word).to_le_bytes());
        }
        key[32..].copy_from_slice(&(number as u32 % 4).to_le_bytes());
        Row { key, block, hash: mix(seed ^ VALUES) }
    }

    fn value(&self) -> [u8; VALUE_LEN] {
        let mut value = [0; VALUE_LEN];
        value[..8].copy_from_slice(&self.hash.to_le_bytes());
        value[8..12].copy_from_slice(&(self.block as u32).to_le_bytes());
        value[12..14].copy_from_slice(&[0x51, 0x20]);
        for (word, bytes) in (0..4).zip(value[14..].chunks_exact_mut(8)) {
            bytes.copy_from_slice(&mix(self.hash ^ word).to_le_bytes());
        }
        value
    }
}

/// SplitMix64: a pseudorandom number from a number.
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    seed ^ (seed >> 31)
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

/// Bytes of data begin behind their length, a u32.
const PREFIX: usize = 4;

/// What is stored below this height; its memory serves all reads.
#[derive(Default)]
struct State {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl State {
    /// A value; empty if there is none.
    fn get(&mut self, key: &[u8; KEY_LEN]) -> &[u8] {
        fill(&mut self.key, key);
        let len = unsafe { __get_len(self.key[PREFIX..].as_ptr()) };
        self.value.resize(PREFIX + len, 0);
        self.value[..PREFIX].copy_from_slice(&(len as u32).to_le_bytes());
        unsafe { __get(self.key[PREFIX..].as_ptr(), self.value[PREFIX..].as_mut_ptr()) };
        &self.value[PREFIX..]
    }

    /// Reads a row that is there.
    fn check(&mut self, block: u64, number: u64) {
        let row = Row::of(block, number);
        if self.get(&row.key) != row.value() {
            fail("a row does not read as it was written");
        }
    }

    /// None before the first block.
    fn first_height(&mut self) -> Option<u64> {
        match self.get(&FIRST) {
            [] => None,
            height => Some(u64::from_le_bytes(array(height))),
        }
    }
}

/// Height and block, or height and request.
fn input() -> (u32, Vec<u8>) {
    let mut bytes = vec![0; unsafe { __host_len() }];
    unsafe { __load_input(bytes.as_mut_ptr()) };
    let rest = bytes.split_off(4);
    (u32::from_le_bytes(array(&bytes)), rest)
}

/// Puts data behind its length.
fn fill(buffer: &mut Vec<u8>, data: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(&(data.len() as u32).to_le_bytes());
    buffer.extend_from_slice(data);
}

/// Leaves the bytes in memory for the host, which drops the whole instance of a view after it has read them.
fn answer(bytes: &[u8]) -> *const u8 {
    let mut buffer = Vec::new();
    fill(&mut buffer, bytes);
    std::mem::ManuallyDrop::new(buffer)[PREFIX..].as_ptr()
}

/// Ends this block or view as failed, with a text that the host shows.
fn fail(why: &str) -> ! {
    let utf16: Vec<u8> = why.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (mut message, mut file) = (Vec::new(), Vec::new());
    fill(&mut message, &utf16);
    fill(&mut file, &[]);
    unsafe { abort(message[PREFIX..].as_ptr(), file[PREFIX..].as_ptr(), 0, 0) }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    match bytes.try_into() {
        Ok(array) => array,
        Err(_) => fail("a number has another size than expected"),
    }
}

/// The pairs of one block, as the message `KeyValueFlush { repeated bytes list = 1; }`: key, value, key, value.
struct Writes(Vec<u8>);

impl Writes {
    fn with_room_for(rows: usize) -> Self {
        let mut message = Vec::with_capacity(PREFIX + (rows + 1) * (2 + KEY_LEN + 2 + VALUE_LEN));
        message.extend_from_slice(&[0; PREFIX]);
        Writes(message)
    }

    /// Both shorter than 128 bytes.
    fn put(&mut self, key: &[u8], value: &[u8]) {
        for bytes in [key, value] {
            self.0.extend_from_slice(&[0x0a, bytes.len() as u8]); // field 1, length-delimited
            self.0.extend_from_slice(bytes);
        }
    }

    fn flush(mut self) {
        let len = (self.0.len() - PREFIX) as u32;
        self.0[..PREFIX].copy_from_slice(&len.to_le_bytes());
        unsafe { __flush(self.0[PREFIX..].as_ptr()) }
    }
}
