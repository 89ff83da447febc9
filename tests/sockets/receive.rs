//! `recv_timeout` and `close_frame`: what a handler learns about a client that is silent so far, or has closed.

use crate::support::{BINARY, CLOSE, Client, DEADLINE, PING, PONG, TEXT, close_frame, frame, wait_for};
use plainsocket::{CloseCode, CloseFrame, Config, Connection, Error, Handle, Message, Received, Server};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(10);

/// A server whose only path is `/`.
fn serve<H>(config: Config, handler: H) -> (SocketAddr, Handle)
where
    H: Fn(&mut Connection) -> Result<(), Error> + Send + Sync + 'static,
{
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).route("/", handler);
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    thread::spawn(move || server.run());
    (address, handle)
}

/// Waits for a message in steps of `timeout`, like a handler that has other work to do in between.
fn next(connection: &mut Connection, timeout: Duration) -> Result<Option<Message>, Error> {
    loop {
        match connection.recv_timeout(timeout)? {
            Received::Message(message) => return Ok(Some(message)),
            Received::Nothing => thread::yield_now(),
            Received::Closed => return Ok(None),
        }
    }
}

fn echo_in_steps(timeout: Duration) -> impl Fn(&mut Connection) -> Result<(), Error> {
    move |connection| {
        while let Some(message) = next(connection, timeout)? {
            connection.send(message)?;
        }
        Ok(())
    }
}

// A wait with a limit

#[test]
fn message_nothing_and_end_are_distinct_results() {
    let (tell, told) = mpsc::channel();
    let (address, _) = serve(Config::default(), move |connection| {
        let started = Instant::now();
        let nothing = connection.recv_timeout(5 * SHORT)?;
        assert!(started.elapsed() >= 5 * SHORT, "it waits for the whole time");
        connection.send("now")?;
        let message = connection.recv_timeout(DEADLINE)?;
        let ends = [connection.recv_timeout(DEADLINE)?, connection.recv_timeout(Duration::ZERO)?];
        tell.send((nothing, message, ends)).unwrap();
        Ok(())
    });
    let mut client = Client::connect(address, "/");
    assert_eq!(client.read_frame(), (TEXT, b"now".to_vec()));
    client.send([frame(TEXT, b"hello"), close_frame(1000, "")].concat());
    client.expect_close(Some(1000));
    let message = Received::Message(Message::Text("hello".into()));
    let ends = [Received::Closed, Received::Closed];
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), (Received::Nothing, message, ends));
}

#[test]
fn every_timeout_receives_whole_messages_whatever_their_pieces() {
    for timeout in [Duration::ZERO, Duration::from_nanos(1), SHORT, DEADLINE, Duration::MAX] {
        let (address, _) = serve(Config::default(), echo_in_steps(timeout));
        let mut client = Client::connect(address, "/");
        // The pauses are long enough for the handler to find nothing, or part of a message, in between.
        let slowly = |client: &mut Client, bytes: &[u8], most: usize| {
            for piece in bytes.chunks(most) {
                client.send(piece);
                thread::sleep(Duration::from_millis(3));
            }
        };
        slowly(&mut client, &frame(TEXT, b"a byte at a time"), 1);
        assert_eq!(client.read_frame(), (TEXT, b"a byte at a time".to_vec()), "{timeout:?}");
        let large = vec![7; 300_000];
        slowly(&mut client, &frame(BINARY, &large), 70_000);
        assert!(client.read_frame() == (BINARY, large), "{timeout:?}");
        slowly(&mut client, &[frame(0x01, b"frag"), frame(PING, b"hi"), frame(0x80, b"ments")].concat(), 5);
        assert_eq!(client.read_frame(), (PONG, b"hi".to_vec()), "{timeout:?}");
        assert_eq!(client.read_frame(), (TEXT, b"fragments".to_vec()), "{timeout:?}");
        client.send((0..40).flat_map(|number| frame(TEXT, &[b'0' + number])).collect::<Vec<u8>>());
        (0..40).for_each(|number| assert_eq!(client.read_frame().1, [b'0' + number], "{timeout:?}"));
        client.send(close_frame(1000, ""));
        client.expect_close(Some(1000));
    }
}

#[test]
fn large_message_that_has_arrived_is_received_with_zero() {
    let (arrived, has_arrived) = mpsc::channel::<()>();
    let has_arrived = std::sync::Mutex::new(has_arrived);
    let (address, _) = serve(Config::default(), move |connection| {
        connection.send("ready")?;
        has_arrived.lock().unwrap().recv().unwrap();
        let received = connection.recv_timeout(Duration::ZERO)?;
        connection.send(match received {
            Received::Message(message) => message.as_bytes().len().to_string(),
            other => format!("{other:?}"),
        })
    });
    let mut client = Client::connect(address, "/");
    assert_eq!(client.read_frame().1, b"ready");
    // The system's buffers take this much although nobody reads.
    client.send(frame(BINARY, &[7; 40_000]));
    arrived.send(()).unwrap();
    assert_eq!(client.read_frame().1, b"40000");
}

