//! Step 01: the value of `Sec-WebSocket-Accept` (§4.2.2).

use super::lesson::{Lesson, Trial};
use super::mistakes::Mistake;
use super::subject::Subject;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const EXAMPLE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const WHY: &str = "§4.2.2: the key and then the GUID as one text, SHA-1 of it, the 20 bytes of that in base64.";

pub fn the_key_of_the_rfc(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    check(subject, trial, EXAMPLE)
}

pub fn another_key(subject: &Subject, trial: &Trial) -> Result<(), Lesson> {
    check(subject, trial, "AAECAwQFBgcICQoLDA0ODw==")
}

fn check(subject: &Subject, trial: &Trial, key: &str) -> Result<(), Lesson> {
    let expected = STANDARD.encode(sha1([key, GUID].concat()));
    trial.case(format!("accept_key({key:?})"), format!("{expected:?}"), WHY);
    let came = (subject.accept_key)(key);
    if came == expected {
        return Ok(());
    }
    Err(trial.came(format!("{came:?}")).named(recognise(key, &came)))
}

fn recognise(key: &str, came: &str) -> Option<Mistake> {
    let hex = hex_of(sha1([key, GUID].concat()));
    let mut decoded = STANDARD.decode(key).unwrap_or_default();
    decoded.extend(GUID.as_bytes());
    let known = [
        (STANDARD.encode(&hex), Mistake::KeyHexDigest),
        (STANDARD.encode(hex.to_uppercase()), Mistake::KeyHexDigest),
        (hex, Mistake::KeyHexReply),
        (hex_of(sha1(key)), Mistake::KeyAloneInHex),
        (STANDARD.encode(hex_of(sha1(key))), Mistake::KeyAloneInHex),
        (STANDARD.encode(sha1(decoded)), Mistake::KeyDecoded),
        (STANDARD.encode(sha1(key)), Mistake::KeyAlone),
        (STANDARD.encode(sha1(GUID.to_owned() + key)), Mistake::KeyBehindGuid),
    ];
    let spaces = ["\n", "\r\n", " ", "\t"];
    let spaced = |space: &'static str| [[key, space, GUID], [key, GUID, space], [space, key, GUID]];
    let mut texts = spaces.into_iter().flat_map(spaced);
    if texts.any(|parts| STANDARD.encode(sha1(parts.concat())) == came) {
        return Some(Mistake::WhiteSpaceHashed);
    }
    let right = |key: &str| STANDARD.encode(sha1([key, GUID].concat()));
    if key != EXAMPLE && came == right(EXAMPLE) {
        return Some(Mistake::KeyOfTheExample);
    }
    if came.trim_end_matches('=').replace('-', "+").replace('_', "/") == right(key).trim_end_matches('=') {
        return Some(Mistake::OtherBase64);
    }
    let exact = known.into_iter().find(|(text, _)| text.eq_ignore_ascii_case(came)).map(|(_, mistake)| mistake);
    exact.or_else(|| STANDARD.decode(came).is_ok_and(|bytes| bytes.len() == 20).then_some(Mistake::KeyGuid))
}

fn hex_of(digest: [u8; 20]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha1(bytes: impl AsRef<[u8]>) -> [u8; 20] {
    sha1_smol::Sha1::from(bytes).digest().bytes()
}
