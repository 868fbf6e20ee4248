//! Which process has what.

use std::fmt;
use uuid::Uuid;

/// Names a process that works on a store. Each start of a server is another node: what a node had that is gone comes back when
/// its leases expire, or as soon as the store knows that the node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub Uuid);

impl NodeId {
    /// A new node, which no other is named like.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
