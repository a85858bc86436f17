//! A private certificate authority for the servers of a test.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// An authority that nobody but the test knows.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate with its key, both as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key, as PKCS #8.
    pub key: String,
}

impl Authority {
    /// Makes one.
    pub fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "agenticai test authority");
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Its own certificate as PEM: what clients trust.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for servers on this machine: `localhost` and 127.0.0.1. Servers of a group show it to each other,
    /// so it is good for clients too.
    pub fn server(&self) -> anyhow::Result<Identity> {
        let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue("localhost", &["localhost", "127.0.0.1"], &usages)
    }

    /// A certificate for a client whose common name is `name`.
    pub fn client(&self, name: &str) -> anyhow::Result<Identity> {
        self.issue(name, &[], &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    fn issue(
        &self,
        name: &str,
        hosts: &[&str],
        usages: &[ExtendedKeyUsagePurpose],
    ) -> anyhow::Result<Identity> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.extend_from_slice(usages);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}
