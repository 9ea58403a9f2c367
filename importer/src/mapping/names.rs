//! Names that `PocketBase` takes for collections, fields and indexes, made deterministically from the source's.
//!
//! Measured on 0.23.4 to 0.40.6: `\w+` (ASCII), collections up to 255 and fields up to 100 characters, `_via_` refused,
//! unique without regard to case, index names unique in the database. A leading underscore or digit is taken by the
//! server but is awkward in filters and reserved for its own, so it goes too.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// Longest collection name that we make: index names hold it too.
const COLLECTION_CHARS: usize = 60;
/// Longest field name that the server takes.
const FIELD_CHARS: usize = 100;
/// Longest index name that we make.
const INDEX_CHARS: usize = 100;
/// Characters that a suffix takes.
const SUFFIX_CHARS: usize = 7;

/// Field names that no collection can have for its own.
const RESERVED: &[&str] = &["id", "created", "updated", "expand", "collectionid", "collectionname", "null", "true", "false", "_rowid_"];
/// Further ones of auth collections.
const RESERVED_AUTH: &[&str] = &["email", "emailvisibility", "verified", "password", "tokenkey", "passwordconfirm", "oldpassword"];

/// A name for a collection; not yet unique.
#[must_use]
pub(super) fn collection_name(table: &str) -> String {
    let name = word(table, COLLECTION_CHARS, "table");
    // SQLite keeps this prefix for itself; `users` exists on every new server, as an auth collection.
    if name.to_ascii_lowercase().starts_with("sqlite_") || name.eq_ignore_ascii_case("users") {
        return format!("table_{name}");
    }
    name
}

/// A name for a field; not yet unique.
#[must_use]
pub(super) fn field_name(column: &str, auth: bool) -> String {
    let name = word(column, FIELD_CHARS - SUFFIX_CHARS, "column");
    if is_reserved(&name, auth) { format!("{name}_raw") } else { name }
}

/// The server has a field of that name, or refuses it.
#[must_use]
pub(super) fn is_reserved(name: &str, auth: bool) -> bool {
    let lower = name.to_ascii_lowercase();
    RESERVED.contains(&lower.as_str()) || (auth && RESERVED_AUTH.contains(&lower.as_str()))
}

/// The name can be used as it stands, reserved names aside.
#[must_use]
pub(super) fn is_word(name: &str) -> bool {
    name.len() <= FIELD_CHARS && word(name, FIELD_CHARS, "") == name && !name.is_empty()
}

fn word(source: &str, max_chars: usize, empty: &str) -> String {
    let mapped: String = source.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(max_chars).collect();
    let mut name = mapped.trim_start_matches('_').to_owned();
    while let Some(at) = name.to_ascii_lowercase().find("_via_") {
        name.remove(at + 4);
    }
    if name.is_empty() {
        return empty.to_owned();
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, 'n');
    }
    name
}

/// Names that are taken, without regard to case.
#[derive(Clone, Debug, Default)]
pub(super) struct NameSet {
    taken: HashSet<String>,
}

impl NameSet {
    /// Takes a name if it is free; `source` makes the suffix that tells it apart if it is not.
    pub(super) fn claim(&mut self, wanted: &str, source: &str) -> String {
        if self.taken.insert(wanted.to_ascii_lowercase()) {
            return wanted.to_owned();
        }
        let mut salt = source.to_owned();
        loop {
            let name = format!("{wanted}_{}", &hash_hex(&salt)[..SUFFIX_CHARS - 1]);
            if self.taken.insert(name.to_ascii_lowercase()) {
                return name;
            }
            salt.push('\0');
        }
    }

    /// Nobody has it.
    pub(super) fn is_free(&self, name: &str) -> bool {
        !self.taken.contains(&name.to_ascii_lowercase())
    }

    /// A name for an index over these fields.
    pub(super) fn claim_index(&mut self, collection: &str, fields: &[&str]) -> String {
        let full = format!("idx_{collection}_{}", fields.join("_"));
        let source = format!("{collection}\0{}", fields.join("\0"));
        if full.len() <= INDEX_CHARS {
            return self.claim(&full, &source);
        }
        let short: String = full.chars().take(INDEX_CHARS - SUFFIX_CHARS).collect();
        self.claim(&format!("{short}_{}", &hash_hex(&source)[..SUFFIX_CHARS - 1]), &source)
    }
}

fn hash_hex(source: &str) -> String {
    pannier_format::hex(&Sha256::digest(source.as_bytes()))
}

/// Whether a column by its name holds a secret, so that its field is hidden and its values are never shown. A guess that errs
/// on the safe side: superusers see hidden fields all the same.
pub(super) fn names_a_secret(column: &str) -> bool {
    let name = column.to_lowercase();
    let last = name.rsplit(['_', '-', '.', ' ']).next().unwrap_or_default();
    ["password", "passwd", "secret", "token", "credential", "credentials", "valves", "passphrase"].contains(&last)
        || ["api_key", "apikey", "private_key", "access_key", "password_hash"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_by_name() {
        for name in ["password", "user_password", "accessToken_secret", "token", "refresh_token", "api_key", "OPENAI_API_KEY", "valves"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["tokens", "prompt_tokens", "key", "secretary", "name", "password_changed_at"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn names_that_fit_stay() {
        for name in ["chat", "user_id", "createdAt", "x1"] {
            assert_eq!(collection_name(name), name);
            assert_eq!(field_name(name, true), name);
            assert!(is_word(name));
        }
    }

    #[test]
    fn names_that_do_not_fit_change() {
        let cases = [
            ("_private", "private"),
            ("1st", "n1st"),
            ("a b-c", "a_b_c"),
            ("größe", "gr__e"),
            ("", "column"),
            ("___", "column"),
            ("数", "column"),
            ("x_via_y", "x_viay"),
            ("a_VIA_via_b", "a_VIAvia_b"),
            ("id", "id_raw"),
            ("Created", "Created_raw"),
            ("_rowid_", "rowid_"),
        ];
        for (source, name) in cases {
            assert_eq!(field_name(source, false), name, "{source}");
            assert!(source == name || !is_word(source) || is_reserved(source, false), "{source}");
        }
        assert_eq!(field_name("password", false), "password");
        assert_eq!(field_name("password", true), "password_raw");
        assert_eq!(field_name(&"x".repeat(300), false).len(), 93);
    }

    #[test]
    fn collections_of_the_server_are_left_alone() {
        assert_eq!(collection_name("_params"), "params");
        assert_eq!(collection_name("users"), "table_users");
        assert_eq!(collection_name("sqlite_x"), "table_sqlite_x");
    }

    #[test]
    fn collisions_get_a_suffix_from_the_source() {
        let mut names = NameSet::default();
        assert_eq!(names.claim("a_b", "a_b"), "a_b");
        let dash = names.claim("a_b", "a-b");
        assert_ne!(dash, "a_b");
        assert_eq!(NameSet::default().claim("A_B", "x"), "A_B");
        assert_ne!(names.claim("A_B", "A_B"), "A_B");
        let mut again = NameSet::default();
        again.claim("a_b", "a_b");
        assert_eq!(again.claim("a_b", "a-b"), dash);
    }

    #[test]
    fn index_names_tell_collections_apart() {
        let mut names = NameSet::default();
        let first = names.claim_index("a_b", &["c"]);
        let second = names.claim_index("a", &["b", "c"]);
        assert_eq!(first, "idx_a_b_c");
        assert_ne!(first, second);
        assert!(names.claim_index(&"t".repeat(60), &["f"; 60]).len() <= INDEX_CHARS);
    }
}
