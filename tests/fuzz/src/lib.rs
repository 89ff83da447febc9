//! What the fuzz targets share. They hold plainsocket's decoders against a second one, which is written for that.

pub mod arrival;
#[path = "../../support/inflate.rs"]
pub mod inflate;
pub mod naive;
pub mod utf8;
pub mod wire;
