//! Connections to a real PostgreSQL: what is accepted, what is refused, and in which words.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use agenticai_store::postgres::{ConnectError, Connection, Driver, PasswordSource, PostgresOptions, connect};
use agenticai_testkit::servers::postgres::{self, Options, Postgres};
use agenticai_testkit::servers::proxy::Proxy;
use tokio_postgres::types::Type;

async fn refused(options: &PostgresOptions) -> ConnectError {
    match Connection::open(options).await {
        Ok(_) => panic!("{} was accepted", options.url),
        Err(error) => error,
    }
}

async fn text(connection: &Connection, sql: &str) -> String {
    connection.rows(sql, &[]).await.unwrap()[0].get(0)
}

fn url(server: &Postgres, user: &str, database: &str) -> String {
    format!("postgres://{user}@127.0.0.1:{}/{database}", server.port())
}

/// Everybody but the superuser needs a password.
fn with_passwords() -> Options {
    Options {
        hba: Some("local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n".to_owned()),
        ..Options::default()
    }
}

#[tokio::test]
async fn reserved_characters_in_user_password_and_database() {
    let server = Postgres::start(with_passwords()).await.unwrap();
    server.execute(r#"CREATE ROLE "a@b:c/d" LOGIN PASSWORD 'p@:/?#%& ü'"#).await.unwrap();
    server.execute(r#"CREATE DATABASE "d/b c?#%""#).await.unwrap();
    let address = url(&server, "a%40b%3Ac%2Fd:p%40%3A%2F%3F%23%25%26%20%C3%BC", "d%2Fb%20c%3F%23%25");
    let connection = Connection::open(&PostgresOptions::new(address)).await.unwrap();
    assert_eq!(text(&connection, "SELECT current_user::text").await, "a@b:c/d");
    assert_eq!(text(&connection, "SELECT current_database()::text").await, "d/b c?#%");
    assert_eq!(text(&connection, "SELECT current_setting('application_name')").await, "agenticai");

    let mut parts = PostgresOptions::new("");
    for (name, value) in [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &server.port().to_string()),
        ("PGUSER", "a@b:c/d"),
        ("PGPASSWORD", "p@:/?#%& ü"),
        ("PGDATABASE", "d/b c?#%"),
    ] {
        parts.variables.insert(name.to_owned(), value.to_owned());
    }
    let connection = Connection::open(&parts).await.unwrap();
    assert_eq!(text(&connection, "SELECT current_database()::text").await, "d/b c?#%");
}

#[tokio::test]
async fn a_rotated_password_is_read_for_the_next_connection() {
    let server = Postgres::start(with_passwords()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let mut by_file = PostgresOptions::new(url(&server, "ada", "postgres"));
    by_file.password = Some(PasswordSource::File(file.clone()));
    let mut by_command = by_file.clone();
    by_command.password = Some(PasswordSource::Command(format!("cat {}", file.display())));
    server.execute("CREATE ROLE ada LOGIN").await.unwrap();
    for password in ["first", "second"] {
        server.execute(&format!("ALTER ROLE ada PASSWORD '{password}'")).await.unwrap();
        if password == "second" {
            let error = refused(&by_file).await.to_string();
            assert!(error.contains("the password of the user ada is wrong"), "{error}");
            assert!(!error.contains("first"), "{error}");
        }
        std::fs::write(&file, format!("{password}\n")).unwrap();
        for options in [&by_file, &by_command] {
            let connection = Connection::open(options).await.unwrap();
            assert_eq!(text(&connection, "SELECT current_user::text").await, "ada");
        }
    }
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let server = postgres::shared().await.unwrap();
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    for (address, parts) in [
        (url(server, "postgres", "missing"), vec!["3D000", "CREATE DATABASE \"missing\""]),
        (url(server, "nobody", "postgres"), vec!["nobody", "28000"]),
        (format!("postgres://u@127.0.0.1:{closed}/d"), vec!["refused", "is the server running"]),
        ("postgres://u@no.such.host.invalid/d".to_owned(), vec!["no.such.host.invalid:5432", "resolved"]),
        (url(server, "postgres", "postgres?sslmode=require"), vec!["sslmode=disable"]),
        ("postgres:///d?host=/no/such/directory".to_owned(), vec!["directory of its socket"]),
    ] {
        let error = refused(&PostgresOptions::new(address)).await.to_string();
        for part in parts {
            assert!(error.contains(part), "`{part}` is missing in: {error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let database = postgres::database().await.unwrap();
    let port = postgres::shared().await.unwrap().port();
    let proxy = Proxy::start(port).await.unwrap();
    proxy.stall();
    let mut options =
        PostgresOptions::new(database.url.replace(&port.to_string(), &proxy.port().to_string()));
    options.connect_timeout = Duration::from_millis(300);
    let began = Instant::now();
    let error = refused(&options).await.to_string();
    assert!(error.contains("no answer within 0.3 s") && began.elapsed() < Duration::from_secs(5), "{error}");

    // Of several servers the next one gets its own time.
    options.url =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{port}/{}", proxy.port(), database.name);
    options.connect_timeout = Duration::from_secs(2);
    let connection = Connection::open(&options).await.unwrap();
    assert_eq!(text(&connection, "SELECT current_database()::text").await, database.name);
}

#[tokio::test]
async fn a_server_that_forgets_what_it_confirmed_is_refused() {
    let server = Postgres::start(Options::default()).await.unwrap();
    server.execute("CREATE ROLE hasty LOGIN; ALTER ROLE hasty SET synchronous_commit = off").await.unwrap();
    for unnamed_statements in [false, true] {
        let mut options = PostgresOptions::new(url(&server, "hasty", "postgres"));
        options.unnamed_statements = unnamed_statements;
        let error = refused(&options).await;
        assert!(
            matches!(&error, ConnectError::Unfit(why) if why.contains("synchronous_commit is off")),
            "{error}"
        );
    }
    for good in ["local", "on", "remote_write"] {
        server.execute(&format!("ALTER ROLE hasty SET synchronous_commit = {good}")).await.unwrap();
        Connection::open(&PostgresOptions::new(url(&server, "hasty", "postgres"))).await.unwrap();
    }
}

#[tokio::test]
async fn of_several_servers_the_one_that_can_be_written_to_is_taken() {
    let standby = [("default_transaction_read_only".to_owned(), "on".to_owned())].to_vec();
    let reader = Postgres::start(Options { settings: standby, ..Options::default() }).await.unwrap();
    let writer = postgres::shared().await.unwrap();
    let error = refused(&PostgresOptions::new(reader.url("postgres"))).await.to_string();
    assert!(error.contains("accepts no writes"), "{error}");
    let both = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
        reader.port(),
        writer.port()
    );
    let connection = Connection::open(&PostgresOptions::new(both)).await.unwrap();
    assert_eq!(text(&connection, "SELECT current_setting('port')").await, writer.port().to_string());
}

#[tokio::test]
async fn a_primary_that_became_a_standby_loses_its_connections() {
    let server = Postgres::start(Options::default()).await.unwrap();
    server.execute("CREATE TABLE t (x int)").await.unwrap();
    let connection = Connection::open(&PostgresOptions::new(server.url("postgres"))).await.unwrap();
    connection.rows("INSERT INTO t VALUES ($1)", &[(&1_i32, Type::INT4)]).await.unwrap();
    connection.script("SET default_transaction_read_only = on").await.unwrap();
    assert!(!connection.is_closed());
    let error = connection.rows("INSERT INTO t VALUES ($1)", &[(&1_i32, Type::INT4)]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "25006");
    assert!(connection.is_closed());
}

#[tokio::test]
async fn a_connection_whose_statement_was_given_up_is_not_used_again() {
    let database = postgres::database().await.unwrap();
    let connection = Connection::open(&PostgresOptions::new(database.url)).await.unwrap();
    for (patience, closed) in [(100, false), (1200, true)] {
        let slow = connection.rows("SELECT pg_sleep(2)", &[]);
        assert!(tokio::time::timeout(Duration::from_millis(patience), slow).await.is_err());
        assert_eq!(connection.is_closed(), closed, "after {patience} ms");
    }
}

#[tokio::test]
async fn a_bare_connection_is_made_to_a_server_that_can_be_written_to() {
    let standby = [("default_transaction_read_only".to_owned(), "on".to_owned())].to_vec();
    let reader = Postgres::start(Options { settings: standby, ..Options::default() }).await.unwrap();
    let writer = postgres::shared().await.unwrap();
    let both =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres", reader.port(), writer.port());
    let (client, driver) = connect(&PostgresOptions::new(both)).await.unwrap();
    // By default TLS is asked for, and done without where the server has none.
    let Driver::Tls(driver) = driver else { panic!("TLS was not asked for") };
    tokio::spawn(*driver);
    let port: String = client.query_one("SELECT current_setting('port')", &[]).await.unwrap().get(0);
    assert_eq!(port, writer.port().to_string());
}
