//! Tests of the sending side that look into its queue.

use super::*;
use crate::server::registry::Registry;
use crate::server::tests::{ClientsEnd, wait_until};
use std::thread;

/// Outboxes with a drain thread, without a server.
struct House {
    registry: Registry,
    drain: Arc<Drain>,
}

impl House {
    fn new() -> House {
        let drain = Drain::start().unwrap();
        let registry = Registry::default();
        registry.budget().set_limits(usize::MAX, usize::MAX);
        House { registry, drain }
    }

    fn outbox(&self, client: &ClientsEnd) -> Arc<Outbox> {
        let socket = Arc::new(Socket::new(client.servers_end()));
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let budget = Arc::clone(self.registry.budget());
        let outbox = Arc::new(Outbox::new(peer, socket, Arc::clone(&self.drain), budget));
        outbox.write_response(&[], Instant::now()).unwrap();
        outbox
    }

    fn write(&self, outbox: &Arc<Outbox>, bytes: &[u8]) -> Result<(), Error> {
        outbox.write(&Frames::new([&bytes[..1], &bytes[1..]], &self.registry))
    }

    fn write_own(&self, outbox: &Arc<Outbox>, bytes: &[u8], deadline: Option<Instant>) -> Result<(), Error> {
        outbox.write_own(&Frames::new([&bytes[..1], &bytes[1..]], &self.registry), deadline)
    }
}

fn waits(outbox: &Outbox) -> usize {
    lock(&outbox.state).backlog.length
}

#[test]
fn other_threads_never_wait_and_the_drain_thread_delivers() {
    let house = House::new();
    let clients: Vec<_> = (0..100).map(|_| ClientsEnd::new(Some(10), [])).collect();
    let outboxes: Vec<_> = clients.iter().map(|client| house.outbox(client)).collect();
    for round in 1..=3 {
        let bytes = [round; 100];
        let frames = Frames::new([&bytes, &[]], &house.registry);
        outboxes.iter().for_each(|outbox| outbox.write(&frames).unwrap());
    }
    assert!(outboxes.iter().all(|outbox| waits(outbox) > 290 && outbox.waiting().1.is_some()));
    let expected: Vec<u8> = (1..=3).flat_map(|round| [round; 100]).collect();
    for client in &clients {
        for tens in 1..=30 {
            assert_eq!(client.wait_for(10 * tens), expected[..10 * tens]);
            client.take(10);
        }
    }
    wait_until(|| outboxes.iter().all(|outbox| !lock(&outbox.state).writing));
    assert_eq!(house.registry.budget().used(), 0);
}

#[test]
fn own_small_reply_does_not_wait_for_bytes_of_others() {
    let house = House::new();
    let client = ClientsEnd::new(Some(10), []);
    let outbox = house.outbox(&client);
    house.write(&outbox, &[1; 1_000_000]).unwrap();
    // It would wait for 20 s.
    house.write_own(&outbox, &[2; 100], Some(Instant::now() + Duration::from_secs(20))).unwrap();
    assert!(waits(&outbox) > 1_000_000);
}

#[test]
fn own_thread_waits_with_more_than_a_piece_of_its_own() {
    let house = House::new();
    let client = ClientsEnd::new(Some(10), []);
    let outbox = house.outbox(&client);
    house.write(&outbox, &[1; 100]).unwrap();
    let (begin, patience) = (Instant::now(), Duration::from_millis(300));
    let own = |length: usize| house.write_own(&outbox, &vec![2; length], Some(begin + patience));
    own(MOST_OWN - 1000).unwrap();
    own(1000).unwrap();
    assert!(begin.elapsed() < patience, "a piece, to the byte");
    assert!(matches!(own(2), Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut));
    assert!(begin.elapsed() >= patience);
}

#[test]
fn own_thread_that_waits_goes_on_once_its_bytes_are_out() {
    let house = House::new();
    let client = ClientsEnd::new(Some(10), []);
    let outbox = house.outbox(&client);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| house.write_own(&outbox, &[2; MOST_OWN + 100], None));
        wait_until(|| lock(&outbox.state).waiting == 1);
        // It is woken, because it has no deadline.
        wait_until(|| {
            client.take(usize::MAX);
            waiting.is_finished()
        });
        waiting.join().unwrap().unwrap();
    });
    assert!(waits(&outbox) > 0, "the rest waits");
}

#[test]
fn writer_leaves_the_bytes_of_others_after_a_few_batches() {
    let house = House::new();
    let client = ClientsEnd::new(None, []);
    let outbox = house.outbox(&client);
    let bytes = [2; MOST_OWN];
    lock(&outbox.state).writing = true;
    let left = MOST_FRAMES + 1;
    (0..left).for_each(|_| house.write(&outbox, &bytes).unwrap());
    assert!(!outbox.drain());
    assert_eq!(client.wait_for(0).len(), MOST_FRAMES * MOST_OWN);
    assert!(outbox.drain());
    assert_eq!((client.wait_for(0).len(), lock(&outbox.state).writing), (left * MOST_OWN, false));
}

