//! The commands: each makes one document, which is printed as JSON or as text.

pub mod inspect;
pub mod schema;
pub mod verify;

use serde::Serialize;

/// What a command has to say.
pub trait Document: Serialize {
    /// For people.
    fn text(&self) -> String;
    /// Whether it finished with problems (exit code 3).
    fn has_problems(&self) -> bool;
}

/// A table of text: columns as wide as their widest cell, numbers to the right.
#[must_use]
pub fn text_table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |index: usize| rows.iter().map(|row| row[index].chars().count()).chain([header[index].chars().count()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let numeric =
        |index: usize| !rows.is_empty() && rows.iter().all(|row| row[index].chars().all(|c| c.is_ascii_digit() || ".,-%".contains(c)));
    let right: Vec<bool> = (0..header.len()).map(numeric).collect();
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (index, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[index].saturating_sub(cell.chars().count()));
            let cell = if right[index] { format!("{pad}{cell}") } else { format!("{cell}{pad}") };
            line.push_str("  ");
            line.push_str(&cell);
        }
        line.trim_end().to_owned() + "\n"
    };
    let mut text = line(&header.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    for row in rows {
        text.push_str(&line(row));
    }
    text
}

/// Bytes for people.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// A name for a terminal: control characters and those that turn the direction of writing are shown and not obeyed.
#[must_use]
pub fn shown(name: &str) -> String {
    let obeyed =
        |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    name.chars().flat_map(|c| if obeyed(c) { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }).collect()
}
