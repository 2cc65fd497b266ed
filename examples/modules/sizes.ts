// The size of every block, and of all so far, in AssemblyScript: the same rows and views as sizes.rs, so that both answer
// the same.
//
//   npx --package assemblyscript asc sizes.ts --runtime minimal --optimize --outFile sizes.wasm

// An ArrayBuffer is passed as the address of its first byte, and its length stands before it: as the host expects it.
@external("env", "__host_len")
declare function hostLength(): i32;
@external("env", "__load_input")
declare function loadInput(to: ArrayBuffer): void;
@external("env", "__get_len")
declare function storedLength(key: ArrayBuffer): i32;
@external("env", "__get")
declare function load(key: ArrayBuffer, to: ArrayBuffer): void;
@external("env", "__flush")
declare function store(message: ArrayBuffer): void;

/** Indexes one block: the host calls it for each. */
export function _start(): void {
  const input = read();
  const size: u64 = input.byteLength - 4;
  // What the blocks before have left. Nothing else of them is there: memory is new.
  const total = numberOf(get(key())) + size;
  flush([input.slice(0, 4), bytesOf(size), key(), bytesOf(total)]);
}

/** Bytes of a block. */
export function size(): ArrayBuffer {
  return get(read().slice(4));
}

/** Bytes of all blocks up to the height that the client asks at. */
export function total(): ArrayBuffer {
  return get(key());
}

/** The height, 4 bytes, then the block; in a view what the client sent. */
function read(): ArrayBuffer {
  const input = new ArrayBuffer(hostLength());
  loadInput(input);
  return input;
}

function key(): ArrayBuffer {
  return String.UTF8.encode("total");
}

/** The value stored below this height; empty if there is none. */
function get(key: ArrayBuffer): ArrayBuffer {
  const value = new ArrayBuffer(storedLength(key));
  load(key, value);
  return value;
}

/**
 * Stores keys and values, one after the other, as the message `KeyValueFlush { repeated bytes list = 1; }`. All of these
 * are shorter than 128 bytes, so that a length is one byte.
 */
function flush(list: ArrayBuffer[]): void {
  const message: u8[] = [];
  for (let i = 0; i < list.length; i++) {
    const bytes = Uint8Array.wrap(list[i]);
    message.push(0x0a);
    message.push(u8(bytes.length));
    for (let j = 0; j < bytes.length; j++) message.push(bytes[j]);
  }
  const buffer = new ArrayBuffer(message.length);
  const view = Uint8Array.wrap(buffer);
  for (let i = 0; i < message.length; i++) view[i] = message[i];
  store(buffer);
}

function bytesOf(number: u64): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  new DataView(buffer).setUint64(0, number, true);
  return buffer;
}

function numberOf(bytes: ArrayBuffer): u64 {
  return bytes.byteLength == 8 ? new DataView(bytes).getUint64(0, true) : 0;
}
