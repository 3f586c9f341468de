//! Where packets begin and end, and what they say. Pure: no socket, no clock.

pub mod announce;
pub mod capabilities;
pub mod command;
pub mod execute;
pub mod fault;
pub mod frame;
pub mod handshake;
pub mod ok;
pub mod parameters;
pub mod query_text;
pub mod reply;
pub mod status;
pub mod trackers;
pub mod variable_names;
pub mod whole_packets;
