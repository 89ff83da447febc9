//! The programs in the README and in the book's chapters are doctests too. A block marked `rust` is one; what a chapter
//! quotes from the source is marked `rs`.

#[doc = include_str!("../README.md")]
struct Readme;

#[doc = include_str!("../docs/listening.md")]
struct Listening;

#[doc = include_str!("../docs/frames.md")]
struct Frames;

#[doc = include_str!("../docs/header.md")]
struct HeaderOnOnePage;

#[doc = include_str!("../docs/rust.md")]
struct Rust;

#[doc = include_str!("../docs/messages.md")]
struct Messages;
