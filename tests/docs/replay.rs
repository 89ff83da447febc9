//! Conversations: a chapter shows what the server really sends.
//!
//! `…` in a line matches anything; a line that is only `…` matches any number of lines.

use super::markdown::{self, Block};
use super::support::one_page::OnePage;
use super::support::program::{Program, plainsocket};
use super::support::{Client, header, status};
use std::io::{BufRead, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::Stdio;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// The address in the book, which is replaced by the server's own.
const ADDRESS: &str = "127.0.0.1:8000";

/// Returns the errors in the conversations of a page; the commands talk to `program`.
pub fn check(path: &str, text: &str, program: &Program) -> Vec<String> {
    let mut problems = Vec::new();
    for block in markdown::parse(text).blocks {
        let body = text[block.body.clone()].replace("\r\n", "\n");
        if let Err(problem) = check_block(&block, &body, program) {
            problems.push(format!("{path}:{}: {problem}", block.line));
        }
    }
    problems
}

fn check_block(block: &Block, body: &str, program: &Program) -> Result<(), String> {
    let Some(how) = block.comment.as_deref().and_then(|comment| comment.strip_prefix("replay:")) else {
        return if block.info == "console" && shows_a_conversation(body) {
            Err("a conversation that is not replayed: put <!-- replay: ... --> above it".to_owned())
        } else {
            Ok(())
        };
    };
    let words = words(how)?;
    let [kind, rest @ ..] = &words[..] else { return Err("replay what?".to_owned()) };
    for command in commands(body)? {
        match kind.as_str() {
            "websocat" => websocat(&command, program.address)?,
            "one-page" => websocat(&command, OnePage::start().address)?,
            "http" if rest.is_empty() => http(&command, program.address)?,
            "http" if *rest == ["full"] => {
                let full = Program::start(&["--max-clients", "2"]);
                let _both = [Client::tcp(full.address), Client::tcp(full.address)];
                http(&command, full.address)?;
            }
            "log" => log(&command, rest)?,
            // For a conversation with another server; the comment says why there is no replay.
            "none:" if !rest.is_empty() => {}
            _ => return Err(format!("no such replay:{how}")),
        }
    }
    Ok(())
}

/// A command, as it is written after its `$`, and the lines that follow it.
struct Command<'a> {
    words: Vec<String>,
    lines: Vec<&'a str>,
}

fn commands(body: &str) -> Result<Vec<Command<'_>>, String> {
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => {
                let mut command = command.to_owned();
                while let Some(begin) = command.strip_suffix('\\') {
                    command = begin.to_owned() + lines.next().ok_or("a command that goes on nowhere")?;
                }
                commands.push(Command { words: words(&command)?, lines: Vec::new() });
            }
            (None, Some(command)) => command.lines.push(line),
            (None, None) => return Err("the first line must be a command: $ ...".to_owned()),
        }
    }
    if commands.is_empty() { Err("no command".to_owned()) } else { Ok(commands) }
}

/// Splits a command into words, as a shell does, and drops a comment at its end.
fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = command.trim();
    while !rest.is_empty() && !rest.starts_with('#') {
        let mut word = String::new();
        while let Some(next) = rest.chars().next().filter(|c| *c != ' ') {
            rest = &rest[next.len_utf8()..];
            if next == '"' || next == '\'' {
                let (quoted, behind) =
                    rest.split_once(next).ok_or_else(|| format!("no end of {next} in: {command}"))?;
                word += quoted;
                rest = behind;
            } else {
                word.push(next);
            }
        }
        words.push(word);
        rest = rest.trim_start();
    }
    Ok(words)
}

fn shows_a_conversation(body: &str) -> bool {
    let to_server =
        |line: &str| line.contains(ADDRESS) && (line.starts_with("$ websocat ws:") || line.starts_with("$ curl "));
    body.lines().any(to_server) && body.lines().any(|line| !line.starts_with("$ "))
}

type Socket = WebSocket<std::net::TcpStream>;

fn connect(address: SocketAddr, path: &str) -> Result<Socket, String> {
    connect_with(address, path, None)
}

fn connect_with(address: SocketAddr, path: &str, subprotocol: Option<&str>) -> Result<Socket, String> {
    let mut request = format!("ws://{address}{path}").into_client_request().map_err(|error| error.to_string())?;
    if let Some(name) = subprotocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", name.parse().map_err(|_| format!("what is {name}?"))?);
    }
    let connected = tungstenite::client(request, Client::tcp(address).stream);
    connected.map(|(socket, _)| socket).map_err(|error| format!("no connection to {path}: {error}"))
}

