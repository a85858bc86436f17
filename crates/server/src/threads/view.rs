//! Threads as answers.

use agenticai_store::ThreadRow;
use agenticai_wire::ThreadView;

use crate::tasks::view::rfc3339;

/// A thread as it stands.
pub(crate) fn thread_view(row: &ThreadRow) -> ThreadView {
    ThreadView {
        id: row.id,
        name: row.name.clone(),
        active: row.active,
        queue: row.queue.clone(),
        created_at: rfc3339(row.created_at),
    }
}
