//! What a migration's statements lock, told before they are run.

use std::collections::BTreeSet;
use std::fmt;

use super::statements;

/// What one statement locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The statement's beginning.
    pub statement: String,
    /// The table; empty where none is named.
    pub table: String,
    /// The lock and what it means to others.
    pub mode: Mode,
}

/// Locks, each with what it means to others. Their names are PostgreSQL's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nobody has to wait.
    None,
    /// The table is made by a step of the same plan: nobody uses it.
    NewTable,
    /// Rows are locked as any writer locks them.
    RowExclusive,
    /// Reads and writes go on; other changes of the schema wait.
    ShareUpdateExclusive,
    /// Writes wait until it is done, which takes as long as the table is large.
    Share,
    /// Writes wait, briefly.
    ShareRowExclusive,
    /// Reads and writes wait, briefly.
    AccessExclusive,
    /// Reads and writes wait for as long as the table is large.
    AccessExclusiveLong,
    /// Not known from the statement's beginning.
    Unknown,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no lock on a table",
            Self::NewTable => "a new table: nobody waits",
            Self::RowExclusive => "ROW EXCLUSIVE: the rows that it changes, as any writer does",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE: reads and writes go on",
            Self::Share => "SHARE: writes wait while it reads the whole table",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE: writes wait, briefly",
            Self::AccessExclusive => "ACCESS EXCLUSIVE: reads and writes wait, briefly",
            Self::AccessExclusiveLong => {
                "ACCESS EXCLUSIVE: reads and writes wait while it reads or writes the whole table"
            }
            Self::Unknown => "unknown: read the statement",
        })
    }
}

/// What begins a statement, and what that locks; the first that fits counts. Words of `ALTER TABLE` are looked for
/// anywhere behind its table's name, the strongest lock first.
const STATEMENTS: [(&str, Mode); 23] = [
    ("CREATE TABLE", Mode::None),
    ("CREATE UNLOGGED TABLE", Mode::None),
    ("CREATE INDEX CONCURRENTLY", Mode::ShareUpdateExclusive),
    ("CREATE UNIQUE INDEX CONCURRENTLY", Mode::ShareUpdateExclusive),
    ("CREATE INDEX", Mode::Share),
    ("CREATE UNIQUE INDEX", Mode::Share),
    ("DROP INDEX CONCURRENTLY", Mode::ShareUpdateExclusive),
    ("DROP INDEX", Mode::AccessExclusive),
    ("DROP TABLE", Mode::AccessExclusive),
    ("TRUNCATE", Mode::AccessExclusive),
    ("CREATE TRIGGER", Mode::ShareRowExclusive),
    ("COMMENT ON", Mode::ShareUpdateExclusive),
    ("INSERT INTO", Mode::RowExclusive),
    ("UPDATE", Mode::RowExclusive),
    ("DELETE FROM", Mode::RowExclusive),
    ("CREATE FUNCTION", Mode::None),
    ("CREATE OR REPLACE FUNCTION", Mode::None),
    ("DROP FUNCTION", Mode::None),
    ("CREATE SEQUENCE", Mode::None),
    ("CREATE TYPE", Mode::None),
    ("CREATE SCHEMA", Mode::None),
    ("ALTER INDEX", Mode::ShareUpdateExclusive),
    ("SELECT", Mode::None),
];
const ALTER_TABLE: [(&str, Mode); 14] = [
    ("DETACH PARTITION CONCURRENTLY", Mode::ShareUpdateExclusive),
    (" TYPE ", Mode::AccessExclusiveLong),
    ("SET NOT NULL", Mode::AccessExclusiveLong),
    ("SET LOGGED", Mode::AccessExclusiveLong),
    ("SET UNLOGGED", Mode::AccessExclusiveLong),
    ("NOT VALID", Mode::AccessExclusive),
    ("ADD CONSTRAINT", Mode::AccessExclusiveLong),
    ("ADD PRIMARY KEY", Mode::AccessExclusiveLong),
    ("VALIDATE CONSTRAINT", Mode::ShareUpdateExclusive),
    ("ATTACH PARTITION", Mode::ShareUpdateExclusive),
    ("SET STATISTICS", Mode::ShareUpdateExclusive),
    ("SET (", Mode::ShareUpdateExclusive),
    ("RESET (", Mode::ShareUpdateExclusive),
    ("", Mode::AccessExclusive),
];

/// What the statements of a file lock. `made` holds the tables that steps before it make, and gets those of this one.
pub(super) fn of(sql: &str, made: &mut BTreeSet<String>) -> Vec<Lock> {
    statements::split(sql).into_iter().map(|statement| lock(statement, made)).collect()
}

