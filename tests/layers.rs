//! Imports point one way: bin -> server -> protocol -> error.

use std::fs;
use std::path::Path;

/// The lines of all files below `folder` that hold one of `words`.
fn find(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(find(path.to_str().unwrap(), words));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| words.iter().any(|word| line.contains(word))) {
            found.push(format!("{}: {line}", path.display()));
        }
    }
    found
}

#[test]
fn the_protocol_knows_no_socket_no_thread_and_no_clock() {
    let words = ["std::net", "std::io", "std::thread", "std::time", "std::sync", "crate::server", "crate::config"];
    assert_eq!(find("src/protocol", &words), [""; 0]);
}

#[test]
fn the_program_sees_only_the_public_api() {
    assert_eq!(find("src/bin/plainsocket", &["#[path", "crate::server", "crate::protocol"]), [""; 0]);
    assert!(!find("src/bin/plainsocket", &["use plainsocket::"]).is_empty(), "the search finds what is there");
}
