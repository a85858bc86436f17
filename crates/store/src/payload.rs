//! Payloads as columns: sealed bytes, or the name of a blob that holds them.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use agenticai_domain::ids::{TaskId, TenantId};
use agenticai_domain::journal::{open, seal};

use crate::blobs::{BlobRef, Blobs};
use crate::{Result, StoreError, TaskRow};

/// Larger payloads become blobs: in the database they would be copied twice and make its pages sparse.
const INLINE: usize = 64 * 1024;
/// First byte of a column that names a blob. Sealed bytes begin with their format, and 0 is none.
const BLOB: u8 = 0;
const BLOB_COLUMN: usize = 1 + 32 + 8;

/// Writes and reads payloads, before and after a caller's turn with the database.
pub(crate) struct Payloads {
    blobs: Arc<dyn Blobs>,
}

impl Payloads {
    pub(crate) fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs }
    }

    /// The column for a value of a task, or of something that is never removed; its blob, if it needs one, is durable when
    /// this answers.
    pub(crate) async fn keep<T: Serialize>(
        &self,
        tenant: TenantId,
        task: Option<TaskId>,
        value: &T,
    ) -> Result<Vec<u8>> {
        match sealed(value) {
            Sealed::Inline(bytes) => Ok(bytes),
            Sealed::Large(bytes) => self.keep_blob(tenant, task, bytes).await,
        }
    }

    /// The column for bytes that are too large for one.
    pub(crate) async fn keep_blob(
        &self,
        tenant: TenantId,
        task: Option<TaskId>,
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let blob = self.blobs.put(tenant, task, Bytes::from(bytes)).await?;
        let mut column = Vec::with_capacity(BLOB_COLUMN);
        column.push(BLOB);
        column.extend_from_slice(&blob.sha256);
        column.extend_from_slice(&blob.size.to_be_bytes());
        Ok(column)
    }

    /// The value of a column.
    pub(crate) async fn load<T: DeserializeOwned>(&self, tenant: TenantId, column: &[u8]) -> Result<T> {
        match blob_of(column)? {
            None => Ok(open(column)?),
            Some(blob) => Ok(open(&self.blobs.get(tenant, blob).await?)?),
        }
    }

    /// A task's row with what its sealed columns hold.
    pub(crate) async fn load_row(
        &self,
        mut row: TaskRow,
        input: &[u8],
        waiting_for: Option<&[u8]>,
        outcome: Option<&[u8]>,
    ) -> Result<TaskRow> {
        let tenant = row.head.tenant;
        row.head.input = self.load(tenant, input).await?;
        if let Some(column) = waiting_for {
            row.waiting_for = self.load(tenant, column).await?;
        }
        if let Some(column) = outcome {
            row.end = Some(self.load(tenant, column).await?);
        }
        Ok(row)
    }
}

/// A sealed value, by where it belongs.
pub(crate) enum Sealed {
    /// Into the column.
    Inline(Vec<u8>),
    /// Into a blob.
    Large(Vec<u8>),
}

/// Seals a value.
pub(crate) fn sealed<T: Serialize>(value: &T) -> Sealed {
    let bytes = seal(value);
    if bytes.len() > INLINE { Sealed::Large(bytes) } else { Sealed::Inline(bytes) }
}

fn blob_of(column: &[u8]) -> Result<Option<BlobRef>> {
    if column.first() != Some(&BLOB) {
        return Ok(None);
    }
    let damaged = || StoreError::Unreadable("the name of a blob is damaged".to_owned());
    let (sha256, rest) = column[1..].split_first_chunk::<32>().ok_or_else(damaged)?;
    let size = rest.try_into().map_err(|_| damaged())?;
    Ok(Some(BlobRef { sha256: *sha256, size: u64::from_be_bytes(size) }))
}
