//! How RocksDB is set up, and how much memory that can take. Every number has its reason beside it; all else is left at
//! RocksDB's defaults.

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, DBRecoveryMode,
    LruCacheOptions, Options, SliceTransform, UniversalCompactOptions, UniversalCompactionStopStyle,
};

use super::schema::{BLOCKS, META, ROWS, UNDO, row_prefix};

/// The most memory an open store takes: block cache, write buffers, and 128 MiB for the batch of a large block, the
/// buffers of compactions, open files and blocks pinned by readers.
pub const MEMORY_BYTES: usize = BLOCK_CACHE_BYTES + WRITE_BUFFERS_BYTES + 128 * MIB;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Blocks, filters and indexes of all files, so that memory does not grow with the index. At the 7 bits a
/// row that small filters take, those of 70 million rows take half of it.
const BLOCK_CACHE_BYTES: usize = 128 * MIB;
/// Two bits, four shards: few threads compete, and an item larger than its shard is read from disk every time, which a
/// 16 MiB value must not be.
const BLOCK_CACHE_SHARD_BITS: i32 = 2;
/// Of all families together; beyond it the largest one is written out. A family has two buffers at most, one filling
/// and one being written, then commits wait: this sum is also what two of each take.
const WRITE_BUFFERS_BYTES: usize = 96 * MIB;
/// Rows until a file is written: some ten of the densest blocks. Smaller ones mean more files to merge. Files up to
/// half as large again have their filters kept in memory while they are young, which those of a sync must.
const ROWS_BUFFER_BYTES: usize = 32 * MIB;
/// Sorted files until neighbours of about one size are merged, during a sync. Every file has to be asked by a read, at
/// the cost of a filter in memory; merging costs as much as running the guest, so a row should go through it as seldom
/// as possible: once for every factor of 32 by which the index outgrows one file.
const RUNS_IN_SYNC: i32 = 32;
/// The same at the tip, where blocks are rare and views count: each begins with a look into every file.
const RUNS_AT_TIP: i32 = 4;
/// From so many files on writes are slowed down, and stopped, so that merging can follow.
const RUNS_SLOW: i32 = 64;
const RUNS_STOP: i32 = 96;
/// Files are of about one size if the next is at most so many percent larger.
const RUN_SIZE_RATIO: i32 = 100;
/// Undo records are large values that live for a few blocks.
const UNDO_BUFFER_BYTES: usize = 16 * MIB;
/// A hundred bytes a block.
const SMALL_BUFFER_BYTES: usize = MIB;
/// A read takes one small row out of a block: larger ones waste the cache and take longer to decompress, smaller ones
/// compress badly and need a larger index. At 8 KiB a merged index takes 3 % more disk.
const BLOCK_BYTES: usize = 16 * KIB;
/// One part of a partitioned index or filter: what a read brings into the cache if it is not there.
const PARTITION_BYTES: usize = 16 * KIB;
/// About one in a hundred absent keys costs a read.
const FILTER_BITS: f64 = 10.0;
/// Files below this level, which are those that were just flushed, have filters that are quick to make. The others are
/// rewritten seldom: theirs take a third less room and tell as much.
const SMALL_FILTERS_FROM_LEVEL: i32 = 1;
/// Share of a write buffer spent on its own filter, which spares a search through it.
const BUFFER_FILTER_RATIO: f64 = 0.05;
/// How fast the compression of a file beside the database is: twice as fast as at 1, and the file is 5 % larger until
/// it is merged with others, as `du` and the processor time of the commit thread tell after a dense sync.
const LZ4_ACCELERATION: i32 = 8;
/// RocksDB's default; of no effect on LZ4.
const WINDOW_BITS: i32 = -14;
/// Twice the default, so that fewer files have to be open.
const FILE_BYTES: u64 = 128 << 20;
/// Half the limit many systems set for a process; the rest is for sockets. Covers 64 GiB without opening files again.
const OPEN_FILES: i32 = 512;
/// One flush beside one compaction: more would take the guest's processor.
const BACKGROUND_JOBS: i32 = 2;
/// Bounds what has to be read again after a crash, a few seconds.
const LOG_BYTES: u64 = 256 << 20;
/// RocksDB's own log, in all 16 MiB.
const INFO_LOG_FILES: usize = 4;
/// One of them.
const INFO_LOG_BYTES: usize = 4 * MIB;
/// Written out in steps of a megabyte instead of all at once by the system, which would stop other writers.
const SYNC_STEP_BYTES: u64 = 1 << 20;