fn lock(statement: &str, made: &mut BTreeSet<String>) -> Lock {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let upper = words.join(" ").to_ascii_uppercase();
    let table = match statements::each(statement) {
        Some((_, parent)) => format!("each partition of {parent}"),
        None => table(&words).unwrap_or_default(),
    };
    let mode = if upper.starts_with("ALTER TABLE") {
        ALTER_TABLE.iter().find(|(words, _)| upper.contains(words)).map_or(Mode::Unknown, |(_, mode)| *mode)
    } else {
        STATEMENTS.iter().find(|(words, _)| upper.starts_with(words)).map_or(Mode::Unknown, |(_, mode)| *mode)
    };
    // A partition is a new table, but adding one changes its parent.
    let partition = upper.starts_with("CREATE TABLE") && upper.contains(" PARTITION OF ");
    let mode = match mode {
        Mode::None if partition => Mode::AccessExclusive,
        // Of a partitioned table alone, which has no rows to be read.
        Mode::Share if upper.contains(" ON ONLY ") => Mode::ShareRowExclusive,
        Mode::None | Mode::Unknown => mode,
        _ if made.contains(&table) => Mode::NewTable,
        mode => mode,
    };
    if upper.starts_with("CREATE TABLE") {
        made.insert(table.clone());
    }
    Lock { statement: words.iter().take(6).copied().collect::<Vec<_>>().join(" "), table, mode }
}

/// The table that a statement is about: the name behind the word that leads to it.
fn table(words: &[&str]) -> Option<String> {
    let begins = |first: &str| words.first().is_some_and(|word| word.eq_ignore_ascii_case(first));
    let leads: &[&str] = if words.get(1..).is_some_and(|rest| {
        rest.iter()
            .take(2)
            .any(|word| word.eq_ignore_ascii_case("INDEX") || word.eq_ignore_ascii_case("TRIGGER"))
    }) || begins("COMMENT")
    {
        &["ON"]
    } else if begins("CREATE") || begins("ALTER") || begins("DROP") || begins("TRUNCATE") {
        &["TABLE"]
    } else {
        &["INTO", "FROM", "UPDATE"]
    };
    let lead = words.iter().position(|word| leads.iter().any(|lead| word.eq_ignore_ascii_case(lead)))?;
    let noise = ["IF", "NOT", "EXISTS", "ONLY", "TABLE"];
    let name = words[lead + 1..].iter().find(|word| !noise.iter().any(|n| word.eq_ignore_ascii_case(n)))?;
    Some(name.split('(').next().unwrap_or(name).trim_matches('"').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_statement_has_its_lock() {
        for (sql, table, mode) in [
            ("CREATE TABLE IF NOT EXISTS a(x int)", "a", Mode::None),
            ("CREATE TABLE a_1 PARTITION OF a DEFAULT", "a_1", Mode::AccessExclusive),
            ("CREATE UNIQUE INDEX i ON tasks (x) WHERE y", "tasks", Mode::Share),
            ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON tasks(x)", "tasks", Mode::ShareUpdateExclusive),
            ("ALTER TABLE tasks ADD COLUMN x int", "tasks", Mode::AccessExclusive),
            ("alter table only tasks\n  alter column x set not null", "tasks", Mode::AccessExclusiveLong),
            ("ALTER TABLE tasks ADD CONSTRAINT c CHECK (x > 0) NOT VALID", "tasks", Mode::AccessExclusive),
            ("ALTER TABLE tasks VALIDATE CONSTRAINT c", "tasks", Mode::ShareUpdateExclusive),
            ("ALTER TABLE tasks SET (fillfactor = 50)", "tasks", Mode::ShareUpdateExclusive),
            ("INSERT INTO tasks VALUES (1)", "tasks", Mode::RowExclusive),
            ("DROP TABLE IF EXISTS tasks", "tasks", Mode::AccessExclusive),
            ("CREATE INDEX IF NOT EXISTS i ON ONLY journal (x)", "journal", Mode::ShareRowExclusive),
            (
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS {each:journal}_x ON {each:journal} (x)",
                "each partition of journal",
                Mode::ShareUpdateExclusive,
            ),
            (
                "ALTER INDEX i ATTACH PARTITION {each:journal}_x",
                "each partition of journal",
                Mode::ShareUpdateExclusive,
            ),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", "", Mode::None),
            ("DO $$ BEGIN END $$", "", Mode::Unknown),
        ] {
            let found = of(sql, &mut BTreeSet::new());
            assert_eq!((found[0].table.as_str(), found[0].mode), (table, mode), "{sql}");
        }
    }

    #[test]
    fn nobody_waits_for_a_table_that_is_made_in_the_same_plan() {
        let found = of(
            "CREATE TABLE a (x int); CREATE INDEX i ON a (x); CREATE INDEX j ON b (x)",
            &mut BTreeSet::new(),
        );
        let modes: Vec<Mode> = found.iter().map(|lock| lock.mode).collect();
        assert_eq!(modes, [Mode::None, Mode::NewTable, Mode::Share]);
    }
}
