//! Nodes: the processes that work on a store.

use std::fmt;
use uuid::Uuid;

/// The id of a process that works on a store. Each start of a server is another node. What a node had claimed that is gone is free
/// when its leases expire, or as soon as the store knows that the node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub Uuid);

impl NodeId {
    /// A new node, with an id that no other has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
