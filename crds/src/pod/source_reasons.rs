//! Reasons of [`Status::source`](crate::pod::Status::source).

/// The node answers and is the right one.
pub const FOLLOWING: &str = "Following";
/// Nothing was asked yet.
pub const PENDING: &str = "Pending";
/// No connection, a timeout, or an answer that breaks off.
pub const UNREACHABLE: &str = "Unreachable";
/// 401 or 403.
pub const UNAUTHORIZED: &str = "Unauthorized";
/// The files with the credentials are not there.
pub const CREDENTIALS_MISSING: &str = "CredentialsMissing";
/// Its genesis block is another one.
pub const WRONG_NETWORK: &str = "WrongNetwork";
/// It no longer has blocks that are needed.
pub const PRUNED: &str = "Pruned";
/// It is still catching up with the network itself.
pub const INITIAL_SYNC: &str = "InitialSync";
/// Its best chain does not hold the index's last block: it ends at an earlier one, or is on another branch with less work.
pub const NODE_BEHIND: &str = "NodeBehind";
/// What it sent is no block, no header, or not the one asked for.
pub const BAD_ANSWER: &str = "BadAnswer";
/// Neither REST nor JSON-RPC can be used: `rest=1` and credentials are both missing.
pub const NO_INTERFACE: &str = "NoInterface";
/// The folder of block files is not there, or has none.
pub const BLOCK_FILES_MISSING: &str = "BlockFilesMissing";
/// A block file, or the key to it, cannot be read.
pub const BLOCK_FILES_UNREADABLE: &str = "BlockFilesUnreadable";
/// Blocks between genesis and others are in no block file.
pub const BLOCK_FILES_INCOMPLETE: &str = "BlockFilesIncomplete";
