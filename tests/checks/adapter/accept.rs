pub use plainsocket::protocol::upgrade::accept_key;
