//! Tenants, users and keys.

use agenticai_store::{Bootstrap, UserRole};

use super::Lab;

/// `bootstrap` makes a tenant only where there is none.
pub async fn the_first_tenant_is_made_once(lab: Lab) {
    let again = Bootstrap {
        tenant: "second".to_owned(),
        user: "second".to_owned(),
        key: [9; 32],
        retention_days: 30,
    };
    assert_eq!(lab.store.bootstrap(again).await.unwrap(), None, "there is a tenant already");
    assert_eq!(lab.store.authenticate([9; 32]).await.unwrap(), None, "a refused bootstrap leaves no key");
}

/// A key is its user's, an unknown one nobody's.
pub async fn keys_are_told_apart(lab: Lab) {
    assert_eq!(lab.store.authenticate(lab.key).await.unwrap(), Some(lab.owner));
    assert_eq!(lab.owner.role, UserRole::Owner);
    let mut near = lab.key;
    near[31] ^= 1;
    assert_eq!(lab.store.authenticate(near).await.unwrap(), None);
    assert_eq!(lab.store.authenticate([0; 32]).await.unwrap(), None);
}

/// A second key of the owner does not end the first; adding it twice changes nothing.
pub async fn a_lost_key_is_replaced(lab: Lab) {
    for _ in 0..2 {
        assert_eq!(lab.store.add_owner_key([8; 32]).await.unwrap(), Some(lab.owner));
    }
    assert_eq!(lab.store.authenticate([8; 32]).await.unwrap(), Some(lab.owner));
    assert_eq!(lab.store.authenticate(lab.key).await.unwrap(), Some(lab.owner));
}

/// A tenant is created with its owner and key; a name is taken once.
pub async fn more_tenants_are_created(lab: Lab) {
    let new = |key| Bootstrap {
        tenant: "more".to_owned(),
        user: "ada".to_owned(),
        key: [key; 32],
        retention_days: 30,
    };
    let made = lab.store.create_tenant(new(5)).await.unwrap().expect("the name is free");
    assert_ne!(made.tenant, lab.owner.tenant);
    assert_eq!(lab.store.authenticate([5; 32]).await.unwrap(), Some(made));
    assert_eq!(lab.store.create_tenant(new(6)).await.unwrap(), None, "the name is taken");
    assert_eq!(lab.store.authenticate([6; 32]).await.unwrap(), None, "a refused creation leaves no key");
}
