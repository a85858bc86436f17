//! What an operator reads of an outage: one warning, and one line when it is over.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenticai_testkit::servers::proxy::Proxy;
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{Two, config, on_single, redis};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn lines(&self, with: &str) -> usize {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().filter(|line| line.contains(with)).count()
    }
}

#[tokio::test]
async fn an_outage_is_one_warning_and_its_end_one_line() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    // The runtime of the test has one thread, and so has the log.
    let _guard = tracing::subscriber::set_default(subscriber);
    let proxy = Proxy::start(redis().await.port()).await.unwrap();
    let mut config = config();
    let url = format!("redis://user-name:pass-word@127.0.0.1:{}", proxy.port());
    redis()
        .await
        .cli(&[
            "ACL",
            "SETUSER",
            "user-name",
            "on",
            ">pass-word",
            "&test-*",
            "+publish",
            "+subscribe",
            "+ping",
        ])
        .unwrap();
    config.redis = on_single(url);
    let two = Two::start(config).await;
    assert_eq!((log.lines("WARN"), log.lines("INFO")), (0, 2), "two processes are connected");
    proxy.refuse();
    two.disconnected().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.resume();
    two.connected().await;
    assert_eq!((log.lines("WARN"), log.lines("connected again")), (2, 2), "of two processes");
    assert_eq!(log.lines("pass-word"), 0, "the password is in the log");
}
