//! Words that both sides know.

/// Declares texts, and the list of all of them, which thereby lacks none.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $word;)*
        /// All of them.
        pub const ALL: &[&str] = &[$($name),*];
    };
}
