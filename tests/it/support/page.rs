//! Blocks of the documentation, as a reader would copy them.

use std::fs;

use serde_json::Value;

/// The first block of a page whose fence says exactly this.
///
/// # Panics
/// When the page has no such block.
pub(crate) fn block(page: &str, fence: &str) -> String {
    let text = fs::read_to_string(page).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (_, rest) = text.split_once(&format!("```{fence}\n")).unwrap_or_else(|| panic!("{page} has no `{fence}`"));
    rest.split_once("\n```").expect("a block ends").0.to_owned()
}

/// The same as JSON.
///
/// # Panics
/// When the page has no such block, or it is no JSON.
pub(crate) fn json_block(page: &str, fence: &str) -> Value {
    serde_json::from_str(&block(page, fence)).unwrap_or_else(|error| panic!("{page}, `{fence}`: {error}"))
}
