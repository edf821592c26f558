//! Stories of keystores and pairs of files.
