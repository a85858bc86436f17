//! TLS to the server: what `sslmode` promises, with rustls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::ConnectError;

/// `sslmode`, with the meanings that PostgreSQL gives the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// None.
    Disable,
    /// Where the server offers it; nobody's identity is checked.
    Prefer,
    /// Always; the server's identity is checked only where a certificate authority is named.
    Require,
    /// Always, with a certificate of the named authority, whatever host it is for.
    VerifyCa,
    /// Always, with a certificate of the named authority for this host.
    VerifyFull,
}

impl TlsMode {
    /// Reads the word.
    pub fn parse(word: Option<&str>) -> Result<Self, ConnectError> {
        Ok(match word {
            Some("disable") => Self::Disable,
            None | Some("prefer" | "allow") => Self::Prefer,
            Some("require") => Self::Require,
            Some("verify-ca") => Self::VerifyCa,
            Some("verify-full") => Self::VerifyFull,
            Some(other) => {
                return Err(ConnectError::Address(format!(
                    "sslmode is `{other}` and must be one of disable, prefer, require, verify-ca, verify-full"
                )));
            }
        })
    }

    /// What the driver is told. A socket file is on this machine and knows no TLS.
    pub fn driver_mode(self, local: bool) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            _ if local => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

/// Files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// Certificate authorities; `system` is the machine's own list.
    pub root: Option<PathBuf>,
    /// The client's certificate with its chain.
    pub cert: Option<PathBuf>,
    /// The key of that.
    pub key: Option<PathBuf>,
}

/// Reads the files, which may have been renewed since the last connection. Blocks.
pub(super) fn connector(mode: TlsMode, files: &TlsFiles) -> Result<MakeRustlsConnect, ConnectError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier(mode, files, provider)?);
    let config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| ConnectError::Tls(format!("sslcert and sslkey do not fit: {error}")))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(
    mode: TlsMode,
    files: &TlsFiles,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
    let identity = match mode {
        TlsMode::VerifyFull => Identity::Host,
        TlsMode::VerifyCa => Identity::Authority,
        // As PostgreSQL's own programs do: who names an authority wants it to be asked.
        TlsMode::Require if files.root.is_some() => Identity::Authority,
        TlsMode::Require | TlsMode::Prefer | TlsMode::Disable => {
            return Ok(Arc::new(Anybody(provider)));
        }
    };
    let roots = Arc::new(roots(files.root.as_deref())?);
    let inner = WebPkiServerVerifier::builder_with_provider(roots, provider)
        .build()
        .map_err(|error| ConnectError::Tls(error.to_string()))?;
    Ok(match identity {
        Identity::Host => inner,
        Identity::Authority => Arc::new(AnyHost(inner)),
    })
}

enum Identity {
    Host,
    Authority,
}

fn roots(file: Option<&Path>) -> Result<RootCertStore, ConnectError> {
    let mut roots = RootCertStore::empty();
    let named = file.filter(|file| *file != Path::new("system"));
    let certificates = match named {
        Some(file) => certificates(file)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    // An authority that cannot be used vouches for nobody: what it signed is refused, and that is said.
    let (usable, _) = roots.add_parsable_certificates(certificates);
    if usable == 0 {
        let source = named.map_or("this machine".to_owned(), |file| file.display().to_string());
        return Err(ConnectError::Tls(format!(
            "{source} has no certificate authority that can be used: name a file with sslrootcert"
        )));
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(|error| unreadable(file, &error))?.collect();
    all.map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::Tls(format!("{} cannot be read as PEM: {error}", file.display()))
}

/// The usual checks but for the host's name.
#[derive(Debug)]
struct AnyHost(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: everything else was in order.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Any certificate, as `prefer` and `require` promise no more: it keeps listeners out, not impostors.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
