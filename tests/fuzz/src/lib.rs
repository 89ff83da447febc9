//! The parts that the fuzz targets share. They compare plainsocket's decoders with a second one, which is written for
//! that.

pub mod arrival;
#[path = "../../support/inflate.rs"]
pub mod inflate;
pub mod naive;
pub mod utf8;
pub mod wire;
