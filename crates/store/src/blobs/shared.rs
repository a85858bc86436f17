//! Blobs in a directory that several processes share, and from which blobs are removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;

use agenticai_domain::ids::TenantId;

use super::dir::{blocking, read};
use super::{BlobRef, DirBlobs};
use crate::{Result, StoreError};

/// The file that tells the directory from one that is empty because its file system is not mounted.
const MARK: &str = "agenticai-blobs";
/// What the name of a file ends with that is about to be removed.
const ASIDE: &str = "aside";
/// How often a blob is looked for whose file is given another name at that moment.
const LOOKS: u32 = 5;

/// A directory with a mark of its own.
#[derive(Debug, Clone)]
pub(crate) struct SharedDir {
    root: PathBuf,
    blobs: DirBlobs,
}

impl SharedDir {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { blobs: DirBlobs::new(&root), root }
    }

    /// Whether it can be written to, and its mark. With `make`, one that has none is given one. An error says what to do.
    pub(crate) async fn check(&self, make: bool) -> std::result::Result<Uuid, String> {
        let root = self.root.clone();
        let checked = tokio::task::spawn_blocking(move || check(&root, make)).await;
        checked.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Writes a blob durably, unless it is there.
    pub(crate) async fn keep(&self, tenant: TenantId, content: Bytes) -> Result<BlobRef> {
        let root = self.root.clone();
        // A directory that is not mounted takes blobs that nobody will find.
        blocking(move || is_there(&root)).await?;
        self.blobs.keep(tenant, content).await
    }

    /// A blob, checked against its name; `None` where it is missing and the directory itself is not.
    pub(crate) async fn find(&self, tenant: TenantId, blob: BlobRef) -> Result<Option<Bytes>> {
        let (root, path) = (self.root.clone(), self.blobs.path(tenant, blob));
        blocking(move || {
            for _ in 0..LOOKS {
                if let Some(content) = read(&path, blob)? {
                    return Ok(Some(content));
                }
                for aside in asides(&path)? {
                    if let Some(content) = read(&aside, blob)? {
                        return Ok(Some(content));
                    }
                }
            }
            is_there(&root).map(|()| None)
        })
        .await
    }

    /// Takes a blob away from whoever looks whether it is there, but not from readers; answers what it is now, if it
    /// is there.
    pub(crate) async fn set_aside(&self, tenant: TenantId, sha256: [u8; 32]) -> Result<Option<Aside>> {
        let path = self.blobs.path(tenant, BlobRef { sha256, size: 0 });
        blocking(move || {
            let mut own = Vec::new();
            // What another process set aside and left is taken from it as well: each removes only what it has named.
            for file in asides(&path)?.into_iter().chain([path.clone()]) {
                let name = path.with_extension(format!("{}.{ASIDE}", Uuid::new_v4().simple()));
                match fs::rename(&file, &name) {
                    Ok(()) => own.push(name),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(unusable(&file, &error)),
                }
            }
            Ok((!own.is_empty()).then_some(Aside { path, own }))
        })
        .await
    }
}

/// A blob that was set aside.
#[derive(Debug)]
pub(crate) struct Aside {
    path: PathBuf,
    own: Vec<PathBuf>,
}

impl Aside {
    /// Removes it for good.
    pub(crate) async fn remove(self) -> Result<()> {
        blocking(move || self.own.iter().try_for_each(|file| gone(file, fs::remove_file(file)))).await
    }

    /// Gives it its name again.
    pub(crate) async fn put_back(self) -> Result<()> {
        // Each holds the same bytes, and so does what may have been written there meanwhile.
        blocking(move || self.own.iter().try_for_each(|file| gone(file, fs::rename(file, &self.path)))).await
    }
}

/// What another process has taken meanwhile is that one's to decide about.
fn gone(file: &Path, done: io::Result<()>) -> Result<()> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(file, &error)),
        _ => Ok(()),
    }
}

fn unusable(file: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{} cannot be used: {error}", file.display()))
}

/// The names under which a blob may be found that is about to be removed.
fn asides(path: &Path) -> Result<Vec<PathBuf>> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(dir, &error)),
    };
    let files = entries.flatten().map(|entry| entry.path());
    let is_aside = |file: &PathBuf| {
        let file = file.file_name().and_then(|file| file.to_str());
        file.is_some_and(|file| file.starts_with(name) && file.ends_with(ASIDE))
    };
    Ok(files.filter(is_aside).collect())
}

/// A directory without its mark is not the one that blobs were written to.
fn is_there(root: &Path) -> Result<()> {
    match root.join(MARK).is_file() {
        true => Ok(()),
        false => Err(StoreError::Unavailable(format!(
            "the directory of blobs {} has no file `{MARK}`: is its file system mounted?",
            root.display()
        ))),
    }
}

fn check(root: &Path, make: bool) -> std::result::Result<Uuid, String> {
    let here = root.display();
    if !root.is_dir() {
        return Err(format!("blobs.directory {here} is not there: mount it, or make it"));
    }
    let probe = root.join(format!("{}.tmp", Uuid::new_v4().simple()));
    let tried = File::create(&probe).and_then(|mut file| {
        file.write_all(b"probe")?;
        file.sync_all()
    });
    let _ = fs::remove_file(&probe);
    tried.map_err(|error| {
        format!(
            "blobs.directory {here} cannot be written to: {error}; let the user of this process write there"
        )
    })?;
    let mark = root.join(MARK);
    if make && !mark.exists() {
        // Written whole before it has its name; whoever is second finds that of the first.
        let fresh = root.join(format!("{}.tmp", Uuid::new_v4().simple()));
        let made = fs::write(&fresh, Uuid::new_v4().to_string())
            .and_then(|()| File::open(&fresh)?.sync_all())
            .and_then(|()| fs::hard_link(&fresh, &mark));
        let _ = fs::remove_file(&fresh);
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(format!("blobs.directory {here} cannot be marked: {error}"));
            }
            _ => {}
        }
    }
    let text = fs::read_to_string(&mark).map_err(|error| {
        format!(
            "blobs.directory {here} is not the one that the cluster uses: `{MARK}` in it: {error}; mount that"
        )
    })?;
    text.trim().parse().map_err(|_| format!("the file `{MARK}` in blobs.directory {here} is damaged"))
}