/// What the store is made for at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Many blocks, far below the tip.
    Sync,
    /// One block now and then.
    Tip,
}

impl Pace {
    /// Sorted files until neighbours are merged.
    pub(super) fn runs(self) -> i32 {
        match self {
            Self::Sync => RUNS_IN_SYNC,
            Self::Tip => RUNS_AT_TIP,
        }
    }
}

/// The cache all families share.
pub(super) fn cache() -> Cache {
    let mut options = LruCacheOptions::default();
    options.set_capacity(BLOCK_CACHE_BYTES);
    options.set_num_shard_bits(BLOCK_CACHE_SHARD_BITS);
    Cache::new_lru_cache_opts(&options)
}

/// Options of the database as a whole.
pub(super) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(WRITE_BUFFERS_BYTES);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_max_open_files(OPEN_FILES);
    options.set_max_total_wal_size(LOG_BYTES);
    // A torn end is what a crash leaves and is cut off; a hole before it is refused. What remains is whole batches.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // An older log that lost its end would be taken for whole, and what follows be put on top of it.
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_bytes_per_sync(SYNC_STEP_BYTES);
    options.set_wal_bytes_per_sync(SYNC_STEP_BYTES);
    options.set_keep_log_file_num(INFO_LOG_FILES);
    options.set_max_log_file_size(INFO_LOG_BYTES);
    // RocksDB's own statistics are not read by anyone.
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Options of a file of rows that is written beside the database.
pub(super) fn file(cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = table(cache);
    rows(&mut options, &mut table);
    table.set_bloom_filter(FILTER_BITS, false);
    options.set_block_based_table_factory(&table);
    // Else it would be compressed as densely as what lies at the bottom, at half the cost of running the guest.
    options.set_bottommost_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_options(WINDOW_BITS, -LZ4_ACCELERATION, 0, 0, true);
    options
}

/// Options of one family.
pub(super) fn family(name: &str, cache: &Cache) -> Options {
    let mut options = Options::default();
    let mut table = table(cache);
    match name {
        ROWS => rows(&mut options, &mut table),
        UNDO => options.set_write_buffer_size(UNDO_BUFFER_BYTES),
        BLOCKS | META => options.set_write_buffer_size(SMALL_BUFFER_BYTES),
        _ => unreachable!("no family {name}"),
    }
    options.set_block_based_table_factory(&table);
    // Young files are rewritten soon: fast compression. Most bytes lie at the bottom: dense compression.
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options
}

fn table(cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(BLOCK_BYTES);
    table
}

/// Rows are read by seeking to a key at a height, so the filters are over what all heights of a key share.
fn rows(options: &mut Options, table: &mut BlockBasedOptions) {
    options.set_write_buffer_size(ROWS_BUFFER_BYTES);
    options.set_target_file_size_base(FILE_BYTES);
    options.set_compaction_style(DBCompactionStyle::Universal);
    options.set_level_zero_file_num_compaction_trigger(RUNS_AT_TIP);
    options.set_level_zero_slowdown_writes_trigger(RUNS_SLOW);
    options.set_level_zero_stop_writes_trigger(RUNS_STOP);
    let mut merging = UniversalCompactOptions::default();
    merging.set_stop_style(UniversalCompactionStopStyle::Similar);
    merging.set_size_ratio(RUN_SIZE_RATIO);
    // All rows stay, so nothing is ever won by merging everything because much of it might be out of date.
    merging.set_max_size_amplification_percent(i32::MAX);
    options.set_universal_compaction_options(&merging);
    options.set_memtable_prefix_bloom_ratio(BUFFER_FILTER_RATIO);
    // The name is stored in every file; filters of another name are not used.
    options.set_prefix_extractor(SliceTransform::create("shrewd.row_prefix.v1", row_prefix, None));
    table.set_whole_key_filtering(false);
    table.set_hybrid_ribbon_filter(FILTER_BITS, SMALL_FILTERS_FROM_LEVEL);
    // In parts, each cached by itself: the whole filter of a large file would not fit into a shard of the cache and
    // be read again by every look-up.
    table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    table.set_partition_filters(true);
    table.set_metadata_block_size(PARTITION_BYTES);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_top_level_index_and_filter(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
}
