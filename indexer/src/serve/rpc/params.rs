//! Parameters of the methods, from loose JSON to checked values.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use jsonrpsee_types::error::{ErrorObjectOwned, INVALID_PARAMS_CODE};
use serde::{
    Deserialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::codes::{OVER_LIMIT, error};
use crate::{chain::Height, guest::Budget};

/// No method takes more.
const PARAMS_MAX: usize = 4;

/// Which height is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// The last block indexed.
    Latest,
    /// This one; heights that no chain has yet are clamped to the highest there is.
    Height(Height),
}

/// Positional parameters, taken one after the other.
#[derive(Debug)]
pub(super) struct Params<'a> {
    values: std::vec::IntoIter<Param<'a>>,
}

/// One value, as far as any method is interested in it.
#[derive(Debug, PartialEq)]
enum Param<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(u64),
    /// Of a type no method takes; what it is.
    Other(&'static str),
}

impl<'a> Params<'a> {
    /// Missing parameters, null, `[]` and `{}` are no parameters.
    ///
    /// # Errors
    /// -32602 for parameters by name, for anything else that is no array, and for more than `max` of them.
    pub(super) fn read(raw: Option<&'a RawValue>, max: usize) -> Result<Self, ErrorObjectOwned> {
        let values = match raw {
            None => Vec::new(),
            Some(raw) => {
                let List(values) = serde_json::from_str(raw.get()).map_err(|e| bad(format!("params: {e}")))?;
                values
            }
        };
        if values.len() > max {
            return Err(bad(format!("params: at most {max} are taken")));
        }
        Ok(Self {
            values: values.into_iter(),
        })
    }

    /// The next one, which must be a string.
    pub(super) fn text(&mut self, name: &str) -> Result<Cow<'a, str>, ErrorObjectOwned> {
        match self.values.next() {
            Some(Param::Text(text)) => Ok(text),
            None | Some(Param::Null) => Err(bad(format!("{name} is missing"))),
            Some(other) => Err(bad(format!("{name} must be a string, not {}", other.kind()))),
        }
    }

    /// The next one, bytes in hex; `0x` in front is optional. They are charged to the budget for as long as they exist.
    pub(super) fn hex(&mut self, name: &str, budget: &Budget) -> Result<Bytes, ErrorObjectOwned> {
        let text = self.text(name)?;
        bytes_of(name, &text, budget)
    }

    /// The next one as [`Self::hex`]. None if missing.
    pub(super) fn hex_if_any(&mut self, name: &str, budget: &Budget) -> Result<Option<Bytes>, ErrorObjectOwned> {
        match self.values.next() {
            None | Some(Param::Null) => Ok(None),
            Some(Param::Text(text)) => bytes_of(name, &text, budget).map(Some),
            Some(other) => Err(bad(format!("{name} must be a string, not {}", other.kind()))),
        }
    }

    /// The next one, a number from 1 to `max`.
    pub(super) fn count(&mut self, name: &str, max: u32) -> Result<usize, ErrorObjectOwned> {
        match self.values.next() {
            None | Some(Param::Null) => Err(bad(format!("{name} is missing: a number from 1 to {max}"))),
            Some(Param::Number(number)) if (1..=u64::from(max)).contains(&number) => {
                Ok(usize::try_from(number).unwrap_or(usize::MAX))
            }
            Some(Param::Number(number)) => Err(bad(format!("{name} must be from 1 to {max}, not {number}"))),
            Some(other) => Err(bad(format!("{name} must be a number, not {}", other.kind()))),
        }
    }

    /// The next one: a number, a decimal string, `latest`, or either followed by `:` and anything. None if missing.
    pub(super) fn height(&mut self) -> Result<Option<At>, ErrorObjectOwned> {
        match self.values.next() {
            None | Some(Param::Null) => Ok(None),
            Some(Param::Number(number)) => Ok(Some(at(number))),
            Some(Param::Text(text)) => height_of(&text).map(Some),
            Some(Param::Other(kind)) => Err(bad(format!("height must be a number or a string, not {kind}"))),
        }
    }

    /// The next one as [`Self::height`]; none for the last block indexed, which a missing one means too.
    pub(super) fn height_or_tip(&mut self) -> Result<Option<Height>, ErrorObjectOwned> {
        Ok(match self.height()? {
            None | Some(At::Latest) => None,
            Some(At::Height(height)) => Some(height),
        })
    }
}

fn bytes_of(name: &str, text: &str, budget: &Budget) -> Result<Bytes, ErrorObjectOwned> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let charge = budget.charge(digits.len() as u64 / 2);
    let charge = charge.map_err(|exhausted| error(OVER_LIMIT, exhausted.to_string()))?;
    let bytes = hex::decode(digits).map_err(|e| bad(format!("{name} is not hex: {e}")))?;
    Ok(charge.hold(bytes))
}

/// -32602 with what is wrong.
pub(super) fn bad(message: impl Into<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(INVALID_PARAMS_CODE, message, None::<()>)
}

