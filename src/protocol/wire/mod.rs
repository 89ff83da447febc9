//! The wire explained for people: what each byte that crossed it means. The trace log and `/inspect` share this.
//!
//! Nothing in here decides anything: the decoders say whether a rule is broken, and this folder shows the bytes that
//! they were given.
//!
//! ```
//! use plainsocket::protocol::wire::{Direction, Dissector};
//! // The masked "Hello" of §5.7.
//! let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let (used, frame) = Dissector::new(Direction::In).dissect(&bytes);
//! let frame = frame.expect("the frame is complete");
//! assert_eq!((used, frame.unmasked()), (11, b"Hello".to_vec()));
//! let line = r#"text FIN masked 37fa213d length 5 "Hello" [81 85 37 fa 21 3d 7f 9f 4d 51 58]"#;
//! assert_eq!(frame.to_line(), line);
//! ```

mod dissector;
mod extensions;
mod fault;
mod fields;
mod frame;
mod handshake;
mod hex;
mod json;
mod peek;
mod render;

pub use dissector::{Dissected, Dissector};
pub use fault::Fault;
pub use fields::Field;
pub use frame::{Direction, Frame, Inflated, MessageEnd, SHOWN};
pub use handshake::{Handshake, Line};
