//! Two transcripts of one program, and where they part.

use super::program::Program;
use super::runner::{Entry, Transcript};
use super::wire::{Packet, Reply};

/// How much of a packet is shown.
const SHOWN: usize = 300;

/// Where two transcripts differ first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub step: usize,
    pub direct: Entry,
    pub through: Entry,
}

/// The first difference, if there is one.
pub fn first_difference(direct: &Transcript, through: &Transcript) -> Option<Difference> {
    assert_eq!(direct.len(), through.len(), "two programs");
    let step = direct.iter().zip(through).position(|(direct, through)| direct != through)?;
    Some(Difference { step, direct: direct[step].clone(), through: through[step].clone() })
}

/// The program and both replies, to be read and to be typed.
pub fn report(program: &Program, difference: &Difference) -> String {
    let Difference { step, direct, through } = difference;
    let kind = program.steps[*step].kind;
    format!(
        "seed {}, step {step} ({kind}):\n{program}\ndirect:\n{}\nthrough the hop:\n{}\n",
        program.seed,
        show_entry(direct),
        show_entry(through)
    )
}

fn show_entry(entry: &Entry) -> String {
    let (login, reply) = match entry {
        Entry::Said(login, reply) => (login, show(reply)),
        Entry::Gone(login) => (login, "    (its connection had ended)".to_owned()),
    };
    match login {
        Some(login) => format!("    login:\n{}\n    then:\n{reply}", show(login)),
        None => reply,
    }
}

/// A reply, a line for each packet.
pub fn show(reply: &Reply) -> String {
    let mut lines: Vec<_> = reply.packets.iter().map(show_packet).collect();
    lines.push(format!("    ({:?})", reply.end));
    lines.join("\n")
}

fn show_packet(Packet { seq, payload }: &Packet) -> String {
    let shown = payload[..payload.len().min(SHOWN)].escape_ascii();
    let more = if payload.len() > SHOWN { format!(" .. {} bytes", payload.len()) } else { String::new() };
    match payload[..] {
        [0xFF, low, high, ..] => {
            format!("    {seq:3} ERR {} {}{more}", u16::from_le_bytes([low, high]), payload[3..].escape_ascii())
        }
        _ => format!("    {seq:3} {shown}{more}"),
    }
}
