//! Which items exist only in tests.

use syn::{Attribute, Meta, Token, punctuated::Punctuated};

/// Whether an item with these attributes is compiled for tests alone.
pub(crate) fn only_in_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<Meta>()
                    .is_ok_and(|condition| never_without_test(&condition)))
    })
}

/// Whether a condition cannot hold where `test` does not, whatever else is set.
fn never_without_test(condition: &Meta) -> bool {
    let Meta::List(list) = condition else {
        return condition.path().is_ident("test");
    };
    let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) else {
        return false;
    };
    if list.path.is_ident("all") {
        parts.iter().any(never_without_test)
    } else {
        list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(never_without_test)
    }
}

#[cfg(test)]
mod tests {
    use super::only_in_tests;

    #[test]
    fn finds_what_only_tests_compile() {
        for (attribute, expected) in [
            ("#[test]", true),
            ("#[cfg(test)]", true),
            ("#[cfg(all(unix, test))]", true),
            ("#[cfg(any(test, all(test, unix)))]", true),
            ("#[cfg(any(test, feature = \"fuzz\"))]", false),
            ("#[cfg(not(test))]", false),
            ("#[cfg(unix)]", false),
            ("#[derive(Clone)]", false),
        ] {
            let item: syn::Item = syn::parse_str(&format!("{attribute} fn f() {{}}")).unwrap();
            let syn::Item::Fn(item) = item else { unreachable!() };
            assert_eq!(only_in_tests(&item.attrs), expected, "{attribute}");
        }
    }
}
