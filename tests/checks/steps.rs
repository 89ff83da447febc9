//! The list of all steps, in the order of the book.

use super::guard::{self, Check};
use super::lesson::Lesson;
use super::subject::Subject;
use super::{
    accept, chat, client, clients, close, conversation, deflate, frame, handshake, heartbeat, limits, message, push,
    read, request, tcp, watch,
};
use std::time::Duration;

pub struct Step {
    pub number: &'static str,
    /// The title of its page.
    pub name: &'static str,
    pub title: &'static str,
    /// The task, in one sentence.
    pub task: &'static str,
    /// The file in `tests/my_server`, and the functions in it.
    pub file: &'static str,
    pub functions: &'static str,
    /// The chapter of the book. It quotes the source, so the card names it only when the step is done.
    pub chapter: &'static str,
    /// The code to compare with once the step is done.
    pub compare: &'static str,
    pub try_next: &'static str,
    pub checks: &'static [Check],
}

impl Step {
    pub fn page(&self) -> String {
        format!("docs/exercises/{}-{}.md", self.number, self.name)
    }

    /// Runs the checks up to the first that fails. `patience` bounds each wait in them.
    pub fn run(&self, subject: Subject, patience: Duration) -> Result<(), Lesson> {
        (0..self.checks.len()).try_for_each(|at| self.run_check(at, subject, patience))
    }

    /// Runs one of the checks.
    pub fn run_check(&self, at: usize, subject: Subject, patience: Duration) -> Result<(), Lesson> {
        guard::run(self.checks[at], subject, patience, self.silence(patience))
    }

    /// The longest time for a case of its checks. A case with a socket waits several times, and each wait has its own
    /// bound.
    fn silence(&self, patience: Duration) -> Duration {
        if self.has_sockets() { patience * 5 } else { patience }
    }

    /// Returns whether a server is complete without this step.
    pub fn is_optional(&self) -> bool {
        matches!(self.number, "20" | "21")
    }

    /// Whether its checks talk over sockets, and so wait most of their time.
    pub fn has_sockets(&self) -> bool {
        !matches!(self.file, "accept.rs" | "deflate.rs" | "message.rs")
            && !["02", "03", "05", "06", "07"].contains(&self.number)
    }
}

pub fn find(number: &str) -> Option<&'static Step> {
    // `4` means `04`.
    STEPS.iter().find(|step| step.number == number || step.number.strip_prefix('0') == Some(number))
}

/// The steps that a server needs; the others are optional.
pub fn required() -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(|step| !step.is_optional())
}

