//! What can be looked at, each as a table: made anew for each look, from copies.

pub mod clients;
pub mod digests;
pub mod histogram;
pub mod memory;
pub mod pins;
pub mod pools;
pub mod recording;
pub mod servers;
pub mod stats;
