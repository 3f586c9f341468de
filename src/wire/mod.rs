//! Where packets begin and end, and what they say. Pure: no socket, no clock.
