//! The program as its user sees it: its flags, its exit codes, its first lines, its memory.

use crate::support::program::{Program, plainsocket};
use crate::support::{Client, PING, TEXT, close_frame, frame, header, status, wait_for_a_seat};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};
use std::process::Output;

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = plainsocket(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn help_names_every_flag_and_version_the_version() {
    let (code, stdout, stderr) = output(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for flag in [
        "--listen",
        "--max-clients",
        "--max-clients-per-ip",
        "--max-message-size",
        "--handshake-timeout",
        "--ping-interval",
        "--pong-timeout",
        "--close-timeout",
        "--allow-origin",
        "--metrics",
        "--help",
        "--version",
    ] {
        assert!(stdout.contains(&format!("  {flag} ")), "{flag}");
    }
    let version = format!("plainsocket {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(output(&["--version"]), (Some(0), version, String::new()));
}

#[test]
fn a_bad_flag_is_one_clear_line_and_exit_code_2() {
    for arguments in [
        &["--no-such-flag"][..],
        &["--no-such\n\u{1b}[31mflag"],
        &["--max-clients", "1\n2"],
        &["stray"],
        &["--max-clients"],
        &["--max-clients", "many"],
        &["--max-clients", "0"],
        &["--max-message-size", "-1"],
        &["--ping-interval", "0"],
        &["--ping-interval", "NaN"],
        &["--ping-interval", "inf"],
        &["--close-timeout", "-3"],
        &["--allow-origin", "https://Good.example"],
        &["--allow-origin", "https://good.example/"],
        &["--allow-origin", "good.example"],
        &["--allow-origin", ""],
    ] {
        let (code, stdout, stderr) = output(arguments);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("plainsocket: "), "{stderr}");
        assert!(!stderr.trim_end().contains(char::is_control), "{stderr}");
    }
}

// RFC 6454 §6.2: browsers serialise an Origin in one form only

#[test]
fn origin_flag_that_never_matches_shows_the_right_form() {
    for (origin, right) in [
        ("https://Good.example", "https://good.example"),
        ("HTTPS://good.example", "https://good.example"),
        ("https://good.example/", "https://good.example"),
        ("https://good.example/chat?room=7", "https://good.example"),
        ("https://good.example:443", "https://good.example"),
        ("https://good.example:", "https://good.example"),
        ("http://good.example:80", "http://good.example"),
        ("http://good.example:08000", "http://good.example:8000"),
        ("https://good.example ", "https://good.example"),
        (" https://good.example", "https://good.example"),
        ("wss://good.example", "https://good.example"),
        ("ws://good.example:8000", "http://good.example:8000"),
        ("https://me@good.example", "https://good.example"),
        ("http://[0:0:0:0:0:0:0:1]:8000", "http://[::1]:8000"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("file:///", "file://"),
        ("file:///home/me/page.html", "file://"),
        ("Chrome-Extension://abcdefgh/", "chrome-extension://abcdefgh"),
        ("app://a:", "app://a"),
        ("NULL", "null"),
        ("http://127.1", "http://127.0.0.1"),
        ("http://127.0.1:8000", "http://127.0.0.1:8000"),
        ("http://0", "http://0.0.0.0"),
        ("http://127.0.0.1.", "http://127.0.0.1"),
        ("http://127.0.0.01", "http://127.0.0.1"),
        ("http://0177.0.0.1", "http://127.0.0.1"),
        ("http://0x7f000001", "http://127.0.0.1"),
        ("http://0X7F.1/", "http://127.0.0.1"),
        ("http://1.0x", "http://1.0.0.0"),
        ("http://4294967295", "http://255.255.255.255"),
        ("http://1.2.65535:80", "http://1.2.255.255"),
    ] {
        let (code, stdout, stderr) = output(&["--listen", "nonsense", "--allow-origin", origin]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{origin}: {stderr}");
        assert!(stderr.contains(&format!("browsers write this Origin as {right};")), "{origin}: {stderr}");
    }
}

#[test]
fn malformed_origin_flag_is_refused_with_the_valid_forms() {
    for origin in [
        "good.example",
        "https://",
        "https://*.good.example",
        "https://b\u{fc}cher.example",
        "https://good.example:70000",
        "https://good.example:x",
        "http://127.1..",
        "http://127..1",
        "http://1.2.3.4.5",
        "http://1.2.3.256",
        "http://256.1",
        "http://1.2.65536",
        "http://1.16777216",
        "http://4294967296",
        "http://08",
        "http://a.1",
        "http://a.0x",
        "http://.",
        "http://+1",
        "http://[::1",
        "http://::1",
        "chrome-extension://",
        "chrome-extension:///",
        "moz-extension://:80",
        "app://a b",
        "app://a\"b",
        "x://[::1",
        "https://a b",
        "://x",
        "1app://x",
        "https:good.example",
    ] {
        let (code, stdout, stderr) = output(&["--listen", "nonsense", "--allow-origin", origin]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{origin}: {stderr}");
        assert!(stderr.contains("an Origin reads https://host"), "{origin}: {stderr}");
    }
}

#[test]
fn the_word_for_every_origin_is_any() {
    for origin in ["*", "ANY", "Any", " any"] {
        let (code, stdout, stderr) = output(&["--listen", "nonsense", "--allow-origin", origin]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{origin}: {stderr}");
        assert!(stderr.contains("any is the word that stands for every Origin"), "{origin}: {stderr}");
        assert!(!stderr.contains("browsers write"), "{origin}: {stderr}");
    }
}

#[test]
fn every_origin_that_browsers_write_can_be_allowed() {
    let origins = [
        "http://0xg",
        "http://1.example.",
        "https://good.example",
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
        "null",
        "file://",
        "chrome-extension://abcdefghijklmnop",
        "moz-extension://5a1c0a4e-0000-4000-8000-000000000000",
        "safari-web-extension://7F3A2B1C-0000-4000-8000-0000000000AB",
        "app://obsidian.md",
        "app://.",
        "capacitor://localhost",
        "tauri://localhost",
    ];
    let flags: Vec<&str> = origins.iter().flat_map(|origin| ["--allow-origin", origin]).collect();
    let program = Program::start(&flags);
    let reply = |origin: &str| {
        let mut client = Client::tcp(program.address);
        client.send(crate::support::request("/echo").replace("Host", &format!("Origin: {origin}\r\nHost")));
        status(&client.read_head())
    };
    for origin in origins {
        assert_eq!(reply(origin), 101, "{origin}");
    }
    assert_eq!(reply("https://evil.example"), 403);
}

#[test]
fn unusable_address_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [taken.local_addr().unwrap().to_string(), "nonsense".to_owned()] {
        let (code, stdout, stderr) = output(&["--listen", &address]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{stderr}");
        assert!(stderr.starts_with(&format!("plainsocket: cannot listen on {address}: ")), "{stderr}");
    }
}

#[test]
fn malformed_address_is_refused_with_the_right_form() {
    for address in
        ["8000", "localhost", "127.0.0.1", "http://127.0.0.1:8000/", "[::1]", "127.0.0.1:70000", "*", ":", "a\nb"]
    {
        let (code, stdout, stderr) = output(&["--listen", address]);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (Some(1), "", 1), "{address}: {stderr}");
        assert!(stderr.contains("it reads 127.0.0.1:8000, [::1]:8000 or *:8000"), "{address}: {stderr}");
    }
}

/// Starts the program with another `--listen`.
fn listen_on(address: &str) -> Program {
    let mut command = plainsocket(&["--listen", address]);
    command.stderr(std::process::Stdio::null());
    Program::spawn_with_log(command)
}

fn assert_serves(address: SocketAddr) {
    let mut client = Client::connect(address, "/echo");
    client.send(frame(TEXT, b"Hello"));
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
}

/// The loopback addresses of this machine, which might not have IPv6.
fn loopbacks() -> Vec<IpAddr> {
    let all = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    all.into_iter().filter(|ip| TcpListener::bind((*ip, 0)).is_ok()).collect()
}

#[test]
fn a_name_with_several_addresses_is_served_at_each() {
    let program = listen_on("localhost:0");
    let port = program.address.port();
    for address in ("localhost", port).to_socket_addrs().unwrap().filter(|address| loopbacks().contains(&address.ip()))
    {
        assert_serves(address);
        assert!(program.first_lines[0].contains(&address.to_string()), "{}", program.first_lines[0]);
    }
}

#[test]
fn star_and_empty_host_mean_every_address() {
    for address in ["*:0", ":0"] {
        let program = listen_on(address);
        for ip in loopbacks() {
            assert_serves(SocketAddr::new(ip, program.address.port()));
        }
        let [first, page] = [0, 1].map(|line| &program.first_lines[line]);
        assert!(first.contains("0.0.0.0:") && page.contains("http://127.0.0.1:"), "{first} {page}");
    }
}

#[test]
fn the_first_lines_name_an_address_that_a_browser_can_open() {
    for listen in ["0.0.0.0:0", "[::]:0", "*:0", "localhost:0", "127.0.0.1:0"] {
        if listen == "[::]:0" && loopbacks().len() == 1 {
            continue;
        }
        let program = listen_on(listen);
        let url = program.first_lines[1].rsplit(' ').next().unwrap();
        let address: SocketAddr = url.strip_prefix("http://").unwrap().strip_suffix('/').unwrap().parse().unwrap();
        assert!(address.ip().is_loopback(), "{listen}: {url}");
        assert_serves(address);
        let lines = &program.first_lines[2..];
        assert!(lines.iter().all(|line| line.contains(&format!("ws://{address}/"))), "{listen}: {lines:?}");
    }
}

#[test]
fn the_first_lines_say_where_it_listens_and_what_to_paste() {
    let program = Program::start(&[]);
    let Program { address, first_lines, .. } = &program;
    assert!(first_lines[0].ends_with(&format!("listening on {address}")));
    assert!(first_lines[1].ends_with(&format!(" http://{address}/")));
    assert!(first_lines[2].ends_with(&format!(" websocat ws://{address}/echo")));
    assert!(first_lines[3].ends_with(&format!(" websocat -t --no-line ws://{address}/inspect")));
}

#[test]
fn slash_and_echo_both_echo_and_slash_has_a_page() {
    let program = Program::start(&["--close-timeout", "0.5"]);
    for path in ["/", "/echo"] {
        let mut client = Client::connect(program.address, path);
        client.send(frame(TEXT, b"Hello"));
        assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    }
    let mut client = Client::tcp(program.address);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let head = client.read_head();
    assert_eq!((status(&head), header(&head, "Content-Type")), (200, Some("text/html; charset=utf-8")));
    assert!(client.read_to_end().starts_with(b"<!doctype html>"));
}

#[test]
fn the_flags_reach_the_server() {
    let program =
        Program::start(&["--max-message-size=5", "--allow-origin", "http://a.example", "--handshake-timeout", "0.2"]);
    let mut client = Client::connect(program.address, "/echo");
    client.send(frame(TEXT, b"Hello!"));
    client.expect_close(Some(1009));
    let mut client = Client::tcp(program.address);
    client.send(crate::support::request("/echo").replace("Host", "Origin: http://b.example\r\nHost"));
    assert_eq!(status(&client.read_head()), 403);
    assert_eq!(status(&Client::tcp(program.address).read_head()), 408);

    let program = Program::start(&["--max-clients", "1", "--ping-interval", "0.1", "--pong-timeout", "0.1"]);
    let mut client = Client::connect(program.address, "/echo");
    assert_eq!(status(&Client::tcp(program.address).read_head()), 503);
    assert_eq!(client.read_frame().0, PING);
    client.expect_close(Some(1001));

    let program = Program::start(&["--max-clients-per-ip", "1", "--close-timeout", "0.1"]);
    let mut client = Client::connect(program.address, "/echo");
    assert_eq!(status(&Client::tcp(program.address).read_head()), 429);
    client.send(close_frame(1000, ""));
    client.expect_close(Some(1000));
    // The client keeps its side open, but its slot is free again after the close timeout.
    wait_for_a_seat(program.address);
}

#[cfg(target_os = "linux")]
#[test]
fn a_frame_that_announces_much_costs_no_memory() {
    let program = Program::start(&[]);
    let mut client = Client::connect(program.address, "/echo");
    client.send(frame(TEXT, b"warm"));
    client.read_frame();
    let before = program.status("VmHWM");
    // A length of 2^62 bytes is refused at once.
    client.send([&[crate::support::BINARY, 0xFF, 0x40][..], &[0; 11]].concat());
    client.expect_close(Some(1009));
    // The server waits for 16 MiB, which is the limit, but reserves no memory for them.
    for _ in 0..20 {
        let mut client = Client::connect(program.address, "/echo");
        client.send([&[crate::support::BINARY, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0][..], &[0; 4], b"some"].concat());
        client.hang_up();
        client.expect_gone();
    }
    let grown = program.status("VmHWM") - before;
    assert!(grown < 1024, "grew by {grown} KiB");
}

#[test]
#[cfg(target_os = "linux")]
fn endless_message_costs_only_its_received_bytes() {
    const CLIENTS: usize = 8;
    const LENGTH: usize = 600_000;
    let program = Program::start(&[]);
    let before = program.status("VmRSS");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::connect(program.address, "/echo")).collect();
    for client in &mut clients {
        client.send([frame(crate::support::BINARY & 0x7F, &vec![7; LENGTH]), frame(PING, b"")].concat());
        assert_eq!(client.read_frame().0, crate::support::PONG);
    }
    let grown = program.status("VmRSS") - before;
    // The clients have sent 4,700 KiB, and each has room for its next read.
    assert!((4_700..12_000).contains(&grown), "grew by {grown} KiB");
}

// §7.1.7: the server "SHOULD log the problem"

#[cfg(unix)]
#[test]
fn a_broken_rule_is_logged() {
    let mut command = plainsocket(&["--listen", "127.0.0.1:0"]);
    command.stderr(std::process::Stdio::piped());
    let mut program = Program::spawn_with_log(command);
    let mut client = Client::connect(program.address, "/echo");
    client.send(b"\x81\x05Hello");
    client.expect_close(Some(1002));
    drop(client);
    // The log ends with the program.
    program.signal("TERM");
    let mut log = String::new();
    std::io::Read::read_to_string(&mut program.child.stderr.take().unwrap(), &mut log).unwrap();
    assert!(log.contains(": failed: frame not masked (§5.1)\n"), "{log}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_program_on_all_its_addresses() {
    let mut program = listen_on("*:0");
    program.signal("TERM");
    assert_eq!(program.wait(), Some(0));
}
