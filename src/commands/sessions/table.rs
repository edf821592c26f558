//! The node's answers for people: a table, or a few lines. User names were chosen by users, so nothing reaches the terminal that it would
//! take for a command.

use std::io::{self, Write};

use serde_json::Value;

/// The columns, by their names in the answer.
const COLUMNS: [&str; 6] = ["id", "subject", "username", "sid", "opened_at", "last_seen"];

/// Sessions in a table, and what it covers.
pub(super) fn list(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let sessions = answer["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let head = COLUMNS.map(|name| name.to_uppercase().replace('_', " "));
    let rows: Vec<_> =
        std::iter::once(head).chain(sessions.iter().map(|one| COLUMNS.map(|name| text(&one[name])))).collect();
    let widths: Vec<usize> =
        (0..COLUMNS.len()).map(|n| rows.iter().map(|row| width(&row[n])).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, wide)| format!("{cell}{}", " ".repeat(wide - width(cell))));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    if answer["truncated"] == true {
        writeln!(out, "… and more: narrow it by --user or --sid")?;
    }
    covered(out, answer)
}

/// One session, a line for each thing that is known.
pub(super) fn one(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    for (name, value) in answer["session"].as_object().into_iter().flatten() {
        writeln!(out, "{:<15}{}", plain(name).replace('_', " "), text(value))?;
    }
    covered(out, answer)
}

/// What was ended.
pub(super) fn ended(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let (sessions, streams) = (text(&answer["sessions"]), text(&answer["streams"]));
    writeln!(out, "ended: known sessions {sessions}, open streams {streams}")?;
    if answer["known"] != true {
        writeln!(out, "nothing of it was known here; it is ended all the same")?;
    }
    covered(out, answer)
}

fn covered(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    writeln!(out, "({}; known since {})", text(&answer["covers"]), text(&answer["known_since"]))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => plain(text),
        value => value.to_string(),
    }
}

/// `text` with control characters written out, so that a terminal shows them and does not obey; so also those that turn the direction of a
/// line.
pub(super) fn plain(text: &str) -> String {
    let is_bidi = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_bidi(c) { plain.extend(c.escape_unicode()) } else { plain.push(c) }
    }
    plain
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_a_name_cannot_drive_the_terminal() {
        let answer = json!({ "covers": "all", "known_since": "now", "truncated": false, "sessions": [
            { "id": "1", "subject": "s", "username": "a\u{1b}[2J\r\n\u{202e}b", "sid": null, "opened_at": "x", "last_seen": "y" },
        ] });
        let mut out = Vec::new();
        list(&mut out, &answer).unwrap();
        let printed = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 3, "{printed}");
        assert_eq!(lines[0].find(" SID"), lines[1].find(" - "), "{printed}");
        assert!(printed.contains(r"a\u{1b}[2J\u{d}\u{a}\u{202e}b"), "{printed}");
    }
}
