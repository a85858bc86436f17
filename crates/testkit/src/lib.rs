//! What the project is proved with.
pub mod api;
pub mod checker;
pub mod http;
pub mod kill;
pub mod stub;
pub mod up;
