//! RabbitMQ: one node, without plugins, with Erlang's port mapper of its own.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::directory::Directory;
use super::process::{Process, Program};
use super::tls::{Authority, Identity};
use crate::http::free_port;

/// Where Debian and others keep the scripts that become the server and its tools; those in the `PATH` of Debian would
/// change the user.
const SCRIPTS: [&str; 2] = ["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin"];

/// A greeting of AMQP 0-9-1; a server that is up answers it.
const GREETING: &[u8] = b"AMQP\x00\x00\x09\x01";

/// A node. Killed when this is dropped, with its port mapper.
pub struct RabbitMq {
    port: u16,
    tls_port: Option<u16>,
    process: Process,
    mapper: (u16, Process),
    directory: Directory,
}

impl RabbitMq {
    /// Starts a node that guests may log in to, and waits until it answers.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(None).await
    }

    /// Starts a node that listens for TLS too, with a certificate of `authority`, and asks clients for one.
    /// `client_required` says whether a client without one is refused.
    pub async fn start_tls(authority: &Authority, client_required: bool) -> anyhow::Result<Self> {
        Self::start_with(Some((authority.certificate(), authority.server()?, client_required))).await
    }

    async fn start_with(tls: Option<(&str, Identity, bool)>) -> anyhow::Result<Self> {
        let directory = Directory::new("rabbitmq")?;
        let dir = directory.path();
        let (port, distribution_port, mapper_port) = (free_port()?, free_port()?, free_port()?);
        let mut conf =
            "vm_memory_high_watermark.absolute = 400MB\ndisk_free_limit.absolute = 50MB\n".to_owned();
        let mut tls_port = None;
        if let Some((authority, server, client_required)) = tls {
            let (ca, certificate) =
                (directory.write("ca.pem", authority)?, directory.write("server.pem", &server.certificate)?);
            let (key, port) = (directory.write("server.key", &server.key)?, free_port()?);
            let files = [("cacertfile", ca), ("certfile", certificate), ("keyfile", key)];
            conf += &format!("listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.verify = verify_peer\n");
            conf += &format!("ssl_options.fail_if_no_peer_cert = {client_required}\n");
            conf.extend(files.map(|(name, file)| format!("ssl_options.{name} = {}\n", file.display())));
            tls_port = Some(port);
        }
        directory.write("rabbitmq.conf", conf)?;
        // Without this the server would start one that stays behind.
        let mapper = Program::new("epmd", "epmd", dir).args(["-port", &mapper_port.to_string()]);
        let mapper = Process::new(mapper.args(["-address", "127.0.0.1"]));
        let program = Program::new("rabbitmq", script("rabbitmq-server")?, dir)
            .env("RABBITMQ_NODENAME", node(port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
            .env("ERL_EPMD_PORT", mapper_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia").display().to_string())
            .env("RABBITMQ_LOG_BASE", dir.join("log").display().to_string())
            .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq").display().to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("plugins").display().to_string())
            .env("RABBITMQ_LOGS", "-")
            // Two schedulers without busy waiting: a test machine has better use for its cores.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none")
            // The script becomes the server instead of waiting for it, so that signals reach the server.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("LANG", "C.UTF-8");
        mapper.spawn()?;
        let mapper = (mapper_port, mapper);
        let server = Self { port, tls_port, process: Process::new(program), mapper, directory };
        server.restart().await?;
        Ok(server)
    }

    /// Starts it again after [`Process::kill_9`], on the same data and ports, and waits until it answers.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.process.spawn()?;
        self.process.ready(async || self.greet().await).await
    }

    async fn greet(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(GREETING).await?;
        let frame = stream.read_u8().await?;
        anyhow::ensure!(frame == 1, "this is no RabbitMQ");
        if let Some(port) = self.tls_port {
            TcpStream::connect(("127.0.0.1", port)).await?;
        }
        Ok(())
    }

    /// Runs `rabbitmqctl` on it.
    pub fn ctl(&self, args: &[&str]) -> anyhow::Result<()> {
        let program = Program::new("rabbitmqctl", script("rabbitmqctl")?, self.directory.path())
            .args(["--node", &node(self.port)])
            .args(args.iter().copied())
            .env("ERL_EPMD_PORT", self.mapper.0.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("LANG", "C.UTF-8");
        program.run()
    }

    /// Its process: to kill, freeze and continue it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its port on 127.0.0.1, without TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port on 127.0.0.1 with TLS, where it has one.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// Its address without TLS.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Its address with TLS.
    pub fn tls_url(&self) -> anyhow::Result<String> {
        Ok(format!("amqps://guest:guest@localhost:{}/%2f", self.tls_port.context("it has no TLS")?))
    }

    /// Its directory.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

/// The name by which Erlang knows it.
fn node(port: u16) -> String {
    format!("test{port}@localhost")
}

fn script(name: &str) -> anyhow::Result<PathBuf> {
    let found = SCRIPTS.iter().map(|dir| Path::new(dir).join(name)).find(|path| path.is_file());
    found.context("RabbitMQ is missing: `./test install` installs it")
}