#[test]
fn client_that_takes_a_little_at_a_time_is_alive() {
    let house = House::new();
    let client = ClientsEnd::new(Some(1000), []);
    let outbox = house.outbox(&client);
    let begin = Instant::now();
    thread::scope(|scope| {
        let writing = scope.spawn(|| house.write_own(&outbox, &[1; MOST_OWN + 30_000], None));
        // A busy machine can hold up this thread for a while, but not each time.
        let was_active = |thousands: usize| {
            client.wait_for(1000 * thousands);
            thread::sleep(Duration::from_millis(10));
            let was_active = outbox.activity.silence().0 < begin.elapsed() / 2;
            client.take(1000);
            was_active
        };
        let times = (1..30).map(was_active).filter(|was_active| *was_active).count();
        assert!(times > 10, "{times} times of 29");
        wait_until(|| {
            client.take(1000);
            writing.is_finished()
        });
        writing.join().unwrap().unwrap();
    });
    assert_eq!(outbox.activity.silence().0, Duration::ZERO, "nobody waits for it any more");
}

#[test]
fn backlog_over_its_limit_evicts_with_the_next_frame() {
    let house = House::new();
    let client = ClientsEnd::new(Some(10), []);
    let outbox = house.outbox(&client);
    house.write(&outbox, &[1; 800]).unwrap();
    house.registry.budget().set_limits(usize::MAX, waits(&outbox));
    // However large it is, one message can wait on top of what is just allowed.
    house.write(&outbox, &[1; 100_000]).unwrap();
    let evicted = house.write(&outbox, &[1]);
    assert!(matches!(evicted, Err(Error::Evicted)));
    assert_eq!((waits(&outbox), house.registry.budget().used()), (0, 0));
}

#[test]
fn own_thread_that_need_not_wait_needs_no_buffers() {
    let house = House::new();
    // Enough for what is queued, and not for buffers.
    house.registry.budget().set_limits(MOST_OWN + BUFFERS, usize::MAX);
    let outbox = house.outbox(&ClientsEnd::new(Some(10), []));
    house.write_own(&outbox, &[1; MOST_OWN + 10], None).unwrap();
    let outbox = house.outbox(&ClientsEnd::new(Some(0), []));
    house.write(&outbox, &[1; 10]).unwrap();
    house.write_own(&outbox, &[1; MOST_OWN - 10], None).unwrap();
    house.write_own(&outbox, &[1; 10], None).unwrap();
    assert_eq!(lock(&outbox.state).backlog.own, MOST_OWN);
}

// §5.5.1, §5.5.2.
#[test]
fn only_a_pong_can_follow_a_close() {
    let (house, client) = (House::new(), ClientsEnd::default());
    let outbox = house.outbox(&client);
    outbox.write(&Frames::close(b"close ")).unwrap();
    assert!(matches!(house.write(&outbox, b"data"), Err(Error::Closed)));
    outbox.write(&Frames::late_pong(b"pong")).unwrap();
    assert!(matches!(house.write(&outbox, b"data"), Err(Error::Closed)));
    assert_eq!(client.wait_for(10), b"close pong");
}

#[test]
fn frame_that_memory_has_no_room_for_evicts_its_client_only() {
    let house = House::new();
    house.registry.budget().set_limits(1000, usize::MAX);
    let clients = [Some(10), None].map(|room| ClientsEnd::new(room, []));
    let [slow, healthy] = [0, 1].map(|i| house.outbox(&clients[i]));
    let bytes = [1; 1001];
    let frames = Frames::new([&bytes, &[]], &house.registry);
    assert!(slow.write(&frames).is_err());
    healthy.write(&frames).unwrap();
    assert_eq!(clients[1].wait_for(1001), bytes);
    // A Ping must go out all the same.
    let slow = house.outbox(&ClientsEnd::new(Some(0), []));
    slow.write(&Frames::ping(&bytes)).unwrap();
}

#[test]
fn own_thread_that_waits_counts_its_buffers() {
    const LENGTH: usize = MOST_OWN + 100;
    let house = House::new();
    let budget = house.registry.budget();
    let client = ClientsEnd::new(Some(10), []);
    let outbox = house.outbox(&client);
    thread::scope(|scope| {
        let writing = scope.spawn(|| house.write_own(&outbox, &[1; LENGTH], None));
        wait_until(|| budget.used() > LENGTH + BUFFERS);
        // Ten bytes are out. After 90 more the queue is within its bound again.
        for count in 1..=9 {
            client.wait_for(10 * count);
            client.take(10);
        }
        wait_until(|| writing.is_finished());
    });
    assert_eq!(lock(&outbox.state).waiting, 0);
    assert!(budget.used() < BUFFERS, "what is queued still counts, the buffers do not");
    outbox.disconnect();
    wait_until(|| budget.used() == 0);
    budget.set_limits(LENGTH + BUFFERS, usize::MAX);
    let outbox = house.outbox(&ClientsEnd::new(Some(10), []));
    assert!(matches!(house.write_own(&outbox, &[1; LENGTH], None), Err(Error::Evicted)));
}
