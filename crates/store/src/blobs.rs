//! Large payloads, kept outside the database and named by their content.
//!
//! A blob is written before the transaction that refers to it, so that a committed reference always finds its bytes.
//! What is left over by a transaction that failed is found again by its content, or is garbage that harms nobody.

mod dir;
mod shared;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use agenticai_domain::ids::{TaskId, TenantId};

use crate::Result;

pub use dir::DirBlobs;
pub(crate) use shared::SharedDir;

/// The name of a blob in its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRef {
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// Bytes of the content.
    pub size: u64,
}

impl BlobRef {
    /// The name that `content` has.
    pub fn of(content: &[u8]) -> Self {
        Self { sha256: Sha256::digest(content).into(), size: content.len() as u64 }
    }
}

/// Where blobs are kept. Tenants do not share any, not even equal ones.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Keeps `content` durably; done again, it does nothing. It is kept for as long as the task, which need not exist yet;
    /// for ever where there is none.
    async fn put(&self, tenant: TenantId, task: Option<TaskId>, content: Bytes) -> Result<BlobRef>;
    /// The content, checked against its name. [`crate::StoreError::Unreadable`] where it is missing or damaged.
    async fn get(&self, tenant: TenantId, blob: BlobRef) -> Result<Bytes>;
}
