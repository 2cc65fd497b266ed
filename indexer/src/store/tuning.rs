//! How RocksDB is set up. Every number has its reason beside it; all else is left at RocksDB's defaults.

use rocksdb::{
    BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, DBRecoveryMode, LruCacheOptions, Options,
};

use super::schema::{BLOCKS, META, SEGMENTS};

const MIB: usize = 1 << 20;

/// Block rows of some hundred bytes, and indexes of their files: what queries of recent blocks need.
const BLOCK_CACHE_BYTES: usize = 8 * MIB;
/// A hundred bytes a block and a segment. A family has two buffers at most, one filling and one being written.
const BUFFER_BYTES: usize = MIB;
/// Half the limit many systems set for a process; the rest is for rows and sockets. Nothing here has as many files.
const OPEN_FILES: i32 = 128;
/// Bounds what has to be read again after a crash.
const LOG_BYTES: u64 = 16 << 20;
/// RocksDB's own log, in all 4 MiB.
const INFO_LOG_FILES: usize = 4;
/// One of them.
const INFO_LOG_BYTES: usize = MIB;

/// The cache all families share.
pub(super) fn cache() -> Cache {
    let mut options = LruCacheOptions::default();
    options.set_capacity(BLOCK_CACHE_BYTES);
    Cache::new_lru_cache_opts(&options)
}

/// Options of the database as a whole, which is made if it is new: else a file that is gone would make an empty one of it.
pub(super) fn database(is_new: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(is_new);
    options.create_missing_column_families(true);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_total_wal_size(LOG_BYTES);
    // A torn end is what a crash leaves and is cut off; a hole before it is refused. What remains is whole batches.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // An older log that lost its end would be taken for whole, and what follows be put on top of it.
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_keep_log_file_num(INFO_LOG_FILES);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    // RocksDB's own statistics are not read by anyone.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Options of one family.
pub(super) fn family(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    if matches!(name, BLOCKS | SEGMENTS | META) {
        options.set_write_buffer_size(BUFFER_BYTES);
    } else {
        // Of format 1: read once, from one end to the other, and dropped.
        options.set_compaction_style(DBCompactionStyle::Universal);
        options.set_disable_auto_compactions(true);
    }
    options
}
