//! The practice model.
pub(super) fn answer(_body: &[u8], _turn: u32) -> Result<agenticai_domain::outcome::ModelAnswer, String> {
    Err("x".into())
}
