//! Migrations on a real PostgreSQL: from several processes, half-way failures, older and newer programs.

use std::time::Duration;

use agenticai_store::postgres::schema::{self, Migration, Migrations, Patience, State};
use agenticai_store::postgres::{ConnectError, Connection, PostgresOptions};
use agenticai_testkit::servers::postgres;
use tokio_postgres::types::Type;

const ONE: Migration = Migration { name: "0001_one", sql: "CREATE TABLE one (x int);" };
const TWO: Migration =
    Migration { name: "0002_two", sql: "-- min-reader: 1\nALTER TABLE one ADD COLUMN y int;" };

async fn database() -> PostgresOptions {
    PostgresOptions::new(postgres::database().await.unwrap().url)
}

async fn open(options: &PostgresOptions) -> Connection {
    Connection::open(options).await.unwrap()
}

async fn up(connection: &Connection, steps: &[Migration]) -> Result<Vec<String>, ConnectError> {
    let applied = Migrations(steps).up(connection, Patience::default()).await?;
    Ok(applied.into_iter().map(|step| step.name).collect())
}

async fn states(connection: &Connection, steps: &[Migration]) -> Vec<State> {
    Migrations(steps).status(connection).await.unwrap().into_iter().map(|status| status.state).collect()
}

async fn schema_error(result: impl Future<Output = Result<(), ConnectError>>) -> String {
    match result.await {
        Err(ConnectError::Schema(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_several_processes_one_migrates_and_the_others_find_it_done() {
    let options = database().await;
    // Slow enough that all of them are there at once; a second run would fail.
    let slow =
        [Migration { name: "0001_slow", sql: "SELECT pg_sleep(1); CREATE TABLE slow (x int);" }, TWO_ON_SLOW];
    const TWO_ON_SLOW: Migration = Migration { name: "0002_more", sql: "ALTER TABLE slow ADD COLUMN y int;" };
    let runs = (0..4).map(|_| {
        let options = options.clone();
        tokio::spawn(async move { up(&open(&options).await, &slow).await.unwrap() })
    });
    let mut applied = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        applied.push(run.await.unwrap());
    }
    applied.sort();
    assert_eq!(applied.concat(), ["0001_slow", "0002_more"]);
    assert_eq!(applied[3].len(), 2, "one of them did it all: {applied:?}");
    Migrations(&slow).check(&open(&options).await).await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_and_is_run_again() {
    let options = database().await;
    let connection = open(&options).await;
    let broken = Migration { name: "0002_two", sql: "CREATE TABLE two (x int); SELECT 1 / 0;" };
    let error = up(&connection, &[ONE, broken]).await.unwrap_err().to_string();
    assert!(error.contains("0002_two") && error.contains("division by zero"), "{error}");
    assert!(matches!(states(&connection, &[ONE, broken]).await[..], [State::Applied { .. }, State::Pending]));
    let gone = connection.rows("SELECT to_regclass('two')::text", &[]).await.unwrap();
    assert_eq!(gone[0].get::<_, Option<String>>(0), None);
    let mended = Migration { name: "0002_two", sql: "CREATE TABLE two (x int);" };
    assert_eq!(up(&connection, &[ONE, mended]).await.unwrap(), ["0002_two"]);
    assert!(up(&connection, &[ONE, mended]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_table_in_use_is_waited_for_a_second_at_a_time() {
    let options = database().await;
    let (connection, other) = (open(&options).await, open(&options).await);
    up(&connection, &[ONE]).await.unwrap();
    other.script("BEGIN; SELECT * FROM one").await.unwrap();
    let patience = Patience { locks: Duration::from_millis(1), ..Patience::default() };
    let error = Migrations(&[ONE, TWO]).up(&connection, patience).await.unwrap_err().to_string();
    assert!(error.contains("in use") && error.contains("pg_stat_activity"), "{error}");
    let waiting = tokio::spawn(async move { up(&connection, &[ONE, TWO]).await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!waiting.is_finished());
    // Between two tries others get through, which they would not behind a lock that is waited for.
    let third = open(&options).await;
    let read = async { while third.rows("SELECT x FROM one", &[]).await.is_err() {} };
    tokio::time::timeout(Duration::from_millis(1500), read).await.unwrap();
    other.script("COMMIT").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), ["0002_two"]);
}

#[tokio::test]
async fn an_index_that_failed_half_way_is_made_anew() {
    let options = database().await;
    let connection = open(&options).await;
    let index = Migration {
        name: "0002_index",
        sql: "-- no-transaction\n-- min-reader: 1\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS one_x ON one (x);",
    };
    up(&connection, &[ONE]).await.unwrap();
    connection.script("INSERT INTO one VALUES (1), (1)").await.unwrap();
    let error = up(&connection, &[ONE, index]).await.unwrap_err().to_string();
    assert!(error.contains("goes on") && error.contains("23505"), "{error}");
    assert_eq!(states(&connection, &[ONE, index]).await[1], State::Unfinished);
    let refused = schema_error(Migrations(&[ONE, index]).check(&connection)).await;
    assert!(refused.contains("agenticai migrate up"), "{refused}");
    // The release before is not kept from its work by what a newer one failed at.
    Migrations(&[ONE]).check(&connection).await.unwrap();
    connection.script("DELETE FROM one").await.unwrap();
    assert_eq!(up(&connection, &[ONE, index]).await.unwrap(), ["0002_index"]);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'one_x'::regclass";
    assert!(connection.rows(valid, &[]).await.unwrap()[0].get::<_, bool>(0));
}

/// `IF NOT EXISTS` would take what a deadlock left of an index for the index.
#[tokio::test]
async fn an_index_that_ended_in_a_deadlock_is_made_anew() {
    let options = database().await;
    let (connection, writer) = (open(&options).await, open(&options).await);
    let index = Migration {
        name: "0002_index",
        sql: "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS one_x ON one (x);",
    };
    up(&connection, &[ONE]).await.unwrap();
    // The index waits for the writer, and finds out that the writer waits for it: only the former looks for deadlocks.
    writer.script("SET deadlock_timeout = '1min'").await.unwrap();
    writer.script("BEGIN; INSERT INTO one VALUES (1)").await.unwrap();
    let waiting = tokio::spawn(async move {
        let applied = up(&connection, &[ONE, index]).await;
        (connection, applied)
    });
    let third = open(&options).await;
    let waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%'
                 AND datname = current_database()";
    while third.rows(waits, &[]).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    writer.script("LOCK TABLE one IN SHARE UPDATE EXCLUSIVE MODE").await.unwrap();
    let left = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('one_x') AND NOT indisvalid";
    assert_eq!(third.rows(left, &[]).await.unwrap().len(), 1, "the index was not the one that gave way");
    writer.script("COMMIT").await.unwrap();
    let (connection, applied) = waiting.await.unwrap();
    assert_eq!(applied.unwrap(), ["0002_index"]);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'one_x'::regclass";
    assert!(connection.rows(valid, &[]).await.unwrap()[0].get::<_, bool>(0));
}

#[tokio::test]
async fn an_index_of_a_partitioned_table_is_made_partition_by_partition_while_others_write() {
    let options = database().await;
    let (connection, writer) = (open(&options).await, open(&options).await);
    let parted = Migration {
        name: "0001_parted",
        sql: "CREATE TABLE parted (x int, y int) PARTITION BY RANGE (x);
              CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
              CREATE TABLE parted_rest PARTITION OF parted DEFAULT;",
    };
    let index = Migration {
        name: "0002_index",
        sql: "-- no-transaction
              -- min-reader: 1
              CREATE INDEX IF NOT EXISTS parted_y ON ONLY parted (y);
              CREATE INDEX CONCURRENTLY IF NOT EXISTS {each:parted}_y ON {each:parted} (y);
              ALTER INDEX parted_y ATTACH PARTITION {each:parted}_y;",
    };
    up(&connection, &[parted]).await.unwrap();
    // Whoever writes is waited for, by the statement that locks writers out for a moment a second at a time.
    writer.script("BEGIN; INSERT INTO parted VALUES (1, 1), (99, 1)").await.unwrap();
    let waiting = tokio::spawn(async move {
        let applied = up(&connection, &[parted, index]).await;
        (connection, applied)
    });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let third = open(&options).await;
    let write = async { while third.script("INSERT INTO parted VALUES (2, 2)").await.is_err() {} };
    tokio::time::timeout(Duration::from_millis(1500), write).await.unwrap();
    writer.script("COMMIT").await.unwrap();
    let (connection, applied) = waiting.await.unwrap();
    assert_eq!(applied.unwrap(), ["0002_index"]);
    let valid = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 WHERE c.relname IN ('parted_y', 'parted_1_y', 'parted_rest_y') AND i.indisvalid";
    assert_eq!(connection.rows(valid, &[]).await.unwrap()[0].get::<_, i64>(0), 3);
    // It begins anew where it failed, and a partition that is made later has the index too.
    connection.script("UPDATE schema_migrations SET finished_at = NULL WHERE version = 2").await.unwrap();
    assert_eq!(up(&connection, &[parted, index]).await.unwrap(), ["0002_index"]);
    let later = "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20)";
    connection.script(later).await.unwrap();
    let indexed = "SELECT 1 FROM pg_index WHERE indrelid = 'parted_2'::regclass AND indisvalid";
    assert_eq!(connection.rows(indexed, &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn older_schemas_are_refused_and_newer_ones_accepted_where_they_say_so() {
    let options = database().await;
    let connection = open(&options).await;
    let empty = schema_error(Migrations(&[ONE]).check(&connection)).await;
    assert!(empty.contains("no tables yet") && empty.contains("agenticai migrate up"), "{empty}");
    up(&connection, &[ONE]).await.unwrap();
    let older = schema_error(Migrations(&[ONE, TWO]).check(&connection)).await;
    assert!(older.contains("0002_two") && older.contains("agenticai migrate up"), "{older}");
    up(&connection, &[ONE, TWO]).await.unwrap();
    Migrations(&[ONE]).check(&connection).await.unwrap();
    assert_eq!(states(&connection, &[ONE]).await[1], State::NewerCompatible);
    // Going back one release needs no change: its `migrate up` finds nothing to do.
    assert!(up(&connection, &[ONE]).await.unwrap().is_empty());
    let three = Migration { name: "0003_three", sql: "ALTER TABLE one DROP COLUMN x;" };
    up(&connection, &[ONE, TWO, three]).await.unwrap();
    let newer = schema_error(Migrations(&[ONE, TWO]).check(&connection)).await;
    assert!(newer.contains("0003_three") && newer.contains("newer program"), "{newer}");
}

#[tokio::test]
async fn a_file_that_changed_is_refused() {
    let options = database().await;
    let connection = open(&options).await;
    up(&connection, &[ONE]).await.unwrap();
    let changed = Migration { name: "0001_one", sql: "CREATE TABLE one (x bigint);" };
    let refused = schema_error(Migrations(&[changed]).check(&connection)).await;
    assert!(refused.contains("other contents"), "{refused}");
    assert!(up(&connection, &[changed, TWO]).await.is_err());
    assert_eq!(states(&connection, &[changed, TWO]).await, [State::Changed, State::Pending]);
}

#[tokio::test]
async fn the_lock_goes_with_the_process_that_held_it() {
    let options = database().await;
    let holder = open(&options).await;
    let taken =
        holder.rows("SELECT pg_try_advisory_lock($1)", &[(&0x6167_656e_7469_6369_i64, Type::INT8)]).await;
    assert!(taken.unwrap()[0].get::<_, bool>(0));
    let patience = Patience { others: Duration::from_millis(400), ..Patience::default() };
    let error = Migrations(&[ONE]).up(&open(&options).await, patience).await.unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    let waiting = tokio::spawn(async move { up(&open(&options).await, &[ONE]).await });
    drop(holder);
    assert_eq!(waiting.await.unwrap().unwrap(), ["0001_one"]);
}

#[tokio::test]
async fn the_schema_of_this_program_is_made_and_planned() {
    let options = database().await;
    let connection = open(&options).await;
    let plan = schema::MIGRATIONS.plan(&connection).await.unwrap();
    assert_eq!(plan.len(), schema::MIGRATIONS.0.len());
    let unknown = plan.iter().flat_map(|step| &step.locks).find(|lock| lock.mode == schema::Mode::Unknown);
    assert_eq!(unknown, None, "what it locks is not known");
    schema::migrate(&connection).await.unwrap();
    schema::check(&connection).await.unwrap();
    assert!(schema::MIGRATIONS.plan(&connection).await.unwrap().is_empty());
}
