//! What was written once must be read for ever: a file of sealed entries per format version.
//!
//! `UPDATE=1 cargo test -p agenticai-domain golden` writes the file of the format that this program writes. Files of
//! older formats are never written again.

use std::path::PathBuf;

use agenticai_domain::journal::{Entry, EnvelopeError, READS_FORMAT, WRITES_FORMAT, open, seal};

use crate::samples;

fn file(format: u8) -> PathBuf {
    // Tests run in the directory of their package.
    PathBuf::from(format!("tests/it/golden/entries.v{format}.txt"))
}

/// One line an entry: its name, the sealed bytes as printable ASCII with escapes.
fn render(entries: &[(&str, Entry)]) -> String {
    entries.iter().map(|(name, entry)| format!("{name}\t{}\n", seal(entry).escape_ascii())).collect()
}

fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = line.bytes();
    while let Some(byte) = chars.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match chars.next().unwrap() {
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'x' => {
                let digits = [chars.next().unwrap(), chars.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            other => bytes.push(other),
        }
    }
    bytes
}

#[test]
fn every_format_that_was_ever_written_is_read() {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file(WRITES_FORMAT), render(&samples::entries())).unwrap();
    }
    for format in 1..=READS_FORMAT {
        let golden = std::fs::read_to_string(file(format)).unwrap();
        let expected = samples::entries();
        assert_eq!(
            golden.lines().count(),
            expected.len(),
            "format {format} lacks an entry: add it with UPDATE=1"
        );
        for (line, (name, entry)) in golden.lines().zip(expected) {
            let (found, bytes) = line.split_once('\t').unwrap();
            assert_eq!(found, name);
            assert_eq!(open::<Entry>(&unescape(bytes)).unwrap(), entry, "{name} of format {format}");
        }
    }
}

#[test]
fn what_is_written_has_not_changed_under_its_version() {
    let golden = std::fs::read_to_string(file(WRITES_FORMAT)).unwrap();
    assert_eq!(
        render(&samples::entries()),
        golden,
        "entries changed: raise the format and keep the old file"
    );
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let mut bytes = seal(&samples::entries()[0].1);
    bytes[0] = READS_FORMAT + 1;
    let refused = open::<Entry>(&bytes).unwrap_err();
    assert_eq!(refused, EnvelopeError::Newer { found: READS_FORMAT + 1 });
    assert!(refused.to_string().contains("upgrade"), "{refused}");
}
