//! HAProxy before several servers, with health checks.

use tokio::net::TcpStream;

use super::directory::Directory;
use super::process::{Process, Program};
use crate::http::free_port;

/// Where Debian puts it, which is in root's `PATH` only.
const PATH: &str = "/usr/sbin/haproxy";

/// A balancer. Killed when this is dropped.
pub struct HaProxy {
    port: u16,
    _process: Process,
    _directory: Directory,
}

impl HaProxy {
    /// Starts one that sends requests to servers on these ports of this machine, in turn, as long as `GET path` of each
    /// answers 200; it asks five times a second, and gives each a second to answer: a server of a busy machine is slow, not
    /// gone. It sends no request twice, but where no connection could be made.
    pub async fn start(ports: &[u16], path: &str) -> anyhow::Result<Self> {
        let (directory, port) = (Directory::new("haproxy")?, free_port()?);
        let mut config = format!(
            "global\n    maxconn 1000\n\
             defaults\n    mode http\n    timeout connect 1s\n    timeout client 60s\n    timeout server 60s\n    \
             timeout check 1s\n    retries 3\n    option redispatch\n\
             frontend clients\n    bind 127.0.0.1:{port}\n    default_backend servers\n\
             backend servers\n    balance roundrobin\n    option httpchk GET {path}\n    \
             http-check expect status 200\n    default-server check inter 200ms fall 1 rise 1\n"
        );
        for server in ports {
            config += &format!("    server on-{server} 127.0.0.1:{server}\n");
        }
        let file = directory.write("haproxy.cfg", config)?;
        let program =
            Program::new("haproxy", PATH, directory.path()).args(["-db", "-f", &file.to_string_lossy()]);
        let process = Process::new(program);
        process.spawn()?;
        process.ready(async || Ok(TcpStream::connect(("127.0.0.1", port)).await.map(drop)?)).await?;
        Ok(Self { port, _process: process, _directory: directory })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
