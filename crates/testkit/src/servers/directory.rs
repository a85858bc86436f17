//! Directories of servers, removed even when the test process is killed.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use tempfile::TempDir;

/// Reads names of directories until the test process has gone, and removes them when the servers have, too.
const SWEEP: &str = r#"set --; while IFS= read -r dir; do set -- "$@" "$dir"; done; sleep 2;
for dir; do umount -l -- "$dir/small" 2>/dev/null; done; rm -rf -- "$@""#;

/// The pipe to the sweeper, which is started with the first directory.
static SWEEPER: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// A directory of a server; removed when this is dropped, or soon after the test process has ended without that.
pub struct Directory(TempDir);

impl Directory {
    /// Makes an empty one. `name` begins its name.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix(&format!("agenticai-{name}-")).tempdir()?;
        sweep_later(dir.path())?;
        Ok(Self(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Makes a directory in it.
    pub fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> anyhow::Result<PathBuf> {
        let path = self.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Makes the directory `small` in it, on a file system of its own of so many MiB; needs the right to mount.
    pub fn mount_small(&self, mib: u32) -> anyhow::Result<PathBuf> {
        let path = self.make("small")?;
        let size = format!("size={mib}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).status()?;
        anyhow::ensure!(mounted.success(), "mounting {} failed: run this test as root", path.display());
        Ok(path)
    }

    /// Gives it, with all that is in it, to a user.
    pub fn give_to(&self, user: &str) -> anyhow::Result<()> {
        let given = Command::new("chown").arg("-R").arg(format!("{user}:")).arg(self.path()).status()?;
        anyhow::ensure!(given.success(), "chown to {user} failed");
        Ok(())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let small = self.path().join("small");
        if small.exists() {
            // Lazily: a server that is being killed may still use it. What cannot be unmounted stays until the end.
            let _ = Command::new("umount").arg("-l").arg(small).status();
        }
    }
}

/// Tells the sweeper of a directory. A static is never dropped, and nothing is when a process is killed; the end of a
/// pipe is noticed in both cases.
fn sweep_later(dir: &Path) -> anyhow::Result<()> {
    let mut sweeper = SWEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = match &mut *sweeper {
        Some(pipe) => pipe,
        none => {
            // A group of its own: Ctrl-C in the terminal must not end it before it has swept.
            let child = Command::new("sh")
                .args(["-c", SWEEP])
                .process_group(0)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            none.insert(child.stdin.context("the sweeper has no standard input")?)
        }
    };
    writeln!(pipe, "{}", dir.display())?;
    Ok(())
}
