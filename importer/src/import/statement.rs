//! SQL for what the Web API does not take: times and password hashes, in slices of the server's own size.

use crate::pocketbase::SQL_MAX_BYTES;

/// One `UPDATE` of as many rows as the server's limit of bytes allows. It touches only rows that differ, so that it may be
/// repeated and its count of rows says how many were not yet right. It begins with `UPDATE`, since the server counts the
/// rows of no statement that begins with `WITH`.
pub(super) struct Statement {
    head: String,
    tail: &'static str,
    values: String,
}

impl Statement {
    pub fn times(collection: &str) -> Statement {
        Statement {
            head: format!("UPDATE \"{collection}\" AS t SET created = v.column2, updated = v.column3 FROM (VALUES "),
            tail: ") AS v WHERE t.id = v.column1 AND (t.created <> v.column2 OR t.updated <> v.column3)",
            values: String::new(),
        }
    }

    pub fn passwords(collection: &str) -> Statement {
        Statement {
            head: format!("UPDATE \"{collection}\" AS t SET password = v.column2 FROM (VALUES "),
            tail: ") AS v WHERE t.id = v.column1 AND t.password <> v.column2",
            values: String::new(),
        }
    }

    fn tuple(values: &[&str]) -> String {
        let cells: Vec<String> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
        format!("({})", cells.join(","))
    }

    pub fn fits(&self, values: &[&str]) -> bool {
        let bytes = self.head.len() + self.values.len() + 1 + Self::tuple(values).len() + self.tail.len();
        bytes <= SQL_MAX_BYTES
    }

    pub fn add(&mut self, values: &[&str]) {
        if !self.values.is_empty() {
            self.values.push(',');
        }
        self.values.push_str(&Self::tuple(values));
    }

    pub fn take(&mut self) -> Option<String> {
        let values = std::mem::take(&mut self.values);
        (!values.is_empty()).then(|| format!("{}{values}{}", self.head, self.tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_stay_under_the_limit() {
        let mut statement = Statement::times("chats");
        let row = ["a'b", "2020-01-01 00:00:00.000Z", "2020-01-01 00:00:00.000Z"];
        let mut rows = 0;
        while statement.fits(&row) {
            statement.add(&row);
            rows += 1;
        }
        let sql = statement.take().unwrap_or_default();
        assert!(rows > 70 && sql.len() <= SQL_MAX_BYTES, "{rows} rows, {} characters", sql.len());
        assert!(sql.starts_with("UPDATE \"chats\" AS t ") && sql.contains("(VALUES ('a''b','2020-01-01 00:00:00.000Z',"));
        assert_eq!(statement.take(), None);
    }
}
