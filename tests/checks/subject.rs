//! The server under test, as a table of functions. The learner's server, the real one behind an adapter, and each wrong
//! answer is a `Subject`.

use super::words::{Failure, Frame, Head, Header, Message, Request, Settings, Verdict};
use crate::my_server::{accept, client, close, deflate, frame, heartbeat, message, push, registry, request, run, tcp};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The request, and the bytes received after it.
pub type Shaken = io::Result<Option<(Request, Vec<u8>)>>;

pub type ReadOutcome = Result<Option<Frame>, Failure>;

/// Takes the frames of one client, one after the other.
pub type Assembler = Box<dyn FnMut(Frame) -> Result<Option<Message>, u16>>;

/// A frame, and whether RSV1 was set.
pub type Deflated = Result<Option<(Frame, bool)>, u16>;

/// The bytes received after the reply's head; `None`: the server has refused.
pub type Opened = io::Result<Option<Vec<u8>>>;

pub type Clients = Vec<(SocketAddr, Arc<dyn Client>)>;

/// A registry (step 16), and `serve_client` for the clients in it.
pub trait Registry: Send + Sync {
    fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<dyn Client>;
    fn leave(&self, peer: SocketAddr);
    fn clients(&self) -> Clients;
    fn broadcast(&self, path: &str, frame: &[u8]);
    fn serve_client(&self, stream: TcpStream, settings: &Settings);
}

pub trait Client: Send + Sync {
    fn path(&self) -> &str;
    fn send(&self, frame: &[u8]) -> io::Result<()>;
    fn shut_down(&self);
    /// Step 18.
    fn push_ticks(&self, settings: &Settings);
}

impl Registry for registry::Registry {
    fn join(&self, peer: SocketAddr, path: &str, stream: TcpStream) -> Arc<dyn Client> {
        self.join(peer, path, stream)
    }

    fn leave(&self, peer: SocketAddr) {
        self.leave(peer);
    }

    fn clients(&self) -> Clients {
        self.clients().into_iter().map(|(peer, client)| (peer, client as Arc<dyn Client>)).collect()
    }

    fn broadcast(&self, path: &str, frame: &[u8]) {
        self.broadcast(path, frame);
    }

    fn serve_client(&self, stream: TcpStream, settings: &Settings) {
        run::serve_client(stream, self, settings);
    }
}

impl Client for registry::Client {
    fn path(&self) -> &str {
        &self.path
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.send(frame)
    }

    fn shut_down(&self) {
        self.shut_down();
    }

    fn push_ticks(&self, settings: &Settings) {
        push::push_ticks(self, settings);
    }
}

#[derive(Clone, Copy)]
pub struct Subject {
    pub echo_bytes: fn(TcpListener),
    pub accept_key: fn(&str) -> String,
    pub parse_request: fn(&[u8]) -> Head,
    pub answer: fn(&Request) -> Result<String, u16>,
    pub shake_hands: fn(&mut TcpStream) -> Shaken,
    pub decode_header: fn(&[u8]) -> Result<Option<Header>, u16>,
    pub unmask: fn(&mut [u8], [u8; 4]),
    pub encode_frame: fn(u8, &[u8]) -> Vec<u8>,
    pub take_frame: fn(&mut Vec<u8>, usize) -> Result<Option<Frame>, u16>,
    pub read_frame: fn(&mut TcpStream, &mut Vec<u8>, usize) -> ReadOutcome,
    pub answer_ping: fn(&Frame) -> Option<Vec<u8>>,
    pub assembler: fn(usize) -> Assembler,
    pub check_text: fn(&[u8]) -> Result<(), u16>,
    pub check_size: fn(usize, u64, usize) -> Result<(), u16>,
    pub answer_close: fn(&[u8]) -> Vec<u8>,
    pub hang_up: fn(TcpStream, Duration),
    pub serve_client: fn(TcpStream, &Settings),
    pub run: fn(TcpListener, Settings),
    pub registry: fn() -> Arc<dyn Registry>,
    pub verdict: fn(Duration, Option<Duration>, &Settings) -> Verdict,
    pub tick_frame: fn(u64) -> Vec<u8>,
    pub agree: fn(&str) -> Option<String>,
    pub take_deflated: fn(&mut Vec<u8>, usize) -> Deflated,
    pub inflate_message: fn(&[u8], usize) -> Result<Vec<u8>, u16>,
    pub mask_frame: fn(u8, &[u8], [u8; 4]) -> Vec<u8>,
    pub open: fn(&mut TcpStream, &str, &str) -> Opened,
    pub say: fn(&mut TcpStream, &mut Vec<u8>, &str) -> io::Result<Option<String>>,
}

/// The server in the module `my_server`, which is a different one in each test file.
pub const MY_SERVER: Subject = Subject {
    echo_bytes: tcp::echo_bytes,
    accept_key: accept::accept_key,
    parse_request: request::parse_request,
    answer: request::answer,
    shake_hands: request::shake_hands,
    decode_header: frame::decode_header,
    unmask: frame::unmask,
    encode_frame: frame::encode_frame,
    take_frame: frame::take_frame,
    read_frame: frame::read_frame,
    answer_ping: message::answer_ping,
    assembler: |limit| {
        let mut assembler = message::Assembler::new(limit);
        Box::new(move |frame| assembler.take(frame))
    },
    check_text: message::check_text,
    check_size: message::check_size,
    answer_close: close::answer_close,
    hang_up: close::hang_up,
    serve_client: |stream, settings| run::serve_client(stream, &registry::Registry::default(), settings),
    run: run::run,
    registry: || Arc::new(registry::Registry::default()),
    verdict: heartbeat::verdict,
    tick_frame: push::tick_frame,
    agree: deflate::agree,
    take_deflated: deflate::take_deflated,
    inflate_message: deflate::inflate_message,
    mask_frame: client::mask_frame,
    open: client::open,
    say: client::say,
};
