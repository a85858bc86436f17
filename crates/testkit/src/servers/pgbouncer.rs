//! pgbouncer in transaction mode: each transaction may go to another process of the server.

use std::path::PathBuf;

use super::directory::Directory;
use super::postgres::{Postgres, USER};
use super::process::{Process, Program};
use crate::http::free_port;

/// Debian's place for it.
const PATH: &str = "/usr/sbin/pgbouncer";

/// A pooler in front of a server. Killed when this is dropped.
pub struct PgBouncer {
    port: u16,
    // Before the directory, which is removed when the process has gone.
    process: Process,
    _directory: Directory,
}

impl PgBouncer {
    /// Starts one with `size` connections per database to `server`, and waits until it answers.
    pub async fn start(server: &Postgres, size: usize) -> anyhow::Result<Self> {
        let directory = Directory::new("pgbouncer")?;
        let port = free_port()?;
        let users = directory.write("users.txt", format!("\"{USER}\" \"\"\n"))?;
        let settings = directory.write(
            "pgbouncer.ini",
            format!(
                "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
                 pool_mode = transaction\ndefault_pool_size = {size}\n",
                server.port(),
                users.display()
            ),
        )?;
        let user = super::postgres::server_user();
        if let Some(user) = user {
            directory.give_to(user)?;
        }
        let program = Program::new("pgbouncer", PathBuf::from(PATH), directory.path())
            .args([settings.to_string_lossy()])
            .user(user);
        let pooler = Self { port, process: Process::new(program), _directory: directory };
        pooler.process.spawn()?;
        let address = pooler.url("postgres");
        let probe = async || {
            let (client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await?;
            let connection = tokio::spawn(connection);
            client.batch_execute("SELECT 1").await?;
            drop(client);
            let _ = connection.await;
            anyhow::Ok(())
        };
        pooler.process.ready(probe).await?;
        Ok(pooler)
    }

    /// The address of a database through it, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }
}
