//! Who may do what.

use async_trait::async_trait;

use agenticai_domain::ids::{TenantId, UserId};

use crate::Result;

/// SHA-256 of an API key; the key itself is never stored.
pub type KeyHash = [u8; 32];

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserRole {
    /// Everything in the tenant.
    Owner,
}

/// Who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The tenant whose rows it may see.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// What it may do.
    pub role: UserRole,
}

/// A tenant, its owner and that one's first key.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Name of the tenant.
    pub tenant: String,
    /// Name of its owner.
    pub user: String,
    /// Hash of the owner's first key.
    pub key: KeyHash,
    /// Days after their end that its tasks are kept, where the store removes any.
    pub retention_days: u32,
}

/// Tenants, users and keys.
#[async_trait]
pub trait Identity {
    /// Creates the first tenant, its owner and its key, if there is no tenant yet; `None` if there is one.
    async fn bootstrap(&self, first: Bootstrap) -> Result<Option<Principal>>;
    /// Creates one more tenant with its owner and key; `None` where a tenant has that name.
    async fn create_tenant(&self, new: Bootstrap) -> Result<Option<Principal>>;
    /// Gives the first tenant's owner one more key: for a key file that was lost on the owner's own machine.
    async fn add_owner_key(&self, key: KeyHash) -> Result<Option<Principal>>;
    /// Whose key this is.
    async fn authenticate(&self, key: KeyHash) -> Result<Option<Principal>>;
}
