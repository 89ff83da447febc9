//! Whom the heartbeat looks at: clients whose connection is open, and nobody else.

use super::{ClientsEnd, peer, request, seat, serve, service, wait_until};
use crate::config::Config;
use crate::protocol::close::{CloseCode, CloseFrame};
use crate::server::closing::CloseState;
use crate::server::heartbeat::sweep;
use crate::server::registry::Client;
use crate::server::routes::open_route;
use crate::server::service::Service;
use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const MOMENT: Duration = Duration::from_millis(1);

/// A client is silent after a moment, and dropped after another.
fn impatient() -> Config {
    let timeouts = Config { ping_interval: MOMENT, pong_timeout: MOMENT, ..Config::default() };
    Config { close_timeout: Duration::from_secs(20), ..timeouts }
}

/// Sweeps for long enough to drop a client that was asked in the first of the sweeps.
fn sweep_for_a_while(service: &Service) {
    let begin = Instant::now();
    while begin.elapsed() < 20 * MOMENT {
        sweep(&service.registry, &service.config);
    }
}

/// Waits until the only client has been waited for in vain.
fn silent_client(service: &Service) -> Client {
    wait_until(|| service.registry.clients().iter().any(|client| client.outbox.activity.silence().0 > 2 * MOMENT));
    service.registry.clients().remove(0)
}

#[test]
fn client_in_its_closing_handshake_is_left_to_the_close_timeout() {
    let mut service = service(impatient(), |_| Ok(()));
    let (told, result) = mpsc::channel();
    let close = move |connection: &mut crate::Connection| {
        let closed = connection.close(CloseCode::NORMAL, "");
        let _ = told.send(format!("{closed:?}"));
        closed
    };
    service.routes.insert("/", open_route(close));
    let client = ClientsEnd::default();
    client.send(request("/"));
    thread::scope(|scope| {
        scope.spawn(|| serve(&service, &client, peer(1)));
        let entry = silent_client(&service);
        sweep_for_a_while(&service);
        assert_eq!(entry.outbox.activity.silence().1, None, "no Ping follows our Close");
        client.send([0x88, 0x80, 0, 0, 0, 0]);
        client.end();
    });
    assert_eq!(result.recv().unwrap(), "Ok(())", "it was not dropped before its answer");
}

#[test]
fn dead_client_is_not_judged_again() {
    let service = service(impatient(), |_| Ok(()));
    let client = ClientsEnd::default();
    let seat = seat(&service, &client, peer(1));
    seat.enter("/", None).unwrap();
    seat.outbox.disconnect();
    let _wait = seat.outbox.activity.wait();
    silent_client(&service);
    sweep_for_a_while(&service);
    assert_eq!(seat.outbox.activity.silence().1, None);
}

#[test]
fn end_that_takes_too_long_is_cut_short() {
    for cause in [CloseState::CloseSent, CloseState::Lost] {
        let service = service(Config { close_timeout: 2 * MOMENT, ..impatient() }, |_| Ok(()));
        let client = ClientsEnd::default();
        let seat = seat(&service, &client, peer(1));
        seat.enter("/", None).unwrap();
        let socket = &seat.outbox.socket;
        match cause {
            CloseState::CloseSent => seat.outbox.send_close(&CloseFrame::new(CloseCode::NORMAL, "")).unwrap(),
            _ => seat.outbox.note_end(cause),
        }
        assert_eq!(socket.read_now(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        sweep_for_a_while(&service);
        assert_eq!(socket.read_now(&mut [0]).ok(), Some(0), "{cause:?}: its thread would wake");
    }
}
