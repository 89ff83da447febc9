//! `GET /metrics`: the server's counters in Prometheus' text format, version 0.0.4.

use plainsocket::Counters;
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub const PATH: &str = "/metrics";
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns all counters, for each its meaning, its type and its samples, one a line.
pub fn text(counters: &Counters) -> String {
    let mut out = String::new();
    let c = counters;
    total(&mut out, "accepted_connections", "Connections accepted, refused ones too.", c.accepted);
    totals(
        &mut out,
        "refused_connections",
        "Connections answered without a 101, by HTTP status.",
        "status",
        &c.refused,
    );
    gauge(&mut out, "clients", "Clients connected, after their 101.", c.open);
    totals(
        &mut out,
        "closed_clients",
        "Clients that have gone, by the code of their Close; 1006: none.",
        "code",
        &c.closed,
    );
    total(&mut out, "evicted_clients", "Clients that read too slowly, or found memory at its bound.", c.evicted);
    total(&mut out, "dropped_clients", "Clients that were silent for too long.", c.dropped);
    total(&mut out, "received_messages", "Messages from clients.", c.messages_in);
    total(&mut out, "sent_messages", "Messages to clients, each client of a broadcast counted.", c.messages_out);
    total(&mut out, "received_bytes", "Bytes of frames from clients.", c.bytes_in);
    total(&mut out, "sent_bytes", "Bytes of frames to clients, with those that still wait.", c.bytes_out);
    gauge(&mut out, "waiting_bytes", "Bytes of frames that clients have not taken yet.", c.waiting_bytes);
    out
}

fn total(out: &mut String, name: &str, help: &str, value: u64) {
    head(out, &format!("{name}_total"), help, "counter");
    sample(out, &format!("{name}_total"), value);
}

/// A counter for each value of a label. The labels are numbers, so nothing in them has to be escaped.
fn totals(out: &mut String, name: &str, help: &str, label: &str, values: &BTreeMap<u16, u64>) {
    head(out, &format!("{name}_total"), help, "counter");
    for (number, value) in values {
        sample(out, &format!("{name}_total{{{label}=\"{number}\"}}"), *value);
    }
}

fn gauge(out: &mut String, name: &str, help: &str, value: usize) {
    head(out, name, help, "gauge");
    sample(out, name, value as u64);
}

// Writing to a String cannot fail.
fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(out, "# HELP plainsocket_{name} {help}\n# TYPE plainsocket_{name} {kind}");
}

fn sample(out: &mut String, name: &str, value: u64) {
    let _ = writeln!(out, "plainsocket_{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> Counters {
        let mut counters = Counters::default();
        counters.accepted = 12;
        counters.refused = BTreeMap::from([(403, 2), (404, 1)]);
        counters.closed = BTreeMap::from([(1000, 3), (1006, u64::MAX)]);
        counters.open = 4;
        counters.waiting_bytes = 5;
        counters
    }

    #[test]
    fn text_has_a_line_for_each_sample() {
        let text = text(&counters());
        for line in [
            "plainsocket_accepted_connections_total 12",
            "plainsocket_refused_connections_total{status=\"403\"} 2",
            "plainsocket_refused_connections_total{status=\"404\"} 1",
            "plainsocket_clients 4",
            "plainsocket_closed_clients_total{code=\"1000\"} 3",
            "plainsocket_closed_clients_total{code=\"1006\"} 18446744073709551615",
            "plainsocket_waiting_bytes 5",
        ] {
            assert!(text.lines().any(|its| its == line), "{line} in {text}");
        }
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text}");
    }

    /// Each name has one HELP and one TYPE, in this order, before its samples, which are together; a name ends with
    /// `_total` if and only if it is a counter.
    #[test]
    fn text_keeps_the_rules_of_the_format() {
        for counters in [Counters::default(), counters()] {
            let text = text(&counters);
            let (mut seen, mut now) = (Vec::new(), "");
            let mut lines = text.lines();
            while let Some(line) = lines.next() {
                if let Some(help) = line.strip_prefix("# HELP ") {
                    let (name, words) = help.split_once(' ').unwrap();
                    assert!(!words.is_empty() && !words.contains('\\') && !seen.contains(&name), "{line}");
                    let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
                    assert_eq!(
                        (kind == "counter", kind == "gauge"),
                        (name.ends_with("_total"), !name.ends_with("_total"))
                    );
                    seen.push(name);
                    now = name;
                } else {
                    let (name, value) = line.rsplit_once(' ').unwrap();
                    assert_eq!(name.split('{').next(), Some(now), "{line}");
                    assert!(value.parse::<u64>().is_ok(), "{line}");
                }
            }
            assert_eq!(seen.len(), 11);
        }
    }
}
