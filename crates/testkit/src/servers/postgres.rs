//! PostgreSQL with its default durability.
//!
//! ```ignore
//! let database = servers::postgres::database().await?; // the shared server of this test process
//! let client = connect(&database.url).await?;
//! ```
//!
//! Which release runs is said by `AGENTICAI_TEST_PG_BIN`, a directory of executables; without it, it is the newest of
//! Debian's.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::sync::OnceCell;
use tokio_postgres::NoTls;
use uuid::Uuid;

use super::directory::Directory;
use super::process::{Process, Program};
use crate::http::free_port;

/// The variable that names a directory of PostgreSQL's executables.
pub const BIN: &str = "AGENTICAI_TEST_PG_BIN";

/// Debian's directory of its releases.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The superuser of every server here; it has no password.
pub const USER: &str = "postgres";

/// How often another port is tried where a new server ends at once: another process may have taken its port.
const TRIES: u32 = 3;

/// What a private server is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Executables; as [`bin`] says where not given.
    pub bin: Option<PathBuf>,
    /// Lines of `postgresql.conf` as name and value, after those of the fixture and stronger than they are.
    pub settings: Vec<(String, String)>,
    /// `pg_hba.conf` as a whole; where not given, everybody is trusted.
    pub hba: Option<String>,
    /// The size of a file system of its own for its data, in MiB; needs the right to mount.
    pub disk_mib: Option<u32>,
    /// Files that are put into the data directory before the first start, such as `server.crt` and `server.key`.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A private server. Killed when this is dropped, and its directory is removed.
pub struct Postgres {
    port: u16,
    process: Process,
    directory: Directory,
    data: PathBuf,
}

impl Postgres {
    /// Makes a cluster, starts its server and waits until that answers.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let mut last = None;
        for _ in 0..TRIES {
            match Self::start_once(&options).await {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no try was made")?)
    }

    async fn start_once(options: &Options) -> anyhow::Result<Self> {
        let bin = options.bin.clone().map_or_else(bin, Ok)?;
        let directory = Directory::new("postgres")?;
        let disk = options.disk_mib.map(|mib| directory.mount_small(mib)).transpose()?;
        let within = disk.as_deref().unwrap_or(directory.path());
        let (data, port, user) = (within.join("data"), free_port()?, server_user());
        if let Some(user) = user {
            directory.give_to(user)?;
        }
        Program::new("initdb", bin.join("initdb"), directory.path())
            .args(["-A", "trust", "-U", USER, "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
            .args([data.to_string_lossy()])
            .user(user)
            .run()?;
        std::fs::write(data.join("postgresql.auto.conf"), settings(directory.path(), port, options))?;
        if let Some(hba) = &options.hba {
            std::fs::write(data.join("pg_hba.conf"), hba)?;
        }
        for (name, bytes) in &options.files {
            write_private(&data.join(name), bytes)?;
        }
        if let Some(user) = user {
            directory.give_to(user)?;
        }
        let program = Program::new("postgres", bin.join("postgres"), directory.path())
            .args(["-D".into(), data.to_string_lossy()])
            .user(user);
        let server = Self { port, process: Process::new(program), directory, data };
        server.restart().await?;
        Ok(server)
    }

    /// Starts it again after [`Process::kill_9`], on the same data and port, and waits until it answers.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.process.spawn()?;
        self.process.ready(async || self.execute("SELECT 1").await).await
    }

    /// Its process: to kill, freeze and continue it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The directory of its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Leaves no room on the file system of [`Options::disk_mib`].
    pub fn fill_disk(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.data.starts_with(self.directory.path().join("small")),
            "the disk is not its own"
        );
        let mut file = std::fs::File::create(self.filler())?;
        let block = vec![0; 1 << 16];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
        Ok(())
    }

    /// Gives the room back that [`Self::fill_disk`] took.
    pub fn free_disk(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.directory.path().join("small").join("filler")
    }

    /// The address of a database of it, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs statements in the database `postgres` as the superuser, over the socket, which needs no TLS and no
    /// password whatever [`Options::hba`] asks of others as long as it trusts `local`.
    pub async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.directory.path()).port(self.port).user(USER).dbname("postgres");
        config.application_name("fixture");
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        let done = client.batch_execute(sql).await;
        drop(client);
        let _ = connection.await;
        Ok(done?)
    }

    /// Makes a database: empty, or a copy of `template`, which nobody may be connected to.
    pub async fn create_database(&self, template: Option<&str>) -> anyhow::Result<TestDatabase> {
        let name = format!("test_{}", Uuid::now_v7().simple());
        let template = template.unwrap_or("template0");
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        Ok(TestDatabase { url: self.url(&name), name })
    }
}

/// A database of one test. It goes with the directory of its server: dropping it earlier would cost a checkpoint.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// Its address, for the superuser.
    pub url: String,
    /// Its name.
    pub name: String,
}

/// The server that the tests of this process share. It is started by the first that asks and lives until the process
/// ends; nobody may kill it.
pub async fn shared() -> anyhow::Result<&'static Postgres> {
    static SHARED: OnceCell<Postgres> = OnceCell::const_new();
    SHARED.get_or_try_init(|| Postgres::start(Options::default())).await
}

/// An empty database on the shared server.
pub async fn database() -> anyhow::Result<TestDatabase> {
    shared().await?.create_database(None).await
}

/// The executables: of [`BIN`], or the newest of Debian's.
pub fn bin() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os(BIN) {
        return Ok(dir.into());
    }
    let releases = std::fs::read_dir(DEBIAN).with_context(|| {
        format!("{DEBIAN} is not there: run `./test install`, or set {BIN} to a directory with `initdb` and `postgres`")
    })?;
    let numbers = releases.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let newest = numbers.max().with_context(|| format!("no release of PostgreSQL lies in {DEBIAN}"))?;
    Ok(Path::new(DEBIAN).join(newest.to_string()).join("bin"))
}

/// PostgreSQL refuses to run as root.
pub(super) fn server_user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("postgres")
}

fn settings(dir: &Path, port: u16, options: &Options) -> String {
    let port = port.to_string();
    let dir = dir.to_string_lossy();
    let fixed = [
        ("listen_addresses", "127.0.0.1"),
        ("port", &port),
        ("unix_socket_directories", &dir),
        ("max_connections", "300"),
    ];
    let own = options.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    fixed
        .into_iter()
        .chain(own)
        .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
        .collect()
}

/// A server refuses a key that others may read.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}
