//! One value of a row as the source held it, and its storage class. Nothing here converts.

use std::fmt;

/// A value as the source's engine stored it.
///
/// `Text` is bytes because a source can hold text that is not valid in its own encoding; it is UTF-8 unless the source lied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL: distinct from every other value, also from an empty text.
    Null,
    /// A boolean, from engines that have them. SQLite has none.
    Boolean(bool),
    /// A 64-bit signed integer.
    Integer(i64),
    /// An IEEE-754 double; its bits are the value, so `-0.0` is not `0.0`.
    Real(f64),
    /// Text, normally UTF-8, NUL characters included.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The storage class of a value: what kind it is, apart from what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// SQL NULL.
    Null,
    /// True or false.
    Boolean,
    /// 64-bit signed integer.
    Integer,
    /// IEEE-754 double.
    Real,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

impl Class {
    /// The word that stands for the class in a bundle.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Null => "null",
            Class::Boolean => "boolean",
            Class::Integer => "integer",
            Class::Real => "real",
            Class::Text => "text",
            Class::Blob => "blob",
        }
    }

    /// The class that a word in a bundle stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Class> {
        [Class::Null, Class::Boolean, Class::Integer, Class::Real, Class::Text, Class::Blob]
            .into_iter()
            .find(|class| class.as_str() == word)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'a> Value<'a> {
    /// The storage class of this value.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Value::Null => Class::Null,
            Value::Boolean(_) => Class::Boolean,
            Value::Integer(_) => Class::Integer,
            Value::Real(_) => Class::Real,
            Value::Text(_) => Class::Text,
            Value::Blob(_) => Class::Blob,
        }
    }

    /// How many bytes this value takes in memory; what bounds a row group.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Value::Null | Value::Boolean(_) => 1,
            Value::Integer(_) | Value::Real(_) => 8,
            Value::Text(bytes) | Value::Blob(bytes) => bytes.len(),
        }
    }

    /// The text of a `Text` value that is valid UTF-8; nothing else has one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The integer of an `Integer` value.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// A copy that owns its bytes.
    #[must_use]
    pub fn to_owned(&self) -> OwnedValue {
        match *self {
            Value::Null => OwnedValue::Null,
            Value::Boolean(boolean) => OwnedValue::Boolean(boolean),
            Value::Integer(integer) => OwnedValue::Integer(integer),
            Value::Real(real) => OwnedValue::Real(real),
            Value::Text(bytes) => OwnedValue::Text(bytes.to_vec()),
            Value::Blob(bytes) => OwnedValue::Blob(bytes.to_vec()),
        }
    }
}

/// A [`Value`] that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedValue {
    /// See [`Value::Null`].
    Null,
    /// See [`Value::Boolean`].
    Boolean(bool),
    /// See [`Value::Integer`].
    Integer(i64),
    /// See [`Value::Real`].
    Real(f64),
    /// See [`Value::Text`].
    Text(Vec<u8>),
    /// See [`Value::Blob`].
    Blob(Vec<u8>),
}

impl OwnedValue {
    /// The same value, borrowed.
    #[must_use]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            OwnedValue::Null => Value::Null,
            OwnedValue::Boolean(boolean) => Value::Boolean(*boolean),
            OwnedValue::Integer(integer) => Value::Integer(*integer),
            OwnedValue::Real(real) => Value::Real(*real),
            OwnedValue::Text(bytes) => Value::Text(bytes),
            OwnedValue::Blob(bytes) => Value::Blob(bytes),
        }
    }
}
