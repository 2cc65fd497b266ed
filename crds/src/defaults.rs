//! Defaults, stated once for both Rust and the schema.

/// Defaults are declared field by field, because the derived schema contains each of them.
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