#[test]
fn limit_ends_the_wait_for_a_client_that_only_pings() {
    for timeout in [Duration::ZERO, 5 * SHORT] {
        let (tell, told) = mpsc::channel();
        let (address, _) = serve(Config::default(), move |connection| {
            connection.recv()?;
            let _ = tell.send(connection.recv_timeout(timeout));
            while connection.recv()?.is_some() {}
            Ok(())
        });
        let mut client = Client::connect(address, "/");
        let mut reader = client.stream.try_clone().unwrap();
        let drain = thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        client.send(frame(TEXT, b"go"));
        let pings = frame(PING, &[7; 125]).repeat(1000);
        let started = Instant::now();
        let result = loop {
            client.send(&pings);
            match told.try_recv() {
                Ok(result) => break result,
                Err(_) => assert!(started.elapsed() < DEADLINE, "the Pings have put the limit off"),
            }
        };
        assert_eq!(result.unwrap(), Received::Nothing);
        client.send(close_frame(1000, ""));
        drain.join().unwrap().unwrap();
    }
}

#[test]
fn replies_are_written_before_the_wait_with_a_limit() {
    let (address, _) = serve(Config::default(), |connection| {
        let first = connection.recv()?;
        // The second message has arrived already, so this reply can wait for the reply to that one.
        first.map_or(Ok(()), |first| connection.send(first))?;
        while let Received::Message(_) = connection.recv_timeout(SHORT)? {}
        while connection.recv()?.is_some() {}
        Ok(())
    });
    let mut client = Client::connect(address, "/");
    client.send([frame(TEXT, b"answered"), frame(TEXT, b"not"), frame(PING, b"hi")].concat());
    assert_eq!(client.read_frame(), (TEXT, b"answered".to_vec()));
    assert_eq!(client.read_frame(), (PONG, b"hi".to_vec()));
}

#[test]
fn recv_after_a_limit_has_none() {
    let (address, _) = serve(Config::default(), |connection| {
        while connection.recv_timeout(SHORT)? != Received::Nothing {}
        connection.send("waiting")?;
        let message = connection.recv()?;
        message.map_or(Ok(()), |message| connection.send(message))
    });
    let mut client = Client::connect(address, "/");
    assert_eq!(client.read_frame().1, b"waiting");
    thread::sleep(10 * SHORT);
    client.send(frame(TEXT, b"late"));
    assert_eq!(client.read_frame().1, b"late");
}

// The end

#[test]
fn handler_with_limits_hears_of_shutdown_and_its_client_of_1001() {
    for timeout in [Duration::ZERO, SHORT, DEADLINE] {
        let (tell, told) = mpsc::channel();
        let (address, handle) = serve(Config::default(), move |connection| {
            connection.send("ready")?;
            let result = next(connection, timeout);
            let _ = tell.send((result, connection.recv_timeout(timeout), connection.close_frame().cloned()));
            Ok(())
        });
        let mut client = Client::connect(address, "/");
        assert_eq!(client.read_frame().1, b"ready");
        handle.shutdown();
        assert_eq!(client.read_frame(), (CLOSE, b"\x03\xe9the server is shutting down".to_vec()));
        // Between the two Close frames the server answers a Ping and drops a message.
        client.send([frame(PING, b"hi"), frame(TEXT, b"late")].concat());
        assert_eq!(client.read_frame(), (PONG, b"hi".to_vec()), "{timeout:?}");
        client.send(close_frame(1001, ""));
        assert_eq!(client.read_to_end(), b"");
        let (result, again, close) = told.recv_timeout(DEADLINE).unwrap();
        assert_eq!((result.unwrap(), again.unwrap()), (None, Received::Closed), "{timeout:?}");
        assert_eq!(close, Some(CloseFrame::new(CloseCode::GOING_AWAY, "")));
    }
}

#[test]
fn close_timeout_ends_a_handler_that_waits_in_steps() {
    for timeout in [Duration::ZERO, SHORT, DEADLINE] {
        let (tell, told) = mpsc::channel();
        let config = Config { close_timeout: 30 * SHORT, ..Config::default() };
        let (address, handle) = serve(config, move |connection| {
            connection.send("ready")?;
            let result = next(connection, timeout);
            let _ = tell.send((result.map(drop), connection.recv_timeout(timeout), connection.close_frame().cloned()));
            Ok(())
        });
        let mut client = Client::connect(address, "/");
        assert_eq!(client.read_frame().1, b"ready");
        handle.shutdown();
        client.expect_close(Some(1001));
        let (result, again, close) = told.recv_timeout(DEADLINE).unwrap();
        let kind = result.map_err(|error| matches!(error, Error::Io(_)));
        assert_eq!((kind, again.unwrap(), close), (Err(true), Received::Closed, None), "{timeout:?}");
    }
}

