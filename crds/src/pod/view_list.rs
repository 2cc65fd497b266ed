//! The list of a module's views.

use serde::{Deserialize, Serialize};

/// The most views that are listed: ten times what any known module has, and a screen's worth to look through.
pub const VIEWS_MAX: usize = 256;
/// The longest name that is listed, in bytes. A longer one can be called, but not cut, as that would be another name.
pub const VIEW_NAME_BYTES_MAX: usize = 128;
/// The longest list as JSON, in bytes: a module may choose names of which each byte takes six as an escape.
pub const VIEW_LIST_BYTES_MAX: usize = 256 << 10;

/// What a pod answers at [`VIEWS_PATH`](super::VIEWS_PATH).
///
/// Not a part of the status: the operator reads that of every pod every few seconds, and keeps it, while a list that a
/// module decides on is for people who ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewList {
    /// Names of exports that can be called as views, in the module's order: at most [`VIEWS_MAX`], each of at most
    /// [`VIEW_NAME_BYTES_MAX`] bytes.
    pub views: Vec<String>,
    /// How many are not in the list, because their name is too long or there are too many.
    #[serde(default)]
    pub left_out: u64,
}

impl ViewList {
    /// As many of these names as a list may have.
    #[must_use]
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut list = Self::default();
        for name in names {
            if list.views.len() < VIEWS_MAX && name.len() <= VIEW_NAME_BYTES_MAX {
                list.views.push(name.to_owned());
            } else {
                list.left_out += 1;
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_bounded_and_says_what_it_lacks() {
        let long = "x".repeat(VIEW_NAME_BYTES_MAX);
        let longer = format!("{long}x");
        let list = ViewList::of([long.as_str(), &longer, "balance"].into_iter());
        assert_eq!((list.views, list.left_out), (vec![long, "balance".into()], 1));
        let many = ViewList::of(std::iter::repeat_n("balance", VIEWS_MAX + 2));
        assert_eq!((many.views.len(), many.left_out), (VIEWS_MAX, 2));
    }

    #[test]
    fn the_longest_list_fits_its_bound() {
        let name = "\u{1}".repeat(VIEW_NAME_BYTES_MAX);
        let list = ViewList::of(std::iter::repeat_n(name.as_str(), VIEWS_MAX));
        let bytes = serde_json::to_vec(&list).unwrap().len();
        assert!(
            bytes > VIEWS_MAX * VIEW_NAME_BYTES_MAX * 6 && bytes <= VIEW_LIST_BYTES_MAX,
            "{bytes}"
        );
    }
}
