//! Your server: the proof that it speaks WebSocket (§4.2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1_smol::Sha1;

// ---- step 01 ----

/// Returns the value of `Sec-WebSocket-Accept` that answers this value of `Sec-WebSocket-Key`.
pub fn accept_key(key: &str) -> String {
    todo!("step 01: the accept key")
}
