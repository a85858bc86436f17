//! Passwords out of files.

use std::path::{Path, PathBuf};

use crate::ConnectError;

/// The password in a file, without the line's end. Read again for each connection, so that the file may be replaced.
pub(crate) fn read(path: &Path) -> Result<String, ConnectError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the password file {} cannot be read: {error}", path.display()))?;
    let password =
        text.strip_suffix('\n').map_or(text.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if password.is_empty() {
        return Err(format!("the password file {} is empty", path.display()).into());
    }
    Ok(password.to_owned())
}

/// Refuses a file that cannot be read, and one beside an address with a password: which of them holds would be a guess.
pub(crate) fn check(file: Option<&PathBuf>, whose: &str, in_address: bool) -> Result<(), ConnectError> {
    let Some(file) = file else { return Ok(()) };
    if in_address {
        return Err(format!(
            "there is a password in the address of {whose} and in the file {}: leave one of them out",
            file.display()
        )
        .into());
    }
    read(file).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_no_part_of_the_password() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        for (text, password) in
            [("p:w/@%41", "p:w/@%41"), (" a b \n", " a b "), ("dos\r\n", "dos"), ("two\n\n", "two\n")]
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&file).unwrap(), password);
        }
        std::fs::write(&file, "\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("is empty"));
        std::fs::remove_file(&file).unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("cannot be read"));
    }
}
