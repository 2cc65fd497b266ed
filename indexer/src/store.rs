//! The database: rows by key and height, blocks, undo records, identity.
