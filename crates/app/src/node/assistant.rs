//! The built-in agent `assistant`.

use agenticai_domain::spec::{AgentSpec, AgentVersion, ModelRef};

/// The agent's name.
pub const NAME: &str = "assistant";

/// The built-in specification with a model.
pub fn spec(model: &str) -> Result<AgentSpec, serde_saphyr::Error> {
    let mut spec: AgentSpec = serde_saphyr::from_str(include_str!("../../assets/assistant.yaml"))?;
    spec.model = Some(ModelRef::named(model));
    Ok(spec)
}

/// Whether the stored version has to give way to `spec`: there is none, or it is the built-in one with another model.
/// A version that its user changed is left alone.
pub fn is_outdated(stored: Option<&AgentVersion>, spec: &AgentSpec) -> bool {
    let Some(stored) = stored else { return true };
    let with_own_model = AgentSpec { model: stored.spec.model.clone(), ..spec.clone() };
    let only_a_name = stored.spec.model.as_ref().is_some_and(|model| *model == ModelRef::named(&model.name));
    stored.spec == with_own_model && only_a_name && stored.spec.model != spec.model
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use agenticai_domain::ids::{AgentId, TenantId};

    use super::*;

    fn stored(spec: AgentSpec) -> AgentVersion {
        let (id, tenant) = (AgentId(uuid::Uuid::nil()), TenantId(uuid::Uuid::nil()));
        AgentVersion { id, tenant, version: 1, spec, tools: vec![], created_at: 0 }
    }

    #[test]
    fn it_is_a_valid_agent() {
        assert_eq!(spec("practice").unwrap().check(), []);
    }

    #[test]
    fn it_follows_the_model_until_its_user_changes_it() {
        let now = spec("gpt-5-mini").unwrap();
        assert!(is_outdated(None, &now));
        assert!(is_outdated(Some(&stored(spec("practice").unwrap())), &now));
        assert!(!is_outdated(Some(&stored(now.clone())), &now));
        let mut changed = spec("practice").unwrap();
        changed.instructions = Some("Speak like a pirate.".into());
        assert!(!is_outdated(Some(&stored(changed)), &now));
        let mut tuned = spec("practice").unwrap();
        tuned.model.as_mut().unwrap().temperature = Some(0.1);
        assert!(!is_outdated(Some(&stored(tuned)), &now));
    }
}
