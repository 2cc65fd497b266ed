//! Reasons of [`Status::source`](crate::pod::Status::source).

words! {
    /// The node answers and is the right one.
    FOLLOWING = "Following";
    /// Nothing was asked yet.
    PENDING = "Pending";
    /// No connection, a timeout, or an answer that breaks off.
    UNREACHABLE = "Unreachable";
    /// 401 or 403.
    UNAUTHORIZED = "Unauthorized";
    /// The files with the credentials are not there.
    CREDENTIALS_MISSING = "CredentialsMissing";
    /// Its genesis block is another one.
    WRONG_NETWORK = "WrongNetwork";
    /// It no longer has blocks that are needed.
    PRUNED = "Pruned";
    /// It is still catching up with the network itself.
    INITIAL_SYNC = "InitialSync";
    /// Its best chain is shorter than the index and does not hold the index's last block: it lost blocks, or another one
    /// took over.
    NODE_BEHIND = "NodeBehind";
    /// What it sent is no block, no header, or not the one asked for.
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
