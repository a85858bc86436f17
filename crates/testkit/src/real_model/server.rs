//! llama.cpp's server as a process.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::RealModelConfig;
use crate::http::{Http, free_port};

/// How long loading the weights may take.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A running server; it is killed when dropped.
pub struct ModelServer {
    child: Child,
    port: u16,
}

impl ModelServer {
    /// Starts one with a template out of the scripts' directory, or with the model's own.
    pub async fn start(config: &RealModelConfig, template: Option<&str>) -> anyhow::Result<Self> {
        let port = free_port()?;
        let log = File::options().create(true).append(true).open(config.dir.join("model.log"))?;
        let mut command = Command::new(&config.python);
        command.arg(config.scripts.join("llm_server.py")).arg(&config.weights).arg(port.to_string());
        if let Some(template) = template {
            command.arg(config.scripts.join(template));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| config.python.display().to_string())?;
        let mut server = Self { child, port };
        let http = Http::default();
        let health = format!("http://127.0.0.1:{port}/health");
        let began = Instant::now();
        while !http.send("GET", &health, &[], "").await.is_ok_and(|answer| answer.status.is_success()) {
            let log = config.dir.join("model.log");
            if let Some(status) = server.child.try_wait()? {
                anyhow::bail!("the model's server ended with {status}; see {}", log.display());
            }
            anyhow::ensure!(began.elapsed() < READY_WITHIN, "the model is not ready; see {}", log.display());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(server)
    }

    /// As `AGENTICAI_MODEL_URL` wants it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
