//! TLS to a real PostgreSQL with a private authority: each `sslmode` keeps what it promises.

use agenticai_store::postgres::{ConnectError, Connection, PostgresOptions};
use agenticai_testkit::servers::postgres::{Options, Postgres};
use agenticai_testkit::servers::tls::Authority;

/// A server that takes TLS alone, and a client certificate from the user `ada`. It also listens on 127.0.0.2, which
/// its certificate does not name.
async fn server(authority: &Authority) -> Postgres {
    let identity = authority.server().unwrap();
    let settings = [
        ("ssl", "on"),
        ("ssl_cert_file", "server.crt"),
        ("ssl_key_file", "server.key"),
        ("ssl_ca_file", "ca.crt"),
        ("listen_addresses", "127.0.0.1,127.0.0.2"),
    ];
    let server = Postgres::start(Options {
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        hba: Some(
            "local all postgres trust\nhostssl all ada all cert\nhostssl all all all trust\n".to_owned(),
        ),
        files: vec![
            ("server.crt".to_owned(), identity.certificate.into_bytes()),
            ("server.key".to_owned(), identity.key.into_bytes()),
            ("ca.crt".to_owned(), authority.certificate().as_bytes().to_vec()),
        ],
        ..Options::default()
    });
    let server = server.await.unwrap();
    server.execute("CREATE ROLE ada LOGIN").await.unwrap();
    server
}

async fn open(server: &Postgres, user: &str, host: &str, query: &str) -> Result<Connection, ConnectError> {
    let url = format!("postgres://{user}@{host}:{}/postgres?{query}", server.port());
    Connection::open(&PostgresOptions::new(url)).await
}

async fn refused(server: &Postgres, user: &str, host: &str, query: &str) -> String {
    match open(server, user, host, query).await {
        Ok(_) => panic!("{host} {query} was accepted"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn each_mode_keeps_what_it_promises() {
    let (ours, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = server(&ours).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ours_file, other_file) =
        (file("our ca.pem", ours.certificate()), file("other.pem", other.certificate()));
    let ours = format!("sslrootcert={}", ours_file.replace(' ', "%20"));
    let other = format!("sslrootcert={other_file}");
    let (named, unnamed) = ("127.0.0.1", "127.0.0.2");

    for (host, query) in [
        (unnamed, "sslmode=prefer".to_owned()),
        (unnamed, "sslmode=require".to_owned()),
        (unnamed, format!("sslmode=verify-ca&{ours}")),
        (named, format!("sslmode=verify-full&{ours}")),
        ("localhost", format!("sslmode=verify-full&{ours}")),
    ] {
        let connection = open(&server, "postgres", host, &query).await.unwrap();
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert!(connection.rows(sql, &[]).await.unwrap()[0].get::<_, bool>(0), "{query} is no TLS");
    }
    for (host, query, part) in [
        (named, "sslmode=disable".to_owned(), "pg_hba.conf"),
        (named, format!("sslmode=require&{other}"), "sslrootcert"),
        (named, format!("sslmode=verify-ca&{other}"), "sslrootcert"),
        (named, format!("sslmode=verify-full&{other}"), "sslrootcert"),
        (unnamed, format!("sslmode=verify-full&{ours}"), "sslmode=verify-ca"),
        (named, "sslmode=verify-full&sslrootcert=/no/such/file".to_owned(), "/no/such/file"),
    ] {
        let error = refused(&server, "postgres", host, &query).await;
        assert!(error.contains(part), "{query}: `{part}` is missing in: {error}");
    }
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let authority = Authority::new().unwrap();
    let server = server(&authority).await;
    let client = authority.client("ada").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (root, cert, key) = (dir.path().join("ca"), dir.path().join("cert"), dir.path().join("key"));
    std::fs::write(&root, authority.certificate()).unwrap();
    std::fs::write(&cert, client.certificate).unwrap();
    std::fs::write(&key, client.key).unwrap();
    let without = format!("sslmode=verify-full&sslrootcert={}", root.display());
    let with = format!("{without}&sslcert={}&sslkey={}", cert.display(), key.display());
    assert!(refused(&server, "ada", "127.0.0.1", &without).await.contains("certificate"));
    open(&server, "ada", "127.0.0.1", &with).await.unwrap();
}
