//! Defaults that stand once for Rust and for the schema.

/// Defaults are given field by field, since the derived schema shows each of them to the API server.
macro_rules! defaults {
    ($owner:ident { $($name:ident, $field:ident: $type:ty = $value:expr;)* }) => {
        impl $owner {
            $(fn $name() -> $type { $value })*
        }
        impl Default for $owner {
            fn default() -> Self {
                Self { $($field: Self::$name()),* }
            }
        }
    };
}
