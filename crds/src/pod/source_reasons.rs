//! Reasons of [`Status::source`](crate::pod::Status::source).

words! {
    /// The node answers and follows the declared network.
    FOLLOWING = "Following";
    /// The node has not been contacted yet.
    PENDING = "Pending";
    /// No connection, a timeout, or an incomplete answer.
    UNREACHABLE = "Unreachable";
    /// 401 or 403.
    UNAUTHORIZED = "Unauthorized";
    /// The credentials files are missing.
    CREDENTIALS_MISSING = "CredentialsMissing";
    /// Its genesis block is that of another network.
    WRONG_NETWORK = "WrongNetwork";
    /// It no longer has blocks that are needed: it is pruned.
    PRUNED = "Pruned";
    /// It is still in its initial sync.
    INITIAL_SYNC = "InitialSync";
    /// Its best chain does not hold the last block of the index: it ends at an earlier one, or is on another branch with
    /// less work.
    NODE_BEHIND = "NodeBehind";
    /// It sent something other than the requested block or header.
    BAD_ANSWER = "BadAnswer";
    /// Neither REST nor JSON-RPC can be used: `rest=1` and credentials are both missing.
    NO_INTERFACE = "NoInterface";
    /// The folder of block files is not there, or has none.
    BLOCK_FILES_MISSING = "BlockFilesMissing";
    /// A block file, or the key to it, cannot be read.
    BLOCK_FILES_UNREADABLE = "BlockFilesUnreadable";
    /// Blocks between genesis and others are in no block file.
    BLOCK_FILES_INCOMPLETE = "BlockFilesIncomplete";
}
