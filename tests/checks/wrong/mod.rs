//! Wrong answers: small changes to the real server, each with the mistake that its card must name.
// Some can be tried only in a process that can limit its memory.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod beats;
mod beyond;
mod chat;
mod clients;
mod endings;
mod frames;
mod handshake;
mod lapses;
mod life;
mod meddler;
mod messages;
mod slips;
mod ticks;

use crate::checks::mistakes::Mistake;
use crate::checks::subject::{MY_SERVER, Subject};
use crate::checks::words::{BINARY, CLOSE, Failure, Frame, Head, PING, PONG, Settings, TEXT, Verdict};
use beyond::Asks;
use chat::Flaw;
use life::Slip;
use std::io::ErrorKind;
use std::time::Duration;

pub struct WrongAnswer {
    pub step: &'static str,
    pub name: &'static str,
    pub mistake: Mistake,
    pub subject: Subject,
}

macro_rules! wrong_answers {
    ($list:ident: $($step:literal $name:literal $mistake:ident, $function:ident: $code:expr;)*) => {
        pub static $list: &[WrongAnswer] = &[$(WrongAnswer {
            step: $step,
            name: $name,
            mistake: Mistake::$mistake,
            subject: Subject { $function: $code, ..MY_SERVER },
        }),*];
    };
}

// These can end a whole process, so each is tried in a process of its own.
wrong_answers! {
    ENDINGS:
    "01" "exits" ProcessExits, accept_key: |_| std::process::exit(0);
    "05" "exits-with-one" ProcessExits, decode_header: |_| std::process::exit(1);
    "15" "exits-in-a-thread" ProcessExits, run: |listener, _| {
        let _first = listener.accept();
        std::thread::spawn(|| std::process::exit(0)).join().unwrap()
    };
    "09" "aborts" ProcessAborted, answer_ping: |_| std::process::abort();
    "10" "panics-twice" ProcessAborted, assembler: |_| Box::new(|_| endings::panics_twice());
    "06" "recursion" StackOverflows, unmask: |payload, key| endings::calls_itself(payload, key);
    "11" "prints-for-ever" PrintsForEver, check_text: |_| endings::prints_for_ever();
    "03" "in-the-library" Panics, answer: |_| endings::panics_in_the_library();
    "04" "loops-for-ever" Hangs, shake_hands: |_| endings::loops_for_ever();
    "12" "loops-and-waits-for-nobody" LoopsForEver, assembler: |_| Box::new(|_| endings::loops_for_ever());
    "02" "capacity" MemoryRunsOut, parse_request: |_| { endings::reserves(usize::MAX); Head::Incomplete };
}

// These also need a process that can limit its memory.
#[cfg(target_os = "linux")]
wrong_answers! {
    BOUNDED_ENDINGS:
    "12" "reserves-what-is-announced" MemoryRunsOut, take_frame: endings::reserves_what_is_announced;
    "08" "keeps-everything" MemoryRunsOut, read_frame: |_, _, _| endings::keeps_everything();
    "17" "watch-spins" WatchSpins, run: |listener, settings| chat::run(listener, settings, Flaw::WatchSpins);
    "17" "watch-spins-with-nobody" WatchSpins, run: |listener, settings| chat::run(listener, settings, Flaw::WatchSpinsWithNobody);
    "18" "ticker-spins" TickerSpins, registry: || ticks::registry(ticks::Flaw::Spins);
    "17" "watch-for-each" WatchForEach, run: |listener, settings| chat::run(listener, settings, Flaw::WatchForEach);
    "13" "spins" HangUpSpins, hang_up: slips::hangs_up_and_spins;
    "13" "threads-without-end" ThreadsRunOut, hang_up: |_, _| endings::starts_threads();
}
#[cfg(not(target_os = "linux"))]
wrong_answers! { BOUNDED_ENDINGS: }