pub const STEPS: &[Step] = &[
    Step {
        number: "00",
        name: "tcp",
        title: "an echo over TCP",
        task: "Accept clients forever, and send each client's bytes back to it, each in a thread of its own.",
        file: "tcp.rs",
        functions: "fn echo_bytes",
        chapter: "listening",
        compare: "accept and welcome in src/server/accept.rs",
        try_next: "cargo steps --echo, and in another terminal websocat -b - tcp:127.0.0.1:8000",
        checks: &[
            tcp::bytes_come_back,
            tcp::a_silent_client_keeps_no_other_waiting,
            tcp::the_end_of_a_client_is_its_end,
        ],
    },
    Step {
        number: "01",
        name: "accept-key",
        title: "the accept key",
        task: "Return the value of Sec-WebSocket-Accept for a key.",
        file: "accept.rs",
        functions: "fn accept_key",
        chapter: "handshake",
        compare: "accept_key in src/protocol/upgrade.rs",
        try_next: "leave out the GUID, and read what the card says.",
        checks: &[accept::the_key_of_the_rfc, accept::another_key],
    },
    Step {
        number: "02",
        name: "request",
        title: "the head of a request",
        task: "Find the request at the front of some bytes, or say that more are needed, or that it is wrong.",
        file: "request.rs",
        functions: "fn parse_request",
        chapter: "handshake",
        compare: "Request::parse and head_length in src/protocol/request.rs",
        try_next: "what would a control character in a header do to a log? head_length refuses it.",
        checks: &[
            request::a_head_becomes_a_request,
            request::a_part_of_a_head_needs_more_bytes,
            request::bytes_behind_the_head_are_left_alone,
            request::a_bare_newline_ends_no_line,
            request::a_bad_head_is_refused,
            request::a_long_head_is_refused,
            request::the_limit_is_exact,
            request::the_host_is_found_in_any_case,
            request::a_value_may_be_empty_and_a_name_come_twice,
            request::a_strange_head_is_no_panic,
            request::a_byte_that_is_no_text_is_one_byte,
        ],
    },
    Step {
        number: "03",
        name: "answer",
        title: "the answer to a request",
        task: "Decide whether a request can become a WebSocket, and write the 101.",
        file: "request.rs",
        functions: "fn answer",
        chapter: "handshake",
        compare: "Request::accept in src/protocol/upgrade.rs",
        try_next: "whose pages can connect? §10.2 has the Origin header; refuse one with 403.",
        checks: &[
            request::a_good_request_gets_its_101,
            request::names_and_tokens_have_no_case,
            request::connection_and_upgrade_are_lists,
            request::a_list_may_go_on_in_another_header,
            request::what_is_missing_is_refused,
            request::a_name_is_compared_as_a_whole,
            request::every_character_of_base64_is_known,
            request::the_first_that_is_missing_is_told,
            request::what_is_offered_is_declined,
        ],
    },
    Step {
        number: "04",
        name: "handshake",
        title: "the handshake over a socket",
        task: "Read a request from a socket, answer it, and keep the bytes after it.",
        file: "request.rs",
        functions: "fn shake_hands",
        chapter: "handshake",
        compare: "open and read_request in src/server/opening.rs",
        try_next: "how long can a client take for its request? See docs/limits.md, slow handshakes.",
        checks: &[
            handshake::the_client_reads_its_101,
            handshake::a_request_may_come_in_pieces,
            handshake::a_frame_behind_the_head_is_kept,
            handshake::a_long_request_is_read,
            handshake::a_refusal_is_told,
            handshake::a_refusal_names_what_would_be_accepted,
            handshake::a_client_that_leaves_is_let_go,
        ],
    },
    Step {
        number: "05",
        name: "header",
        title: "the header of a frame",
        task: "Read a frame's first bytes: FIN, opcode, MASK and the payload length.",
        file: "frame.rs",
        functions: "fn decode_header",
        chapter: "frames",
        compare: "Header::decode in src/protocol/frame.rs",
        try_next: "how many of the 256 first bytes are legal? The page says how to count them.",
        checks: &[
            frame::the_headers_of_the_rfc,
            frame::the_three_lengths,
            frame::a_part_of_a_header_needs_more_bytes,
            frame::what_nobody_agreed_on_is_refused,
            frame::control_frames_are_short_and_whole,
            frame::a_length_has_its_shortest_form,
        ],
    },
    Step {
        number: "06",
        name: "mask",
        title: "unmasking, and a frame of your own",
        task: "Unmask a payload, and encode a frame as a server sends it.",
        file: "frame.rs",
        functions: "fn unmask, fn encode_frame",
        chapter: "frames",
        compare: "apply_mask and encode in src/protocol/frame.rs",
        try_next: "why does a client mask? §10.3 gives an attack on proxies.",
        checks: &[
            frame::a_payload_is_unmasked,
            frame::a_frame_is_encoded,
            frame::a_length_is_encoded_in_its_shortest_form,
        ],
    },
    Step {
        number: "07",
        name: "buffer",
        title: "half a frame, or three",
        task: "Take one whole frame from the front of a buffer, and leave the rest in it.",
        file: "frame.rs",
        functions: "fn take_frame",
        chapter: "frames",
        compare: "MessageDecoder::decode in src/protocol/decoder.rs: it does not wait for the whole frame. Why?",
        try_next: "give it a frame byte by byte. How often is each byte looked at?",
        checks: &[
            frame::a_frame_is_taken_out_of_the_buffer,
            frame::half_a_frame_waits_for_the_rest,
            frame::three_frames_come_out_one_by_one,
            frame::each_frame_has_its_own_key,
            frame::a_frame_without_a_mask_is_refused,
            frame::a_bad_header_is_refused_here_too,
        ],
    },
    Step {
        number: "08",
        name: "read",
        title: "frames from a socket",
        task: "Read from the socket until the buffer holds a whole frame.",
        file: "frame.rs",
        functions: "fn read_frame",
        chapter: "frames",
        compare: "Connection::next_event in src/server/connection/events.rs, and src/server/inbox.rs",
        try_next: "replace your loop by read_exact, and read the card.",
        checks: &[
            read::a_frame_is_read,
            read::a_frame_may_come_in_pieces,
            read::what_comes_together_is_not_lost,
            read::a_timeout_loses_nothing,
            read::a_long_frame_is_read,
            read::the_end_of_the_stream_is_told,
            read::a_broken_rule_is_passed_on,
        ],
    },
    Step {
        number: "09",
        name: "ping",
        title: "Ping and Pong",
        task: "Return the Pong for a Ping, and nothing for any other frame.",
        file: "message.rs",
        functions: "fn answer_ping",
        chapter: "messages",
        compare: "Connection::receive in src/server/connection/events.rs",
        try_next: "a client sends Pings and never reads. What grows? See docs/limits.md, floods of Pings.",
        checks: &[message::a_ping_is_answered_with_its_bytes, message::nothing_else_is_answered],
    },
    Step {
        number: "10",
        name: "fragments",
        title: "fragments",
        task: "Put the fragments of a message together, with control frames between them.",
        file: "message.rs",
        functions: "struct Assembler, its new and take",
        chapter: "messages",
        compare: "begin_frame and advance in src/protocol/decoder.rs",
        try_next: "a hundred thousand empty fragments: what do they cost your server?",
        checks: &[
            message::one_frame_is_a_message,
            message::fragments_are_put_together,
            message::a_control_frame_may_stand_in_the_middle,
            message::one_message_is_open_at_a_time,
            message::each_client_has_messages_of_its_own,
        ],
    },
    Step {
        number: "11",
        name: "utf8",
        title: "text is UTF-8",
        task: "Check a text, and call the check from Assembler::take.",
        file: "message.rs",
        functions: "fn check_text, and Assembler::take",
        chapter: "messages",
        compare: "Unfinished::check_text in src/protocol/payload.rs: it reports the first bad byte before the message is complete",
        try_next: "fail at the first bad byte too. Utf8Error::error_len helps.",
        checks: &[
            message::text_is_utf8,
            message::the_message_is_checked_as_a_whole,
            message::bad_text_does_not_get_through,
        ],
    },
    Step {
        number: "12",
        name: "limits",
        title: "limits",
        task: "Compare sizes with the limit, and call that from take_frame and Assembler::take.",
        file: "message.rs",
        functions: "fn check_size and Assembler::take; take_frame in frame.rs",
        chapter: "limits",
        compare: "begin_frame in src/protocol/decoder.rs",
        try_next: "docs/limits.md has more that wants a bound. Which of it does your server hold?",
        checks: &[
            limits::the_size_has_a_limit,
            limits::the_announced_length_is_not_believed,
            limits::the_limit_is_for_the_message,
            limits::the_limit_is_handed_on,
        ],
    },
    Step {
        number: "13",
        name: "close",
        title: "the closing handshake",
        task: "Answer a Close with its code, and end TCP so that the answer arrives.",
        file: "close.rs",
        functions: "fn answer_close, fn hang_up",
        chapter: "close",
        compare: "CloseFrame::decode in src/protocol/close.rs; src/server/closing.rs",
        try_next: "leave out the draining, and look at the client's side with websocat -v.",
        checks: &[
            close::a_close_is_answered_with_its_code,
            close::a_bad_close_is_answered_with_1002,
            close::the_close_reaches_the_client,
            close::a_client_that_stays_is_left,
            close::a_reset_is_the_end,
            close::the_wait_is_no_work,
            close::the_patience_is_the_callers,
            close::a_client_that_floods_is_left,
            close::a_client_that_dribbles_is_left,
            close::a_late_byte_changes_nothing,
        ],
    },
    Step {
        number: "14",
        name: "client",
        title: "one client's life",
        task: "Serve one client from its handshake to its end: echo, Pongs, the Close.",
        file: "run.rs",
        functions: "fn serve_client",
        chapter: "clients",
        compare: "run and serve in src/server/client.rs and Connection::receive in src/server/connection/events.rs",
        try_next: "cargo steps --serve, once step 15 is done; then talk to it.",
        checks: &[
            clients::messages_come_back,
            clients::a_message_behind_the_request_comes_back,
            clients::a_pong_and_many_messages_are_no_end,
            clients::a_ping_gets_its_pong,
            clients::a_close_is_answered_and_tcp_ends,
            clients::a_broken_rule_is_told,
            clients::the_limit_of_the_settings_holds,
            clients::the_time_of_the_settings_holds,
            clients::a_quiet_client_stays,
            clients::a_refused_client_reads_the_reply,
            clients::a_client_that_leaves_ends_its_thread,
            clients::a_write_that_fails_is_no_panic,
            clients::every_path_is_echoed,
        ],
    },
    Step {
        number: "15",
        name: "threads",
        title: "a thread for each client",
        task: "Accept clients forever, and serve each in a thread of its own.",
        file: "run.rs",
        functions: "fn run",
        chapter: "listening",
        compare: "accept and welcome in src/server/accept.rs",
        try_next: "cargo steps --serve, and talk to it with websocat or a browser.",
        checks: &[
            clients::a_lone_client_is_served,
            clients::a_silent_client_keeps_nobody_waiting,
            clients::a_rude_client_harms_nobody,
            clients::the_settings_are_handed_on,
            clients::twenty_clients_each_get_their_own,
            clients::many_come_and_go,
            clients::no_socket_is_kept,
        ],
    },
    Step {
        number: "16",
        name: "chat",
        title: "the registry, and a chat",
        task: "Keep a list of the connected clients, and send a message of /chat to everybody there.",
        file: "registry.rs",
        functions: "Registry and Client; serve_client in run.rs",
        chapter: "clients",
        compare: "src/server/registry.rs, and src/server/outbox.rs: there no thread ever waits for a slow member",
        try_next: "cargo steps --serve, and two websocats on /chat.",
        checks: &[
            // The registry alone
            chat::the_list_knows_who_is_there,
            chat::a_frame_goes_to_everybody_on_the_path,
            chat::the_list_is_free_while_somebody_is_written_to,
            chat::who_took_half_a_frame_is_let_go,
            chat::nothing_is_sent_again,
            chat::frames_of_two_writers_are_not_mixed,
            // Clients that are served with it
            chat::who_is_served_is_in_the_list,
            chat::a_silent_client_can_be_written_to,
            chat::a_message_goes_to_the_room,
            chat::replies_go_through_send,
            chat::who_has_closed_is_not_in_the_list,
            chat::a_write_has_a_limit,
            chat::who_cannot_be_written_to_is_let_go,
            // The whole server
            chat::all_share_one_registry,
            chat::a_member_that_does_not_read_holds_nobody_up,
        ],
    },
    Step {
        number: "17",
        name: "heartbeat",
        title: "the heartbeat",
        task: "Send a Ping to each silent client, and drop a client that stays silent.",
        file: "heartbeat.rs",
        functions: "fn verdict, fn watch; serve_client and run in run.rs",
        chapter: "heartbeat",
        compare: "src/server/heartbeat.rs and src/server/life.rs",
        try_next: "how often does your thread wake when nobody is connected?",
        checks: &[
            heartbeat::the_verdict_goes_by_two_times,
            heartbeat::the_watch_sleeps,
            heartbeat::a_silent_client_gets_a_ping_and_is_dropped,
            heartbeat::a_client_that_answers_stays,
            heartbeat::a_client_that_talks_stays,
            watch::the_watch_outlasts_every_client,
            watch::the_pause_follows_the_settings,
            heartbeat::a_ping_is_no_activity,
            heartbeat::everybody_is_watched,
            heartbeat::a_write_that_fails_does_not_end_it,
            heartbeat::a_ping_that_waits_holds_no_list,
            heartbeat::a_ping_is_a_whole_frame,
            watch::a_ping_that_waits_holds_no_field,
            watch::there_is_one_watch_for_all,
        ],
    },
    Step {
        number: "18",
        name: "push",
        title: "push",
        task: "Send a client on /ticks a numbered tick again and again, while its own thread waits in a read.",
        file: "push.rs",
        functions: "fn tick_frame, fn push_ticks; send and broadcast in registry.rs, serve_client in run.rs",
        chapter: "push",
        compare: "src/server/sender.rs, and src/server/outbox.rs: there a push waits for no client, and needs no thread of its own",
        try_next: "cargo steps --serve, and websocat on /ticks: type while it ticks.",
        checks: &[
            // The ticks of one client alone
            push::a_tick_is_a_text_frame,
            push::ticks_are_counted,
            push::a_tick_is_followed_by_a_pause,
            push::nothing_follows_a_close,
            push::nothing_that_waits_follows_a_close,
            push::ticks_end_with_their_client,
            push::ticks_end_with_a_close,
            push::half_a_frame_is_the_end,
            chat::nothing_is_sent_again,
            push::nothing_overtakes_a_close,
            // Clients that are served
            push::ticks_come_while_the_client_is_silent,
            push::a_client_is_answered_between_its_ticks,
            push::every_client_has_its_ticks,
            push::other_paths_are_left_alone,
            push::a_tick_waits_for_the_frame_before_it,
            push::ticks_stop_with_the_close,
        ],
    },
    Step {
        number: "19",
        name: "conversation",
        title: "a conversation with a real client",
        task: "Nothing new: a real client, and what the Autobahn suite asks.",
        file: "run.rs",
        functions: "everything together",
        chapter: "clients",
        compare: "src/ as a whole: README.md has the order to read it in",
        try_next: "the whole Autobahn suite against your server: tests/README.md says how.",
        checks: &[
            conversation::a_real_client_talks_to_it,
            conversation::lengths_and_pieces,
            conversation::faults_after_a_good_message,
            conversation::fragments_texts_and_closes,
        ],
    },
    Step {
        number: "20",
        name: "compression",
        title: "compression (optional)",
        task: "Agree on permessage-deflate, see which messages are compressed, and inflate them within the limit.",
        file: "deflate.rs",
        functions: "fn agree, fn take_deflated, fn inflate_message",
        chapter: "messages",
        compare: "Header::decode in src/protocol/frame.rs: who decides there whether RSV1 is allowed?",
        try_next: "call the three functions in serve_client; cargo steps --serve, and a browser's DevTools show the agreement.",
        checks: &[
            deflate::an_offer_is_taken_or_declined,
            deflate::rsv1_begins_a_message,
            deflate::rsv1_is_refused_elsewhere,
            deflate::a_message_is_inflated,
            deflate::the_limit_is_for_what_comes_out,
        ],
    },
    Step {
        number: "21",
        name: "own-client",
        title: "a client of your own (optional)",
        task: "Write the other side: mask with a random key, verify the accept value, talk to your own server.",
        file: "client.rs",
        functions: "fn mask_frame, fn open, fn say",
        chapter: "handshake",
        compare: "the client in tests/support: which rules does it break on purpose?",
        try_next: "a reconnect after 1, 2, 4, 8 seconds, each with a random part. Why the random part?",
        checks: &[
            client::a_client_masks,
            client::the_request_is_complete,
            client::the_reply_is_looked_at,
            client::a_text_is_sent_and_the_next_one_read,
            client::a_long_answer_may_come_in_pieces,
            client::a_masked_answer_and_a_close_are_the_end,
            client::it_talks_to_your_own_server,
        ],
    },
];
