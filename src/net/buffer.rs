//! Buffers: one block of memory with two cursors, taken from a per-thread stock while bytes are under way and
//! given back when dropped. An idle client holds none.
//!
//! ```text
//!  0 ....... start ====== end ........ capacity
//!   consumed    filled       space
//! ```

use std::cell::RefCell;

/// Bytes of a buffer as it is taken.
pub const SMALL: usize = 16 * 1024;
/// Bytes of a buffer that bulk data has filled.
pub const LARGE: usize = 128 * 1024;

/// How many blocks of each size a thread keeps in stock.
const MAX_STOCK_SMALL: usize = 64;
const MAX_STOCK_LARGE: usize = 8;

#[derive(Default)]
struct Stock {
    small: Vec<Box<[u8]>>,
    large: Vec<Box<[u8]>>,
}

thread_local! {
    static STOCK: RefCell<Stock> = RefCell::default();
}

/// A buffer on loan from its thread's stock.
pub struct Buffer {
    block: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// A small one.
    pub fn take() -> Buffer {
        Buffer { block: take_block(SMALL), start: 0, end: 0 }
    }

    /// The bytes that were received and not consumed.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// The same, to be changed in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.block[self.start..self.end]
    }

    /// Whether nothing is filled.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Where the next bytes may be received; empty only if the buffer is full from its first byte.
    #[inline]
    pub fn space(&mut self) -> &mut [u8] {
        if self.start > 0 && (self.start == self.end || self.end == self.block.len()) {
            self.block.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.block[self.end..]
    }

    /// `n` bytes were received into [`Buffer::space`].
    #[inline]
    pub fn received(&mut self, n: usize) {
        self.end = (self.end + n).min(self.block.len());
    }

    /// The first `n` filled bytes are done with.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }

    /// Moves the filled bytes beyond the first `n` into a buffer of their own.
    pub fn split_beyond(&mut self, n: usize) -> Buffer {
        let at = (self.start + n).min(self.end);
        let mut tail = Buffer::take();
        tail.grow(self.end - at);
        tail.space()[..self.end - at].copy_from_slice(&self.block[at..self.end]);
        tail.received(self.end - at);
        self.end = at;
        tail
    }

    /// Fills with as much of the beginning of `bytes` as fits.
    pub fn keep_beginning(&mut self, bytes: &[u8]) {
        let space = self.space();
        let n = bytes.len().min(space.len());
        space[..n].copy_from_slice(&bytes[..n]);
        self.received(n);
    }

    /// Puts `bytes` behind what is filled, making room for them.
    pub fn append(&mut self, bytes: &[u8]) {
        let len = self.end - self.start;
        self.grow(len + bytes.len());
        if self.block.len() - self.end < bytes.len() {
            self.block.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, len);
        }
        self.block[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// Whether no byte more fits.
    pub fn is_full(&self) -> bool {
        self.end - self.start == self.block.len()
    }

    /// Bytes that fit in all.
    pub fn capacity(&self) -> usize {
        self.block.len()
    }

    /// Makes room for at least `capacity` bytes in all; what is filled stays.
    pub fn grow(&mut self, capacity: usize) {
        if capacity <= self.block.len() {
            return;
        }
        let mut block = if capacity <= LARGE { take_block(LARGE) } else { vec![0; capacity].into_boxed_slice() };
        block[..self.end - self.start].copy_from_slice(&self.block[self.start..self.end]);
        self.end -= self.start;
        self.start = 0;
        give_block(std::mem::replace(&mut self.block, block));
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        give_block(std::mem::take(&mut self.block));
    }
}

fn take_block(size: usize) -> Box<[u8]> {
    STOCK
        .with_borrow_mut(|stock| if size == SMALL { stock.small.pop() } else { stock.large.pop() })
        .unwrap_or_else(|| vec![0; size].into_boxed_slice())
}

/// A thread that is ending has no stock any more; the block is then simply freed.
fn give_block(block: Box<[u8]>) {
    let _ = STOCK.try_with(|stock| {
        let stock = &mut *stock.borrow_mut();
        match block.len() {
            SMALL if stock.small.len() < MAX_STOCK_SMALL => stock.small.push(block),
            LARGE if stock.large.len() < MAX_STOCK_LARGE => stock.large.push(block),
            _ => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_survives_growth_and_compaction() {
        let mut buffer = Buffer::take();
        buffer.space()[..5].copy_from_slice(b"hello");
        buffer.received(5);
        buffer.consume(1);
        buffer.grow(LARGE);
        assert_eq!((buffer.filled(), buffer.capacity()), (&b"ello"[..], LARGE));
        let n = buffer.space().len();
        buffer.received(n);
        buffer.consume(n);
        assert_eq!(buffer.space().len(), LARGE - 4);
        assert!(!buffer.is_full());
    }

    #[test]
    fn what_is_appended_stands_behind_what_is_filled() {
        let mut buffer = Buffer::take();
        buffer.received(SMALL);
        buffer.filled_mut()[SMALL - 1] = b'a';
        buffer.consume(SMALL - 1);
        buffer.append(b"bc");
        assert_eq!((buffer.filled(), buffer.capacity()), (&b"abc"[..], SMALL));
        buffer.append(&[b'd'; LARGE]);
        assert_eq!((buffer.filled().len(), &buffer.filled()[..4]), (LARGE + 3, &b"abcd"[..]));
        buffer.consume(usize::MAX);
        assert!(buffer.is_empty());
    }

    #[test]
    fn blocks_return_to_the_stock() {
        let first = Buffer::take();
        let at = first.block.as_ptr();
        drop(first);
        assert_eq!(Buffer::take().block.as_ptr(), at);
    }
}
