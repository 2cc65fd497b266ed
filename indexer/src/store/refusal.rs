//! Why a module cannot continue the data of a store, in words.

use crds::Identity;

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
    /// The undo records do not reach that far.
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

/// Why one index cannot continue another's data: the first field that differs, except for the module.
#[must_use]
pub fn other_field(found: &Identity, wanted: &Identity) -> Option<OtherField> {
    // Every field must be named here: a new one does not compile before it is compared.
    let Identity {
        module_sha256: _,
        network,
        start_height,
        memory_limit_bytes,
        store_format,
    } = found;
    let fields = [
        ("chain.network", network.to_string(), wanted.network.to_string()),
        (
            "chain.startHeight",
            start_height.to_string(),
            wanted.start_height.to_string(),
        ),
        (
            "memory.limit",
            format!("{memory_limit_bytes} bytes"),
            format!("{} bytes", wanted.memory_limit_bytes),
        ),
        (
            "store format",
            store_format.to_string(),
            wanted.store_format.to_string(),
        ),
    ];
    let other = fields.into_iter().find(|(_, found, wanted)| found != wanted);
    other.map(|(field, found, wanted)| OtherField { field, found, wanted })
}

/// A field in which two identities differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherField {
    /// Its path in the spec, or its name.
    pub field: &'static str,
    /// What the data has.
    pub found: String,
    /// What is declared.
    pub wanted: String,
}

impl From<OtherField> for Refusal {
    fn from(OtherField { field, found, wanted }: OtherField) -> Self {
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
