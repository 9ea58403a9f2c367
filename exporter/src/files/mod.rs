//! The files beside the database: listed, matched to the rows that name them, read once each into the bundle.

mod carry;
mod listing;
mod location;
mod matching;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;

pub use carry::{FilesReport, LocationReport, carry};
pub(crate) use carry::{key_problem, row_problems};
pub use listing::{Entry, Kind, Listing};
pub use location::Location;
pub use matching::{Found, Matching};

/// Opens a file for reading. Should somebody have put a link or a pipe in its place since it was listed: that is neither
/// followed nor waited for.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// Bytes of a name as text that is unambiguous in one line: controls and what is not UTF-8 as `\xNN`.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' || is_invisible(character) {
                let _ = write!(text, "{}", character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Text for a terminal: what would move the cursor, colour, or turn the direction of writing comes escaped. Unlike
/// [`printable`] it changes nothing the second time.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Marks that change how a line reads on a terminal without showing themselves.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_for_the_terminal() {
        let shown = super::shown("a\u{1b}[31m\n\\ \u{202e}é\u{9b}");
        assert_eq!(shown, "a\\u{1b}[31m\\n\\ \\u{202e}é\\u{9b}");
        assert_eq!(super::shown(&shown), shown);
    }

    #[test]
    fn one_line_each() {
        assert_eq!(super::printable(b"a\nb\\\xff"), "a\\nb\\\\\\xff");
        assert_eq!(super::printable("ملف \u{202e}txt.exe".as_bytes()), "ملف \\u{202e}txt.exe");
    }
}
