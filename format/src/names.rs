//! Names of members: how a table's name, in any script, becomes a safe and portable folder name.

use sha2::{Digest, Sha256};

use crate::hex;

/// The longest folder name that is made, in bytes; so that every member path fits the ustar header, without extensions.
const LONGEST_BYTES: usize = 76;

/// The folder of a table's parts: ASCII letters, digits, `_` and `-` stay, every other byte of its UTF-8 becomes `~HH`.
///
/// `~` rather than `%`, because BagIt gives `%` a meaning in manifests, and rather than `=`, because `key=value` folders
/// are partitions to Parquet readers. A name that would get too long is cut and ends in 16 hex digits of its SHA-256.
#[must_use]
pub fn folder(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            folder.push(char::from(byte));
        } else {
            folder.push('~');
            folder.push_str(&hex(&[byte]).to_uppercase());
        }
    }
    if folder.is_empty() {
        folder.push_str("~empty");
    }
    if folder.len() > LONGEST_BYTES {
        let hash = hex(&Sha256::digest(name.as_bytes()));
        folder.truncate(LONGEST_BYTES - 18);
        folder.push_str("~~");
        folder.push_str(&hash[..16]);
    }
    folder
}

/// Whether `path` may be a member below the bundle's top folder: relative, no `.` or `..`, no empty part, none of the
/// characters that manifests or file systems cannot take, at most 255 bytes.
#[must_use]
pub fn is_member_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= 255
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.~/".contains(&byte))
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether `name` may be a bundle's name, which is its top folder: like one part of a member path, at most 64 bytes.
#[must_use]
pub fn is_bundle_name(name: &str) -> bool {
    name.len() <= 64 && !name.contains('/') && !name.starts_with('.') && is_member_path(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_safe_and_distinct() {
        for name in ["chat", "a/b", "..", "", "таблица", "a b", "%", "A", "a", &"x".repeat(500), &"é".repeat(100)] {
            let made = folder(name);
            assert!(is_member_path(&made), "{name:?} became {made:?}");
        }
        assert_eq!(folder("chat_message-2"), "chat_message-2");
        assert_eq!(folder("a b"), "a~20b");
        assert_ne!(folder(&"x".repeat(500)), folder(&"x".repeat(501)));
    }

    #[test]
    fn paths_that_leave_are_refused() {
        for path in ["", "/etc/passwd", "a/../b", "./a", "a//b", "a\\b", "a\nb", "a%b", "ü"] {
            assert!(!is_member_path(path), "{path:?}");
        }
        assert!(!is_bundle_name(".."));
        assert!(!is_bundle_name(".hidden"));
    }
}
