//! The source's own DDL as one script that its engine can run.

use std::fmt::Write as _;

use crate::source::SchemaObject;

/// Every statement in the order of creation. What the engine makes by itself stands in comments, since running it would fail.
#[must_use]
pub fn script(objects: &[SchemaObject]) -> String {
    let mut script = String::new();
    for object in objects {
        let Some(sql) = &object.sql else { continue };
        if object.implicit {
            script.push_str("-- made by the engine itself:\n");
            for line in sql.split(['\n', '\r']) {
                let _ = writeln!(script, "--   {line}");
            }
        } else {
            // A comment at the end of a statement would swallow the semicolon; otherwise the text is to come out the same.
            let comment = sql.lines().last().is_some_and(|line| line.contains("--"));
            let _ = writeln!(script, "{sql}{};", if comment { "\n" } else { "" });
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implicit_tables_are_comments() {
        let object = |sql: Option<&str>, implicit| SchemaObject {
            kind: "table".into(),
            name: "t".into(),
            tbl_name: "t".into(),
            sql: sql.map(Into::into),
            implicit,
        };
        let objects = [object(Some("CREATE TABLE t(a) -- odd"), false), object(None, false), object(Some("CREATE TABLE s(\nb)"), true)];
        assert_eq!(script(&objects), "CREATE TABLE t(a) -- odd\n;\n-- made by the engine itself:\n--   CREATE TABLE s(\n--   b)\n");
    }
}
