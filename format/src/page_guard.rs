//! Looks at a part's footer and page headers before the Parquet library decodes them. The library reserves what they claim;
//! what passes here cannot make it take more than the format allows a row group (SPEC.md, 'Parquet').

use std::io::{self, BufReader};

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use crate::member::Slice;
use crate::thrift::{ThriftReader, invalid, kind};

/// The longest page header; ours have some 30 bytes.
const HEADER_BYTES: u64 = 64 << 10;
/// Rows of a row group at the most.
const GROUP_ROWS: i64 = 1 << 20;
/// Odd values of a row group at the most, beside one row's.
const GROUP_ODD: i64 = 1 << 20;
/// Elements of a schema beside the columns: its root, and six for the odd values; some more, for a later format.
const SCHEMA_EXTRA: u64 = 16;

/// Checks a footer of `bytes` bytes that starts at `at`: its schema has no more elements than the table asks for, each of which
/// takes far more memory than bytes.
pub(crate) fn check_footer(slice: &Slice, at: u64, bytes: u64, columns: usize) -> io::Result<()> {
    let most = columns as u64 + SCHEMA_EXTRA;
    let mut reader = ThriftReader::new(BufReader::new(slice.reader(at)), bytes);
    let mut last = 0;
    loop {
        match reader.field(last)? {
            (_, kind::STOP) => return Ok(()),
            (number, kind::LIST) if number == 2 => {
                let (elements, element) = reader.list()?;
                if elements > most {
                    return Err(invalid("it has more columns than the table"));
                }
                (0..elements).try_for_each(|_| reader.skip(element))?;
                last = number;
            }
            (number, kind) => {
                reader.skip(kind)?;
                last = number;
            }
        }
    }
}

/// What is read of a page header.
#[derive(Default)]
struct PageHeader {
    kind: i64,
    unpacked_bytes: i64,
    packed_bytes: i64,
    values: i64,
    encoding: i64,
    header_bytes: u64,
}

/// Checks that decoding a row group takes at most `limit_bytes`; the reason if not. `columns` are those of the table.
pub(crate) fn check_group(slice: &Slice, group: &RowGroupMetaData, columns: usize, limit_bytes: u64) -> Result<(), String> {
    if !(0..=GROUP_ROWS).contains(&group.num_rows()) {
        return Err("a row group has more rows than the format allows".to_owned());
    }
    let mut left_bytes = limit_bytes;
    for chunk in group.columns() {
        let nested = chunk.column_descr().max_rep_level() > 0;
        let odd = if nested { GROUP_ODD.saturating_add(i64::try_from(columns).unwrap_or(i64::MAX)) } else { 0 };
        left_bytes = check_chunk(slice, chunk, group.num_rows().saturating_add(odd), left_bytes)
            .map_err(|error| format!("a page of column {:?} is not allowed: {error}", chunk.column_path().string()))?;
    }
    Ok(())
}

