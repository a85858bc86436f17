//! Through pgbouncer in transaction mode, where two statements of one client meet two processes of the server.

use agenticai_store::postgres::schema::{Migration, Migrations, Patience};
use agenticai_store::postgres::{Connection, Param, PostgresOptions};
use agenticai_testkit::servers::pgbouncer::PgBouncer;
use agenticai_testkit::servers::postgres;
use tokio_postgres::types::Type;

/// Many clients on few connections, each with statements of its own. Answers how many failed.
async fn failures(options: &PostgresOptions) -> usize {
    let clients = (0..12_i32).map(|client| {
        let options = options.clone();
        tokio::spawn(async move {
            let connection = Connection::open(&options).await.unwrap();
            let mut failed = 0;
            for round in 0..20_i32 {
                let sql = format!("SELECT $1 + {round}, pg_sleep(0.001)");
                let params: [Param<'_>; 1] = [(&client, Type::INT4)];
                match connection.rows(&sql, &params).await {
                    Ok(rows) => assert_eq!(rows[0].get::<_, i32>(0), client + round),
                    Err(_) => failed += 1,
                }
            }
            failed
        })
    });
    let mut failed = 0;
    for client in clients.collect::<Vec<_>>() {
        failed += client.await.unwrap();
    }
    failed
}

#[tokio::test]
async fn statements_without_a_name_pass_a_pooler_that_shares_connections() {
    let database = postgres::database().await.unwrap();
    let pooler = PgBouncer::start(postgres::shared().await.unwrap(), 3).await.unwrap();
    let mut options = PostgresOptions::new(pooler.url(&database.name));
    assert!(failures(&options).await > 0, "the pooler shares no connections: this test proves nothing");
    options.unnamed_statements = true;
    assert_eq!(failures(&options).await, 0);
}

#[tokio::test]
async fn migrations_are_not_sent_through_a_pooler() {
    let database = postgres::database().await.unwrap();
    let pooler = PgBouncer::start(postgres::shared().await.unwrap(), 3).await.unwrap();
    let mut options = PostgresOptions::new(pooler.url(&database.name));
    options.unnamed_statements = true;
    let connection = Connection::open(&options).await.unwrap();
    let steps = [Migration { name: "0001_one", sql: "CREATE TABLE one (x int);" }];
    let error = Migrations(&steps).up(&connection, Patience::default()).await.unwrap_err().to_string();
    assert!(error.contains("DATABASE_MIGRATE_URL"), "{error}");
}
