//! JSON from strangers, read so that it has one meaning: no member name twice at any level, bounded nesting, nothing after
//! the value. Two readers of one token must never see two different claims (RFC 7519, section 4; RFC 8725, section 2.4).

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// Deepest nesting read. Keycloak's tokens need four levels.
pub(super) const MAX_DEPTH: usize = 32;

/// Why bytes are not a JSON object for us.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum JsonError {
    /// The same member name stands twice in one object.
    #[error("a member name occurs twice")]
    DuplicateMember,
    /// Valid JSON, but not an object.
    #[error("not an object")]
    NotObject,
    /// Not JSON, not UTF-8, or a number out of range.
    #[error("not JSON")]
    Syntax,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads one JSON object.
///
/// # Errors
/// [`JsonError`]; the input is never quoted.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match value(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(JsonError::NotObject),
    }
}

fn value(bytes: &[u8]) -> Result<Value, JsonError> {
    let fault = Cell::new(JsonError::Syntax);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let reader = Reader { depth: 0, fault: &fault };
    let value = reader.deserialize(&mut json).map_err(|_| fault.get())?;
    json.end().map_err(|_| JsonError::Syntax)?;
    Ok(value)
}

/// Builds a [`Value`]. The kind of a refusal travels beside serde's error, which carries text only.
#[derive(Clone, Copy)]
struct Reader<'f> {
    depth: usize,
    fault: &'f Cell<JsonError>,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonError) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom(JsonError::Syntax))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let reader = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(reader)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let reader = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(reader)?;
            if members.insert(name, value).is_some() {
                return Err(self.refuse(JsonError::DuplicateMember));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_it_stands() {
        let text = br#"{"a":[1,-2,3.5,null,true],"b":{"c":"\u00e9"}}"#;
        let expected: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(Value::Object(object(text).unwrap()), expected);
    }

    #[test]
    fn what_has_two_meanings_or_none_is_refused() {
        let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        let long = "[".repeat(100_000);
        for (text, fault) in [
            (r#"{"a":1,"a":1}"#, JsonError::DuplicateMember),
            (r#"{"a":1,"\u0061":2}"#, JsonError::DuplicateMember),
            (r#"{"x":[{"a":{"b":1,"b":2}}]}"#, JsonError::DuplicateMember),
            (&nested(MAX_DEPTH + 1), JsonError::TooDeep),
            (&long, JsonError::TooDeep),
            (r#"{"a":1} {"a":2}"#, JsonError::Syntax),
            (r#"{"a":1e999}"#, JsonError::Syntax),
            (r#"{"a":1,}"#, JsonError::Syntax),
            ("", JsonError::Syntax),
            ("[1]", JsonError::NotObject),
            ("\"text\"", JsonError::NotObject),
        ] {
            assert_eq!(object(text.as_bytes()), Err(fault), "{text:.40}");
        }
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
    }
}
