//! Are two JSON texts the same value, token for token?

use super::lexer::{Lexer, Token};
use super::text::units;

/// The outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The same.
    Same,
    /// The same but for lone surrogates that read as U+FFFD: newer servers show them so, whatever is stored.
    SameButSurrogates,
    /// Not the same.
    Different,
}

impl Match {
    /// `Same` or `Different`.
    #[must_use]
    pub fn when(same: bool) -> Match {
        if same { Match::Same } else { Match::Different }
    }

    /// Nothing that the server could show differs.
    #[must_use]
    pub fn is_same(self) -> bool {
        self != Match::Different
    }

    fn and(self, other: Match) -> Match {
        match (self, other) {
            (Match::Different, _) | (_, Match::Different) => Match::Different,
            (Match::SameButSurrogates, _) | (_, Match::SameButSurrogates) => Match::SameButSurrogates,
            (Match::Same, Match::Same) => Match::Same,
        }
    }
}

/// Compares two JSON texts: white space outside strings does not count, strings are compared as UTF-16 units after
/// unescaping, numbers as spelled, keys with their order and repetitions. A number that is the whole value is compared
/// as a number, since the server's database keeps it as one.
///
/// Both are taken to be whole JSON values; a text that breaks off differs from one that does not.
#[must_use]
pub fn compare(expected: &str, actual: &str) -> Match {
    if expected == actual {
        return Match::Same;
    }
    let (mut left, mut right) = (Lexer::new(expected), Lexer::new(actual));
    let mut result = Match::Same;
    let mut first = true;
    loop {
        let (Ok(expected), Ok(actual)) = (left.next_token(), right.next_token()) else {
            return Match::Different;
        };
        let found = match (expected, actual) {
            (None, None) => return result,
            (Some(Token::String(expected)), Some(Token::String(actual))) => compare_strings(expected, actual),
            (Some(Token::Number(expected)), Some(Token::Number(actual))) if first => compare_bare_numbers(expected, actual),
            (expected, actual) => Match::when(expected == actual),
        };
        first = false;
        result = result.and(found);
        if result == Match::Different {
            return result;
        }
    }
}

/// Compares a text with a JSON string.
#[must_use]
pub fn compare_text(expected: &str, actual: &str) -> Match {
    let mut lexer = Lexer::new(actual);
    match (lexer.next_token(), lexer.next_token()) {
        (Ok(Some(Token::String(raw))), Ok(None)) => Match::when(units(raw).eq(expected.encode_utf16())),
        _ => Match::Different,
    }
}

fn compare_strings(expected: &str, actual: &str) -> Match {
    if expected == actual || units(expected).eq(units(actual)) {
        return Match::Same;
    }
    let replaced = |raw| char::decode_utf16(units(raw)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    // Only what was expected may have lone surrogates: an answer that invents some is wrong.
    let invented = char::decode_utf16(units(actual)).any(|unit| unit.is_err());
    if !invented && replaced(expected).eq(replaced(actual)) {
        return Match::SameButSurrogates;
    }
    Match::Different
}

/// Integers digit by digit where both are spelled so, anything else as float64.
#[allow(clippy::float_cmp)] // exactness is the point
fn compare_bare_numbers(expected: &str, actual: &str) -> Match {
    if let (Ok(expected), Ok(actual)) = (expected.parse::<i64>(), actual.parse::<i64>()) {
        return Match::when(expected == actual);
    }
    match (expected.parse::<f64>(), actual.parse::<f64>()) {
        (Ok(expected), Ok(actual)) => Match::when(expected == actual),
        _ => Match::Different,
    }
}
