//! The canonical encoding of a row and the order-independent content digest of a table (SPEC.md, 'The content digest').
//!
//! It promises: two tables have the same digest when, and but for accidents of SHA-256 only when, they have the same
//! column names and the same rows as often, in whatever order rows and columns come.

use sha2::{Digest, Sha256};

use crate::{Value, hex};

/// Longer values go into the hash as they are; shorter ones are gathered first, which is quicker.
const GATHER_BYTES: usize = 4096;

/// Computes the content digest of one table.
pub struct RowDigester {
    columns: Vec<String>,
    /// Indexes into a row, in the order of the column names' bytes.
    order: Vec<usize>,
    rows: u64,
    /// The sum of all row hashes modulo 2^256, as four limbs, least significant first.
    sum: [u64; 4],
    gathered: Vec<u8>,
}

impl RowDigester {
    /// A digester for rows whose values come in the order of `columns`.
    #[must_use]
    pub fn new(columns: &[String]) -> Self {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by(|a, b| columns[*a].as_bytes().cmp(columns[*b].as_bytes()));
        RowDigester { columns: columns.to_vec(), order, rows: 0, sum: [0; 4], gathered: Vec::with_capacity(2 * GATHER_BYTES) }
    }

    /// Adds one row; it must have as many values as there are columns.
    pub fn row(&mut self, row: &[Value<'_>]) {
        let hash = self.row_hash(row);
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().zip(hash.rchunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let (sum, first) = limb.overflowing_add(u64::from_be_bytes(word));
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = first || second;
        }
        self.rows += 1;
    }

    /// SHA-256 over the canonical encoding of one row.
    pub fn row_hash(&mut self, row: &[Value<'_>]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        self.gathered.clear();
        for &index in &self.order {
            let long = encode_value(&row[index], &mut self.gathered);
            if long.is_some() || self.gathered.len() > GATHER_BYTES {
                hasher.update(&self.gathered);
                self.gathered.clear();
            }
            if let Some(bytes) = long {
                hasher.update(bytes);
            }
        }
        hasher.update(&self.gathered);
        hasher.finalize().into()
    }

    /// How many rows were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest as 64 lower-case hex digits.
    #[must_use]
    pub fn finish(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"pannier table digest 1\n");
        hasher.update((self.columns.len() as u64).to_be_bytes());
        for &index in &self.order {
            let name = self.columns[index].as_bytes();
            hasher.update((name.len() as u64).to_be_bytes());
            hasher.update(name);
        }
        hasher.update(self.rows.to_be_bytes());
        for limb in self.sum.iter().rev() {
            hasher.update(limb.to_be_bytes());
        }
        hex(&hasher.finalize())
    }
}

/// Appends a value's canonical encoding; a long text or blob is returned instead, to be appended by the caller.
fn encode_value<'a>(value: &Value<'a>, out: &mut Vec<u8>) -> Option<&'a [u8]> {
    match *value {
        Value::Null => out.push(b'N'),
        Value::Boolean(boolean) => out.extend_from_slice(if boolean { b"B\x01" } else { b"B\x00" }),
        Value::Integer(integer) => {
            out.push(b'I');
            out.extend_from_slice(&integer.to_be_bytes());
        }
        Value::Real(real) => {
            out.push(b'R');
            out.extend_from_slice(&real.to_bits().to_be_bytes());
        }
        Value::Text(bytes) | Value::Blob(bytes) => {
            out.push(if matches!(value, Value::Text(_)) { b'T' } else { b'X' });
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            if bytes.len() > GATHER_BYTES {
                return Some(bytes);
            }
            out.extend_from_slice(bytes);
        }
    }
    None
}

/// The canonical encoding of `values` in the order given: what derived ids and keys are hashed from.
#[must_use]
pub fn encode(values: &[Value<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        if let Some(long) = encode_value(value, &mut out) {
            out.extend_from_slice(long);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(columns: &[&str], rows: &[&[Value<'_>]]) -> String {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut digester = RowDigester::new(&columns);
        for row in rows {
            digester.row(row);
        }
        digester.finish()
    }

    /// The test vectors of SPEC.md.
    #[test]
    fn vectors() {
        assert_eq!(encode(&[Value::Null, Value::Boolean(true), Value::Integer(-2)]), b"NB\x01I\xff\xff\xff\xff\xff\xff\xff\xfe");
        assert_eq!(
            encode(&[Value::Real(-0.0), Value::Text(b"a\0"), Value::Blob(b"")]),
            b"R\x80\0\0\0\0\0\0\0T\0\0\0\0\0\0\0\x02a\0X\0\0\0\0\0\0\0\0"
        );
        assert_eq!(digest(&["id", "name"], &[]), "8c861927ed1eacd0c95f372c43e1b190e4496d9e9485cacb26ecf9444ee087fa");
        assert_eq!(
            digest(&["id", "name"], &[&[Value::Integer(1), Value::Text(b"a")], &[Value::Integer(2), Value::Null]]),
            "d3ad5e3529bc72d12a96d087424aa5b6ddadf7a6f256e3f105ab810dbdf379bc"
        );
    }

    #[test]
    fn order_does_not_matter_but_everything_else_does() {
        let (one, two) = ([Value::Integer(1), Value::Text(b"a")], [Value::Integer(2), Value::Null]);
        let base = digest(&["id", "name"], &[&one, &two]);
        assert_eq!(base, digest(&["id", "name"], &[&two, &one]));
        assert_eq!(base, digest(&["name", "id"], &[&[one[1], one[0]], &[two[1], two[0]]]));
        for other in [
            digest(&["id", "nome"], &[&one, &two]),
            digest(&["id", "name"], &[&one]),
            digest(&["id", "name"], &[&one, &two, &two]),
            digest(&["id", "name"], &[&one, &[Value::Integer(2), Value::Text(b"")]]),
            digest(&["id", "name"], &[&one, &[Value::Real(2.0), Value::Null]]),
            digest(&["id", "name"], &[&[Value::Integer(1), Value::Blob(b"a")], &two]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_long_value_is_hashed_as_if_gathered() {
        let long = vec![b'x'; GATHER_BYTES + 1];
        let row = [Value::Text(&long), Value::Integer(1)];
        let mut digester = RowDigester::new(&["a".to_owned(), "b".to_owned()]);
        let plain: [u8; 32] = Sha256::digest(encode(&row)).into();
        assert_eq!(digester.row_hash(&row), plain);
    }
}
