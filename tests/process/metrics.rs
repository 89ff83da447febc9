//! `GET /metrics` of the program: the server in numbers, for Prometheus, behind a flag.

use crate::support::program::Program;
use crate::support::{Client, TEXT, close_frame, frame, header, request, status, wait_for};
use std::collections::BTreeMap;

/// Returns the head and the body of the reply.
fn get(program: &Program, method: &str) -> (String, String) {
    let mut client = Client::tcp(program.address);
    client.send(format!("{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
    let head = client.read_head();
    (head, String::from_utf8(client.read_to_end()).unwrap())
}

/// Returns the value of each sample, by its name with its labels.
fn samples(text: &str) -> BTreeMap<&str, u64> {
    assert!(text.ends_with('\n'), "the last line ends too: {text}");
    let lines = text.lines().filter(|line| !line.starts_with("# HELP ") && !line.starts_with("# TYPE "));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            let bare = name.split('{').next().unwrap();
            assert!(text.contains(&format!("# TYPE {bare} ")) && text.contains(&format!("# HELP {bare} ")), "{line}");
            (name, value.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn metrics_count_what_clients_do() {
    let program = Program::start(&["--metrics"]);
    let (head, body) = get(&program, "GET");
    assert_eq!((status(&head), header(&head, "Content-Type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    assert_eq!(header(&head, "Content-Length"), Some(&*body.len().to_string()));
    let before = samples(&body);
    assert_eq!((before["plainsocket_clients"], before["plainsocket_received_messages_total"]), (0, 0));

    let mut stays = Client::connect(program.address, "/echo");
    stays.send(frame(TEXT, b"Hello"));
    assert_eq!(stays.read_frame(), (TEXT, b"Hello".to_vec()));
    let mut leaves = Client::connect(program.address, "/echo");
    leaves.send(close_frame(4000, ""));
    leaves.expect_close(Some(4000));
    let mut refused = Client::tcp(program.address);
    refused.send(request("/nowhere"));
    assert_eq!(status(&refused.read_head()), 404);

    // A client is counted as closed when its thread ends, which is after its Close.
    wait_for("the client that leaves", || {
        let (_, body) = get(&program, "GET");
        let now = samples(&body);
        now["plainsocket_clients"] == 1 && now.get("plainsocket_closed_clients_total{code=\"4000\"}") == Some(&1)
    });
    let (_, body) = get(&program, "GET");
    let now = samples(&body);
    assert_eq!(now["plainsocket_refused_connections_total{status=\"404\"}"], 1);
    assert_eq!(now["plainsocket_received_messages_total"], 1);
    assert_eq!(now["plainsocket_sent_messages_total"], 1);
    // In: "Hello" in 11 bytes, with a key, and a Close in 8. Out: the same in 7 and 4.
    assert_eq!((now["plainsocket_received_bytes_total"], now["plainsocket_sent_bytes_total"]), (19, 11));
    assert_eq!(now["plainsocket_waiting_bytes"], 0);
    assert!(now["plainsocket_accepted_connections_total"] > before["plainsocket_accepted_connections_total"] + 3);

    let (head, body) = get(&program, "HEAD");
    assert_eq!((status(&head), &*body), (200, ""));
    assert_eq!(status(&get(&program, "POST").0), 405);
}

#[test]
fn metrics_are_404_without_the_flag() {
    let program = Program::start(&[]);
    assert_eq!(status(&get(&program, "GET").0), 404);
}