/// Walks over the pages of a column chunk; answers what is left of `left_bytes`.
fn check_chunk(slice: &Slice, chunk: &ColumnChunkMetaData, most_values: i64, mut left_bytes: u64) -> io::Result<u64> {
    if !matches!(chunk.compression(), Compression::ZSTD(_) | Compression::UNCOMPRESSED) {
        return Err(invalid("its compression is not ZSTD"));
    }
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let (mut at, size) = (start.unsigned_abs(), chunk.compressed_size().unsigned_abs());
    let end = at.saturating_add(size);
    if start < 0 || chunk.compressed_size() < 0 || end > slice.bytes {
        return Err(invalid("it lies outside its part"));
    }
    let (mut left_values, mut dictionaries) = (most_values, 0);
    while at < end {
        let page = read_header(slice, at, end)?;
        let unpacked = u64::try_from(page.unpacked_bytes).map_err(|_| invalid("it claims a negative size"))?;
        let packed = u64::try_from(page.packed_bytes).map_err(|_| invalid("it claims a negative size"))?;
        left_bytes = left_bytes.checked_sub(unpacked).ok_or_else(|| invalid("it claims more than a row group may take"))?;
        // ZSTD's bound, generously: what is packed is read whole.
        if packed > unpacked.saturating_add(unpacked / 8).saturating_add(1024) {
            return Err(invalid("it is larger packed than unpacked"));
        }
        match page.kind {
            0 => {
                if !matches!(page.encoding, 0 | 2 | 3 | 8) {
                    return Err(invalid("its encoding is none of plain, RLE and dictionary"));
                }
                left_values = left_values
                    .checked_sub(page.values)
                    .filter(|left| *left >= 0 && page.values >= 0)
                    .ok_or_else(|| invalid("it claims more values than there are rows"))?;
            }
            2 => {
                dictionaries += 1;
                // Every entry takes four bytes at least, the length of a text.
                if dictionaries > 1
                    || page.values < 0
                    || page.values.saturating_mul(4) > page.unpacked_bytes
                    || !matches!(page.encoding, 0 | 2)
                {
                    return Err(invalid("its dictionary cannot be"));
                }
            }
            _ => return Err(invalid("it is of a kind that the format does not allow")),
        }
        at = at.saturating_add(page.header_bytes).saturating_add(packed);
    }
    if at == end { Ok(left_bytes) } else { Err(invalid("it reaches beyond its column")) }
}

fn read_header(slice: &Slice, at: u64, end: u64) -> io::Result<PageHeader> {
    let content = BufReader::with_capacity(128, slice.reader(at));
    let mut reader = ThriftReader::new(content, HEADER_BYTES.min(end - at));
    let mut page = PageHeader { kind: -1, encoding: -1, ..PageHeader::default() };
    let (mut last, mut seen) = (0, 0_u64);
    loop {
        let (number, kind) = reader.field(last)?;
        if kind == kind::STOP {
            break;
        }
        // A field that stands twice would leave it to each reader which one counts.
        if (1..=8).contains(&number) {
            let bit = 1 << number;
            if seen & bit != 0 {
                return Err(invalid("its header has a field twice"));
            }
            seen |= bit;
        }
        match (number, kind) {
            (1, kind::I32) => page.kind = reader.integer()?,
            (2, kind::I32) => page.unpacked_bytes = reader.integer()?,
            (3, kind::I32) => page.packed_bytes = reader.integer()?,
            (5 | 7, kind::STRUCT) => read_values(&mut reader, &mut page)?,
            (1..=3 | 5 | 7, _) => return Err(invalid("its header has a field of another type")),
            (_, kind) => reader.skip(kind)?,
        }
        last = number;
    }
    let fits = |number: i64| i32::try_from(number).is_ok();
    if !fits(page.unpacked_bytes) || !fits(page.packed_bytes) || !fits(page.values) {
        return Err(invalid("its header has a number that is too large"));
    }
    page.header_bytes = reader.bytes();
    Ok(page)
}

/// The number of values and their encoding: the first two fields of both kinds of page.
fn read_values<R: io::Read>(reader: &mut ThriftReader<R>, page: &mut PageHeader) -> io::Result<()> {
    if page.encoding >= 0 {
        return Err(invalid("its header is of two kinds at once"));
    }
    let (mut last, mut seen) = (0, 0_u8);
    loop {
        let (number, kind) = reader.field(last)?;
        match (number, kind) {
            (_, kind::STOP) => break,
            (1, kind::I32) if seen & 1 == 0 => (page.values, seen) = (reader.integer()?, seen | 1),
            (2, kind::I32) if seen & 2 == 0 => (page.encoding, seen) = (reader.integer()?, seen | 2),
            (1 | 2, _) => return Err(invalid("its header has a field twice or of another type")),
            (_, kind) => reader.skip(kind)?,
        }
        last = number;
    }
    if seen == 3 { Ok(()) } else { Err(invalid("its header does not say what it holds")) }
}
