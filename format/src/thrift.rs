//! Just enough of Thrift's compact protocol to look at Parquet's footers and page headers before the Parquet library believes them.

use std::io::{self, Read};

/// Structures and lists in each other; a footer has some ten levels.
const DEEPEST: u8 = 16;

/// Types of the compact protocol that are told apart.
pub(crate) mod kind {
    pub const STOP: u8 = 0;
    pub const I32: u8 = 5;
    pub const LIST: u8 = 9;
    pub const STRUCT: u8 = 12;
}

/// Reads fields one after the other; what it has read is bounded and counted.
pub(crate) struct ThriftReader<R> {
    reader: io::Take<R>,
    limit: u64,
}

impl<R: Read> ThriftReader<R> {
    /// A reader that fails after `limit` bytes.
    pub fn new(reader: R, limit: u64) -> Self {
        ThriftReader { reader: reader.take(limit), limit }
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.limit - self.reader.limit()
    }

    /// The next field's number and type, given the number of the one before.
    pub fn field(&mut self, last: i64) -> io::Result<(i64, u8)> {
        let byte = self.byte()?;
        let (delta, kind) = (byte >> 4, byte & 15);
        let number = match (kind, delta) {
            (kind::STOP, _) => last,
            (_, 0) => self.integer()?,
            (_, delta) => last.saturating_add(i64::from(delta)),
        };
        // The Parquet library keeps 16 bits; a number beyond those would be another field to it.
        if !(0..=i64::from(i16::MAX)).contains(&number) {
            return Err(invalid("a field has a number that there is not"));
        }
        Ok((number, kind))
    }

    /// A signed integer.
    pub fn integer(&mut self) -> io::Result<i64> {
        let encoded = self.varint()?;
        let half = i64::try_from(encoded >> 1).unwrap_or(i64::MAX);
        Ok(if encoded & 1 == 0 { half } else { -1 - half })
    }

    /// The length of a list and the type of its elements.
    pub fn list(&mut self) -> io::Result<(u64, u8)> {
        let header = self.byte()?;
        let length = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        // Booleans in lists take a byte each, unlike those in fields.
        let element = if matches!(header & 15, 1 | 2) { 3 } else { header & 15 };
        Ok((length, element))
    }

    /// Passes over a value of the given type.
    pub fn skip(&mut self, kind: u8) -> io::Result<()> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, kind: u8, depth: u8) -> io::Result<()> {
        let deeper = depth.checked_sub(1).ok_or_else(|| invalid("its structures are too deep"))?;
        match kind {
            // Booleans in fields are all in their type.
            1 | 2 => Ok(()),
            3 => self.byte().map(|_| ()),
            4..=6 => self.varint().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let length = self.varint()?;
                self.pass(length)
            }
            9 | 10 => {
                let (length, element) = self.list()?;
                // Every element takes a byte at least, so that the limit ends this.
                (0..length).try_for_each(|_| self.skip_within(element, deeper))
            }
            kind::STRUCT => {
                let mut last = 0;
                loop {
                    let (number, kind) = self.field(last)?;
                    if kind == kind::STOP {
                        return Ok(());
                    }
                    self.skip_within(kind, deeper)?;
                    last = number;
                }
            }
            _ => Err(invalid("a field has a type that there is not")),
        }
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.reader.by_ref().take(bytes), &mut io::sink())?;
        if passed == bytes { Ok(()) } else { Err(invalid("it is cut short")) }
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(invalid("a number is too long"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte).map_err(|_| invalid("it is cut short"))?;
        Ok(byte[0])
    }
}

/// What is not as the protocol has it.
pub(crate) fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_what_it_must_and_nothing_more() {
        // {1: 300, 2: "ab", 3: [true, false], 4: {1: -1}}, then 7.
        let bytes = b"\x15\xd8\x04\x18\x02ab\x19\x21\x01\x02\x1c\x15\x01\0\0\x0e";
        let mut reader = ThriftReader::new(&bytes[..], 100);
        assert!(reader.skip(kind::STRUCT).is_ok());
        assert_eq!(reader.bytes(), bytes.len() as u64 - 1);
        assert!(matches!(reader.integer(), Ok(7)));
    }

    #[test]
    fn a_lie_ends_with_the_limit() {
        for bytes in [
            &b"\x18\xff\xff\xff\xff\x0f"[..],
            b"\x19\xf3\xff\xff\xff\xff\x0f",
            b"\x15\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x1f",
        ] {
            assert!(ThriftReader::new(bytes, 100).skip(kind::STRUCT).is_err(), "{bytes:?}");
        }
        assert!(ThriftReader::new(io::repeat(0x1c), 1 << 20).skip(kind::STRUCT).is_err());
        assert!(ThriftReader::new(io::repeat(0x15), 1 << 10).skip(kind::STRUCT).is_err());
    }
}
