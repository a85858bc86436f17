//! Why a connection could not be made, in words that say what to do.

use std::error::Error as _;
use std::io;

use tokio_postgres::error::SqlState;

use super::address::Server;

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The settings are no address of a database.
    #[error("the address of the database cannot be used: {0}")]
    Address(String),
    /// The password could not be read.
    #[error("the password of the database cannot be had: {0}")]
    Password(String),
    /// A file that TLS needs could not be read, or the server is not whom it should be.
    #[error("the database cannot be reached by TLS: {0}")]
    Tls(String),
    /// No server accepted the connection: who said what.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A server that does not keep what it confirms, cannot be written to, or is too old.
    #[error("the database cannot be used: {0}")]
    Unfit(String),
    /// The tables are not those of this program.
    #[error("the database's schema does not fit this program: {0}")]
    Schema(String),
    /// It was restored to an earlier point, or is a copy, and nobody has declared it.
    #[error("the database was restored or copied: {0}")]
    Restored(String),
    /// Large payloads do not lie where this process would look for them.
    #[error("large payloads cannot be kept: {0}")]
    Blobs(String),
    /// The server refused a statement.
    #[error("the database refused a statement: {}", plain(.0))]
    Server(#[from] tokio_postgres::Error),
}

impl ConnectError {
    /// Whether waiting cannot help: the settings themselves are wrong.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Address(_))
    }
}

/// A server's error with its code, or the driver's with its cause.
fn plain(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(db), _) => format!("{} ({})", db.message(), db.code().code()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

/// What an attempt at one server came to. The TLS library's own errors are told apart from the network's.
pub(super) fn explain(server: &Server, error: &tokio_postgres::Error) -> ConnectError {
    let name = &server.name;
    if let Some(db) = error.as_db_error() {
        let user = server.config.get_user().unwrap_or("of this process");
        let database = server.config.get_dbname().unwrap_or(user);
        let said = plain(error);
        let advice = match *db.code() {
            SqlState::INVALID_PASSWORD => format!("the password of the user {user} is wrong"),
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                format!(
                    "the user {user} may not log in so: check the name, sslmode and the server's pg_hba.conf"
                )
            }
            SqlState::INVALID_CATALOG_NAME => format!("create the database: CREATE DATABASE \"{database}\""),
            SqlState::TOO_MANY_CONNECTIONS => {
                "the server has no connection left: raise max_connections or make the pools smaller"
                    .to_owned()
            }
            SqlState::CANNOT_CONNECT_NOW => "the server is starting or stopping".to_owned(),
            SqlState::INSUFFICIENT_PRIVILEGE => {
                format!("grant it: GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\"")
            }
            _ => return ConnectError::Unreachable(format!("{name}: {said}")),
        };
        return ConnectError::Unreachable(format!("{name}: {said}; {advice}"));
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return ConnectError::Tls(format!("{name}: {tls}{}", tls_advice(tls)));
        }
        // The TLS library's errors lie inside those of the network, which hide them from `source`.
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            let hidden = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            if let Some(tls) = hidden {
                return ConnectError::Tls(format!("{name}: {tls}{}", tls_advice(tls)));
            }
            return ConnectError::Unreachable(format!("{name}: {io}{}", network_advice(io)));
        }
        cause = inner.source();
    }
    let said = plain(error);
    let advice = match said.contains("server does not support TLS") {
        true => "; turn `ssl` on at the server, or say sslmode=disable where the network is trusted",
        false if said.contains("password missing") => {
            "; give one in the URL, PGPASSWORD, a password file or a command"
        }
        false => "",
    };
    ConnectError::Unreachable(format!("{name}: {said}{advice}"))
}

fn tls_advice(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError::{
        BadSignature, Expired, NotValidForName, NotValidForNameContext, UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature) => {
            "; name the file of the authority that signed the server's certificate with sslrootcert"
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "; connect by a name that the certificate holds, or say sslmode=verify-ca"
        }
        rustls::Error::InvalidCertificate(Expired | rustls::CertificateError::ExpiredContext { .. }) => {
            "; renew the server's certificate"
        }
        rustls::Error::AlertReceived(_) => {
            "; the server wants another client certificate: check sslcert and sslkey"
        }
        _ => "",
    }
}

fn network_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "; is the server running, and is the port right?",
        io::ErrorKind::NotFound => "; is the server running, and is that the directory of its socket?",
        io::ErrorKind::TimedOut => "; is the network open to it?",
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "; the other side hung up: is that PostgreSQL, and is it up?"
        }
        _ if error.to_string().contains("lookup") => "; the name of the host cannot be resolved: check it",
        _ => "",
    }
}
