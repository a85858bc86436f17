//! Where outgoing requests may go.
//!
//! An agent's author, a model and a server that redirects can all name a destination; the operator decides which of
//! them are reached, with the list `egress.allow`. Its entries are host names, globs over host names, addresses and
//! networks, each with an optional port or range of ports:
//!
//! | entry | admits |
//! | --- | --- |
//! | (an empty list) | every public address |
//! | `*` | every public address |
//! | `*.example.com`, `api-*.example.com:443` | the names that match, where they resolve to public or private addresses |
//! | `db.internal:8000-8100` | exactly this name; also where it resolves to a loopback address |
//! | `10.0.0.0/8`, `[fd00::/8]:443`, `169.254.169.254` | exactly these addresses, whichever name leads there |
//!
//! A list that is not empty admits nothing else. In a loopback `up`, loopback addresses are admitted besides.
//! Link-local, metadata, multicast and unspecified addresses are admitted by an address or a network only, never by a
//! name, since whoever owns the name chooses what it resolves to.
//!
//! A rule about names alone would not hold: a name may resolve to something harmless when it is checked and to
//! `169.254.169.254` when the connection is made. So the last word is with the [`Gate`], which resolves names for the
//! HTTP client and hands over only addresses that are admitted: what was checked is what is connected to. Literal
//! addresses never reach a resolver and are checked in the URL. Redirects are followed by this program, one checked
//! hop after the other.
//!
//! Through a proxy (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, except for what `NO_PROXY` names) the proxy resolves
//! the destination, so the gate resolves it as well and asks the policy before the request leaves. A name that cannot
//! be resolved here goes through only where an entry admits it by name. The proxy itself is the operator's and exempt.

mod entry;
mod gate;
mod policy;
mod ranges;

pub use entry::EgressEntryError;
pub(crate) use gate::{Admission, GateResolver, Refusal};
pub use gate::{Gate, Lookup};
pub use policy::{EgressDenied, EgressPolicy};
