//! Why a module cannot continue the data of a store, in words.

use crds::IdentityDifference;

use crate::chain::Height;

/// Why a module cannot continue the data of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // Each field is explained by the text it appears in.
pub enum Refusal {
    /// Another module is wanted, and continuing in place was not allowed.
    #[error("nothing allows another module to continue it")]
    NotInPlace,
    /// More than the module differs.
    #[error(
        "its {field} is {found}, not {wanted}, and only the module can change in place: declare {found} again, or roll out \
         with strategy BlueGreen"
    )]
    Field {
        field: &'static str,
        found: String,
        wanted: String,
    },
    /// A new replica of data that others began.
    #[error(
        "it is empty, and the module takes over at block {at} only, from another one that is not here: fill it with a copy \
         of another replica, or roll out with strategy BlueGreen"
    )]
    Empty { at: Height },
    /// A replica that is not that far.
    #[error(
        "it ends at block {tip}, and the module takes over at block {at} only: let the module before it index up to there, \
         or delete the store to have it filled with a copy of another replica"
    )]
    Short { tip: Height, at: Height },
    /// More blocks would have to be undone than may be.
    #[error(
        "blocks {lowest} to {tip} would have to be undone, and {}: declare module {newest}… again, or roll out with \
         strategy BlueGreen", undoable(*oldest, *tip)
    )]
    TooDeep {
        lowest: Height,
        oldest: Option<Height>,
        tip: Height,
        newest: String,
    },
}

impl From<IdentityDifference> for Refusal {
    fn from(IdentityDifference { field, found, wanted }: IdentityDifference) -> Self {
        Self::Field { field, found, wanted }
    }
}

/// Which blocks can be undone.
pub(super) fn undoable(oldest: Option<Height>, tip: Height) -> String {
    match oldest {
        Some(oldest) => format!("only blocks {oldest} to {tip} can be undone"),
        None => "no block can be undone".into(),
    }
}
