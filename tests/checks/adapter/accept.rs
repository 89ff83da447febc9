pub use plainsocket::protocol::handshake::accept_key;
