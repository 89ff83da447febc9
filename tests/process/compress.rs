//! `--compress` of the program, and a program that was built without the feature `deflate`.

use crate::support::program::plainsocket;
use std::process::Output;

/// Returns the program's exit code and its stderr. With valid arguments the program would not end.
fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = plainsocket(arguments).output().unwrap();
    assert_eq!(String::from_utf8(stdout).unwrap(), "");
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn help_names_compress() {
    let help = String::from_utf8(plainsocket(&["--help"]).output().unwrap().stdout).unwrap();
    assert!(help.contains("  --compress [context] "), "{help}");
}

#[cfg(not(feature = "deflate"))]
#[test]
fn compress_without_the_feature_is_refused_with_a_remedy() {
    for arguments in [&["--compress"][..], &["--compress", "context"], &["--compress=context"], &["--compress=x"]] {
        let (code, stderr) = refusal(arguments);
        assert_eq!((code, stderr.lines().count()), (Some(2), 1), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("plainsocket: ") && stderr.contains("--features deflate"), "{stderr}");
    }
}

#[cfg(feature = "deflate")]
mod with_the_feature {
    use super::refusal;
    use crate::support::deflate::{Compressing, json};
    use crate::support::program::Program;
    use crate::support::{Client, TEXT, frame, status};

    const ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn flag_says_whether_clients_keep_their_windows() {
        for (arguments, answer) in [
            (&[][..], None),
            (&["--compress"], Some(ALONE)),
            (&["--compress", "context"], Some("permessage-deflate")),
            (&["--compress=context"], Some("permessage-deflate")),
            // A flag that follows is not taken for the value.
            (&["--compress", "--metrics"], Some(ALONE)),
            (&["--compress", "context", "--metrics"], Some("permessage-deflate")),
            // The last one counts, as with other flags.
            (&["--compress", "context", "--compress"], Some(ALONE)),
        ] {
            let program = Program::start(arguments);
            for path in ["/echo", "/chat", "/", "/clock", "/inspect"] {
                let client = Compressing::connect(program.address, path, &["permessage-deflate"]);
                assert_eq!(client.answer.as_deref(), answer, "{arguments:?} {path}");
            }
            let mut client = Compressing::connect(program.address, "/echo", &["permessage-deflate"]);
            client.client.send(frame(TEXT, &json(1000, 1)));
            assert_eq!(client.expect(TEXT, &json(1000, 1)).compressed.is_some(), answer.is_some(), "{arguments:?}");
            let mut client = Client::tcp(program.address);
            client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
            let expected = if arguments.contains(&"--metrics") { 200 } else { 404 };
            assert_eq!(status(&client.read_head()), expected, "{arguments:?}");
        }
    }

    #[test]
    fn bad_value_is_one_line_and_exit_code_2() {
        for arguments in [
            &["--compress=contxt"][..],
            &["--compress="],
            &["--compress=Context"],
            &["--compress", "contxt"],
            &["--compress", "context", "context"],
            &["--compress=context", "context"],
        ] {
            let (code, stderr) = refusal(arguments);
            assert_eq!((code, stderr.lines().count()), (Some(2), 1), "{arguments:?}: {stderr}");
            assert!(stderr.starts_with("plainsocket: "), "{stderr}");
        }
    }
}
