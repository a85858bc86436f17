//! Blobs in a directory: `<root>/<tenant>/<first two hex digits>/<sha256>`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use agenticai_domain::ids::{TaskId, TenantId};
use uuid::Uuid;

use super::{BlobRef, Blobs};
use crate::{Result, StoreError};

/// Blobs in a directory of the local file system.
#[derive(Debug, Clone)]
pub struct DirBlobs {
    root: PathBuf,
}

impl DirBlobs {
    /// Keeps blobs below `root`, which is created with the first one.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file of a blob, whether it exists or not.
    pub fn path(&self, tenant: TenantId, blob: BlobRef) -> PathBuf {
        let name = hex::encode(blob.sha256);
        self.root.join(tenant.to_string()).join(&name[..2]).join(name)
    }
}

#[async_trait]
impl Blobs for DirBlobs {
    /// Nothing is ever removed, so that it does not matter whose it is.
    async fn put(&self, tenant: TenantId, _task: Option<TaskId>, content: Bytes) -> Result<BlobRef> {
        self.keep(tenant, content).await
    }

    async fn get(&self, tenant: TenantId, blob: BlobRef) -> Result<Bytes> {
        let path = self.path(tenant, blob);
        let missing = || StoreError::Unreadable(format!("the blob {} is missing", path.display()));
        self.find(tenant, blob).await?.ok_or_else(missing)
    }
}

impl DirBlobs {
    /// Writes a blob durably, unless it is there.
    pub(super) async fn keep(&self, tenant: TenantId, content: Bytes) -> Result<BlobRef> {
        let this = self.clone();
        blocking(move || {
            let blob = BlobRef::of(&content);
            let path = this.path(tenant, blob);
            write(&this.root, &path, &content).map_err(|e| {
                StoreError::Unavailable(format!("a blob could not be written to {}: {e}", path.display()))
            })?;
            Ok(blob)
        })
        .await
    }

    /// A blob, checked against its name; `None` where it is missing.
    pub(super) async fn find(&self, tenant: TenantId, blob: BlobRef) -> Result<Option<Bytes>> {
        let path = self.path(tenant, blob);
        blocking(move || read(&path, blob)).await
    }
}

/// The content of a file that holds a blob; `None` where there is none.
pub(super) fn read(path: &Path, blob: BlobRef) -> Result<Option<Bytes>> {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let why = format!("the blob {} could not be read: {error}", path.display());
            return Err(StoreError::Unavailable(why));
        }
    };
    match BlobRef::of(&content) == blob {
        true => Ok(Some(Bytes::from(content))),
        false => Err(StoreError::Unreadable(format!("the blob {} is damaged", path.display()))),
    }
}

/// Does what may block away from the runtime's own threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Closed))
}

/// A reader never sees half a file, and a crash never leaves one under its final name: the content is synced before
/// the rename, and every directory that got a new name after it.
fn write(root: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    // A file of the right size was renamed into place whole. Its directory may still be unsynced where a twin of this
    // call is under way, so that is done below in either case.
    let there = fs::metadata(path).is_ok_and(|file| file.len() == content.len() as u64);
    let dir = path.parent().unwrap_or(root);
    fs::create_dir_all(dir)?;
    if !there {
        let temporary = dir.join(format!("{}.tmp", Uuid::new_v4().simple()));
        let written = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        })();
        if written.is_err() {
            // What cannot be removed either takes up its room until somebody removes it.
            let _ = fs::remove_file(&temporary);
        }
        written?;
    }
    // From the file's directory up to the root's parent: any of them may be new.
    let mut dir = Some(dir);
    while let Some(here) = dir {
        File::open(here)?.sync_all()?;
        if here == root {
            break;
        }
        dir = here.parent();
    }
    match root.parent() {
        Some(above) if !above.as_os_str().is_empty() => File::open(above)?.sync_all(),
        _ => Ok(()),
    }
}
