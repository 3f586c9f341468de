//! A bounded, fair, deadline-aware pool of connections, generic over the connection. Imports nothing of ours.

pub mod policy;