#[test]
fn handler_with_limits_hears_of_a_close_by_another_thread() {
    for (timeout, answers) in [(Duration::ZERO, true), (SHORT, true), (SHORT, false), (DEADLINE, true)] {
        let (tell, told) = mpsc::channel();
        let config = Config { close_timeout: 100 * SHORT, ..Config::default() };
        let (address, _) = serve(config, move |connection| {
            let sender = connection.sender();
            let other = thread::spawn(move || sender.close(CloseCode::POLICY_VIOLATION, "expired"));
            let _ = tell.send((next(connection, timeout), connection.close_frame().cloned()));
            other.join().unwrap()
        });
        let mut client = Client::connect(address, "/");
        assert_eq!(client.read_frame(), (CLOSE, b"\x03\xf0expired".to_vec()));
        if answers {
            client.send([frame(TEXT, b"late"), close_frame(1008, "")].concat());
        }
        let (result, close) = told.recv_timeout(DEADLINE).unwrap();
        match answers {
            true => assert_eq!((result.unwrap(), close.map(|close| close.code.get())), (None, Some(1008))),
            false => assert!(matches!(result, Err(Error::Io(_))) && close.is_none()),
        }
        assert_eq!(client.read_to_end(), b"");
    }
}

#[test]
fn client_that_vanishes_is_an_error_of_a_wait_with_a_limit() {
    for timeout in [Duration::ZERO, SHORT, DEADLINE] {
        let (tell, told) = mpsc::channel();
        let (address, _) = serve(Config::default(), move |connection| {
            let result = next(connection, timeout);
            let _ = tell.send(result);
            Ok(())
        });
        Client::connect(address, "/").hang_up();
        let result = told.recv_timeout(DEADLINE).unwrap();
        assert!(matches!(&result, Err(Error::Io(error)) if error.kind() == ErrorKind::UnexpectedEof), "{result:?}");
    }
}

// The heartbeat

fn impatient() -> Config {
    let [ping_interval, pong_timeout] = [Duration::from_millis(300), Duration::from_millis(300)];
    Config { ping_interval, pong_timeout, ..Config::default() }
}

