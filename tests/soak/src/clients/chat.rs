//! Good members of `/chat`: what one of them sends while all are there must reach all of them, once and in order.
//!
//! They go round by round. Whoever is missing joins; then everybody talks until everybody has heard everything; then
//! one of them leaves. So it is known at each moment who has to get what.

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

/// A round is less than what a member's sockets and backlog hold, so that nobody is evicted whose thread gets no time.
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
        // If one could not join, who should hear whom is not known.
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

/// Lets all members act, each in a thread of its own, and waits for them. Who fails is no member any more.
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

/// Its own message comes back once the server has it on its list, and not before.
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
    // The next message from each member.
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

/// One message. What comes from others than the members (random bytes can be a message) is no affair of ours.
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

/// A message that says whose and which it is.
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
