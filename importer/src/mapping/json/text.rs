//! What a JSON string says, as UTF-16 units: the only form in which lone surrogates keep apart.

/// The UTF-16 units of a raw JSON string (with its quotes), escapes resolved. The string must be one that the lexer took.
pub fn units(raw: &str) -> impl Iterator<Item = u16> + '_ {
    let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    Units { rest: inner.chars(), pending: None }
}

struct Units<'a> {
    rest: std::str::Chars<'a>,
    pending: Option<u16>,
}

impl Units<'_> {
    fn escape(&mut self) -> Option<u16> {
        Some(match self.rest.next()? {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let mut unit = 0_u16;
                for _ in 0..4 {
                    let digit = self.rest.next()?.to_digit(16)?;
                    unit = unit << 4 | u16::try_from(digit).ok()?;
                }
                unit
            }
            other => u16::try_from(u32::from(other)).ok()?,
        })
    }
}

impl Iterator for Units<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if let Some(unit) = self.pending.take() {
            return Some(unit);
        }
        match self.rest.next()? {
            '\\' => self.escape(),
            plain => {
                let mut buffer = [0; 2];
                let encoded = plain.encode_utf16(&mut buffer);
                let first = encoded[0];
                self.pending = encoded.get(1).copied();
                Some(first)
            }
        }
    }
}

/// The text of a raw JSON string; a lone surrogate becomes U+FFFD.
#[must_use]
pub fn decode(raw: &str) -> String {
    char::decode_utf16(units(raw)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
