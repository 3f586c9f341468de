//! Replies as a plain client reads them: rows as text, OK, ERR.

use std::io::{self, Read};

/// A reader of one packet's payload.
pub struct Payload<'a>(pub &'a [u8]);

impl<'a> Payload<'a> {
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    pub fn u16(&mut self) -> u16 {
        let bytes = self.take(2);
        u16::from_le_bytes([bytes[0], bytes[1]])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().expect("four bytes"))
    }

    /// A length-encoded number; `None` is NULL.
    pub fn number(&mut self) -> Option<u64> {
        let width = match self.take(1)[0] {
            0xFB => return None,
            0xFC => 2,
            0xFD => 3,
            0xFE => 8,
            small => return Some(u64::from(small)),
        };
        let bytes = self.take(width);
        Some(bytes.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)))
    }

    /// A length-encoded text; NULL is `NULL`.
    pub fn text(&mut self) -> String {
        match self.number() {
            None => "NULL".into(),
            Some(len) => String::from_utf8_lossy(self.take(usize::try_from(len).expect("a length"))).into_owned(),
        }
    }
}

/// A row of the text protocol.
pub fn text_row(payload: &[u8], columns: usize) -> Vec<String> {
    let mut payload = Payload(payload);
    (0..columns).map(|_| payload.text()).collect()
}

/// A row of the binary protocol whose columns are all texts.
pub fn binary_row(payload: &[u8], columns: usize) -> Vec<String> {
    let mut payload = Payload(payload);
    payload.take(1);
    let nulls = payload.take((columns + 9) / 8);
    let is_null = |column: usize| nulls[(column + 2) / 8] >> ((column + 2) % 8) & 1 == 1;
    (0..columns).map(|column| if is_null(column) { "NULL".into() } else { payload.text() }).collect()
}

/// The payload of COM_STMT_EXECUTE with texts for its parameters.
pub fn execute(id: u32, cursor: bool, parameters: &[&str]) -> Vec<u8> {
    let mut payload = vec![0x17];
    payload.extend(id.to_le_bytes());
    payload.push(u8::from(cursor));
    payload.extend(1u32.to_le_bytes());
    if !parameters.is_empty() {
        payload.extend(vec![0; parameters.len().div_ceil(8)]);
        payload.push(1);
        payload.extend(parameters.iter().flat_map(|_| [0xFD, 0]));
        for text in parameters {
            let len = u16::try_from(text.len()).expect("a short text");
            payload.push(0xFC);
            payload.extend(len.to_le_bytes());
            payload.extend(text.as_bytes());
        }
    }
    payload
}

/// The contents of a frame of the compressed protocol. `id`: of the frame before; a reply's first one has 1.
pub fn frame(stream: &mut impl Read, id: &mut u8) -> io::Result<Vec<u8>> {
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    if head[3] != 1 && head[3] != id.wrapping_add(1) {
        return Err(io::Error::other(format!("frame {} after {id}", head[3])));
    }
    *id = head[3];
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]) as usize;
    let mut contents = vec![0; number(0)];
    stream.read_exact(&mut contents)?;
    if number(4) == 0 {
        return Ok(contents);
    }
    let mut plain = Vec::with_capacity(number(4));
    flate2::read::ZlibDecoder::new(&contents[..]).read_to_end(&mut plain)?;
    Ok(plain)
}
