//! Messages that nobody has asked for: what a `Sender` and a `Handle` send while a client's own thread waits for it.

use crate::support::{BINARY, Client, DEADLINE, TEXT, close_frame, wait_for};
use plainsocket::{Config, Connection, Error, Handle, Sender, Server};
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A server whose handlers all wait in `recv`. The Senders of its clients come out.
struct House {
    address: SocketAddr,
    handle: Handle,
    senders: Receiver<Sender>,
}

fn house(config: Config) -> House {
    let (give, senders) = mpsc::channel();
    let wait = move |connection: &mut Connection| {
        give.send(connection.sender()).unwrap();
        wait_to_the_end(connection)
    };
    let server = Server::bind("127.0.0.1:0").unwrap().config(config).route("/", wait.clone()).route("/other", wait);
    let (address, handle) = (server.local_addr().unwrap(), server.handle().unwrap());
    thread::spawn(|| server.run());
    House { address, handle, senders }
}

fn wait_to_the_end(connection: &mut Connection) -> Result<(), Error> {
    while connection.recv()?.is_some() {}
    Ok(())
}

impl House {
    fn connect(&self, path: &str) -> (Client, Sender) {
        let client = Client::connect(self.address, path);
        (client, next(&self.senders))
    }
}

fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(DEADLINE).expect("it comes in time")
}

// Sender

#[test]
fn sender_reaches_a_client_whose_thread_waits() {
    let house = house(Config::default());
    let (mut client, sender) = house.connect("/");
    assert_eq!((sender.peer(), sender.is_open()), (client.stream.local_addr().unwrap(), true));
    assert_eq!(format!("{sender:?}"), format!("Sender {{ peer: {}, .. }}", sender.peer()));
    sender.send("Hello").unwrap();
    sender.clone().send(vec![1, 2, 3]).unwrap();
    assert_eq!(client.read_frame(), (TEXT, b"Hello".to_vec()));
    assert_eq!(client.read_frame(), (BINARY, vec![1, 2, 3]));
    assert_eq!(sender.waiting_bytes(), 0);
}

// Handle

#[test]
fn broadcast_of_the_handle_reaches_the_clients_of_its_path() {
    let house = house(Config::default());
    let mut members: Vec<Client> = (0..3).map(|_| house.connect("/?query").0).collect();
    let (mut outsider, sender) = house.connect("/other");
    assert_eq!((house.handle.clients_of("/"), house.handle.clients_of("/other")), (3, 1));
    assert_eq!((house.handle.clients_of("/nobody"), house.handle.broadcast("/nobody", "x")), (0, 0));
    assert_eq!(house.handle.broadcast("/", "noon"), 3);
    sender.send("for you only").unwrap();
    for member in &mut members {
        assert_eq!(member.read_frame(), (TEXT, b"noon".to_vec()));
    }
    assert_eq!(outsider.read_frame(), (TEXT, b"for you only".to_vec()));
    members.pop().unwrap().send(close_frame(1000, ""));
    wait_for("a member to leave", || house.handle.clients_of("/") == 2);
    assert_eq!(house.handle.broadcast("/", "one"), 2);
}
