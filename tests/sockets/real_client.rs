//! A real client (tungstenite) talks to the server.

use crate::support::{DEADLINE, start, start_default};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

fn connect(address: std::net::SocketAddr, path: &str) -> WebSocket<std::net::TcpStream> {
    let stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    let url = format!("ws://{address}{path}");
    let (socket, response) = tungstenite::client::client_with_config(url, stream, Some(config)).unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[test]
fn text_binary_and_the_largest_message_come_back_as_they_were() {
    let mut socket = connect(start_default(), "/echo");
    for message in [
        Message::text(""),
        Message::text("Hello, 世界"),
        Message::binary(vec![0, 1, 254, 255]),
        Message::text("ä".repeat(100_000)),
        Message::binary((0..16 * 1024 * 1024).map(|i| (i % 251) as u8).collect::<Vec<_>>()),
    ] {
        socket.send(message.clone()).unwrap();
        assert!(socket.read().unwrap() == message, "not what was sent");
    }
}

#[test]
fn one_byte_more_than_the_limit_is_closed_with_1009() {
    let mut socket = connect(start(plainsocket::Config { max_message_size: 5, ..Default::default() }), "/echo");
    socket.send(Message::text("Hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("Hello"));
    socket.send(Message::text("Hello!")).unwrap();
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no Close") };
    assert_eq!(close.code, CloseCode::Size);
}

#[test]
fn a_ping_gets_its_pong() {
    let mut socket = connect(start_default(), "/echo");
    socket.send(Message::Ping("are you there".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("are you there".into()));
}

#[test]
fn the_closing_handshake_ends_cleanly_from_either_side() {
    let close = CloseFrame { code: CloseCode::Library(4000), reason: "bye".into() };
    let mut socket = connect(start_default(), "/echo");
    socket.close(Some(close)).unwrap();
    let Message::Close(Some(answer)) = socket.read().unwrap() else { panic!("no Close") };
    assert_eq!(answer.code, CloseCode::Library(4000));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));

    let mut socket = connect(start_default(), "/leave");
    assert_eq!(socket.read().unwrap(), Message::text("see you"));
    let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no Close") };
    assert_eq!((close.code, close.reason.as_str()), (CloseCode::Policy, "enough"));
    assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
}

#[test]
fn a_hundred_clients_at_once_each_get_their_own_messages() {
    let address = start_default();
    std::thread::scope(|scope| {
        for client in 0..100 {
            scope.spawn(move || {
                let mut socket = connect(address, "/echo");
                for i in 0..20 {
                    let message = Message::text(format!("client {client}, message {i}"));
                    socket.send(message.clone()).unwrap();
                    assert_eq!(socket.read().unwrap(), message);
                }
                socket.close(None).unwrap();
            });
        }
    });
}
