//! Is a text JSON that every supported server takes and gives back?
//!
//! Stricter than RFC 8259: 0.40.6 refuses repeated keys and numbers beyond float64 with 400 (older ones take them, but a
//! record that holds them could not be saved again after an upgrade), and every version from 0.23.4 on makes a string of
//! what is nested deeper than 10,000 and cannot read back a page with what is nested nearly as deep.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use super::lexer::{Lexer, NotJson, Token};
use super::text::units;

/// The deepest nesting that is sent as JSON. The measured limit is 9,997: a page of records adds levels of its own.
pub const MAX_DEPTH: usize = 9_000;

/// Why a text is not sent as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON at all.
    NotJson,
    /// An object has a key twice.
    DuplicateKey,
    /// A number is beyond the range of a float64.
    NumberRange,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// What a scan saw in sound JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// A string has a surrogate escape without its partner.
    pub lone_surrogate: bool,
    /// The value is a number, not an object, an array, a string or a word.
    pub bare_number: bool,
}

/// Scans a text once. A text that is not JSON at all is [`Fault::NotJson`] whatever else is wrong with it.
pub fn check(text: &str) -> Result<Summary, Fault> {
    let mut scan = Scan::default();
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next_token().map_err(|NotJson { .. }| Fault::NotJson)? {
        scan.token(token)?;
    }
    if !scan.open.is_empty() || scan.expect != Expect::End {
        return Err(Fault::NotJson);
    }
    scan.fault.map_or(Ok(scan.summary), Err)
}

/// What may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Value,
    ValueOrArrayEnd,
    KeyOrObjectEnd,
    Key,
    Colon,
    CommaOrEnd,
    End,
}

#[derive(Debug, Default)]
struct Scan {
    expect: Expect,
    /// The containers that are open: `Some` for an object, with the keys seen in it.
    open: Vec<Option<Keys>>,
    fault: Option<Fault>,
    summary: Summary,
}

impl Scan {
    fn token(&mut self, token: Token<'_>) -> Result<(), Fault> {
        match (self.expect, token) {
            (Expect::Value | Expect::ValueOrArrayEnd, Token::ObjectStart) => {
                self.enter(Some(Keys::default()), Expect::KeyOrObjectEnd);
            }
            (Expect::Value | Expect::ValueOrArrayEnd, Token::ArrayStart) => {
                self.enter(None, Expect::ValueOrArrayEnd);
            }
            (Expect::Value | Expect::ValueOrArrayEnd, Token::String(raw)) => {
                self.string(raw);
                self.value_done();
            }
            (Expect::Value | Expect::ValueOrArrayEnd, Token::Number(raw)) => {
                self.number(raw);
                self.value_done();
            }
            (Expect::Value | Expect::ValueOrArrayEnd, Token::True | Token::False | Token::Null) => {
                self.value_done();
            }
            (Expect::KeyOrObjectEnd | Expect::Key, Token::String(raw)) => {
                self.string(raw);
                self.key(raw);
                self.expect = Expect::Colon;
            }
            (Expect::Colon, Token::Colon) => self.expect = Expect::Value,
            (Expect::CommaOrEnd, Token::Comma) => {
                let in_object = matches!(self.open.last(), Some(Some(_)));
                self.expect = if in_object { Expect::Key } else { Expect::Value };
            }
            (Expect::CommaOrEnd | Expect::KeyOrObjectEnd, Token::ObjectEnd) if matches!(self.open.last(), Some(Some(_))) => {
                self.leave();
            }
            (Expect::CommaOrEnd | Expect::ValueOrArrayEnd, Token::ArrayEnd) if matches!(self.open.last(), Some(None)) => {
                self.leave();
            }
            _ => return Err(Fault::NotJson),
        }
        Ok(())
    }

    fn enter(&mut self, keys: Option<Keys>, expect: Expect) {
        self.open.push(keys);
        self.expect = expect;
        if self.open.len() > MAX_DEPTH {
            self.note(Fault::TooDeep);
        }
    }

    fn leave(&mut self) {
        self.open.pop();
        self.value_done();
    }

    fn value_done(&mut self) {
        self.expect = if self.open.is_empty() { Expect::End } else { Expect::CommaOrEnd };
    }

    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn string(&mut self, raw: &str) {
        // Unescaped text is valid Unicode: only a \u escape can leave a surrogate alone.
        if !self.summary.lone_surrogate && raw.contains("\\u") {
            self.summary.lone_surrogate = char::decode_utf16(units(raw)).any(|unit| unit.is_err());
        }
    }

    fn key(&mut self, raw: &str) {
        if let Some(Some(keys)) = self.open.last_mut()
            && !keys.insert(hash_key(raw))
        {
            self.note(Fault::DuplicateKey);
        }
    }

    fn number(&mut self, raw: &str) {
        self.summary.bare_number = self.open.is_empty();
        // Short literals without an exponent cannot overflow; parsing every number would be slow.
        let may_overflow = raw.len() > 300 || raw.bytes().any(|byte| matches!(byte, b'e' | b'E'));
        if may_overflow && raw.parse::<f64>().is_ok_and(f64::is_infinite) {
            self.note(Fault::NumberRange);
        }
    }
}

/// The keys of one object, as hashes: few in a list, many in a set.
#[derive(Debug, Default)]
struct Keys {
    few: Vec<u128>,
    many: HashSet<u128>,
}

impl Keys {
    /// False if the key was there.
    fn insert(&mut self, key: u128) -> bool {
        const FEW: usize = 32;
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() > FEW {
            self.many.extend(self.few.drain(..));
        }
        true
    }
}

/// A key's hash after its escapes are resolved. Lone surrogates count as equal, as they do for the server.
fn hash_key(raw: &str) -> u128 {
    let decoded;
    let text = if raw.contains('\\') {
        decoded = super::text::decode(raw);
        decoded.as_str()
    } else {
        &raw[1..raw.len() - 1]
    };
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(text.as_bytes());
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
