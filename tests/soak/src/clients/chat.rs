//! Good members of `/chat`: a message that one of them sends while all are present must reach all of them, once and in
//! order.
//!
//! They go round by round. Missing members join, then everybody talks until everybody has heard everything, and then
//! one of them leaves. So at each moment it is known who must receive which message.

use super::Mix;
use super::good::Good;
use anyhow::{Result, ensure};
use rand::RngExt as _;
use rand::rngs::StdRng;
use std::thread;
use std::time::Duration;
use tungstenite::Message;

const MEMBERS: usize = 6;
const MESSAGES: usize = 12;

/// A round is smaller than a member's socket buffers and backlog, so no member is evicted because its thread gets no
/// time.
const LONGEST: usize = 24 * 1024;

pub fn room(mix: &Mix, random: &mut StdRng) {
    let mut members: Vec<Option<Good>> = (0..MEMBERS).map(|_| None).collect();
    let mut round = 0;
    while !mix.is_over() {
        each(mix, &mut members, |number, member| {
            if member.is_none() {
                *member = Some(join(mix, number)?);
            }
            Ok(())
        });
        // If a member could not join, it is unknown who should hear whom.
        if members.iter().all(Option::is_some) {
            each(mix, &mut members, |number, member| {
                member.as_mut().map_or(Ok(()), |member| talk(mix, member, round, number))
            });
        }
        round += 1;
        leave(mix, members[random.random_range(0..MEMBERS)].take());
        thread::sleep(Duration::from_millis(random.random_range(0..50)));
    }
    members.into_iter().for_each(|member| leave(mix, member));
}

/// Runs `act` for each member, in a thread of its own, and waits for all of them. A member that fails is removed.
fn each(mix: &Mix, members: &mut [Option<Good>], act: impl Fn(usize, &mut Option<Good>) -> Result<()> + Sync) {
    let act = &act;
    thread::scope(|scope| {
        for (number, member) in members.iter_mut().enumerate() {
            scope.spawn(move || {
                if let Err(error) = act(number, member) {
                    mix.tally.cut_off.add(1);
                    mix.tally.complain(format!("chat member {number}: {error:#}"));
                    *member = None;
                }
            });
        }
    });
}

/// A new member receives its own message once the server has added it, and not before.
fn join(mix: &Mix, number: usize) -> Result<Good> {
    let mut member = Good::connect(mix.address, "/chat")?;
    mix.tally.reconnects.add(1);
    let hello = Message::text(format!("hello from {number}"));
    member.send(hello.clone())?;
    while member.receive()? != hello {}
    Ok(member)
}

fn leave(mix: &Mix, member: Option<Good>) {
    if let Some(Err(error)) = member.map(Good::leave) {
        mix.tally.cut_off.add(1);
        mix.tally.complain(format!("a chat member that left: {error:#}"));
    }
}

fn talk(mix: &Mix, member: &mut Good, round: usize, own_number: usize) -> Result<()> {
    // The number of the next message from each member.
    let mut next = [0; MEMBERS];
    let mut turn = || -> Result<()> {
        for number in 0..MESSAGES {
            member.send(message(round, own_number, number))?;
            while next[own_number] <= number {
                hear(member, round, &mut next)?;
            }
        }
        while next != [MESSAGES; MEMBERS] {
            hear(member, round, &mut next)?;
        }
        Ok(())
    };
    let result = turn();
    let heard: usize = next.iter().sum();
    mix.tally.chat_delivered.add(heard as u64);
    mix.tally.lost.add((MEMBERS * MESSAGES - heard) as u64);
    result
}

/// Reads one message. Messages of other clients are ignored: random bytes can form one.
fn hear(member: &mut Good, round: usize, next: &mut [usize; MEMBERS]) -> Result<()> {
    let message = member.receive()?;
    if let Some([its_round, sender, number]) = numbers(&message)
        && its_round == round
        && sender < MEMBERS
    {
        ensure!(number == next[sender], "message {number} of member {sender}, not {}", next[sender]);
        ensure!(message == self::message(round, sender, number), "message {number} of member {sender} has changed");
        next[sender] += 1;
    }
    Ok(())
}

/// A message that says who sent it, and as which message.
fn message(round: usize, sender: usize, number: usize) -> Message {
    let mut text = format!("soak {round} {sender} {number} ");
    let length = (round * 7919 + sender * 104_729 + number * 1_299_709) % LONGEST;
    text.extend(std::iter::repeat_n('.', length));
    if number.is_multiple_of(2) { Message::text(text) } else { Message::binary(text.into_bytes()) }
}

fn numbers(message: &Message) -> Option<[usize; 3]> {
    let text = message.to_text().ok()?.strip_prefix("soak ")?;
    let mut words = text.split(' ').map(str::parse);
    Some([words.next()?.ok()?, words.next()?.ok()?, words.next()?.ok()?])
}
