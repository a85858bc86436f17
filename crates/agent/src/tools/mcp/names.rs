//! Names under which tools are offered to models: valid for every provider, and unique in an agent.

use std::collections::BTreeSet;

/// What providers take.
const MAX_LEN: usize = 64;

/// The names that are taken.
#[derive(Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// Takes a name that must stay as it is; `false` if it is taken already.
    pub fn take(&mut self, name: &str) -> bool {
        self.0.insert(name.to_owned())
    }

    /// Takes the name that is nearest to `wanted`: other characters than `a-z`, `A-Z`, `0-9`, `_` and `-` become `_`,
    /// and a number is appended where the name is taken.
    pub fn take_similar(&mut self, wanted: &str) -> String {
        let valid: String = wanted
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .take(MAX_LEN)
            .collect();
        let valid = if valid.is_empty() { "tool".to_owned() } else { valid };
        let mut name = valid.clone();
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            let suffix = format!("_{number}");
            name = format!("{}{suffix}", &valid[..valid.len().min(MAX_LEN - suffix.len())]);
            number += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_valid_and_unique() {
        let mut names = Names::default();
        assert!(names.take("echo") && !names.take("echo"));
        assert_eq!(names.take_similar("echo"), "echo_2");
        assert_eq!(names.take_similar("files/read.text"), "files_read_text");
        assert_eq!(names.take_similar("lies größe"), "lies_gr__e");
        assert_eq!(names.take_similar(""), "tool");
        let long = "x".repeat(80);
        assert_eq!(names.take_similar(&long).len(), 64);
        let second = names.take_similar(&long);
        assert!(second.len() == 64 && second.ends_with("x_2"));
    }
}
