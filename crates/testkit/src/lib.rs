//! What the project is proved with.
pub mod api;
pub mod bench;
pub mod checker;
pub mod conformance;
pub mod http;
pub mod kill;
pub mod load;
pub mod stub;
pub mod up;