#[test]
fn dead_client_is_dropped_while_handler_uses_recv_timeout() {
    // With a timeout of zero the handler never waits.
    for (timeout, pause) in [(SHORT, Duration::ZERO), (Duration::ZERO, SHORT), (SHORT, 5 * SHORT)] {
        let (address, handle) = serve(impatient(), move |connection| {
            while connection.recv_timeout(timeout)? != Received::Closed {
                thread::sleep(pause);
            }
            Ok(())
        });
        let mut client = Client::connect(address, "/");
        let started = Instant::now();
        assert_eq!(client.read_frame().0, PING, "{timeout:?}");
        let (first, payload) = client.read_frame();
        assert_eq!((first, &payload[..2]), (CLOSE, &1001u16.to_be_bytes()[..]), "{timeout:?}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(550) && took < Duration::from_secs(3), "dropped after {took:?}");
        assert_eq!(client.read_to_end(), b"");
        wait_for("its seat to be free", || handle.clients() == 0);
    }
}

#[test]
fn answering_client_stays_while_handler_uses_recv_timeout() {
    let (address, _) = serve(impatient(), echo_in_steps(SHORT));
    let mut client = Client::connect(address, "/");
    for _ in 0..4 {
        let (first, payload) = client.read_frame();
        assert_eq!(first, PING);
        client.send(frame(PONG, &payload));
    }
    client.send(frame(TEXT, b"still here"));
    assert_eq!(client.read_frame().1, b"still here");
}

#[test]
fn client_with_unread_bytes_does_not_count_as_silent() {
    let hold = |timeout: Duration| {
        let (address, handle) = serve(impatient(), move |connection| {
            loop {
                match connection.recv_timeout(timeout)? {
                    // The handler is busy for longer than both times together, and meanwhile nobody reads what the
                    // client sends.
                    Received::Nothing => thread::sleep(Duration::from_millis(900)),
                    Received::Message(message) => connection.send(message)?,
                    Received::Closed => return Ok(()),
                }
            }
        });
        let mut client = Client::connect(address, "/");
        // The client answers each Ping and sends a message now and then, for several times that long.
        client.stream.set_read_timeout(Some(5 * SHORT)).unwrap();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(2900) {
            let mut head = [0; 10];
            match std::io::Read::read(&mut client.stream, &mut head) {
                Ok(10) => {
                    assert_eq!(head[..2], [PING, 8], "{timeout:?}");
                    client.send(frame(PONG, &head[2..]));
                }
                Ok(count) => panic!("{timeout:?}: {:?}", &head[..count]),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            }
        }
        assert_eq!(handle.clients(), 1);
    };
    thread::scope(|scope| {
        for timeout in [Duration::ZERO, SHORT] {
            scope.spawn(move || hold(timeout));
        }
    });
}

// The client's Close (§7.1.5)

/// What a handler sees of its client's Close, before and after the end
fn seen(
    config: Config,
    handler: impl Fn(&mut Connection) -> Result<(), Error> + Send + Sync + 'static,
    client: impl FnOnce(&mut Client),
) -> Option<CloseFrame> {
    let (tell, told) = mpsc::channel();
    let (address, _) = serve(config, move |connection| {
        assert_eq!(connection.close_frame(), None);
        let result = handler(connection);
        let _ = tell.send(connection.close_frame().cloned());
        result
    });
    client(&mut Client::connect(address, "/"));
    told.recv_timeout(DEADLINE).unwrap()
}

fn read(connection: &mut Connection) -> Result<(), Error> {
    while connection.recv()?.is_some() {}
    Ok(())
}

#[test]
fn close_of_the_client_is_seen_with_its_code_and_reason() {
    let close = seen(Config::default(), read, |client| client.send(close_frame(4000, "tschüß")));
    assert_eq!(close, Some(CloseFrame::new(CloseCode::new(4000).unwrap(), "tschüß")));
}

#[test]
fn empty_close_is_seen_as_1005_and_answered_empty() {
    let close = seen(Config::default(), read, |client| {
        client.send(frame(CLOSE, b""));
        client.expect_close(None);
    });
    assert_eq!(close, Some(CloseFrame::new(CloseCode::NO_STATUS, "")));
    assert_eq!((CloseCode::NO_STATUS.get(), CloseCode::new(1005)), (1005, None));
}

#[test]
fn answer_to_our_close_is_seen() {
    let close = seen(
        Config::default(),
        |connection| connection.close(CloseCode::POLICY_VIOLATION, "enough"),
        |client| {
            assert_eq!(client.read_frame(), (CLOSE, b"\x03\xf0enough".to_vec()));
            client.send(close_frame(1000, "as you like"));
        },
    );
    assert_eq!(close, Some(CloseFrame::new(CloseCode::NORMAL, "as you like")));
}

#[test]
fn close_with_1005_goes_out_without_a_code() {
    let close = seen(
        Config::default(),
        |connection| connection.close(CloseCode::NO_STATUS, "no place for this"),
        |client| {
            assert_eq!(client.read_frame(), (CLOSE, vec![]));
            client.send(close_frame(1000, ""));
        },
    );
    assert_eq!(close, Some(CloseFrame::new(CloseCode::NORMAL, "")));
}

#[test]
fn no_close_is_seen_where_none_came_or_a_rule_was_broken_before() {
    assert_eq!(seen(Config::default(), read, |client| client.hang_up()), None);
    let unmasked = |client: &mut Client| client.send([&[0x81, 0][..], &close_frame(1000, "")].concat());
    assert_eq!(seen(Config::default(), read, unmasked), None);
    let config = Config { close_timeout: SHORT, ..Config::default() };
    let never_answers = |client: &mut Client| drop(client.expect_close(Some(1000)));
    assert_eq!(seen(config, |connection| connection.close(CloseCode::NORMAL, ""), never_answers), None);
}

#[test]
fn close_that_recv_frame_has_returned_is_seen() {
    let handler = |connection: &mut Connection| {
        let frame = connection.recv_frame()?.expect("a Close");
        assert_eq!(frame.length, Some(6));
        assert_eq!(connection.close_frame().map(|close| &*close.reason), Some("away"), "at once");
        Ok(())
    };
    let close = seen(Config::default(), handler, |client| client.send(close_frame(1001, "away")));
    assert_eq!(close, Some(CloseFrame::new(CloseCode::GOING_AWAY, "away")));
}

#[test]
fn guard_sees_the_close_after_return_error_and_panic() {
    struct Guard<'a>(&'a mut Connection, mpsc::Sender<Option<u16>>);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.close_frame().map(|close| close.code.get()));
        }
    }
    static PANICS: AtomicBool = AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    let (address, _) = serve(Config::default(), move |connection| {
        let guard = Guard(connection, tell.clone());
        read(guard.0)?;
        assert!(!PANICS.load(Ordering::Relaxed), "on purpose");
        Ok(())
    });
    let mut client = Client::connect(address, "/");
    client.send(close_frame(1000, ""));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Some(1000));
    Client::connect(address, "/").hang_up();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), None);
    PANICS.store(true, Ordering::Relaxed);
    let mut client = Client::connect(address, "/");
    client.send(close_frame(3000, ""));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Some(3000));
}
