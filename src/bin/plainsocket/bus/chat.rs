//! `/chat` and `/chat/ROOM` with `--bus`: as without it, but what is said goes to the bus and comes from the bus.

use super::entry::{Id, LARGEST, Missing};
use super::link::Failure;
use super::room::{Membership, form, gap};
use super::{Bus, Subscription};
use crate::chat::{Presence, TokenBucket};
use crate::events;
use crate::inspect::JSON;
use crate::rooms::{Member, Rooms, check_name};
use log::warn;
use plainsocket::{Admission, CloseCode, Connection, Error, Refusal, Request};
use std::sync::Arc;
use std::thread;

/// The most messages that are asked for at once for a member that catches up.
const CHUNK: usize = 100;

/// The server's knowledge of a client before its 101.
pub struct Guest {
    member: Member,
    subscription: Subscription,
    /// The last message that it has got earlier.
    after: Option<Id>,
}

/// Takes a name and a place in the room, before the 101: `?name=Ann&after=1764272820123-17`.
pub fn admit(rooms: &Arc<Rooms>, bus: &Arc<Bus>, request: &Request) -> Result<Admission<Guest>, Refusal> {
    let wanted = request.query_value("name").unwrap_or_default();
    let name = check_name(&wanted).map_err(|rule| Refusal::new(400, rule))?;
    let after = request.query_value("after").filter(|after| !after.is_empty());
    let not_an_id = || Refusal::new(400, "after is the id of a message, such as 1764272820123-17");
    let after = after.map(|after| Id::parse(&after).ok_or_else(not_an_id)).transpose()?;
    let subscription = bus.subscribe(request.path())?;
    Ok(Admission::new(Guest { member: rooms.take_name(request.path(), name), subscription, after }))
}

pub fn chat(connection: &mut Connection, guest: Guest) -> Result<(), Error> {
    let Guest { member, subscription, after } = guest;
    let wants_events = connection.subprotocol() == Some(JSON);
    let seat = subscription.room.sit(connection.sender(), wants_events);
    let from = member.name.clone();
    let position = after.unwrap_or(seat.came_after);
    let presence = Presence::begin(connection, member, Some(&position.to_string()))?;
    if !catch_up(presence.connection, &seat, &subscription, after)? {
        return presence.connection.close(CloseCode::TRY_AGAIN_LATER, "the bus is unavailable; come again with after=");
    }
    let (mut bucket, mut number) = (TokenBucket::full(), 0);
    while let Some(message) = presence.connection.recv()? {
        number += 1;
        let size = message.as_bytes().len();
        if size > LARGEST {
            return presence.connection.close(CloseCode::MESSAGE_TOO_BIG, "the bus takes messages of 256 KiB");
        }
        if let Err(failure) = subscription.publish(&from, message) {
            presence.connection.send(refusal(number, &failure, wants_events))?;
            presence.connection.flush()?;
        }
        let pause = bucket.take(size);
        if !pause.is_zero() {
            // While this thread does not read, TCP's backpressure soon stops the client.
            thread::sleep(pause);
        }
    }
    Ok(())
}

/// Sends what a member has missed, and then lets the reader send. Returns whether the bus has answered.
fn catch_up(
    connection: &mut Connection,
    seat: &Membership,
    subscription: &Subscription,
    after: Option<Id>,
) -> Result<bool, Error> {
    if after.is_none() && seat.go_live(seat.came_after) {
        return Ok(true);
    }
    let (link, key) = (&subscription.bus.link, &subscription.room.key);
    let mut seen = after.unwrap_or(seat.came_after);
    let Ok(last) = link.last(key) else { return Ok(false) };
    if seen > last {
        // It is no message of this stream, which has begun again, or has lost its end.
        connection.send(gap(Missing::Unknown, seat.wants_events))?;
        seen = last;
    }
    loop {
        // Before the look into the stream: what the reader has handed on until now is found there.
        seat.put_aside();
        loop {
            let Ok(entries) = link.after(key, seen, CHUNK) else { return Ok(false) };
            let is_all = entries.len() < CHUNK;
            for entry in entries {
                if let Some(missing) = seen.missing_before(entry.id) {
                    connection.send(gap(missing, seat.wants_events))?;
                }
                seen = entry.id;
                if let Some(message) = form(&entry, seat.wants_events) {
                    connection.send(message)?;
                }
            }
            if is_all {
                break;
            }
        }
        connection.flush()?;
        if seat.go_live(seen) {
            return Ok(true);
        }
    }
}

/// Returns the notice that a client's message, by its number from 1, is not on the bus.
fn refusal(number: u64, failure: &Failure, wants_events: bool) -> String {
    let (known, words) = match failure {
        Failure::Unavailable => (true, "was not passed on: the bus is unavailable"),
        Failure::Late => (true, "was not passed on: the bus took too long"),
        Failure::NoAnswer => (false, "might be lost: the bus did not answer"),
        Failure::Refused(reason) => {
            warn!("the bus refuses a message: {reason}");
            (true, "was not passed on: the bus refused it")
        }
    };
    let words = format!("your message number {number} {words}");
    if wants_events { events::refused(number, known, &words) } else { events::plain_notice(&words) }
}
