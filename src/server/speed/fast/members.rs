//! Cached lists of members: building one takes a twentieth of the time of a broadcast.

use crate::server::outbox::Outbox;
use std::sync::Arc;

/// The outboxes of clients on one path.
pub(in crate::server) type Members = Arc<[Arc<Outbox>]>;

/// The lists of one path, for each audience `A`, until somebody enters or leaves there.
pub(in crate::server) struct MemberLists<A> {
    lists: Vec<(A, Members)>,
}

impl<A> Default for MemberLists<A> {
    fn default() -> MemberLists<A> {
        MemberLists { lists: Vec::new() }
    }
}

impl<A: Clone + PartialEq> MemberLists<A> {
    /// Returns the list of `audience`. Calls `build` if none is kept. An empty list is not kept, because there can be
    /// any number of audiences that nobody belongs to.
    pub(in crate::server) fn get(&mut self, audience: &A, build: impl FnOnce() -> Members) -> Members {
        if let Some((_, members)) = self.lists.iter().find(|(its, _)| its == audience) {
            return Arc::clone(members);
        }
        let members = build();
        if !members.is_empty() {
            self.lists.push((audience.clone(), Arc::clone(&members)));
        }
        members
    }

    /// Drops all lists, because they are no longer true.
    pub(in crate::server) fn forget(&mut self) {
        self.lists = Vec::new();
    }
}