// The step, a name, the mistake, and the function that replaces the real server's.
wrong_answers! {
    WRONG_ANSWERS:
    "01" "hex-digest" KeyHexDigest, accept_key: handshake::hex_digest;
    "01" "key-decoded" KeyDecoded, accept_key: handshake::key_decoded;
    "01" "mistyped-guid" KeyGuid, accept_key: handshake::mistyped_guid;
    "01" "no-guid" KeyAlone, accept_key: |key| handshake::accept(key, "");
    "01" "no-guid-in-hex" KeyAloneInHex, accept_key: handshake::no_guid_in_hex;
    "01" "guid-first" KeyBehindGuid, accept_key: |key| handshake::accept(handshake::GUID, key);
    "01" "hex-reply" KeyHexReply, accept_key: handshake::hex_reply;
    "00" "reads-once" EchoOnce, echo_bytes: beyond::reads_once;
    "00" "says-nothing" EchoNothing, echo_bytes: |listener| beyond::echo(listener, |_| Vec::new());
    "00" "repairs-text" EchoText, echo_bytes: |listener| beyond::echo(listener, |bytes| String::from_utf8_lossy(bytes).into_owned().into_bytes());
    "00" "whole-array" WholeArrayTaken, echo_bytes: |listener| beyond::echo(listener, |bytes| [bytes, if bytes == b"ok" { &[0; 100][..] } else { b"" }].concat());
    "00" "whole-array-each-time" WholeArrayTaken, echo_bytes: |listener| beyond::echo(listener, |bytes| [bytes, &[0; 200]].concat());
    "00" "lines-alone" EchoLines, echo_bytes: |listener| beyond::echo(listener, |bytes| if bytes == b"ok" { Vec::new() } else { bytes.to_vec() });
    "00" "writes-a-part" EchoCutShort, echo_bytes: |listener| beyond::echo(listener, |bytes| bytes[..bytes.len().min(3000)].to_vec());
    "00" "turned-round" EchoOtherBytes, echo_bytes: |listener| beyond::echo(listener, |bytes| bytes.iter().rev().copied().collect());
    "00" "one-after-the-other" OneAfterTheOther, echo_bytes: beyond::one_after_the_other;
    "00" "end-ignored" EndIgnored, echo_bytes: beyond::end_ignored;
    "20" "offer-with-parameters-declined" OfferDeclined, agree: |offers| if offers == "permessage-deflate" { (MY_SERVER.agree)(offers) } else { None };
    "20" "first-offer-alone" OfferDeclined, agree: |offers| (MY_SERVER.agree)(offers.split(',').next().unwrap_or(""));
    "20" "any-parameter" ParameterTaken, agree: |offers| beyond::agree_if(offers.contains("permessage-deflate"));
    "20" "name-by-prefix" NotThisExtension, agree: |offers| if offers == "permessage-deflated" { beyond::agree_if(true) } else { (MY_SERVER.agree)(offers) };
    "20" "offer-echoed" OfferEchoed, agree: |offers| (MY_SERVER.agree)(offers).map(|reply| format!("{reply}; client_max_window_bits=15"));
    "20" "takeover-allowed" TakeoverAllowed, agree: |offers| (MY_SERVER.agree)(offers).map(|_| "permessage-deflate".to_owned());
    "20" "rsv1-refused" Rsv1Refused, take_deflated: |buffer, limit| Ok((MY_SERVER.take_frame)(buffer, limit)?.map(|frame| (frame, false)));
    "20" "rsv1-removed" Rsv1Removed, take_deflated: |buffer, limit| beyond::clears_rsv1(buffer, limit, |_| true);
    "20" "rsv1-never-told" Rsv1Read, take_deflated: |buffer, limit| Ok((MY_SERVER.take_deflated)(buffer, limit)?.map(|(frame, _)| (frame, false)));
    "20" "rsv1-on-a-continuation" Rsv1OnContinuation, take_deflated: |buffer, limit| beyond::clears_rsv1(buffer, limit, |first| first & 0x0F == 0);
    "20" "rsv1-on-a-ping" Rsv1OnControl, take_deflated: |buffer, limit| beyond::clears_rsv1(buffer, limit, |first| first & 0x08 != 0);
    "20" "all-rsv-bits" OtherRsvTaken, take_deflated: beyond::all_rsv_bits;
    "20" "not-inflated" NotInflated, inflate_message: |payload, _| Ok(payload.to_vec());
    "20" "first-piece" FirstPieceOnly, inflate_message: |payload, limit| (MY_SERVER.inflate_message)(payload, limit).map(|bytes| bytes[..bytes.len().min(100)].to_vec());
    "20" "tail-forgotten" TailForgotten, inflate_message: beyond::tail_forgotten;
    "20" "compressed-counted" CompressedCounted, inflate_message: |payload, limit| if payload.len() < 10 { (MY_SERVER.inflate_message)(payload, limit) } else { Err(1009) };
    "20" "bad-data-1002" BadDeflate, inflate_message: |payload, limit| (MY_SERVER.inflate_message)(payload, limit).map_err(|code| if code == 1007 { 1002 } else { code });
    "20" "limit-afterwards" InflatedBeforeAsked, inflate_message: beyond::limit_afterwards;
    "20" "no-limit" InflatedUnbounded, inflate_message: |payload, _| (MY_SERVER.inflate_message)(payload, usize::MAX);
    "21" "not-masked" ClientNotMasked, mask_frame: |opcode, payload, _| (MY_SERVER.encode_frame)(opcode, payload);
    "21" "key-and-plain-text" KeyWithoutMasking, mask_frame: |opcode, payload, key| { let mut frame = (MY_SERVER.mask_frame)(opcode, payload, key); let start = frame.len() - payload.len(); frame[start..].copy_from_slice(payload); frame };
    "21" "no-key" KeyNotSent, mask_frame: |opcode, payload, key| { let mut frame = (MY_SERVER.mask_frame)(opcode, payload, key); let start = frame.len() - payload.len(); frame.drain(start - 4..start); frame };
    "21" "no-version" RequestIncomplete, open: |stream, _, path| beyond::open(stream, path, beyond::KEY, Asks::All);
    "21" "key-of-the-rfc" ClientKey, open: |stream, host, path| beyond::open(stream, path, &format!("{}\r\nHost: {host}\r\nSec-WebSocket-Version: 13", beyond::KEY), Asks::All);
    "21" "key-of-eight-bytes" ClientKey, open: |stream, host, path| beyond::open(stream, path, &format!("AAECAwQFBgc=\r\nHost: {host}\r\nSec-WebSocket-Version: 13"), Asks::All);
    "21" "names-with-case" GoodReplyRefused, open: |stream, host, path| beyond::open(stream, path, &beyond::random_key(host), Asks::WithCase);
    "21" "accept-not-verified" AcceptNotVerified, open: |stream, host, path| beyond::open(stream, path, &beyond::random_key(host), Asks::Status);
    "21" "status-not-asked" StatusNotAsked, open: |stream, host, path| beyond::open(stream, path, &beyond::random_key(host), Asks::Accept);
    "21" "upgrade-not-asked" ReplyHeaderNotAsked, open: |stream, host, path| beyond::open(stream, path, &beyond::random_key(host), Asks::StatusAndAccept);
    "21" "same-key-always" KeyNotRandom, say: |stream, buffer, text| beyond::say(stream, buffer, text, true);
    "21" "masked-accepted" MaskedAccepted, say: |stream, buffer, text| beyond::say(stream, buffer, text, false);
    "01" "the-example-alone" KeyOfTheExample, accept_key: |_| (MY_SERVER.accept_key)("dGhlIHNhbXBsZSBub25jZQ==");
    "01" "url-alphabet" OtherBase64, accept_key: |key| (MY_SERVER.accept_key)(key).replace('+', "-").replace('/', "_");
    "02" "path-without-slash" PathChanged, parse_request: |bytes| handshake::change_request(bytes, |request| request.path = request.path.trim_start_matches('/').to_owned());
    "02" "headers-lost" HeadersLost, parse_request: |bytes| handshake::change_request(bytes, |request| drop(request.headers.pop()));
    "02" "last-colon" LastColon, parse_request: handshake::last_colon;
    "02" "two-words" WordsNotCounted, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("GET /chat\r", "GET /chat HTTP/1.1\r"));
    "02" "split-whitespace" SpacesSkipped, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("GET  /", "GET /"));
    "02" "http-1-2" VersionOfHttp, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("HTTP/1.2", "HTTP/1.1"));
    "02" "http-prefix" VersionOfHttp, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("HTTP/1.10", "HTTP/1.1"));
    "02" "any-http" VersionOfHttp, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("HTTP/1.0", "HTTP/1.1"));
    "02" "any-method" MethodNotAsked, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("POST /", "GET /"));
    "02" "method-by-prefix" MethodNotAsked, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("GETS", "GET"));
    "02" "no-colon" ColonNotAsked, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("Upgrade websocket", "Upgrade: websocket"));
    "02" "host-by-suffix" HostInPart, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("X-Host", "Host"));
    "02" "host-by-prefix" HostInPart, parse_request: |bytes| handshake::change_head(bytes, |head| head.replace("Hosts", "Host"));
    "02" "always-400" OtherStatus, parse_request: |bytes| match (MY_SERVER.parse_request)(bytes) { Head::Refused(405) => Head::Refused(400), head => head };
    "02" "waits-after-a-refusal" WholeHeadNotTaken, parse_request: |bytes| match (MY_SERVER.parse_request)(bytes) { Head::Refused(400) => Head::Incomplete, head => head };
    "02" "limit-without-blank-line" HeadLimit, parse_request: |bytes| handshake::limit_of(bytes, 8192 + 4);
    "02" "limit-exclusive" HeadLimit, parse_request: |bytes| handshake::limit_of(bytes, 8191);
    "02" "limit-of-8000" HeadLimit, parse_request: |bytes| handshake::limit_of(bytes, 8000);
    "02" "limit-awaited" HeadLimit, parse_request: |bytes| if bytes.len() == 8193 && !bytes.ends_with(b"\n") { Head::Incomplete } else { (MY_SERVER.parse_request)(bytes) };
    "02" "long-head-awaited" LongHeadAwaited, parse_request: |bytes| match (MY_SERVER.parse_request)(bytes) { Head::Refused(431) => Head::Incomplete, head => head };
    "02" "value-not-trimmed" ValueNotTrimmed, parse_request: handshake::value_not_trimmed;
    "02" "value-cut-at-colon" ValueCutAtColon, parse_request: handshake::value_cut_at_colon;
    "02" "bare-newline" BareNewline, parse_request: handshake::bare_newline;
    "02" "no-blank-line" HeadWithoutBlankLine, parse_request: handshake::no_blank_line;
    "02" "frames-swallowed" HeadSwallowsFrames, parse_request: handshake::frames_swallowed;
    "02" "a-panic" IndexPanics, parse_request: handshake::panics;
    "02" "a-length-below-zero" CalculationPanics, parse_request: handshake::length_below_zero;
    "02" "for-ever" LoopsForEver, parse_request: handshake::for_ever;
    "02" "space-expected" SpaceExpected, parse_request: handshake::space_expected;
    "02" "names-in-lower-case" NamesChanged, parse_request: handshake::names_in_lower_case;
    "02" "query-cut" QueryCut, parse_request: handshake::query_cut;
    "02" "words-not-counted" WordsNotCounted, parse_request: handshake::words_not_counted;
    "02" "method-in-any-case" MethodInAnyCase, parse_request: handshake::method_in_any_case;
    "02" "blank-line-as-a-header" GoodHeadRefused, parse_request: handshake::blank_line_as_a_header;
    "02" "lines-of-both-kinds" BareNewline, parse_request: handshake::lines_of_both_kinds;
    "02" "two-bare-newlines" EndsAtBareNewlines, parse_request: handshake::two_bare_newlines;
    "02" "blank-line-not-counted" LengthWithoutBlankLine, parse_request: handshake::blank_line_not_counted;
    "02" "frames-read-as-text" FramesReadAsText, parse_request: handshake::frames_read_as_text;
    "02" "end-at-the-end" HeadEndAtTheEnd, parse_request: handshake::end_at_the_end;
    "02" "last-blank-line" HeadSwallowsFrames, parse_request: handshake::last_blank_line;
    "02" "limit-first" LimitBeforeEnd, parse_request: handshake::limit_first;
    "02" "host-not-asked" HostNotAsked, parse_request: handshake::host_not_asked;
    "02" "host-with-case" NamesWithCase, parse_request: handshake::host_with_case;
    "02" "counted-in-repaired-text" CountedInRepairedText, parse_request: handshake::counted_in_repaired_text;
    "02" "long-head" LongHeadAccepted, parse_request: handshake::long_head;
    "03" "connection-compared-whole" ConnectionNotAList, answer: handshake::connection_compared_whole;
    "03" "upgrade-compared-whole" UpgradeNotAList, answer: handshake::upgrade_compared_whole;
    "03" "first-element-only" OneElementOnly, answer: |request| handshake::one_element(request, |value| value.split(',').next());
    "03" "last-element-only" OneElementOnly, answer: |request| handshake::one_element(request, |value| value.split(',').next_back());
    "03" "elements-not-trimmed" ElementNotTrimmed, answer: handshake::elements_not_trimmed;
    "03" "comma-and-space" CommaAndSpace, answer: handshake::comma_and_space;
    "03" "first-header-only" OneHeaderOnly, answer: handshake::first_header_only;
    "03" "last-header-only" OneHeaderOnly, answer: handshake::last_header_only;
    "03" "names-with-case" NamesWithCase, answer: handshake::names_with_case;
    "03" "tokens-with-case" TokenWithCase, answer: handshake::tokens_with_case;
    "03" "half-a-token" HalfToken, answer: handshake::half_a_token;
    "03" "half-of-websocket" HalfToken, answer: handshake::half_of_websocket;
    "03" "key-not-measured" KeyNotMeasured, answer: |request| handshake::any_key_that(request, handshake::is_base64);
    "03" "key-first" OrderOfChecks, answer: |request| handshake::asks_first(request, "Sec-WebSocket-Key", 400);
    "03" "version-first" OrderOfChecks, answer: |request| handshake::asks_first(request, "Sec-WebSocket-Version", 426);
    "03" "version-at-least" VersionCompared, answer: |request| handshake::any_version_that(request, |version| version >= 13);
    "03" "version-at-most" VersionCompared, answer: |request| handshake::any_version_that(request, |version| version <= 13);
    "03" "version-by-prefix" HalfToken, answer: |request| handshake::a_part_is_enough(request, "Sec-WebSocket-Version", "13");
    "03" "connection-not-asked" UpgradeNotAsked, answer: handshake::connection_not_asked;
    "03" "good-request-refused" GoodRequestRefused, answer: |_| Err(400);
    "03" "status-200" ReplyStatus, answer: |request| (MY_SERVER.answer)(request).map(|reply| reply.replace("101 Switching Protocols", "200 OK"));
    "03" "no-connection-header" ReplyHeaders, answer: |request| (MY_SERVER.answer)(request).map(|reply| reply.replace("Connection: Upgrade\r\n", ""));
    "03" "accept-of-the-host" AcceptWrong, answer: |request| (MY_SERVER.answer)(request).map(|reply| reply.replace("s3pPLMBiTxaQ9kYGzzhZRbK", "Kfh9QIsMVZcl6xEPYxPHzW8"));
    "03" "key-in-any-text" KeyNotDecoded, answer: |request| handshake::any_key_that(request, |key| !key.is_empty());
    "03" "key-of-24-characters" KeyInCharacters, answer: |request| handshake::any_key_that(request, |key| key.len() == 24);
    "03" "part-of-the-version" HalfToken, answer: handshake::part_of_the_version;
    "03" "extension-promised" ExtensionPromised, answer: handshake::extension_promised;
    "03" "subprotocol-promised" SubprotocolPromised, answer: handshake::subprotocol_promised;
    "03" "bare-newlines" ReplyBareNewline, answer: |request| (MY_SERVER.answer)(request).map(|reply| reply.replace('\r', ""));
    "03" "indented" ReplyIndented, answer: handshake::indented;
    "03" "no-space-behind-the-number" StatusWithoutSpace, answer: |request| (MY_SERVER.answer)(request).map(|reply| reply.replace(" Switching Protocols", ""));
    "03" "no-blank-line" NoBlankLineInReply, answer: |request| (MY_SERVER.answer)(request).map(|reply| reply.trim_end().to_owned());
    "04" "refusal-with-bare-newlines" ReplyBareNewline, shake_hands: handshake::refusal_with_bare_newlines;
    "04" "one-bare-newline" ReplyBareNewline, shake_hands: handshake::refusal_with_one_bare_newline;
    "04" "always-400" OtherStatus, shake_hands: handshake::refuses_with_400;
    "04" "status-101-ok" ReplyStatus, shake_hands: handshake::status_200;
    "04" "refused-and-kept" RefusedAndKept, shake_hands: handshake::refused_and_kept;
    "04" "one-array" OneReadOneRequest, shake_hands: handshake::one_array;
    "13" "patience-of-its-own" PatienceIgnored, hang_up: |stream, _| (MY_SERVER.hang_up)(stream, Duration::from_millis(80));
    "14" "close-timeout-of-its-own" HangsUpTooSoon, serve_client: |stream, settings| life::serve(stream, &Settings { close_timeout: Duration::from_millis(50), ..settings.clone() }, Slip::None);
    "14" "close-timeout-for-ever" CloseTimeoutIgnored, serve_client: |stream, settings| life::serve(stream, &Settings { close_timeout: Duration::from_secs(600), ..settings.clone() }, Slip::None);
    "14" "limit-of-its-own" MaxMessageIgnored, serve_client: |stream, settings| life::serve(stream, &Settings { max_message: 1 << 24, ..settings.clone() }, Slip::None);
    "14" "limit-for-frames-alone" MaxMessageIgnored, serve_client: |stream, settings| life::serve(stream, settings, Slip::NoMessageLimit);
    "14" "limit-for-messages-alone" MaxMessageIgnored, serve_client: |stream, settings| life::serve(stream, settings, Slip::NoFrameLimit);
    "14" "panics-at-a-ping" Panics, serve_client: |stream, settings| life::serve(stream, settings, Slip::PanicsAtAPing);
    "04" "read-to-the-end" ReadToEndOfStream, shake_hands: handshake::read_to_the_end;
    "04" "one-read" OneReadOneRequest, shake_hands: handshake::one_read;
    "04" "rest-dropped" FrameBehindHeadLost, shake_hands: handshake::rest_dropped;
    "04" "head-in-the-rest" HeadInRest, shake_hands: handshake::head_in_the_rest;
    "04" "whole-array" WholeArrayTaken, shake_hands: handshake::whole_array;
    "04" "end-ignored" EndIgnored, shake_hands: handshake::end_ignored;
    "04" "no-reply" Hangs, shake_hands: handshake::no_reply;
    "04" "refusal-not-written" NoReply, shake_hands: handshake::refusal_not_written;
    "04" "refusal-without-blank-line" NoBlankLineInReply, shake_hands: handshake::refusal_without_blank_line;
    "04" "refusal-without-space" StatusWithoutSpace, shake_hands: handshake::refusal_without_space;
    "04" "upgrade-not-named" UpgradeNotNamed, shake_hands: handshake::upgrade_not_named;
    "04" "upgrade-not-in-connection" UpgradeNotInConnection, shake_hands: handshake::upgrade_not_in_connection;
    "04" "version-not-named" VersionNotNamed, shake_hands: handshake::version_not_named;
    "04" "no-allow" AllowMissing, shake_hands: handshake::no_allow;
    "04" "bytes-behind-the-reply" BytesBehindReply, shake_hands: handshake::bytes_behind_the_reply;
    "05" "marker-as-length" LengthMarker, decode_header: frames::marker_as_length;
    "05" "marker-and-nothing-behind-it" LengthMarker, decode_header: frames::marker_and_nothing_behind_it;
    "05" "little-endian" LengthLittleEndian, decode_header: frames::little_endian;
    "05" "boundary" LengthBoundary, decode_header: frames::boundary;
    "05" "signed" LengthSigned, decode_header: frames::signed;
    "05" "four-bytes-of-eight" LengthWidth, decode_header: frames::four_bytes_of_eight;
    "05" "cut-to-32-bits" LengthWidth, decode_header: |bytes| frames::change(bytes, |header| header.length &= 0xFFFF_FFFF);
    "05" "last-four-of-eight" LengthWidth, decode_header: frames::last_four_of_eight;
    "05" "two-bytes-of-eight" LengthWidth, decode_header: frames::two_bytes_of_eight;
    "05" "a-byte-too-early" LengthPlace, decode_header: frames::a_byte_too_early;
    "05" "fin-turned-round" FinBit, decode_header: |bytes| frames::change(bytes, |header| header.fin = !header.fin);
    "05" "three-bits-of-opcode" OpcodeBits, decode_header: |bytes| frames::change(bytes, |header| header.opcode &= 0x07);
    "05" "mask-bit-in-the-length" MaskBitInLength, decode_header: |bytes| frames::change(bytes, |header| header.length = u64::from(bytes[1]));
    "05" "fin-in-the-opcode" OpcodeBits, decode_header: |bytes| frames::change(bytes, |header| header.opcode = bytes[0]);
    "05" "key-counted" KeyInHeaderSize, decode_header: |bytes| frames::change(bytes, |header| header.size += 4);
    "05" "waits-for-the-key" HeaderTooPatient, decode_header: frames::waits_for_the_key;
    "05" "continuation-refused" KnownRefused, decode_header: frames::continuation_refused;
    "05" "mask-asked" MaskAskedInHeader, decode_header: frames::mask_asked;
    "05" "too-eager" HeaderTooEager, decode_header: frames::too_eager;
    "05" "reserved-accepted" ReservedAccepted, decode_header: frames::reserved_accepted;
    "05" "control-rules" ControlRules, decode_header: frames::control_rules;
    "05" "not-minimal" LengthNotMinimal, decode_header: frames::not_minimal;
    "05" "top-bit-accepted" LengthTopBit, decode_header: frames::top_bit_accepted;
    "05" "marker-taken-twice" MarkerTakenTwice, decode_header: |bytes| frames::marker_taken_twice(bytes, || Ok(None));
    "05" "marker-taken-twice-unasked" MarkerTakenTwice, decode_header: |bytes| {
        frames::marker_taken_twice(bytes, || panic!("range end index 10 out of range for slice of length 4"))
    };
    "05" "shift-of-a-sum" ShiftTooFar, decode_header: frames::shift_of_a_sum;
    "06" "copy-unmasked" NothingUnmasked, unmask: |payload, key| (MY_SERVER.unmask)(&mut payload.to_vec(), key);
    "06" "groups-of-four" LastBytesMasked, unmask: |payload, key| { let whole = payload.len() / 4 * 4; (MY_SERVER.unmask)(&mut payload[..whole], key); };
    "06" "first-four-only" FourBytesOnly, unmask: |payload, key| { let four = payload.len().min(4); (MY_SERVER.unmask)(&mut payload[..four], key); };
    "06" "key-from-its-end" KeyReversed, unmask: |payload, mut key| { key.reverse(); (MY_SERVER.unmask)(payload, key); };
    "06" "first-byte-of-the-key" OneByteOfTheKey, unmask: |payload, key| (MY_SERVER.unmask)(payload, [key[0]; 4]);
    "06" "key-indexed-past-its-end" KeyIndexPanics, unmask: |payload, key| for (i, byte) in payload.iter_mut().enumerate() { *byte ^= key[i] };
    "06" "always-text" OpcodeNotWritten, encode_frame: |_, payload| (MY_SERVER.encode_frame)(TEXT, payload);
    "06" "no-long-forms" LongFormMissing, encode_frame: |opcode, payload| [&[0x80 | opcode, payload.len() as u8 & 0x7F], payload].concat();
    "06" "no-form-of-eight" LongFormMissing, encode_frame: frames::no_form_of_eight;
    "06" "payload-from-its-end" PayloadNotWhole, encode_frame: |opcode, payload| {
        let mut frame = (MY_SERVER.encode_frame)(opcode, payload);
        let start = frame.len() - payload.len();
        if payload.len() > 126 { frame[start..].reverse(); }
        frame
    };
    "07" "no-mask-asked" UnmaskedAccepted, take_frame: frames::no_mask_asked;
    "07" "first-key-for-all" KeyOfAnotherFrame, take_frame: frames::key_of_the_example;
    "08" "end-as-a-close" EndIsNoClose, read_frame: |stream, buffer, limit| frames::end_as(stream, buffer, limit, || Err(Failure::Close(1006)));
    "08" "end-as-an-error" EndIsNoError, read_frame: |stream, buffer, limit| frames::end_as(stream, buffer, limit, || Err(Failure::Io(ErrorKind::UnexpectedEof.into())));
    "08" "fault-as-the-end" CodeNotPassedOn, read_frame: |stream, buffer, limit| match (MY_SERVER.read_frame)(stream, buffer, limit) {
        Err(Failure::Close(_)) => Ok(None),
        read => read,
    };
    "08" "one-array" OneReadOneFrame, read_frame: frames::one_array;
    "06" "index-from-the-header" MaskIndex, unmask: frames::index_from_the_header;
    "06" "reply-masked" ReplyMasked, encode_frame: frames::reply_masked;
    "06" "fin-missing" FinMissing, encode_frame: frames::fin_missing;
    "06" "little-endian" LengthLittleEndian, encode_frame: frames::encoded_little_endian;
    "06" "boundary" LengthBoundary, encode_frame: frames::encoded_boundary;
    "06" "length-in-four-bytes" LengthWidth, encode_frame: frames::length_in_four_bytes;
    "06" "always-two-bytes" LengthNotShort, encode_frame: frames::always_two_bytes;
    "06" "no-payload" PayloadForgotten, encode_frame: |opcode, payload| (MY_SERVER.encode_frame)(opcode, payload).drain(..2).collect();
    "07" "half-a-frame" HalfFrameTaken, take_frame: frames::half_a_frame;
    "07" "part-dropped" BufferTouched, take_frame: frames::part_dropped;
    "07" "rest-dropped" LeftoverDropped, take_frame: frames::rest_dropped;
    "07" "not-removed" FrameNotRemoved, take_frame: |buffer, limit| (MY_SERVER.take_frame)(&mut buffer.clone(), limit);
    "07" "key-not-removed" KeyNotRemoved, take_frame: |buffer, limit| frames::removes(buffer, limit, |whole, _| whole - 4);
    "07" "payload-not-removed" PartNotRemoved, take_frame: |buffer, limit| frames::removes(buffer, limit, |whole, payload| whole - payload);
    "07" "payload-at-the-key" PayloadAtKey, take_frame: frames::payload_at_the_key;
    "07" "payload-to-the-end" PayloadToTheEnd, take_frame: frames::payload_to_the_end;
    "07" "header-of-two-bytes" HeaderSizeFixed, take_frame: frames::header_of_two_bytes;
    "07" "one-byte-more" WholeNotTaken, take_frame: frames::one_byte_more;
    "07" "not-unmasked" NotUnmasked, take_frame: frames::not_unmasked;
    "07" "fin-not-copied" HeaderNotCopied, take_frame: frames::fin_not_copied;
    "07" "index-goes-on" MaskIndex, take_frame: frames::index_goes_on;
    "07" "unmasked-accepted" UnmaskedAccepted, take_frame: frames::unmasked_accepted;
    "07" "unmasked-told-late" UnmaskedLate, take_frame: frames::unmasked_told_late;
    "08" "one-read" OneReadOneFrame, read_frame: frames::one_read;
    "08" "read-exact" PartialLost, read_frame: frames::read_exact;
    "08" "fresh-buffer" LeftoverDropped, read_frame: frames::fresh_buffer;
    "08" "reads-first" ReadBeforeBuffer, read_frame: frames::reads_first;
    "08" "whole-array" WholeArrayTaken, read_frame: frames::whole_array;
    "08" "timeout-is-the-end" TimeoutIsEnd, read_frame: frames::timeout_is_the_end;
    "08" "timeout-swallowed" TimeoutSwallowed, read_frame: frames::timeout_swallowed;
    "08" "end-ignored" EndIgnored, read_frame: frames::end_ignored;
    "09" "empty-pong" PongEmpty, answer_ping: |frame| (MY_SERVER.answer_ping)(frame).map(|_| vec![0x8A, 0]);
    "09" "pong-to-a-pong" PongToPong, answer_ping: |frame| (frame.opcode >= 9).then(|| messages::pong(&frame.payload));
    "09" "no-pong" PingUnanswered, answer_ping: |_| None;
    "09" "ping-for-a-ping" PongIsPing, answer_ping: messages::ping_for_a_ping;
    "09" "fin-missing" FinMissing, answer_ping: |frame| (frame.opcode == PING).then(|| frames::fin_missing(PONG, &frame.payload));
    "09" "answers-all-but-a-pong" PongToOther, answer_ping: |frame| (frame.opcode != PONG).then(|| messages::pong(&frame.payload));
    "10" "always-text" OpcodeOfContinuation, assembler: messages::always_text;
    "10" "ping-refused" PingRefused, assembler: messages::ping_refused;
    "10" "never-complete" WholeMessageKept, assembler: |_| Box::new(|_| Ok(None));
    "10" "fin-not-asked" FinNotAsked, assembler: messages::fin_not_asked;
    "10" "last-fragment-ignored" LastFragmentIgnored, assembler: |limit| messages::continuation_is(limit, Ok(None));
    "10" "continuation-refused" GoodFragmentRefused, assembler: |limit| messages::continuation_is(limit, Err(1002));
    "11" "code-1002" TextCode, check_text: |payload| (MY_SERVER.check_text)(payload).map_err(|_| 1002);
    "11" "code-1003" TextCode, assembler: |limit| messages::simple(limit, |opcode, payload| if opcode == TEXT { (MY_SERVER.check_text)(payload).map_err(|_| 1003) } else { Ok(()) });
    "12" "so-far-ignored" SoFarIgnored, check_size: |_, more, limit| (MY_SERVER.check_size)(0, more, limit);
    "12" "limit-of-its-own" LimitIgnored, check_size: |so_far, more, _| (MY_SERVER.check_size)(so_far, more, 16 << 20);
    "12" "code-1002" SizeCode, check_size: |so_far, more, limit| (MY_SERVER.check_size)(so_far, more, limit).map_err(|_| 1002);
    "12" "limit-not-handed-on" LimitNotHandedOn, read_frame: |stream, buffer, _| (MY_SERVER.read_frame)(stream, buffer, 16 << 20);
    "10" "ping-spliced" PingSpliced, assembler: messages::ping_spliced;
    "10" "ping-ends-the-message" PingEndsMessage, assembler: messages::ping_ends_the_message;
    "10" "nothing-continued" NothingToContinue, assembler: messages::nothing_continued;
    "10" "message-inside-message" MessageInsideMessage, assembler: messages::message_inside_message;
    "10" "opcode-of-the-last" OpcodeOfContinuation, assembler: messages::opcode_of_the_last;
    "10" "not-reset" MessageNotReset, assembler: messages::not_reset;
    "10" "still-open" MessageNotReset, assembler: messages::still_open;
    "10" "empty-is-not-open" EmptyIsOpen, assembler: messages::empty_is_not_open;
    "10" "empty-then-nothing" EmptyIsOpen, assembler: messages::empty_then_nothing;
    "10" "first-fragment-lost" FirstFragmentLost, assembler: messages::first_fragment_lost;
    "10" "binary-checked" BinaryChecked, assembler: |limit| messages::simple(limit, |_, payload| (MY_SERVER.check_text)(payload));
    "11" "checked-per-frame" Utf8PerFrame, assembler: messages::checked_per_frame;
    "11" "not-called" CheckTextNotCalled, assembler: |limit| messages::simple(limit, |_, _| Ok(()));
    "11" "not-checked" InvalidUtf8Accepted, check_text: |_| Ok(());
    "11" "whole-messages-only" LastOpcodeAsked, assembler: messages::whole_messages_only;
    "11" "binary-checked" BinaryChecked, assembler: |limit| messages::simple(limit, |_, payload| (MY_SERVER.check_text)(payload));
    "11" "repaired" TextRepaired, assembler: messages::repaired;
    "12" "announced-believed" AnnouncedBelieved, take_frame: |buffer, _| (MY_SERVER.take_frame)(buffer, usize::MAX);
    "12" "fragments-unbounded" FragmentsUnbounded, assembler: |_| (MY_SERVER.assembler)(usize::MAX);
    "12" "sum-overflows" SumOverflows, check_size: |so_far, more, limit| {
        // A debug build, which learners run, does this with `so_far + more`.
        let sum = so_far.checked_add(more as usize).expect("attempt to add with overflow");
        if sum > limit { Err(1009) } else { Ok(()) }
    };
    "12" "length-cast" SumOverflows, check_size: |so_far, more, limit| if more as u32 as usize > limit - so_far { Err(1009) } else { Ok(()) };
    "12" "limit-exclusive" LimitExclusive, check_size: |so_far, more, limit| {
        if more >= (limit - so_far) as u64 { Err(1009) } else { Ok(()) }
    };
    "12" "limit-exclusive-for-a-frame" LimitExclusive, take_frame: |buffer, limit| (MY_SERVER.take_frame)(buffer, limit - 1);
    "12" "limit-exclusive-for-a-message" LimitExclusive, assembler: |limit| (MY_SERVER.assembler)(limit - 1);
    "12" "control-counted" ControlCounted, assembler: messages::control_counted;
    "12" "added-before-asked" MoreThanLimit, assembler: messages::added_before_asked;
    "12" "buffer-counted" MoreThanLimit, take_frame: messages::buffer_counted;
    "13" "empty-close-as-1005" EmptyCloseGotCode, answer_close: messages::empty_close_as_1005;
    "13" "any-code-echoed" CodeNeverSent, answer_close: |payload| payload.to_vec();
    "13" "unknown-code-echoed" BadCodeEchoed, answer_close: messages::unknown_code_echoed;
    "13" "reason-not-checked" ReasonNotChecked, answer_close: messages::reason_not_checked;
    "13" "half-a-code-as-empty" HalfACode, answer_close: |payload| (MY_SERVER.answer_close)(if payload.len() == 1 { b"" } else { payload });
    "13" "reason-as-1002" ReasonCode, answer_close: messages::reason_as_1002;
    "13" "a-whole-frame" FrameForPayload, answer_close: |payload| (MY_SERVER.encode_frame)(CLOSE, &(MY_SERVER.answer_close)(payload));
    "13" "empty-close-as-1000" EmptyCloseGotCode, answer_close: |payload| (MY_SERVER.answer_close)(if payload.is_empty() { b"\x03\xE8" } else { payload });
    "13" "young-codes-refused" GoodCodeRefused, answer_close: messages::young_codes_refused;
    "13" "written-little-endian" CodeLittleEndian, answer_close: |payload| (MY_SERVER.answer_close)(payload).into_iter().rev().collect();
    "13" "read-little-endian" CodeLittleEndian, answer_close: messages::read_little_endian;
    "13" "dropped-at-once" CloseDestroyed, hang_up: |stream, _| drop(stream);
    "13" "not-drained" CloseDestroyed, hang_up: |stream, _| drop(stream.shutdown(std::net::Shutdown::Write));
    "13" "end-not-sent" EndNotSent, hang_up: messages::end_not_sent;
    "13" "drained-for-ever" DrainForever, hang_up: messages::drained_for_ever;
    "13" "timeout-for-each-read" DrainTimeoutAnew, hang_up: messages::timeout_for_each_read;
    "13" "nothing-left-ignored" ZeroTimeout, hang_up: messages::nothing_left_ignored;
    "13" "nothing-left-unwrapped" ZeroTimeout, hang_up: messages::nothing_left_unwrapped;
    "13" "end-ignored" DrainSpins, hang_up: messages::drain_spins;
    "14" "no-close-in-reply" NoCloseReply, serve_client: |stream, settings| meddler::serve(stream, settings, meddler::without(0x88));
    "14" "no-pong" PingUnanswered, serve_client: |stream, settings| meddler::serve(stream, settings, meddler::without(0x8A));
    "14" "fault-without-a-close" NoCloseForFault, serve_client: |stream, settings| meddler::serve(stream, settings, meddler::without_fault_codes);
    "14" "reply-masked" ReplyMasked, serve_client: |stream, settings| meddler::serve(stream, settings, meddler::masked);
    "14" "text-behind-the-close" SentBehindClose, serve_client: |stream, settings| meddler::serve(stream, settings, meddler::talks_on);
    "14" "reads-behind-the-close" ReadsBehindClose, serve_client: |stream, settings| life::serve(stream, settings, Slip::ReadsBehindClose);
    "14" "fault-ignored" FaultIgnored, serve_client: |stream, settings| life::serve(stream, settings, Slip::FaultIgnored);
    "14" "always-1002" FaultCode, serve_client: |stream, settings| life::serve(stream, settings, Slip::Always1002);
    "14" "little-endian" CodeLittleEndian, serve_client: |stream, settings| life::serve(stream, settings, Slip::LittleEndian);
    "14" "refusal-dropped" RefusalDestroyed, serve_client: |stream, settings| life::serve(stream, settings, Slip::RefusalDropped);
    "14" "dropped-after-a-fault" CloseDestroyed, serve_client: |stream, settings| life::serve(stream, settings, Slip::DroppedAfterAFault);
    "14" "always-text" OpcodeNotKept, serve_client: |stream, settings| life::serve(stream, settings, Slip::AlwaysText);
    "14" "assembler-anew" AssemblerAnew, serve_client: |stream, settings| life::serve(stream, settings, Slip::AssemblerAnew);
    "14" "buffer-anew" LeftoverDropped, serve_client: |stream, settings| life::serve(stream, settings, Slip::BufferAnew);
    "14" "empty-buffer" FrameBehindHeadLost, serve_client: |stream, settings| life::serve(stream, settings, Slip::EmptyBuffer);
    "14" "empty-close-as-1000" EmptyCloseGotCode, serve_client: |stream, settings| life::serve(stream, settings, Slip::EmptyCloseAs1000);
    "14" "end-of-client-ignored" EndOfClientIgnored, serve_client: |stream, settings| life::serve(stream, settings, Slip::EndIgnored);
    "14" "close-payload-echoed" BadCodeEchoed, serve_client: |stream, settings| life::serve(stream, settings, Slip::ClosePayloadEchoed);
    "14" "unwraps-reads" Panics, serve_client: |stream, settings| life::serve(stream, settings, Slip::UnwrapsReads);
    "14" "unwraps" UnwrapPanics, serve_client: |stream, settings| life::serve(stream, settings, Slip::Unwraps);
    "14" "unwraps-writes" WriteUnwrapped, serve_client: |stream, settings| life::serve(stream, settings, Slip::UnwrapsWrites);
    "15" "watch-before-the-loop" NeverAccepts, run: clients::never_accepts;
    "15" "one-after-the-other" OneAfterTheOther, run: clients::one_after_the_other;
    "15" "one-ends-all" OneEndsAll, run: clients::one_ends_all;
    "15" "run-returns" RunReturns, run: |listener, settings| drop(std::thread::spawn(|| (MY_SERVER.run)(listener, settings)));
    "16" "prefix-in-broadcast" PathPrefix, registry: || chat::registry(Flaw::PrefixInBroadcast);
    "16" "prefix-to-the-room" PathPrefix, registry: || chat::registry(Flaw::PrefixToTheRoom);
    "16" "suffix-in-broadcast" PathPrefix, registry: || chat::registry(Flaw::SuffixInBroadcast);
    "16" "case-ignored" PathPrefix, registry: || chat::registry(Flaw::CaseIgnored);
    "16" "hangs-up-for-ever" CloseTimeoutIgnored, registry: || chat::registry(Flaw::HangsUpForEver);
    "17" "watch-deadlock" WatchDeadlock, run: |listener, settings| chat::run(listener, settings, Flaw::WatchDeadlock);
    "17" "watch-leaves-under-its-lock" WatchDeadlock, run: |listener, settings| chat::run(listener, settings, Flaw::WatchLeavesUnderLock);
    "17" "watch-holds-the-list" WatchHoldsList, run: |listener, settings| chat::run(listener, settings, Flaw::WatchHoldsList);
    "17" "whole-seconds" TimesRounded, verdict: |silent, pinged, settings| {
        let whole = |time: Duration| Duration::from_secs(time.as_secs());
        let settings = Settings { ping_interval: whole(settings.ping_interval), pong_timeout: whole(settings.pong_timeout), ..settings.clone() };
        (MY_SERVER.verdict)(whole(silent), pinged.map(whole), &settings)
    };
    "17" "times-swapped" TimesSwapped, verdict: |silent, pinged, settings| {
        (MY_SERVER.verdict)(silent, pinged, &Settings { ping_interval: settings.pong_timeout, pong_timeout: settings.ping_interval, ..settings.clone() })
    };
    "17" "ping-interval-for-both" TimesSwapped, verdict: |silent, pinged, settings| {
        (MY_SERVER.verdict)(silent, pinged, &Settings { pong_timeout: settings.ping_interval, ..settings.clone() })
    };
    "17" "pong-timeout-for-both" TimesSwapped, verdict: |silent, pinged, settings| {
        (MY_SERVER.verdict)(silent, pinged, &Settings { ping_interval: settings.pong_timeout, ..settings.clone() })
    };
    "18" "cast-to-u32" TickOtherText, tick_frame: |number| (MY_SERVER.tick_frame)(u64::from(number as u32));
    "18" "path-by-prefix" TicksOnEveryPath, registry: || ticks::registry(ticks::Flaw::PathPrefix);
    "16" "not-entered" NotListed, registry: || chat::registry(Flaw::NotEntered);
    "16" "not-removed" NeverLeft, registry: || chat::registry(Flaw::NotRemoved);
    "16" "all-removed" WrongOneLeft, registry: || chat::registry(Flaw::AllRemoved);
    "16" "deadlock" Deadlock, registry: || chat::registry(Flaw::Deadlock);
    "16" "every-path" WrongRoom, registry: || chat::registry(Flaw::EveryPath);
    "16" "list-locked" ListLocked, registry: || chat::registry(Flaw::ListLocked);
    "16" "half-a-frame-kept" HalfFrameKept, registry: || chat::registry(Flaw::Kept);
    "16" "fine-one-removed" WrongOneLeft, registry: || chat::registry(Flaw::FineOneRemoved);
    "16" "not-shut-down" NotShutDown, registry: || chat::registry(Flaw::NotShutDown);
    "16" "broadcast-stops" BroadcastStops, registry: || chat::registry(Flaw::BroadcastStops);
    "16" "payload-only" PayloadOnly, registry: || chat::registry(Flaw::PayloadOnly);
    "16" "sent-twice" SentTwice, registry: || chat::registry(Flaw::SentTwice);
    "16" "fault-beside-the-lock" BesideTheLock, registry: || chat::registry(Flaw::FaultBesideTheLock);
    "16" "shut-down-under-lock" Deadlock, registry: || chat::registry(Flaw::ShutDownUnderLock);
    "16" "no-lock" FramesMixed, registry: || chat::registry(Flaw::NoLock);
    "16" "not-joined" NotListed, registry: || chat::registry(Flaw::NotJoined);
    "16" "not-left" NeverLeft, registry: || chat::registry(Flaw::NotLeft);
    "16" "left-after-a-close-only" NeverLeft, registry: || chat::registry(Flaw::LeftAfterACloseOnly);
    "16" "lock-over-read" LockOverRead, registry: || chat::registry(Flaw::LockOverRead);
    "16" "guard-in-the-loop" LockOverRead, registry: || chat::registry(Flaw::GuardInTheLoop);
    "16" "echo-only" NotEverybody, registry: || chat::registry(Flaw::EchoOnly);
    "16" "sender-left-out" NotEverybody, registry: || chat::registry(Flaw::SenderLeftOut);
    "16" "echo-to-everybody" WrongRoom, registry: || chat::registry(Flaw::EchoToEverybody);
    "16" "pong-beside-the-lock" BesideTheLock, registry: || chat::registry(Flaw::PongBesideTheLock);
    "16" "close-beside-the-lock" BesideTheLock, registry: || chat::registry(Flaw::CloseBesideTheLock);
    "16" "no-timeout" SlowHoldsAll, registry: || chat::registry(Flaw::NoTimeout);
    "16" "registry-for-each" RegistryForEach, run: |listener, settings| chat::run(listener, settings, Flaw::RegistryForEach);
    "16" "no-timeout-in-run" SlowHoldsAll, run: |listener, settings| chat::run(listener, settings, Flaw::NoTimeout);
    "16" "left-behind-the-close" LeftTooLate, registry: || chat::registry(Flaw::LeftBehindTheClose);
    "16" "left-behind-hang-up" LeftTooLate, registry: || chat::registry(Flaw::LeftBehindHangUp);
    "16" "unwraps-writes" WriteUnwrapped, registry: || chat::registry(Flaw::UnwrapsWrites);
    "16" "writes-ignored" WriteIgnored, registry: || chat::registry(Flaw::WritesIgnored);
    "16" "path-prefix" PathPrefix, registry: || chat::registry(Flaw::PathPrefix);
    "17" "no-ping" NoPing, run: clients::no_ping;
    "17" "never-dropped" NeverDropped, run: clients::never_dropped;
    "17" "pongs-ignored" LivingDropped, run: clients::pongs_ignored;
    "17" "watch-in-run" WatchEndsAll, run: clients::never_accepts;
    "17" "drop-without-a-ping" DroppedUnasked, verdict: |silent, _, settings| if silent < settings.ping_interval { Verdict::Fine } else { Verdict::Drop };
    "17" "ping-again-and-again" PingAgain, verdict: |silent, _, settings| if silent < settings.ping_interval { Verdict::Fine } else { Verdict::Ping };
    "17" "silence-counted-twice" TooEarly, verdict: |silent, pinged, settings| match pinged {
        _ if silent < settings.ping_interval => Verdict::Fine,
        None => Verdict::Ping,
        Some(_) if silent < settings.ping_interval + settings.pong_timeout => Verdict::Fine,
        Some(_) => Verdict::Drop,
    };
    "17" "times-exclusive" TimeReached, verdict: |silent, pinged, settings| match pinged {
        _ if silent <= settings.ping_interval => Verdict::Fine,
        None => Verdict::Ping,
        Some(since) if since <= settings.pong_timeout => Verdict::Fine,
        Some(_) => Verdict::Drop,
    };
    "17" "heartbeat-ends" HeartbeatEnds, run: |listener, settings| chat::run(listener, settings, Flaw::HeartbeatEnds);
    "17" "dropped-unasked" DroppedUnasked, run: beats::dropped_unasked;
    "17" "two-pings-in-a-silence" PingAgain, run: beats::two_pings;
    "17" "last-heard-never-set" NotHeard, run: beats::never_heard;
    "18" "text-alone" TickNotEncoded, tick_frame: |number| format!("tick {number}").into_bytes();
    "18" "tick-masked" ReplyMasked, tick_frame: |number| meddler::masked((MY_SERVER.tick_frame)(number));
    "18" "fin-missing" FinMissing, tick_frame: |number| frames::fin_missing(TEXT, format!("tick {number}").as_bytes());
    "18" "binary" TickNotText, tick_frame: |number| (MY_SERVER.encode_frame)(BINARY, format!("tick {number}").as_bytes());
    "18" "one-tick" TickOnce, registry: || ticks::registry(ticks::Flaw::Once);
    "18" "not-counted" TickNotCounted, registry: || ticks::registry(ticks::Flaw::NotCounted);
    "18" "no-pause" TickNoPause, registry: || ticks::registry(ticks::Flaw::NoPause);
    "18" "lock-over-the-pause" TickerHoldsLock, registry: || ticks::registry(ticks::Flaw::LockedPause);
    "18" "goes-on" TickerSurvives, registry: || ticks::registry(ticks::Flaw::GoesOn);
    "18" "unwraps-writes" TickUnwrapped, registry: || ticks::registry(ticks::Flaw::Unwraps);
    "18" "close-not-marked" TickAfterClose, registry: || ticks::registry(ticks::Flaw::NotMarked);
    "18" "shut-down-at-the-close" ShutDownAtClose, registry: || ticks::registry(ticks::Flaw::ShutDownAtTheClose);
    "18" "broadcast-shuts-down" ShutDownAtClose, registry: || ticks::registry(ticks::Flaw::BroadcastShutsDown);
    "18" "half-a-frame-kept" FailedWriteKept, registry: || ticks::registry(ticks::Flaw::HalfATick);
    "18" "not-started" TicksNotStarted, registry: || ticks::registry(ticks::Flaw::NotStarted);
    "18" "when-spoken-to" TicksWhenSpokenTo, registry: || ticks::registry(ticks::Flaw::WhenSpokenTo);
    "18" "lock-over-read" LockOverRead, registry: || ticks::registry(ticks::Flaw::LockOverRead);
    "18" "own-thread" TickerInOwnThread, registry: || ticks::registry(ticks::Flaw::OwnThread);
    "18" "in-silence-only" TicksInSilenceOnly, registry: || ticks::registry(ticks::Flaw::InSilenceOnly);
    "18" "to-one-only" TicksToOneOnly, registry: || ticks::registry(ticks::Flaw::ToOneOnly);
    "18" "dies-with-the-first" TickerDiesWithFirst, registry: || ticks::registry(ticks::Flaw::DiesWithTheFirst);
    "18" "every-path" TicksOnEveryPath, registry: || ticks::registry(ticks::Flaw::EveryPath);
    "18" "tries-again" TickerSurvives, registry: || ticks::registry(ticks::Flaw::TriesAgain);
    "18" "close-beside-the-mark" TickAfterClose, registry: || ticks::registry(ticks::Flaw::CloseBesideTheMark);
    "18" "slow-holds-up" SlowHoldsTicks, registry: || ticks::registry(ticks::Flaw::SlowHoldsUp);
    "18" "beside-the-lock" TickBesideTheLock, registry: || ticks::registry(ticks::Flaw::BesideTheLock);
    "18" "own-loop-with-a-clone" TickBesideTheLock, registry: || ticks::registry(ticks::Flaw::OwnLoop);
    "18" "left-out" TicksLost, registry: || ticks::registry(ticks::Flaw::LeftOut);
    "19" "code-1005" EmptyCloseGotCode, run: |listener, settings| meddler::run(listener, settings, meddler::code_1005);
    "19" "reply-masked" ReplyMasked, run: |listener, settings| meddler::run(listener, settings, meddler::masked);
    "00" "full-arrays-alone" EchoFullArray, echo_bytes: slips::echo_of_full_arrays;
    "00" "at-the-end-alone" EchoAtTheEnd, echo_bytes: slips::echo_at_the_end;
    "00" "pool-of-three" FewThreads, echo_bytes: slips::echo_in_a_pool;
    "03" "upgrade-not-asked" UpgradeNotAsked, answer: |request| slips::not_asked(request, "Upgrade", "websocket");
    "03" "any-connection" TokenNotAsked, answer: |request| slips::any_token(request, "Connection", "Upgrade");
    "03" "any-upgrade" TokenNotAsked, answer: |request| slips::any_token(request, "Upgrade", "websocket");
    "03" "connection-by-suffix" HeaderInPart, answer: |request| slips::renamed(request, "Proxy-Connection", "Connection");
    "03" "upgrade-by-prefix" HeaderInPart, answer: |request| slips::renamed(request, "Upgrade-Insecure-Requests", "Upgrade");
    "03" "key-by-prefix" HeaderInPart, answer: |request| slips::renamed(request, "Sec-WebSocket-Key1", "Sec-WebSocket-Key");
    "03" "version-by-suffix" HeaderInPart, answer: |request| slips::renamed(request, "X-Sec-WebSocket-Version", "Sec-WebSocket-Version");
    "03" "elements-trimmed-at-their-start" ElementNotTrimmed, answer: slips::trimmed_at_its_start;
    "03" "first-of-upgrade-only" OneElementOnly, answer: slips::first_of_upgrade_only;
    "03" "key-in-any-text-or-measured" KeyNotDecoded, answer: |request| handshake::any_key_that(request, |key| !key.is_empty() && !handshake::is_base64(key));
    "05" "mask-of-the-first-byte" MaskBit, decode_header: |bytes| frames::change(bytes, |header| header.masked = header.fin);
    "05" "size-always-two" HeaderSizeWrong, decode_header: |bytes| frames::change(bytes, |header| header.size = 2);
    "05" "largest-refused" LargestRefused, decode_header: |bytes| match (MY_SERVER.decode_header)(bytes) { Ok(Some(header)) if header.length == u64::MAX >> 1 => Err(1002), decoded => decoded };
    "05" "code-1003" ProtocolCode, decode_header: |bytes| (MY_SERVER.decode_header)(bytes).map_err(|_| 1003);
    "05" "size-less-one" HeaderSizeWrong, decode_header: |bytes| frames::change(bytes, |header| if header.size > 2 { header.size -= 1 });
    "05" "reserved-with-fin-alone" ReservedAccepted, decode_header: lapses::reserved_with_fin_alone;
    "05" "rsv-of-a-text-alone" ReservedAccepted, decode_header: lapses::rsv_of_a_text_alone;
    "05" "not-minimal-in-fragments" LengthNotMinimal, decode_header: lapses::not_minimal_in_fragments;
    "05" "control-rules-with-a-mask" ControlRules, decode_header: lapses::control_rules_with_a_mask;
    "06" "ends-at-zero" ZeroIsSpecial, unmask: |payload, key| { let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len()); (MY_SERVER.unmask)(&mut payload[..end], key) };
    "06" "zeros-left-out" ZeroIsSpecial, unmask: |payload, key| for (i, byte) in payload.iter_mut().enumerate().filter(|(_, byte)| **byte != 0) { *byte ^= key[i % 4] };
    "06" "at-most-125-unmasked" PartStillMasked, unmask: |payload, key| { let end = payload.len().min(125); (MY_SERVER.unmask)(&mut payload[..end], key) };
    "06" "index-as-i8" MaskIndexCut, unmask: |payload, key| for (i, byte) in payload.iter_mut().enumerate() { *byte ^= key[(i as i8).unsigned_abs() as usize % 4] };
    "06" "index-as-i16" MaskIndexCut, unmask: |payload, key| for (i, byte) in payload.iter_mut().enumerate() { *byte ^= key[(i as i16).unsigned_abs() as usize % 4] };
    "06" "key-of-the-page" KeyOfAnotherFrame, unmask: |payload, _| (MY_SERVER.unmask)(payload, [0x37, 0xFA, 0x21, 0x3D]);
    "06" "payload-cut-to-125" PayloadCut, encode_frame: |opcode, payload| (MY_SERVER.encode_frame)(opcode, &payload[..payload.len().min(125)]);
    "06" "payload-cut-to-65535" PayloadCut, encode_frame: |opcode, payload| (MY_SERVER.encode_frame)(opcode, &payload[..payload.len().min(65535)]);
    "06" "no-close-encoded" OpcodeNotWritten, encode_frame: |opcode, payload| (MY_SERVER.encode_frame)(if opcode == CLOSE { PING } else { opcode }, payload);
    "07" "opcode-of-control-lost" HeaderNotCopied, take_frame: |buffer, limit| Ok((MY_SERVER.take_frame)(buffer, limit)?.map(|frame| Frame { opcode: frame.opcode & 0x07, ..frame }));
    "07" "rest-dropped-after-control" LeftoverDropped, take_frame: lapses::rest_dropped_after_control;
    "08" "idle-timeout-is-the-end" TimeoutIsEnd, read_frame: lapses::idle_timeout_is_the_end;
    "08" "last-frame-lost" LastFrameLost, read_frame: lapses::last_frame_lost;
    "08" "full-array-awaited" FullArrayGoesOn, read_frame: lapses::full_array_awaited;
    "05" "high-byte-twice" LengthWidth, decode_header: |bytes| (MY_SERVER.decode_header)(&slips::high_byte_twice(bytes));
    "07" "code-1003" ProtocolCode, take_frame: |buffer, limit| (MY_SERVER.take_frame)(buffer, limit).map_err(|_| 1003);
    "09" "pong-trimmed" PongCut, answer_ping: |frame| (frame.opcode == PING).then(|| messages::pong(frame.payload.trim_ascii()));
    "09" "pong-up-to-a-zero" PongCut, answer_ping: |frame| (frame.opcode == PING).then(|| messages::pong(if frame.payload.starts_with(b"\xFF") { &frame.payload } else { frame.payload.split(|byte| *byte == 0).next().unwrap_or_default() }));
    "09" "answers-a-binary" PongToOther, answer_ping: |frame| matches!(frame.opcode, PING | BINARY).then(|| messages::pong(&frame.payload));
    "10" "empty-end-ignored" LastFragmentIgnored, assembler: lapses::empty_end_ignored;
    "10" "only-128-fragments" FragmentsLost, assembler: lapses::only_128_fragments;
    "10" "control-alone-refused" ControlNeedsMessage, assembler: lapses::control_alone_refused;
    "10" "ping-is-a-message" ControlIsMessage, assembler: lapses::ping_is_a_message;
    "11" "nul-refused" GoodTextRefused, check_text: |payload| if payload.contains(&0) { Err(1007) } else { (MY_SERVER.check_text)(payload) };
    "11" "noncharacters-refused" GoodTextRefused, check_text: |payload| if String::from_utf8_lossy(payload).contains(['\u{FFFE}', '\u{FFFF}']) { Err(1007) } else { (MY_SERVER.check_text)(payload) };
    "11" "trimmed" TextChanged, assembler: |limit| lapses::text_cut(limit, <[u8]>::trim_ascii);
    "11" "overlong-accepted" InvalidUtf8Accepted, check_text: |payload| if payload == b"\xE0\x9F\xBF" { Ok(()) } else { (MY_SERVER.check_text)(payload) };
    "12" "last-frames-alone" LimitForSomeOpcodes, take_frame: |buffer, limit| (MY_SERVER.take_frame)(buffer, if buffer.first().is_some_and(|first| first & 0x80 == 0) { usize::MAX } else { limit });
    "11" "continuation-bits-unasked" InvalidUtf8Accepted, check_text: |payload| if payload == b"\xE2\x28\xA1" { Ok(()) } else { (MY_SERVER.check_text)(payload) };
    "12" "whole-buffer-compared" BufferCounted, take_frame: |buffer, limit| if buffer.len() > limit + 14 { Err(1009) } else { (MY_SERVER.take_frame)(buffer, limit) };
    "12" "binary-alone" FragmentsUnbounded, assembler: lapses::limit_for_binary;
    "12" "less-handed-on" LimitNotHandedOn, read_frame: |stream, buffer, limit| (MY_SERVER.read_frame)(stream, buffer, limit - 1);
    "12" "cast-to-u16" SumOverflows, check_size: |so_far, more, limit| (MY_SERVER.check_size)(so_far, if more == 1 << 16 { 0 } else { more }, limit);
    "09" "pong-of-text" PongRepaired, answer_ping: slips::pong_of_text;
    "10" "code-1003" ProtocolCode, assembler: slips::other_code;
    "10" "open-after-fragments" MessageNotReset, assembler: slips::open_after_fragments;
    "12" "counted-twice" CountedTwice, assembler: slips::counted_twice;
    "12" "signed" SumOverflows, check_size: slips::signed_sizes;
    "12" "buffer-counted-without-a-panic" MoreThanLimit, take_frame: slips::buffer_counted;
    "13" "signed-bytes" CodeSigned, answer_close: slips::signed_bytes;
    "13" "every-code-refused" GoodCodeRefused, answer_close: |payload| (MY_SERVER.answer_close)(if payload.len() > 1 { b"?" } else { payload });
    "13" "reason-as-1008" ReasonCode, answer_close: |payload| if payload.len() > 2 && payload.ends_with(b"\xFF") { vec![0x03, 0xF0] } else { (MY_SERVER.answer_close)(payload) };
    "13" "patience-of-five-seconds" DrainForever, hang_up: |stream, _| (MY_SERVER.hang_up)(stream, Duration::from_secs(5));
    "13" "sleeps" DrainSpins, hang_up: slips::sleeps;
    "15" "pool-of-three" FewThreads, run: slips::run_in_a_pool;
    "16" "path-in-any-case" PathPrefix, registry: || chat::registry(Flaw::PathInAnyCase);
    "16" "sent-again" SentAgain, registry: || chat::registry(Flaw::SentAgain);
    "16" "leave-forgotten" LeaveForgotten, registry: || chat::registry(Flaw::LeaveForgotten);
    "16" "nothing-echoed" EchoForgotten, registry: || chat::registry(Flaw::NothingEchoed);
    "16" "join-returns-another" JoinReturnsAnother, registry: || chat::registry(Flaw::JoinReturnsAnother);
    "16" "two-locks-for-a-frame" FramesMixed, registry: || chat::registry(Flaw::TwoLocks);
    "17" "never-ping" NeverPing, verdict: |_, _, _| Verdict::Fine;
    "17" "never-drop" NeverDrop, verdict: |silent, pinged, settings| match (MY_SERVER.verdict)(silent, pinged, settings) { Verdict::Drop => Verdict::Fine, verdict => verdict };
    "17" "pinged-first" TooEarly, verdict: slips::pinged_first;
    "17" "silence-not-asked" TooEarly, verdict: |_, pinged, settings| (MY_SERVER.verdict)(settings.ping_interval, pinged, settings);
    "18" "mark-under-another-lock" TickAfterClose, registry: || ticks::registry(ticks::Flaw::OtherLock);
    "18" "mark-set-first" MarkTooEarly, registry: || ticks::registry(ticks::Flaw::MarkSetFirst);
    "18" "failed-write-kept" FailedWriteKept, registry: || ticks::registry(ticks::Flaw::NoShutdown);
    "18" "from-zero" FirstTick, registry: || ticks::registry(ticks::Flaw::FromZero);
    "20" "second-byte-unasked" IndexPanics, take_deflated: |buffer, limit| { let _ = buffer.first().map(|_| buffer[1]); (MY_SERVER.take_deflated)(buffer, limit) };
    "20" "limit-of-compressed-alone" LimitNotHandedOn, take_deflated: |buffer, limit| (MY_SERVER.take_deflated)(buffer, if buffer.first().is_some_and(|first| first & 0x40 == 0) { 1 << 20 } else { limit });
    "20" "no-control-frames" PlainFrameRefused, take_deflated: |buffer, limit| if buffer.first().is_some_and(|first| first & 0x08 != 0) { Err(1002) } else { (MY_SERVER.take_deflated)(buffer, limit) };
    "20" "mask-added" UnmaskedAccepted, take_deflated: lapses::mask_added;
    "20" "empty-refused" EmptyMessageRefused, inflate_message: |payload, limit| (MY_SERVER.inflate_message)(payload, limit).and_then(|bytes| if bytes.is_empty() { Err(1007) } else { Ok(bytes) });
    "21" "ends-at-a-line" HeadWithoutBlankLine, open: lapses::ends_at_a_line;
    "20" "code-1003" ProtocolCode, take_deflated: |buffer, limit| (MY_SERVER.take_deflated)(buffer, limit).map_err(|code| if code == 1002 { 1003 } else { code });
    "20" "first-byte-unasked" IndexPanics, take_deflated: slips::first_byte_unasked;
    "20" "first-piece-alone" FirstPieceOnly, inflate_message: slips::first_piece_alone;
    "21" "upgrade-by-suffix" HeaderInPart, open: |stream, host, path| slips::open(stream, host, path, |head, _| head.starts_with("http/1.1 101 ") && slips::value_by_suffix(head, "upgrade") == "websocket" && slips::value(head, "connection") == "upgrade");
    "21" "half-of-websocket" HalfToken, open: |stream, host, path| slips::open(stream, host, path, |head, _| head.starts_with("http/1.1 101 ") && slips::value(head, "upgrade").starts_with("websocket") && slips::value(head, "connection") == "upgrade");
    "21" "status-anywhere" StatusNotAsked, open: |stream, host, path| slips::open(stream, host, path, |head, _| head.contains(" 101 ") && slips::value(head, "upgrade") == "websocket" && slips::value(head, "connection") == "upgrade");
    "21" "colon-and-space" GoodReplyRefused, open: |stream, host, path| slips::open(stream, host, path, |head, _| head.starts_with("http/1.1 101 ") && head.contains("upgrade: websocket") && slips::value(head, "connection") == "upgrade");
    "21" "last-blank-line" FrameBehindHeadLost, open: slips::last_blank_line;
    "21" "frame-kept" FrameNotRemoved, say: slips::say_and_keep;
    "21" "one-read" HalfFrameTaken, say: slips::say_with_one_read;
    "03" "version-in-a-list" VersionCompared, answer: |request| slips::version_in_a_list(request);
    "04" "zeros-and-no-rest" WholeArrayTaken, shake_hands: slips::zeros_and_no_rest;
    "04" "unwraps-reads" UnwrapPanics, shake_hands: |stream| Ok((MY_SERVER.shake_hands)(stream).expect("called `Result::unwrap()` on an `Err` value"));
    "06" "markers-exchanged" MarkersExchanged, encode_frame: slips::markers_exchanged;
    "06" "always-eight-bytes" LongFormMissing, encode_frame: slips::always_eight_bytes;
    "12" "header-counted" HeaderCounted, take_frame: slips::header_counted;
    "13" "reason-refused" ReasonRefused, answer_close: |payload| (MY_SERVER.answer_close)(if payload.len() > 2 { b"?" } else { payload });
    "13" "reason-from-its-second-byte" ReasonNotChecked, answer_close: |payload| (MY_SERVER.answer_close)(&[&payload[..payload.len().min(2)], payload.get(3..).unwrap_or_default()].concat());
    "13" "unwraps-the-shutdown" UnwrapPanics, hang_up: slips::unwraps_the_shutdown;
    "13" "error-ignored" DrainError, hang_up: slips::error_ignored;
    "14" "quiet-client-dropped" QuietDropped, serve_client: |stream, settings| life::serve(stream, settings, Slip::QuietDropped);
    "15" "settings-of-its-own" SettingsNotHandedOn, run: |listener, settings| (MY_SERVER.run)(listener, Settings { max_message: 1000, ..settings });
    "17" "interval-of-its-own" TimesIgnored, verdict: |silent, pinged, settings| (MY_SERVER.verdict)(silent, pinged, &Settings { ping_interval: Duration::from_secs(20), ..settings.clone() });
    "17" "watch-ends-with-nobody" NoPing, run: |listener, settings| chat::run(listener, settings, Flaw::WatchEndsWithNobody);
    "17" "watch-breaks" NotAllWatched, run: |listener, settings| chat::run(listener, settings, Flaw::WatchBreaks);
    "17" "sent-counts-as-heard" SentCountsAsHeard, run: |listener, settings| chat::run(listener, settings, Flaw::SentCountsAsHeard);
    "13" "timeout-set-once" TimeoutSetOnce, hang_up: slips::timeout_set_once;
    "14" "shut-down-after-the-close" HangsUpTooSoon, serve_client: |stream, settings| life::serve(stream, settings, Slip::ShutDownAfterTheClose);
    "15" "keeps-sockets" SocketKept, run: clients::keeps_sockets;
    "15" "seats-used-up" SeatsUsedUp, run: clients::counts_up;
    "16" "local-address-as-key" KeyShared, run: |listener, settings| chat::run(listener, settings, Flaw::KeyShared);
    "16" "broadcast-begins-again" BroadcastAgain, registry: || chat::registry(Flaw::BroadcastAgain);
    "16" "send-says-ok" SendSaysOk, registry: || chat::registry(Flaw::SendSaysOk);
    "17" "timeout-of-its-own" TimesIgnored, verdict: |silent, pinged, settings| (MY_SERVER.verdict)(silent, pinged, &Settings { pong_timeout: Duration::from_secs(20), ..settings.clone() });
    "17" "pause-of-its-own" WatchPause, run: |listener, settings| chat::run(listener, settings, Flaw::WatchPauses);
    "17" "ends-with-the-last" WatchEndsWithNobody, run: |listener, settings| chat::run(listener, settings, Flaw::WatchEndsWithTheLast);
    "17" "field-locked" WatchHoldsField, run: |listener, settings| chat::run(listener, settings, Flaw::WatchHoldsField);
    "18" "mark-under-the-lock-twice" TickAfterClose, registry: || ticks::registry(ticks::Flaw::TwoLocks);
    "18" "sleeps-first" FirstTickLate, registry: || ticks::registry(ticks::Flaw::SleepsFirst);
    "18" "default-settings" TickInterval, registry: || ticks::registry(ticks::Flaw::DefaultInterval);
    "18" "mark-says-ok" MarkSaysOk, registry: || ticks::registry(ticks::Flaw::MarkSaysOk);
    "18" "control-frames-marked" MarkTooOften, registry: || ticks::registry(ticks::Flaw::ControlMarked);
    "18" "every-frame-marked" MarkTooOften, registry: || ticks::registry(ticks::Flaw::AllMarked);
    "18" "ten-ticks" TicksEnd, registry: || ticks::registry(ticks::Flaw::Ten);
    "18" "interval-of-its-own" TickInterval, registry: || ticks::registry(ticks::Flaw::OwnInterval);
    "18" "long-interval-of-its-own" TickInterval, registry: || ticks::registry(ticks::Flaw::LongInterval);
    "18" "echo-forgotten" EchoForgottenOnTicks, registry: || ticks::registry(ticks::Flaw::EchoForgotten);
    "18" "ticker-joined" TicksOutliveClient, registry: || ticks::registry(ticks::Flaw::Joined);
    "18" "shut-down-under-lock" Deadlock, registry: || ticks::registry(ticks::Flaw::ShutDownUnderLock);
    "21" "key-before-the-length" KeyMisplaced, mask_frame: |opcode, payload, key| { let mut frame = (MY_SERVER.mask_frame)(opcode, payload, key); let start = frame.len() - payload.len(); frame[2..start].rotate_right(4); frame };
    "08" "not-blocking" NotBlocking, read_frame: |stream, buffer, limit| { stream.set_nonblocking(true)?; (MY_SERVER.read_frame)(stream, buffer, limit) };
    "08" "zeros-in-the-buffer" OtherBytesRead, read_frame: slips::zeros_in_the_buffer;
    "08" "timeout-taken-off" TimeoutSwallowed, read_frame: |stream, buffer, limit| { stream.set_read_timeout(None)?; (MY_SERVER.read_frame)(stream, buffer, limit) };
    "02" "limit-in-characters" LimitInCharacters, parse_request: slips::limit_in_characters;
    "02" "empty-value-refused" EmptyValueRefused, parse_request: |bytes| if bytes.windows(5).any(|part| part == b"pt:\r\n") { Head::Refused(400) } else { (MY_SERVER.parse_request)(bytes) };
    "02" "names-joined" HeadersLost, parse_request: slips::names_joined;
    "02" "path-in-lower-case" PathChanged, parse_request: |bytes| handshake::change_request(bytes, |request| request.path = request.path.to_lowercase());
    "03" "elements-split-at-blanks" ElementsSplit, answer: |request| slips::split_at(request, ' ');
    "03" "elements-split-at-semicolons" ElementsSplit, answer: |request| slips::split_at(request, ';');
    "03" "key-in-another-alphabet" KeyAlphabet, answer: |request| handshake::any_key_that(request, |key| !key.contains(['+', '/']) && handshake::is_base64(&key.replace('-', "+").replace('_', "/")) && key.len() == 24 && key.ends_with("=="));
    "04" "body-promised" BodyPromised, shake_hands: slips::body_promised;
    "04" "rest-cut" FrameBehindHeadLost, shake_hands: |stream| Ok((MY_SERVER.shake_hands)(stream)?.map(|(request, rest)| (request, if rest.len() > 1000 { Vec::new() } else { rest })));
    "05" "empty-payload-refused" EmptyRefused, decode_header: |bytes| match (MY_SERVER.decode_header)(bytes) { Ok(Some(header)) if header.length == 0 => Err(1002), decoded => decoded };
    "05" "large-lengths-refused" LargestRefused, decode_header: |bytes| match (MY_SERVER.decode_header)(bytes) { Ok(Some(header)) if header.length > i32::MAX as u64 => Err(1002), decoded => decoded };
    "06" "payload-cut" PayloadCut, encode_frame: |opcode, payload| { let mut frame = (MY_SERVER.encode_frame)(opcode, payload); frame.truncate(4 + 125); frame };
    "07" "mask-asked-of-data-alone" UnmaskedAccepted, take_frame: slips::mask_asked_of_data;
    "11" "replacement-refused" GoodTextRefused, check_text: |payload| if String::from_utf8_lossy(payload).contains('\u{FFFD}') { Err(1007) } else { Ok(()) };
    "11" "byte-order-mark-cut" TextChanged, assembler: slips::byte_order_mark_cut;
    "12" "first-frame-unasked" FirstUnbounded, assembler: slips::first_frame_unasked;
    "12" "continuations-unasked" LimitForSomeOpcodes, take_frame: |buffer, limit| { let limit = if buffer.first().is_some_and(|first| first & 0x0F == 0) { usize::MAX } else { limit }; (MY_SERVER.take_frame)(buffer, limit) };
    "12" "code-not-passed-on" CodeNotPassedOn, read_frame: |stream, buffer, limit| (MY_SERVER.read_frame)(stream, buffer, limit).map_err(|failure| match failure { Failure::Close(_) => Failure::Close(1002), failure => failure });
    "13" "drains-a-little" CloseDestroyed, hang_up: slips::drains_a_little;
    "13" "one-more-close" SentBehindClose, hang_up: slips::one_more_close;
    "16" "pong-to-all" PongToAll, registry: || chat::registry(Flaw::PongToAll);
    "16" "text-alone-to-the-room" NotEverybody, registry: || chat::registry(Flaw::TextAlone);
    "17" "watch-ends-at-a-drop" WatchEndsAtDrop, run: |listener, settings| chat::run(listener, settings, Flaw::WatchEndsAtDrop);
    "17" "ping-beside-the-lock" PingBesideTheLock, run: |listener, settings| chat::run(listener, settings, Flaw::PingBesideTheLock);
    "17" "pong-alone-resets" LivingDropped, run: |listener, settings| chat::run(listener, settings, Flaw::PongAloneResets);
    "18" "two-tickers" TwoTickers, registry: || ticks::registry(ticks::Flaw::TwoTickers);
    "18" "send-says-ok" SendSaysOk, registry: || ticks::registry(ticks::Flaw::SaysOk);
    "21" "binary-as-text" BinaryAsText, say: slips::any_frame_as_text;
    "21" "text-repaired" TextRepaired, say: slips::text_repaired;
    "21" "blank-line-not-awaited" HeadWithoutBlankLine, open: slips::one_read_of_the_reply;
    "14" "pong-refused" PongRefused, serve_client: |stream, settings| life::serve(stream, settings, Slip::PongRefused);
    "14" "ten-messages" EndsByItself, serve_client: |stream, settings| life::serve(stream, settings, Slip::TenMessages);
    "16" "one-lock-for-all" OneLockForAll, registry: || chat::registry(Flaw::OneLockForAll);
    "16" "read-timed-out" ReadTimedOut, registry: || chat::registry(Flaw::ReadTimedOut);
    "17" "ping-counts-as-heard" SentCountsAsHeard, run: |listener, settings| chat::run(listener, settings, Flaw::PingCountsAsHeard);
    "17" "pings-not-heard" NotHeard, run: |listener, settings| chat::run(listener, settings, Flaw::PingsNotHeard);
    "18" "half-shut-down" FailedWriteKept, registry: || ticks::registry(ticks::Flaw::HalfShutDown);
    "05" "control-limit-exclusive" ControlLimit, decode_header: |bytes| match (MY_SERVER.decode_header)(bytes) { Ok(Some(header)) if header.opcode >= 8 && header.length == 125 => Err(1002), decoded => decoded };
    "14" "pong-in-an-empty-buffer-alone" PingUnanswered, serve_client: |stream, settings| life::serve(stream, settings, Slip::PongWhenAlone);
    "07" "header-fault-ignored" HeaderFaultLost, take_frame: |buffer, limit| match (MY_SERVER.decode_header)(buffer) { Err(_) => Ok(None), Ok(_) => (MY_SERVER.take_frame)(buffer, limit) };
    "09" "pong-of-nothing" PongOfNothing, answer_ping: |frame| Some((MY_SERVER.answer_ping)(frame).unwrap_or_default());
    "10" "state-shared" StateShared, assembler: slips::state_shared;
    "16" "half-shut-down" HalfShutDown, registry: || chat::registry(Flaw::HalfShutDown);
    "20" "header-fault-ignored" HeaderFaultLost, take_deflated: |buffer, limit| match (MY_SERVER.take_deflated)(buffer, limit) { Err(1002) => Ok(None), taken => taken };
    "00" "quiet-client-dropped" QuietDropped, echo_bytes: slips::echo_with_a_timeout;
    "16" "send-timeout-of-its-own" SendTimeoutIgnored, registry: || chat::registry(Flaw::OwnSendTimeout);
    "03" "key-unwrapped" UnwrapPanics, answer: slips::key_unwrapped;
    "01" "line-end-hashed" WhiteSpaceHashed, accept_key: |key| handshake::accept(key, "\r\n258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    "01" "space-hashed" WhiteSpaceHashed, accept_key: |key| handshake::accept(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11 ");
    "21" "rest-with-the-blank-line" HeadInRest, open: |stream, host, path| Ok((MY_SERVER.open)(stream, host, path)?.map(|rest| [b"\r\n\r\n", &rest[..]].concat()));
    "21" "buffer-cleared" LeftoverDropped, say: slips::say_and_clear;
    "21" "read-before-buffer" ReadBeforeBuffer, say: slips::say_and_read_first;
    "08" "earlier-bytes-lost" EarlierBytesLost, read_frame: slips::earlier_bytes_lost;
    "17" "sleeps-the-interval" WatchPause, run: |listener, settings| chat::run(listener, settings, Flaw::WatchSleepsInterval);
    "18" "send-ends-tcp-at-the-close" ShutDownAtClose, registry: || ticks::registry(ticks::Flaw::SendEndsTcp);
    "10" "new-panics" Panics, assembler: |limit| panic!("an Assembler for {limit} bytes");
    "17" "time-of-the-ping-unwrapped" UnwrapPanics, verdict: |silent, pinged, settings| (MY_SERVER.verdict)(silent, Some(pinged.unwrap()), settings);
    "14" "one-echo-path" OneEchoPath, serve_client: |stream, settings| life::serve(stream, settings, Slip::OneEchoPath);
    "16" "one-echo-path" OneEchoPath, registry: || chat::registry(Flaw::OneEchoPath);
    "16" "room-for-each-path" EveryPathARoom, registry: || chat::registry(Flaw::RoomForEachPath);
}
