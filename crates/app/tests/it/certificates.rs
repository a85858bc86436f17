//! The system's trust store, as `SSL_CERT_FILE` names it, holds for models and for tools.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::home::{Home, Printed};
use crate::proxy::complete;

/// An HTTPS server with a certificate of its own making: a model under `/v1`, a tool elsewhere. Answers the port and the
/// certificate.
fn server() -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream.unwrap());
            std::thread::spawn(move || {
                let (mut request, mut piece) = (Vec::new(), [0; 16384]);
                while !complete(&request) {
                    match tls.read(&mut piece) {
                        Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
                        _ => return,
                    }
                }
                let body = if request.starts_with(b"POST /v1/chat/completions") {
                    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"It is safe."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#
                } else {
                    r#"{"told":"in confidence"}"#
                };
                let _ = write!(
                    tls,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                tls.conn.send_close_notify();
                let _ = tls.flush();
            });
        }
    });
    (port, made.cert.pem())
}

#[test]
fn a_private_authority_is_trusted_where_the_environment_names_it_and_nowhere_else() {
    let home = Home::new();
    let (port, certificate) = server();
    let trusted = home.file("ca.pem", &certificate);
    let job = home.file(
        "job.yaml",
        &format!(
            "name: job\nkind: tool\ntools:\n  - {{name: ask, effect: none, retry: {{max_attempts: 1}}, http: {{method: GET, url: \"https://localhost:{port}/ask\"}}}}\n"
        ),
    );
    let run = |args: &[&str], trust: bool| {
        let mut command = home.command(args);
        command
            .env("AGENTICAI_MODEL_URL", format!("https://localhost:{port}/v1"))
            .env("AGENTICAI_MODELS_DEFAULT", "safe")
            .env("AGENTICAI_MODELS_MAX_ATTEMPTS", "1");
        if trust {
            command.env("SSL_CERT_FILE", &trusted);
        }
        Printed::of(command.output().unwrap())
    };
    let model = run(&["run", "Is it safe?"], true);
    assert!(model.code == 0 && model.out.contains("It is safe."), "{model:?}");
    let tool = run(&["run", "-f", &job, "--input", "{}"], true);
    assert!(tool.code == 0 && tool.out.contains("in confidence"), "{tool:?}");

    let model = run(&["run", "Is it safe?"], false);
    assert!(model.code == 1 && !model.out.contains("It is safe."), "{model:?}");
    let tool = run(&["run", "-f", &job, "--input", "{}"], false);
    assert!(tool.code == 1 && !tool.out.contains("in confidence"), "{tool:?}");
}
