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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::drain::Drain;
    use crate::server::socket::Socket;
    use crate::server::tests::ClientsEnd;

    #[test]
    fn list_is_kept_until_it_is_forgotten_and_an_empty_one_is_not() {
        let socket = Arc::new(Socket::new(ClientsEnd::default().servers_end()));
        let outbox = Outbox::new(([192, 0, 2, 1], 1).into(), socket, Drain::start().unwrap(), Arc::default());
        let member = Members::from([Arc::new(outbox)]);
        let mut lists = MemberLists::default();
        assert_eq!(lists.get(&1, || Arc::clone(&member)).len(), 1);
        assert_eq!(lists.get(&1, || panic!("it is kept")).len(), 1);
        (2..1000).for_each(|nobody| assert!(lists.get(&nobody, Members::default).is_empty()));
        assert_eq!(lists.lists.len(), 1);
        lists.forget();
        assert_eq!(lists.get(&1, Members::default).len(), 0);
    }
}
