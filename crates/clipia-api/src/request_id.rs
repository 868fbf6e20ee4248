//! What a request id can do beyond what is generated for it.

use crate::types::RequestId;
use std::hash::{Hash, Hasher};
use uuid::Uuid;

impl RequestId {
    /// A new id. Ids made later sort later.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Copy for RequestId {}
impl Eq for RequestId {}

impl Hash for RequestId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
