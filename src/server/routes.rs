//! The handlers and their paths. A pattern is a path, or ends in `/*` and matches every path below it.

use super::connection::Connection;
use crate::error::Error;
use crate::protocol::admission::{Admission, Header, Refusal};
use crate::protocol::request::Request;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// A value for each pattern.
pub(super) struct Paths<T>(HashMap<String, T>);

impl<T> Default for Paths<T> {
    fn default() -> Paths<T> {
        Paths(HashMap::new())
    }
}

impl<T> Paths<T> {
    pub(super) fn insert(&mut self, pattern: &str, value: T) {
        self.0.insert(pattern.to_owned(), value);
    }

    pub(super) fn entry(&mut self, pattern: &str) -> &mut T
    where
        T: Default,
    {
        self.0.entry(pattern.to_owned()).or_default()
    }

    /// Returns the value for `path`: the one of just this path, otherwise the one of the longest pattern above it.
    pub(super) fn get(&self, path: &str) -> Option<&T> {
        // A loop over the patterns, which are few. A look-up for each `/` of a client's path would take longer.
        let above = || self.0.iter().filter(|(pattern, _)| is_below(path, pattern));
        self.0.get(path).or_else(|| above().max_by_key(|(pattern, _)| pattern.len()).map(|(_, value)| value))
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = &String> + Clone {
        self.0.keys()
    }
}

/// Returns whether `pattern` is `/chat/*`, for example, and `path` is `/chat/` and something more.
fn is_below(path: &str, pattern: &str) -> bool {
    let folder = pattern.strip_suffix('*').filter(|folder| folder.ends_with('/'));
    folder.is_some_and(|folder| path.len() > folder.len() && path.starts_with(folder))
}

/// A route: decides about a request that keeps all rules. `dyn` is Java's call through an interface. `Send + Sync`
/// because the threads of all clients of the path share it and call it at the same time.
pub(super) type Route = Box<dyn Fn(&Request, SocketAddr) -> Result<Admitted, Refusal> + Send + Sync>;

/// A client that gets the 101.
pub(super) struct Admitted {
    /// For the 101.
    pub(super) headers: Vec<Header>,
    pub(super) handler: Handler,
}

/// Serves one client, so it can be called once. The value of the client's admission is inside: only the closure knows
/// its type.
pub(super) type Handler = Box<dyn FnOnce(&mut Connection) -> Result<(), Error>>;

/// Makes a route of what [`Server::route_with`](super::Server::route_with) was given.
pub(super) fn route<T, A, H>(admit: A, handler: H) -> Route
where
    A: Fn(&Request, SocketAddr) -> Result<Admission<T>, Refusal> + Send + Sync + 'static,
    H: Fn(&mut Connection, T) -> Result<(), Error> + Send + Sync + 'static,
    T: 'static,
{
    let handler = Arc::new(handler);
    Box::new(move |request, peer| {
        let Admission { value, headers } = admit(request, peer)?;
        let handler = Arc::clone(&handler);
        Ok(Admitted { headers, handler: Box::new(move |connection| handler(connection, value)) })
    })
}

/// Makes a route that lets everybody in.
pub(super) fn open_route(handler: impl Fn(&mut Connection) -> Result<(), Error> + Send + Sync + 'static) -> Route {
    route(|_, _| Ok(Admission::new(())), move |connection, ()| handler(connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(patterns: &[&'a str], path: &str) -> Option<&'a str> {
        let mut paths = Paths::default();
        patterns.iter().for_each(|pattern| paths.insert(pattern, *pattern));
        paths.get(path).copied()
    }

    #[test]
    fn pattern_stands_for_each_path_below_it() {
        for (pattern, path, is_found) in [
            ("/chat", "/chat", true),
            ("/chat", "/chat/", false),
            ("/chat", "/chat/a", false),
            ("/chat/*", "/chat/a", true),
            ("/chat/*", "/chat/a/b", true),
            ("/chat/*", "/chat/a/", true),
            ("/chat/*", "/chat//", true),
            ("/chat/*", "/chat/*", true),
            ("/chat/*", "/chat/%2F", true),
            ("/chat/*", "/chat/", false),
            ("/chat/*", "/chat", false),
            ("/chat/*", "/chats/a", false),
            ("/chat/*", "/Chat/a", false),
            ("/chat/*", "/", false),
            ("/*", "/a", true),
            ("/*", "/a/b", true),
            ("/*", "/", false),
        ] {
            assert_eq!(found(&[pattern], path).is_some(), is_found, "{pattern} and {path}");
        }
    }

    #[test]
    fn star_elsewhere_in_a_path_is_literal() {
        for pattern in ["/chat*", "/*/chat", "/a/*/b", "/chat/**"] {
            assert_eq!(found(&[pattern], pattern), Some(pattern));
            assert_eq!(found(&[pattern], &pattern.replace('*', "x")), None);
        }
    }

    #[test]
    fn exact_path_wins_and_then_the_longest_pattern() {
        let patterns = ["/*", "/chat/*", "/chat/vip/*", "/chat/vip", "/chat"];
        for (path, expected) in [
            ("/chat", "/chat"),
            ("/chat/vip", "/chat/vip"),
            ("/chat/vips", "/chat/*"),
            ("/chat/vip/", "/chat/*"),
            ("/chat/vip/x", "/chat/vip/*"),
            ("/chat/", "/*"),
            ("/other", "/*"),
        ] {
            assert_eq!(found(&patterns, path), Some(expected), "{path}");
        }
        assert_eq!(found(&patterns, "/"), None);
    }
}
