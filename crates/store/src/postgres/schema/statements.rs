//! Telling the statements of a file apart.

/// The statements of a script without comments around them: split at semicolons outside of texts, names, comments and
/// the bodies of functions.
pub(super) fn split(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut begin, mut at) = (0, 0);
    let bytes = sql.as_bytes();
    while at < bytes.len() {
        at = match bytes[at] {
            b'\'' | b'"' => after(sql, at + 1, &sql[at..=at]),
            b'-' if sql[at..].starts_with("--") => after(sql, at, "\n"),
            b'/' if sql[at..].starts_with("/*") => after(sql, at, "*/"),
            b'$' => match dollar_tag(&sql[at..]) {
                Some(tag) => after(sql, at + tag.len(), tag),
                None => at + 1,
            },
            b';' => {
                found.push(&sql[begin..at]);
                begin = at + 1;
                at + 1
            }
            _ => at + 1,
        };
    }
    found.push(&sql[begin..]);
    found.into_iter().map(without_leading_comments).filter(|statement| !statement.is_empty()).collect()
}

/// `{each:journal}` in a statement, which stands for every partition of `journal`, and that table's name.
pub(super) fn each(statement: &str) -> Option<(&str, &str)> {
    const OPENS: &str = "{each:";
    let rest = &statement[statement.find(OPENS)?..];
    let mark = &rest[..=rest.find('}')?];
    Some((mark, &mark[OPENS.len()..mark.len() - 1]))
}

/// Where the text goes on behind the next `end`. A doubled quote ends one text and begins another, which comes to the
/// same.
fn after(sql: &str, from: usize, end: &str) -> usize {
    sql[from..].find(end).map_or(sql.len(), |found| from + found + end.len())
}

/// `$$` or `$name$`, which begins a text that the same words end.
fn dollar_tag(sql: &str) -> Option<&str> {
    let end = sql[1..].find('$')? + 2;
    let name = &sql[1..end - 1];
    let is_name = name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && !name.starts_with(|c: char| c.is_ascii_digit());
    is_name.then(|| &sql[..end])
}

fn without_leading_comments(statement: &str) -> &str {
    let mut rest = statement.trim();
    loop {
        let end = if rest.starts_with("--") {
            "\n"
        } else if rest.starts_with("/*") {
            "*/"
        } else {
            return rest;
        };
        rest = rest.find(end).map_or("", |found| rest[found + end.len()..].trim_start());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_inside_of_something_end_nothing() {
        let sql = "-- one; two\nSELECT 'a;''b', \"c;d\" /* e; */;\n\
                   CREATE FUNCTION f() AS $$ BEGIN; END; $$;\nDO $x$ a; $$ b; $x$; SELECT $1;";
        let found = split(sql);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0].starts_with("SELECT 'a") && found[0].ends_with("*/"));
        assert!(found[1].ends_with("$$") && found[2].ends_with("$x$"));
        assert_eq!(found[3], "SELECT $1");
        assert!(split("-- nothing\n").is_empty());
    }

    #[test]
    fn a_statement_for_each_partition_names_their_parent() {
        assert_eq!(
            each("CREATE INDEX {each:journal}_x ON {each:journal} (x)"),
            Some(("{each:journal}", "journal"))
        );
        assert_eq!(each("SELECT '{each}'::text[]"), None);
    }
}
