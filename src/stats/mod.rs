//! What tidegate knows about the traffic: one record per command, histograms, digests, the slow log.

pub mod record;
pub mod settings;
