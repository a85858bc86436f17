//! Files of TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::ConnectError;

/// Whom to trust and how to show oneself. Read again for each connection, so that files may be replaced.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// Certificates of authorities as PEM; those of the system where not given.
    pub authority: Option<PathBuf>,
    /// A client certificate and its key, each as PEM, for servers that ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    /// The configuration of a client.
    pub(crate) fn client(&self) -> Result<ClientConfig, ConnectError> {
        let mut roots = RootCertStore::empty();
        match &self.authority {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate)?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        match &self.identity {
            Some((certificate, key)) => {
                let parsed = PrivateKeyDer::from_pem_slice(&read(key)?);
                let parsed =
                    parsed.map_err(|error| format!("{} holds no private key: {error}", key.display()))?;
                Ok(config.with_client_auth_cert(certificates(certificate)?, parsed)?)
            }
            None => Ok(config.with_no_client_auth()),
        }
    }

    /// The same for the client of Redis, which reads PEM itself.
    pub(crate) fn redis(&self) -> Result<::redis::TlsCertificates, ConnectError> {
        let client_tls = match &self.identity {
            Some((certificate, key)) => {
                Some(::redis::ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
            }
            None => None,
        };
        let root_cert = self.authority.as_deref().map(read).transpose()?;
        Ok(::redis::TlsCertificates { client_tls, root_cert })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()).into())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match parsed {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{} holds no certificate", path.display()).into()),
        Err(error) => Err(format!("{} holds no certificate: {error}", path.display()).into()),
    }
}
