//! Traces: the traffic on record, command by command, so that it can be simulated against other settings and played again.
//!
//! ```text
//! worker: event -> ring (bounded) | writer thread: encode -> block (zstd) -> file (rotated) | read -> event
//! ```
//!
//! A file is a magic number, a block with the [`Origin`] as JSON, blocks of events, and an empty block as its end. Times are
//! nanoseconds since the recording began, and differences of them; names and digests stand in a file once. A command takes
//! some 10 to 20 bytes. Literals are in a trace only where they were asked for.

mod block;
mod decode;
mod encode;
mod event;
mod file;
mod origin;
mod read;
mod recording;
mod table;
#[cfg(test)]
mod tests;
mod varint;
mod writer;

pub use event::{Came, Command, Event, Held, Login};
pub use origin::{Origin, PoolFacts};
pub use read::{Ending, Summary, TraceError, load, read};
pub use recording::{Behind, Recording, TraceCounts, TraceSettings, Traces};
