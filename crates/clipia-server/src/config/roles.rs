//! The roles of a server among several that share a database.

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use strum::{Display, EnumString, VariantNames};

/// A part of the work.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    EnumString,
    VariantNames,
    Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Takes the calls of clients and of workers on other machines.
    Api,
    /// Runs the executors of `models.toml`.
    Workers,
    /// Sends the webhooks.
    Deliveries,
}

/// The roles of a server: at first every one, and never none.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Roles(BTreeSet<Role>);

/// A list of roles without a role, or with an unknown one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the roles of a server are some of {}", Role::VARIANTS.join(", "))]
pub struct RolesInvalid;

impl Roles {
    /// These roles.
    ///
    /// # Errors
    /// If there is none.
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Result<Self, RolesInvalid> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        if roles.is_empty() { Err(RolesInvalid) } else { Ok(Self(roles)) }
    }

    /// Whether the server has this role.
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Whether the server has every role.
    pub fn are_all(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Roles {
    fn default() -> Self {
        Self([Role::Api, Role::Workers, Role::Deliveries].into())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Vec::<Role>::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}
