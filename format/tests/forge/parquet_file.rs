//! A Parquet file of one optional column of texts, built byte by byte, so that any number in it can be a lie.

/// Writes Thrift's compact protocol.
#[derive(Clone, Default)]
pub struct Thrift {
    pub bytes: Vec<u8>,
    last: Vec<i64>,
}

impl Thrift {
    pub fn field(&mut self, number: i64, kind: u8) -> &mut Self {
        let last = self.last.last_mut().unwrap();
        self.bytes.push((u8::try_from(number - *last).unwrap() << 4) | kind);
        *last = number;
        self
    }

    pub fn open(&mut self) -> &mut Self {
        self.last.push(0);
        self
    }

    pub fn close(&mut self) -> &mut Self {
        self.last.pop();
        self.bytes.push(0);
        self
    }

    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        while value > 127 {
            self.bytes.push(u8::try_from(value & 127).unwrap() | 128);
            value >>= 7;
        }
        self.bytes.push(u8::try_from(value).unwrap());
        self
    }

    fn zigzag(&mut self, value: i64) -> &mut Self {
        self.varint(((value << 1) ^ (value >> 63)).cast_unsigned())
    }

    pub fn i32(&mut self, number: i64, value: i64) -> &mut Self {
        self.field(number, 5).zigzag(value)
    }

    pub fn i64(&mut self, number: i64, value: i64) -> &mut Self {
        self.field(number, 6).zigzag(value)
    }

    pub fn text(&mut self, number: i64, text: &str) -> &mut Self {
        self.field(number, 8);
        self.element(text)
    }

    pub fn element(&mut self, text: &str) -> &mut Self {
        self.varint(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// A list of `count` elements of type `kind`, which follow.
    pub fn list(&mut self, number: i64, kind: u8, count: u64) -> &mut Self {
        self.field(number, 9);
        self.bytes.push(0xf0 | kind);
        self.varint(count)
    }

    pub fn inner(&mut self, number: i64) -> &mut Self {
        self.field(number, 12).open()
    }
}

/// One page: what its header claims, and its body as it is stored.
#[derive(Clone)]
pub struct Page {
    pub dictionary: bool,
    pub unpacked_bytes: i64,
    pub packed_bytes: i64,
    pub values: i64,
    pub encoding: i64,
    pub body: Vec<u8>,
    /// Bytes of header to use instead of honest Thrift.
    pub raw_header: Option<Vec<u8>>,
}

impl Page {
    /// A page that tells the truth about `content`, compressed.
    pub fn honest(dictionary: bool, values: i64, encoding: i64, content: &[u8]) -> Page {
        let body = zstd::bulk::compress(content, 1).unwrap();
        let (unpacked_bytes, packed_bytes) = (i64::try_from(content.len()).unwrap(), i64::try_from(body.len()).unwrap());
        Page { dictionary, unpacked_bytes, packed_bytes, values, encoding, body, raw_header: None }
    }

    pub fn header(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw_header {
            return raw.clone();
        }
        let mut thrift = Thrift::default();
        thrift.open().i32(1, if self.dictionary { 2 } else { 0 }).i32(2, self.unpacked_bytes).i32(3, self.packed_bytes);
        if self.dictionary {
            thrift.inner(7).i32(1, self.values).i32(2, self.encoding).close();
        } else {
            thrift.inner(5).i32(1, self.values).i32(2, self.encoding).i32(3, 3).i32(4, 3).close();
        }
        thrift.close();
        thrift.bytes
    }
}

/// What the footer claims beside the pages.
#[derive(Clone)]
pub struct Lies {
    pub rows: i64,
    pub values: i64,
    pub total_bytes: i64,
    /// How many row groups share the pages.
    pub groups: u64,
}

/// A plain page of `rows` texts, levels included.
pub fn plain_page(texts: &[&[u8]]) -> Page {
    let mut content = levels(texts.len() as u64);
    for text in texts {
        content.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
        content.extend_from_slice(text);
    }
    Page::honest(false, i64::try_from(texts.len()).unwrap(), 0, &content)
}

/// Definition levels that say that `rows` values are all there: one run.
pub fn levels(rows: u64) -> Vec<u8> {
    let mut run = Thrift::default();
    run.varint(rows << 1).bytes.push(1);
    let mut levels = u32::try_from(run.bytes.len()).unwrap().to_le_bytes().to_vec();
    levels.extend(run.bytes);
    levels
}

/// A file with the given pages in its only column, `v`.
pub fn file(pages: &[Page], lies: &Lies) -> Vec<u8> {
    let mut file = b"PAR1".to_vec();
    let mut data_offset = None;
    for page in pages {
        if !page.dictionary {
            data_offset.get_or_insert(file.len());
        }
        file.extend(page.header());
        file.extend_from_slice(&page.body);
    }
    let packed_bytes = i64::try_from(file.len() - 4).unwrap();
    let mut footer = Thrift::default();
    footer.open().i32(1, 1).list(2, 12, 2);
    footer.open().text(4, "schema").i32(5, 1).close();
    footer.open().i32(1, 6).i32(3, 1).text(4, "v").i32(6, 0).close();
    footer.i64(3, lies.rows).list(4, 12, lies.groups);
    for _ in 0..lies.groups {
        footer.open().list(1, 12, 1).open().i64(2, 0).inner(3).i32(1, 6);
        footer.list(2, 5, 1).varint(0).list(3, 8, 1).element("v");
        footer.i32(4, 6).i64(5, lies.values).i64(6, lies.total_bytes).i64(7, packed_bytes);
        footer.i64(9, i64::try_from(data_offset.unwrap_or(4)).unwrap());
        if pages.first().is_some_and(|page| page.dictionary) {
            footer.i64(11, 4);
        }
        footer.close().close().i64(2, lies.total_bytes).i64(3, lies.rows).close();
    }
    footer.close();
    seal(&mut file, &footer.bytes);
    file
}

/// Appends a footer, its length and the mark.
pub fn seal(file: &mut Vec<u8>, footer: &[u8]) {
    file.extend_from_slice(footer);
    file.extend_from_slice(&u32::try_from(footer.len()).unwrap().to_le_bytes());
    file.extend_from_slice(b"PAR1");
}
