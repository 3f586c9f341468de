//! The file as typed, and the settings it resolves to.