/// Reads the next message and returns its lines.
fn read(socket: &mut Socket) -> Result<Vec<String>, String> {
    loop {
        match socket.read().map_err(|error| format!("the server said nothing more: {error}"))? {
            Message::Text(text) => {
                let text = text.as_str();
                return Ok(text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned).collect());
            }
            Message::Binary(bytes) => return Ok(vec![String::from_utf8_lossy(&bytes).into_owned()]),
            Message::Close(close) => return Err(format!("the server closed: {close:?}")),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Closes with 1000; the server must have nothing left to send.
fn close(mut socket: Socket) -> Result<(), String> {
    let normal = tungstenite::protocol::CloseFrame {
        code: tungstenite::protocol::frame::coding::CloseCode::Normal,
        reason: "".into(),
    };
    socket.close(Some(normal)).map_err(|error| error.to_string())?;
    match read(&mut socket) {
        // The report of /inspect about our Close is not part of the conversation.
        Ok(lines) if lines[0].starts_with("close frame from the client") => Ok(()),
        Ok(lines) => Err(format!("the server also said: {}", lines.join("\n"))),
        Err(_) => Ok(()),
    }
}

/// `$ websocat ws://127.0.0.1:8000/path`, then lines with `> ` for each message that is typed, and with `< ` for each
/// that arrives.
fn websocat(command: &Command, address: SocketAddr) -> Result<(), String> {
    let mut subprotocol = None;
    let (url, line_end) = match command.words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // websocat sends the line break too.
        ["websocat", url] => (url, "\n"),
        // With these options websocat sends none, and shows the lines of a reply as they are.
        ["websocat", "-t", "--no-line", url] => (url, "\n"),
        ["websocat", "--linemode-strip-newlines", url] => (url, ""),
        ["websocat", "--protocol", name, url] => {
            subprotocol = Some(name);
            (url, "\n")
        }
        _ => return Err(format!("it must read: $ websocat ws://{ADDRESS}/...")),
    };
    let path = url.strip_prefix(&format!("ws://{ADDRESS}")).ok_or_else(|| format!("what is {url}?"))?;
    let mut socket = connect_with(address, path, subprotocol)?;
    // The lines that arrived and were not shown yet, and whether a line `…` allows some of them to be skipped.
    let (mut unread, mut skips) = (Vec::new(), false);
    for line in &command.lines {
        if *line == "…" {
            skips = true;
        } else if let Some(typed) = line.strip_prefix("> ") {
            also_said(&unread, skips)?;
            socket.send(Message::text(format!("{typed}{line_end}"))).map_err(|error| error.to_string())?;
        } else if let Some(expected) = line.strip_prefix("< ").or((*line == "<").then_some("")) {
            loop {
                if unread.is_empty() {
                    unread = read(&mut socket).map_err(|error| format!("{error}\n    book: {line}"))?;
                }
                let said: String = unread.remove(0);
                if !skips || fits(expected, said.trim_end()) {
                    compare(expected, said.trim_end())?;
                    skips = false;
                    break;
                }
            }
        } else {
            return Err(format!("neither `> ` nor `< `: {line}"));
        }
    }
    also_said(&unread, skips)?;
    if skips { Ok(()) } else { close(socket) }
}

fn also_said(unread: &[String], may: bool) -> Result<(), String> {
    unread.first().filter(|_| !may).map_or(Ok(()), |more| Err(format!("the server also said: {more}")))
}

/// `$ curl -i http://127.0.0.1:8000/path`, then the whole reply.
fn http(command: &Command, address: SocketAddr) -> Result<(), String> {
    let reply = curl(&command.words, address)?;
    let reply = reply.replace('\r', "").replace(&address.to_string(), ADDRESS);
    let mut said = reply.lines().peekable();
    let mut expected = command.lines.iter().peekable();
    while let Some(line) = expected.next() {
        if *line != "…" {
            compare(line, said.next().unwrap_or("(its end)"))?;
        } else if let Some(after) = expected.peek() {
            while said.peek().is_some_and(|line| !fits(after, line)) {
                said.next();
            }
        } else {
            return Ok(());
        }
    }
    said.next().map_or(Ok(()), |more| Err(format!("the server also said: {more}")))
}

/// Returns the reply to the request that curl would send.
fn curl(words: &[String], address: SocketAddr) -> Result<String, String> {
    let (mut method, mut headers, mut path) = ("GET", String::new(), None);
    let mut words = words.iter().map(String::as_str);
    if words.next() != Some("curl") {
        return Err("it must read: $ curl -i http://...".to_owned());
    }
    while let Some(word) = words.next() {
        match word {
            "-i" | "-s" | "-N" | "--http1.1" => {}
            "-I" => method = "HEAD",
            "-X" => method = words.next().ok_or("-X what?")?,
            "-H" => headers += &format!("{}\r\n", words.next().ok_or("-H what?")?),
            "-m" | "--max-time" => drop(words.next()),
            url => path = Some(url.strip_prefix(&format!("http://{ADDRESS}")).ok_or(format!("what is {url}?"))?),
        }
    }
    let path = match path.ok_or("curl needs an address")? {
        "" => "/",
        path => path,
    };
    let mut client = Client::tcp(address);
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nUser-Agent: curl/8\r\nAccept: */*\r\n{headers}\r\n"
    ));
    let head = client.read_head();
    // After a 101 the server waits for frames.
    let has_body = status(&head) != 101 && header(&head, "Content-Length").is_some();
    let body = if has_body { client.read_to_end() } else { Vec::new() };
    Ok(head + &String::from_utf8_lossy(&body))
}

/// `$ RUST_LOG=filter cargo run`, then lines of the log in their order; other lines can be between them. The comment
/// says what is done meanwhile: see [`act`].
fn log(command: &Command, deed: &[String]) -> Result<(), String> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let (setting, flags) = match &words[..] {
        ["cargo", "run", flags @ ..] => ("RUST_LOG=info", flags),
        [setting, "cargo", "run", flags @ ..] => (*setting, flags),
        _ => return Err("it must read: $ RUST_LOG=... cargo run".to_owned()),
    };
    let filter = setting.strip_prefix("RUST_LOG=").ok_or("it must read: $ RUST_LOG=... cargo run")?;
    let mut program = plainsocket(&["--listen", "127.0.0.1:0"]);
    program.args(flags.strip_prefix(&["--"]).unwrap_or_default()).env("RUST_LOG", filter).stderr(Stdio::piped());
    let mut program = Program::spawn_with_log(program);
    act(deed, program.address)?;
    // The program ends, and completes its log, when the last client has disconnected.
    program.signal("TERM");
    let log = BufReader::new(program.child.stderr.take().expect("the log")).lines().map_while(Result::ok);
    let said: Vec<String> = program.first_lines.iter().cloned().chain(log).collect();
    let mut rest = said.iter().map(|line| line.replace(&program.address.to_string(), ADDRESS));
    for wanted in command.lines.iter().filter(|line| **line != "…") {
        if !rest.any(|line| fits(wanted, &line)) {
            return Err(format!(
                "no such line in the log:\n    book: {wanted}\n    log:  {}",
                said.join("\n          ")
            ));
        }
    }
    Ok(())
}

/// - `websocat /path "text"...`: sends each text, and reads the replies.
/// - `bytes /path "bytes to send" "expected bytes"`: frames that no real client would send.
/// - `silent /path 2`: answers two Pings, and then becomes silent.
/// - `stalled /path 400`: reads nothing while another client sends 400 messages of 60,001 bytes.
/// - `curl ...`
fn act(deed: &[String], address: SocketAddr) -> Result<(), String> {
    match deed {
        [who, path, texts @ ..] if who == "websocat" => {
            let mut socket = connect(address, path)?;
            for text in texts {
                socket.send(Message::text(text)).map_err(|error| error.to_string())?;
                read(&mut socket)?;
            }
            close(socket)
        }
        [who, path, sent, back] if who == "bytes" => {
            let mut client = Client::connect(address, path);
            client.send(from_hex(sent)?);
            let mut said = vec![0; from_hex(back)?.len()];
            client.stream.read_exact(&mut said).map_err(|error| format!("no {back}: {error}"))?;
            compare(back, &said.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        }
        [who, path, pings] if who == "silent" => silent(&mut connect(address, path)?, number(pings)?),
        [who, path, count] if who == "stalled" => {
            let _stalled = connect(address, path)?;
            let mut sender = connect(address, path)?;
            let text = "x".repeat(60_000) + "\n";
            for _ in 0..number(count)? {
                sender.send(Message::text(text.clone())).map_err(|error| error.to_string())?;
                read(&mut sender)?;
            }
            close(sender)
        }
        [who, ..] if who == "curl" => curl(deed, address).map(drop),
        _ => Err(format!("nobody can do this: {}", deed.join(" "))),
    }
}

fn silent(socket: &mut Socket, pings: u32) -> Result<(), String> {
    for _ in 0..pings {
        while !socket.read().map_err(|error| error.to_string())?.is_ping() {}
        socket.flush().map_err(|error| error.to_string())?;
    }
    // The rest is read from the socket below the client, up to the end.
    let _ = socket.get_mut().read_to_end(&mut Vec::new());
    Ok(())
}

fn number(digits: &str) -> Result<u32, String> {
    digits.parse().map_err(|error| format!("{digits}: {error}"))
}

/// `01 83 00`
fn from_hex(digits: &str) -> Result<Vec<u8>, String> {
    digits.split(' ').map(|byte| u8::from_str_radix(byte, 16).map_err(|error| format!("{byte}: {error}"))).collect()
}

fn compare(expected: &str, said: &str) -> Result<(), String> {
    if fits(expected, said) {
        return Ok(());
    }
    Err(format!("the server says something else:\n    book:   {expected}\n    server: {said}"))
}

fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
        for pattern in ["a b c", "…", "a …", "… c", "a…c", "a …b… c", "a b c…"] {
            assert!(fits(pattern, "a b c"), "{pattern}");
        }
        for pattern in ["a b", "b c", "…b", "b…", "a…x…c", "a b c… c", ""] {
            assert!(!fits(pattern, "a b c"), "{pattern}");
        }
    }

    #[test]
    fn words_are_a_shells_words() {
        assert_eq!(words(" a 'b c' \"d 'e'\"f  # g").unwrap(), ["a", "b c", "d 'e'f"]);
        assert!(words("a 'b").is_err());
    }

    fn page(how: &str, body: &str) -> String {
        format!("<!-- replay: {how} -->\n```console\n{body}\n```\n")
    }

    #[test]
    fn replay_accepts_the_servers_words_and_no_others() {
        let program = Program::start(&[]);
        let echo = "$ websocat ws://127.0.0.1:8000/echo";
        let nowhere = "$ curl -i http://127.0.0.1:8000/nowhere";
        let log = "$ RUST_LOG=plainsocket=debug cargo run";
        let lines = "plainsocket … listening on 127.0.0.1:8000\n[…] 127.0.0.1:…: connected to \"/echo\"…\n…: closed";
        for text in [
            page("websocat", &format!("{echo}\n> Hello\n< Hello\n> you\n< …u")),
            page("websocat", &format!("{echo}\n> a\n…\n> b\n< b")),
            page("websocat", "$ websocat --linemode-strip-newlines ws://127.0.0.1:8000/echo\n> a\n…"),
            page("http", &format!("{nowhere}\nHTTP/1.1 404 Not Found\n…\nConnection: close\n…\n\nnothing …")),
            page("http", "$ curl -I http://127.0.0.1:8000\nHTTP/1.1 200 OK\n…"),
            page("log websocat /echo \"Hello\"", &format!("{log}\n{lines}")),
            page("log curl http://127.0.0.1:8000/nowhere", &format!("{log} -- --max-clients 3\n…refused with 404: …")),
            page("none: another server", &format!("{echo}\n< Welcome")),
            "```console\n$ websocat ws://127.0.0.1:8000/echo\n```\n".to_owned(),
        ] {
            assert_eq!(check("docs/t.md", &text, &program), [""; 0], "{text}");
        }
        for text in [
            page("websocat", &format!("{echo}\n> Hello\n< hello")),
            page("websocat", &format!("{echo}\n> Hello")),
            page("websocat", &format!("{echo}\nHello")),
            page("websocat", "$ websocat --binary ws://127.0.0.1:8000/echo\n> a\n< a"),
            page("websocat", "$ websocat ws://127.0.0.1:8000/nowhere\n> Hello"),
            page("http", &format!("{nowhere}\nHTTP/1.1 200 OK\n…")),
            page("http", &format!("{nowhere}\nHTTP/1.1 404 Not Found")),
            page("http", "$ wget http://127.0.0.1:8000\n…"),
            page("talk", &format!("{nowhere}\n…")),
            page("none:", &format!("{echo}\n< Welcome")),
            format!("```console\n{echo}\n> Hello\n< Hello\n```\n"),
        ] {
            assert_eq!(check("docs/t.md", &text, &program).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_line_that_is_not_in_the_log_is_missed() {
        let program = Program::start(&[]);
        let text = page("log websocat /echo", "$ RUST_LOG=plainsocket=info cargo run\n…: closed");
        assert!(check("docs/t.md", &text, &program)[0].contains("no such line in the log"));
    }
}