fn height_of(text: &str) -> Result<At, ErrorObjectOwned> {
    let height = text.split_once(':').map_or(text, |(height, _)| height);
    if height == "latest" {
        return Ok(At::Latest);
    }
    // `parse` alone would take "+5" too.
    let digits = height.bytes().all(|b| b.is_ascii_digit());
    match height.parse() {
        Ok(number) if digits => Ok(at(number)),
        _ => Err(bad(format!(
            "height must be a decimal number or \"latest\", not {:?}",
            truncated(text)
        ))),
    }
}

fn at(number: u64) -> At {
    At::Height(Height(u32::try_from(number).unwrap_or(u32::MAX)))
}

/// Enough of a client's text to be recognised in an error.
pub(super) fn truncated(text: &str) -> &str {
    &text[..text.floor_char_boundary(80)]
}

/// The parameters of one request.
struct List<'a>(Vec<Param<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor).map(Self)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<Param<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of parameters")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            // One more than any method takes suffices to refuse them all.
            if values.len() <= PARAMS_MAX {
                values.push(value);
            }
        }
        Ok(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        match map.next_key::<IgnoredAny>()? {
            None => Ok(Vec::new()),
            Some(_) => Err(serde::de::Error::custom("they are taken by position, as an array")),
        }
    }
}

impl Param<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Other(kind) => kind,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Param<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParamVisitor)
    }
}

struct ParamVisitor;

impl<'de> Visitor<'de> for ParamVisitor {
    type Value = Param<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a parameter")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Param::Null)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Param::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Param::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Param::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Param::Other("a negative number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Param::Other("a number that is no height"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Param::Other("a boolean"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Param::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Param::Other("an object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(text: &str, read: impl FnOnce(&mut Params<'_>) -> Result<T, ErrorObjectOwned>) -> Result<T, String> {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        Params::read(Some(raw), 3)
            .and_then(|mut params| read(&mut params))
            .inspect_err(|e| assert_eq!(e.code(), -32602, "{text}"))
            .map_err(|e| e.message().to_owned())
    }

    fn read_height(text: &str) -> Result<Option<At>, String> {
        with(text, |params| params.height())
    }

    #[test]
    fn heights_are_read_in_every_way_clients_write_them() {
        let height = |n| Some(At::Height(Height(n)));
        let cases = [
            ("[]", None),
            ("{}", None),
            ("null", None),
            ("[null]", None),
            ("[7]", height(7)),
            (r#"["7"]"#, height(7)),
            (r#"["007"]"#, height(7)),
            (r#"["7:abc:9"]"#, height(7)),
            (r#"["latest"]"#, Some(At::Latest)),
            (r#"["latest:x"]"#, Some(At::Latest)),
            ("[4294967295]", height(u32::MAX)),
            ("[4294967296]", height(u32::MAX)),
            ("[18446744073709551615]", height(u32::MAX)),
        ];
        for (text, expected) in cases {
            assert_eq!(read_height(text), Ok(expected), "{text}");
        }
        for text in [
            "[-1]",
            "[1.5]",
            "[1e30]",
            "[1e999]",
            "[true]",
            "[[]]",
            "[{}]",
            r#"[""]"#,
            r#"["+7"]"#,
            r#"["0x7"]"#,
            r#"[" 7"]"#,
            r#"["99999999999999999999"]"#,
            r#"[":7"]"#,
            r#"["LATEST"]"#,
        ] {
            assert!(read_height(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hex_is_read_with_and_without_prefix() {
        let cases = [
            (r#"["0x00Ff"]"#, vec![0, 255]),
            (r#"["00ff"]"#, vec![0, 255]),
            (r#"["0x"]"#, vec![]),
            (r#"[""]"#, vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(
                with(text, |p| p.hex("input", &Budget::new(2))),
                Ok(expected.into()),
                "{text}"
            );
        }
        for text in ["[]", "[1]", r#"["0x0"]"#, r#"["zz"]"#, r#"["0X00"]"#] {
            assert!(with(text, |p| p.hex("input", &Budget::new(2))).is_err(), "{text}");
        }
    }

    #[test]
    fn decoded_bytes_are_charged_while_they_exist() {
        let budget = Budget::new(2);
        let raw: &RawValue = serde_json::from_str(r#"["0x0001", "0x02"]"#).unwrap();
        let mut params = Params::read(Some(raw), 3).unwrap();
        let first = params.hex("block", &budget).unwrap();
        assert_eq!(budget.in_use_bytes(), 2);
        assert_eq!(params.hex("input", &budget).unwrap_err().code(), -32002);
        drop(first);
        assert_eq!(budget.in_use_bytes(), 0);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let text = |text| with(text, |p| p.text("function").map(Cow::into_owned)).unwrap_err();
        assert_eq!(text("[]"), "function is missing");
        assert_eq!(text("[[1]]"), "function must be a string, not an array");
        assert_eq!(text("[1,2,3,4]"), "params: at most 3 are taken");
        assert!(text(r#"{"function":"f"}"#).starts_with("params: they are taken by position"));
        assert!(text("7").starts_with("params: invalid type"));
    }

    #[test]
    fn deep_nesting_and_long_lists_are_refused_without_being_kept() {
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read_height(&deep).is_err());
        let long = format!("[{}1]", "1,".repeat(1_000_000));
        assert_eq!(read_height(&long), Err("params: at most 3 are taken".into()));
    }
}
