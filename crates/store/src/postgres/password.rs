//! The password, read again for every new connection: it may have been rotated, or be a token that is valid for
//! minutes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::Config;

use super::address::Server;
use super::{ConnectError, PasswordSource, PostgresOptions};

/// How long a command may take that prints one.
const COMMAND: Duration = Duration::from_secs(20);

/// The password for a server, if there is one to be given.
pub(super) async fn read(
    options: &PostgresOptions,
    server: &Server,
) -> Result<Option<Vec<u8>>, ConnectError> {
    if let Some(source) = &options.password {
        return from_source(source).await.map(Some);
    }
    if let Some(password) = server.config.get_password() {
        return Ok(Some(password.to_vec()));
    }
    let variable = |name: &str| options.variables.get(name).filter(|value| !value.is_empty());
    if let Some(password) = variable("PGPASSWORD") {
        return Ok(Some(password.clone().into_bytes()));
    }
    match variable("PGPASSFILE") {
        Some(file) => {
            let text = read_file(Path::new(file)).await?;
            Ok(in_password_file(&text, server).map(String::into_bytes))
        }
        None => Ok(None),
    }
}

async fn from_source(source: &PasswordSource) -> Result<Vec<u8>, ConnectError> {
    let text = match source {
        PasswordSource::File(path) => read_file(path).await?,
        PasswordSource::Variable(name) => std::env::var(name).map_err(|_| {
            ConnectError::Password(format!("the environment variable {name} is not set or no text"))
        })?,
        PasswordSource::Command(line) => from_command(line).await?,
    };
    let password =
        text.strip_suffix('\n').map_or(text.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if password.is_empty() {
        return Err(ConnectError::Password("it is empty".to_owned()));
    }
    Ok(password.as_bytes().to_vec())
}

async fn read_file(path: &Path) -> Result<String, ConnectError> {
    tokio::fs::read_to_string(path).await.map_err(|error| {
        ConnectError::Password(format!("the file {} cannot be read: {error}", path.display()))
    })
}

/// What a command prints. Its errors go where this process's own go.
async fn from_command(line: &str) -> Result<String, ConnectError> {
    let output = tokio::process::Command::new("sh")
        .args(["-c", line])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::inherit())
        .kill_on_drop(true)
        .output();
    let failed = |why: String| ConnectError::Password(format!("the password command {why}"));
    let output = tokio::time::timeout(COMMAND, output)
        .await
        .map_err(|_| failed(format!("did not end within {} s", COMMAND.as_secs())))?
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("failed: {}", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("printed no text".to_owned()))
}

/// The first line of a password file that fits: `host:port:database:user:password`, `*` for any.
fn in_password_file(text: &str, server: &Server) -> Option<String> {
    let config: &Config = &server.config;
    let (host, port) = server.name.rsplit_once(':')?;
    let host = if server.local { "localhost" } else { host };
    let user = config.get_user().unwrap_or_default();
    let wanted = [host, port, config.get_dbname().unwrap_or(user), user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let fits = fields.len() == 5
            && wanted.iter().zip(&fields).all(|(wanted, field)| field == "*" || field == wanted);
        fits.then(|| fields[4].clone())
    })
}

/// Fields between colons; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next(),
            other => Some(other),
        };
        if let Some(field) = fields.last_mut() {
            field.extend(literal);
        }
    }
    fields
}

/// The variables of PostgreSQL's own programs out of an environment.
pub fn variables(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    environment
        .iter()
        .filter(|(name, _)| name.starts_with("PG"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::address::Address;
    use super::*;

    async fn read_as(options: &PostgresOptions) -> Result<Option<Vec<u8>>, ConnectError> {
        let address = Address::of(options).unwrap();
        read(options, &address.servers[0]).await
    }

    #[tokio::test]
    async fn a_file_is_read_again_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let mut options = PostgresOptions::new("postgres://u:old@h/d");
        options.password = Some(PasswordSource::File(file.clone()));
        assert!(matches!(read_as(&options).await, Err(ConnectError::Password(_))));
        for password in ["one", "two "] {
            std::fs::write(&file, format!("{password}\n")).unwrap();
            assert_eq!(read_as(&options).await.unwrap().unwrap(), password.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_command_prints_it() {
        let mut options = PostgresOptions::new("postgres://u@h/d");
        options.password = Some(PasswordSource::Command("printf 'to%sken' -".to_owned()));
        assert_eq!(read_as(&options).await.unwrap().unwrap(), b"to-ken");
        options.password = Some(PasswordSource::Command("exit 3".to_owned()));
        let error = read_as(&options).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
    }

    #[tokio::test]
    async fn the_url_goes_before_the_variables() {
        let mut options = PostgresOptions::new("postgres://u:in%20url@h/d");
        options.variables.insert("PGPASSWORD".to_owned(), "in variable".to_owned());
        assert_eq!(read_as(&options).await.unwrap().unwrap(), b"in url");
        options.url = "postgres://u@h/d".to_owned();
        assert_eq!(read_as(&options).await.unwrap().unwrap(), b"in variable");
        options.variables.clear();
        assert_eq!(read_as(&options).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_password_file_is_searched_for_the_first_line_that_fits() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pgpass");
        std::fs::write(&file, "# all\nother:*:*:u:no\nh:5432:*:u:a\\:b:c\\\\\n*:*:*:*:last\n").unwrap();
        let mut options = PostgresOptions::new("postgres://u@h/d");
        options.variables.insert("PGPASSFILE".to_owned(), file.display().to_string());
        assert_eq!(read_as(&options).await.unwrap().unwrap(), b"a:b:c\\");
        options.url = "postgres://v@h/d".to_owned();
        assert_eq!(read_as(&options).await.unwrap().unwrap(), b"last");
    }
}
