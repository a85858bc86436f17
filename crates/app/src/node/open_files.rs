//! How many files and connections this process may have open.

/// Files and connections that a process needs besides those of the calls that it makes.
const BESIDES: u64 = 256;

/// Makes room for the calls of `concurrency` tasks at once, each a connection: raises the bound on open files to what the
/// system allows at most, since the customary 1,024 is kept low for old programs only. Says what to do where that is not
/// enough.
pub fn make_room(concurrency: u64) {
    let Some(limit) = raise_limit() else { return };
    if limit < concurrency + BESIDES {
        tracing::warn!(
            limit,
            concurrency,
            "calls of that many tasks need more open files than this process may have: lower `worker.concurrency`, or \
             raise the limit (`ulimit -n`, `LimitNOFILE` of a service)"
        );
    }
}

/// The bound after it was raised; none where there is none.
#[cfg(unix)]
fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // macOS has a lower bound, which it does not tell.
        Err(error) => {
            tracing::debug!(%error, "the bound on open files cannot be raised");
            current
        }
    }
}

#[cfg(not(unix))]
fn raise_limit() -> Option<u64> {
    None
}
