//! The mistakes that people make when they write a WebSocket server, one sentence for each.

macro_rules! mistakes {
    ($($name:ident, $classic:expr, $sentence:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mistake { $($name),* }

        impl Mistake {
            pub const ALL: &[Mistake] = &[$(Mistake::$name),*];

            /// The sentence on the card.
            pub fn sentence(self) -> &'static str {
                match self { $(Mistake::$name => $sentence),* }
            }

            /// The number of a classic mistake, which bug reports mention again and again.
            pub fn classic(self) -> Option<u8> {
                match self { $(Mistake::$name => $classic),* }
            }
        }
    };
}

mistakes! {
    // In any step
    Hangs, None, "Your code waits for something that does not come. Which read or lock is it?";
    LoopsForEver, None, "Your code has not come to an end, and it waits for nobody. What ends its loop?";
    Panics, None, "Nothing that a client sends must ever make the server panic: look at the index, the unwrap or the \
        calculation in that line.";
    IndexPanics, None, "Nothing that a client sends must ever make the server panic. The index or the range in that line goes \
        beyond what is there: ask for the length before.";
    UnwrapPanics, None, "Nothing that a client sends must ever make the server panic. The unwrap in that line found nothing, \
        or an error: take that case apart with `match` or `let ... else`.";
    CalculationPanics, None, "Nothing that a client sends must ever make the server panic. The calculation in that line has \
        no result of its type, as 3 - 4 has none in `usize`: compare before you calculate.";
    // Ends of the whole process
    ProcessExits, None, "Your code ended the whole process, and with it every other client. A function that has nothing left to \
        do returns.";
    ProcessAborted, None, "Your code ended the whole process. A panic while another is under way does that, as in a `drop`, and \
        so does `abort`.";
    StackOverflows, None, "Your code called itself until the stack was full. What ends the recursion? A loop needs no stack.";
    MemoryRunsOut, None, "Your code asked for more memory than there is. Whatever a client announces is only a number: reserve \
        room for what has arrived, and ask for the limit first.";
    ThreadsRunOut, None, "Your code started threads until no more could be had. One for each client is enough: what ends the \
        loop that starts them?";
    PrintsForEver, None, "Your code prints without an end. What ends the loop in which it does?";
    // TCP
    EchoNothing, None, "Nothing came back. Does the client's thread write what it has read? An empty `Vec` has no room: a read into it brings 0 bytes.";
    EchoFullArray, None, "You wait until an array is full, as `read_exact` and a `BufWriter` do. Send back what a read has brought, however \
        little, and at once.";
    EchoAtTheEnd, None, "You wait for the end of the stream, as `read_to_end` does. Send back what each read has brought, while the \
        client stays.";
    FewThreads, None, "Others are served, but not while many are silent: your threads have a number. Each client has a thread of \
        its own, however many come.";
    EchoOnce, None, "The first bytes came back, and the next did not. Read again and again, until a read brings 0 bytes.";
    EchoText, None, "Bytes that are no text did not come back as they were. Send the bytes, and make no text of them.";
    EchoLines, None, "You wait for a line end. TCP knows no lines: send back what a read has brought.";
    EchoCutShort, None, "A part of the bytes is missing. `write` alone can write less than all: `write_all`. And read on, however \
        many reads it takes.";
    EchoOtherBytes, None, "Other bytes came back than were sent.";
    // The handshake
    KeyHexDigest, Some(5), "You encoded the digest's 40 hex characters. Encode its 20 bytes.";
    KeyDecoded, Some(7), "You decoded the key from base64 first. Hash its text as it was sent, then the GUID.";
    KeyGuid, Some(7), "These are 20 bytes in base64, so the last two stages are right. But you did not hash the key and then \
        the GUID. Take the key exactly as it was sent, and compare the GUID letter by letter, in upper case.";
    KeyAlone, None, "You hashed the key without the GUID.";
    KeyAloneInHex, None, "Two things at once: you hashed the key without the GUID, and took the digest in hex, not \
        its 20 bytes.";
    KeyBehindGuid, None, "You hashed the GUID first. The key comes first.";
    KeyHexReply, None, "You returned the digest in hex. The reply takes its 20 bytes in base64.";
    KeyOfTheExample, None, "This is the value of the page's example, and the key is another one. Calculate it from `key`.";
    OtherBase64, None, "You encoded with another base64. The standard alphabet has `+` and `/`, and `=` at its end: \
        `STANDARD`.";
    WhiteSpaceHashed, None, "There is white space in what you hash. The key and the GUID are one text, and nothing is between, before or \
        after them.";
    ValueNotTrimmed, Some(6), "White space is left on the value. Trim it on both sides: a key with a space before it has \
        another hash.";
    ValueCutAtColon, None, "You split the line at every colon. A value can hold some itself: split at the first.";
    SpaceExpected, None, "You split the line at a colon and a space. The space can be missing: split at the colon, \
        then trim.";
    NamesChanged, None, "You changed the case of the names. Keep them as they came; ignore the case where you compare.";
    QueryCut, None, "You cut the query off. Keep the path as it was sent.";
    PathChanged, None, "The path is another one than was sent. It is the whole second word, with its slash and its query.";
    HeadersLost, None, "You have more headers than were sent, or fewer. Each line after the first is one, in the order in which \
        they came.";
    LastColon, None, "You split a line at its last colon. A value can hold some itself: split at the first.";
    EmptyValueRefused, None, "You refused a header whose value is empty, or a name that comes twice. Both are allowed.";
    WordsNotCounted, None, "You did not count the words of the first line. It has three, no more and no fewer: 400.";
    SpacesSkipped, None, "You took several spaces for one, or a tab for a space. One space separates the words: `split(' ')`.";
    VersionOfHttp, None, "You took another version of HTTP. Compare the whole third word with `HTTP/1.1`: 400.";
    MethodNotAsked, None, "You took another method than GET. Compare the whole first word: 405.";
    ColonNotAsked, None, "You took a header line without a colon: 400.";
    HostInPart, None, "You took another header for Host. Compare the whole name, and ignore its case.";
    OtherStatus, None, "You refused it rightly, and with another number than the page asks for. Which of your checks came first?";
    WholeHeadNotTaken, None, "The blank line has arrived, and you ask for more bytes. Nothing more will follow: refuse it now.";
    HeadLimit, None, "Your limit is some bytes off. A head of 8192 bytes is fine, its blank line included and whatever is after \
        it; one of 8193 bytes is not, whether its blank line has arrived or not.";
    LimitInCharacters, None, "You counted the characters of a text. The limit is for bytes, and a character can have several.";
    LongHeadAwaited, None, "You wait for the end of a head that is too long already. A client that never sends it fills your \
        memory: 431.";
    MethodInAnyCase, None, "You compared the method without case. Names of headers have none, a method has: `get` is \
        not `GET`.";
    GoodHeadRefused, None, "You refused a good request. Which of your checks did it? Often it is the colon, asked for in the blank line too, which \
        is no header.";
    BareNewline, Some(25), "You took a bare \\n for the end of a line. A line ends with \\r\\n, both of them.";
    EndsAtBareNewlines, Some(25), "You took \\n\\n for the end of the head. It ends at \\r\\n\\r\\n alone.";
    HeadWithoutBlankLine, Some(25), "You did not wait for the blank line. The head ends at \\r\\n\\r\\n, wherever a read ends.";
    HeadSwallowsFrames, Some(4), "You counted the bytes after the blank line as part of the head. They are frames already.";
    LengthWithoutBlankLine, None, "Your length leaves out the blank line, or a part of it. It belongs to the head: \
        count it too.";
    FramesReadAsText, Some(4), "You looked for text after the blank line. Those bytes are frames: cut them off \
        before you make text of the head.";
    HeadEndAtTheEnd, Some(4), "You looked for the blank line at the very end of the bytes. It is the first \
        \\r\\n\\r\\n, wherever it is.";
    LimitBeforeEnd, None, "You counted the bytes after the head. The limit is for a head: look for its end first.";
    HostNotAsked, None, "You took a request without a Host header. HTTP/1.1 asks for one: 400.";
    CountedInRepairedText, None, "You counted in the repaired text; a repaired byte takes three. Find the end in the bytes.";
    LongHeadAccepted, None, "You took a head that is too long, because its end had arrived. Had it come in two reads, it would be \
        refused. Look at the length of a complete head too: 431.";
    ConnectionNotAList, Some(1), "You compared the whole Connection header with `Upgrade`, or split it elsewhere than at its commas. It is a list of tokens, in any case; \
        some clients send `keep-alive, Upgrade`.";
    UpgradeNotAList, None, "You compared the whole Upgrade header with `websocket`. It is a list of tokens too.";
    ElementNotTrimmed, Some(1), "You did not trim the elements of the list on both sides: white space is allowed before and after each \
        comma.";
    OneElementOnly, None, "You looked at one element of the list, its first or its last. Any of them can be the token.";
    CommaAndSpace, None, "You split the list at a comma and a space. The space can be missing: split at the comma, \
        then trim.";
    OneHeaderOnly, None, "You looked at one header of that name only. Headers of the same name are one list: look at \
        all of them.";
    NamesWithCase, Some(8), "You compared header names with their case. Names ignore case.";
    TokenWithCase, None, "You compared the token with its case. `websocket` and `Upgrade` are matched in any case.";
    HalfToken, None, "You looked for a part of a word. A token is compared as a whole: `Upgraded` is another one \
        than `Upgrade`.";
    TokenNotAsked, None, "You asked whether the header is there, and not for the token in it.";
    ElementsSplit, None, "You split the list elsewhere than at its commas. A blank or a semicolon separates nothing here.";
    HeaderInPart, None, "You took another header for this one. Compare the whole name, and ignore its case.";
    VersionCompared, None, "You did not compare the version with 13. Any other, larger or smaller, gets 426.";
    UpgradeNotAsked, None, "You did not ask for this header. Without it the request is refused.";
    OrderOfChecks, None, "Several things are missing, and you named a later one. Check in the order of the page's table: Upgrade, \
        Connection, version, key.";
    GoodRequestRefused, None, "You refused a good request. The number says which of your checks did: 426 for Upgrade and the \
        version, 400 for Connection and the key.";
    ReplyStatus, None, "Your reply does not begin with `HTTP/1.1 101 `.";
    ReplyHeaders, None, "Your reply lacks one of its three headers, or gives it another value: Upgrade, Connection and \
        Sec-WebSocket-Accept.";
    AcceptWrong, None, "The value of Sec-WebSocket-Accept is not the one for this request's key: call `accept_key` with the value \
        of Sec-WebSocket-Key.";
    KeyInCharacters, None, "You counted the characters of the key. 24 of them can be 16 bytes or 18, or no base64 at all: decode, \
        then count the bytes.";
    KeyAlphabet, None, "Your base64 has another alphabet than the key. It is `STANDARD`, with `+` and `/`.";
    KeyNotDecoded, None, "You took a key that is no base64. Decode it, and count the bytes: there must be 16.";
    KeyNotMeasured, None, "You did not count the bytes of the key. Decode it from base64: there must be exactly 16.";
    ExtensionPromised, None, "You promised an extension that you do not speak. Leave its header out: that declines it.";
    SubprotocolPromised, None, "You promised a subprotocol that you do not speak. Leave its header out: that \
        declines it.";
    NoBlankLineInReply, None, "Your reply has no blank line at its end, so the client goes on waiting for headers.";
    ReplyBareNewline, None, "A bare \\n is in your reply. Each line ends with \\r\\n. Inside the quotes of a \
        Rust text a line break of the code counts too, unless a \\ is before it.";
    ReplyIndented, None, "A line of your reply begins with white space: the indentation of your code got into the \
        text. End the line of code before it with a \\.";
    StatusWithoutSpace, None, "The status line needs a space after the number, then any words or none. The space is there even if there are no words.";
    NoReply, None, "You returned without an answer on the socket. The 101 goes there, and a refusal is an HTTP reply too: write it first.";
    RefusedAndKept, None, "You have refused the client, and returned something else than `Ok(None)`: there is no WebSocket connection.";
    BodyPromised, None, "Your refusal announces a body that does not follow. Without one it is `Content-Length: 0`.";
    UpgradeNotNamed, None, "Your 426 does not say what to upgrade to. Add the line `Upgrade: websocket`.";
    UpgradeNotInConnection, None, "Your 426 has an Upgrade header that Connection does not name. Add the line \
        `Connection: Upgrade`, or write `Connection: close, Upgrade`.";
    VersionNotNamed, None, "Your 426 does not say which version you speak. Add the line `Sec-WebSocket-Version: 13`.";
    AllowMissing, None, "Your 405 does not say which method is right. Add the line `Allow: GET`.";
    BytesBehindReply, None, "You sent something after the blank line of the 101. The client takes it for a frame.";
    ReadToEndOfStream, Some(25), "The head is complete, and you read on, perhaps until the end of the stream. The client never sends EOF: it waits for your reply. The head \
        ends at \\r\\n\\r\\n.";
    EndIgnored, None, "A read of 0 bytes is the end of the stream, and your loop goes on; or a clone of the socket is kept, which keeps the \
        connection open.";
    OneReadOneRequest, Some(2), "You took one read for the whole request, or kept a part of it. TCP has no message boundaries; keep a buffer that grows, \
        and read on.";
    FrameBehindHeadLost, Some(4), "Your reader swallowed the frame after the head. Hand on what is left in the buffer.";
    HeadInRest, Some(4), "You handed the head on with the rest, or a part of it. The rest begins after the blank line.";
    WholeArrayTaken, None, "You took the whole array. A read fills only the beginning of it: as many bytes as it says.";
    // Frames
    LengthMarker, Some(3), "You took the marker for the length. 126 means: the next two bytes are the length; 127: the next eight.";
    LengthLittleEndian, Some(3), "The length's bytes are in the wrong order. They are big-endian: the first counts most.";
    MarkersExchanged, None, "You exchanged the markers. 126 goes with a length of two bytes, and 127 with one of eight.";
    LengthBoundary, Some(3), "The boundaries are off by one: up to 125 in one byte, up to 65535 in two more, above that in eight more.";
    LengthSigned, Some(3), "You read the length as a signed number, and it became negative. It is unsigned, as u16 \
        and u64 are.";
    LengthWidth, Some(3), "After 126 the length has two bytes, after 127 it has eight, and all of them count.";
    MaskBitInLength, None, "You left the MASK bit in the length. The length is the other seven bits: `& 0x7F`.";
    LengthPlace, Some(3), "You read the length from other bytes. It begins with the third: bytes[2] and bytes[3], or \
        bytes[2..10].";
    FinBit, None, "FIN is the top bit of the first byte, 0x80. It is set in the last frame of a message.";
    OpcodeBits, None, "You took more bits for the opcode, or fewer. It is the lower four of the first byte: `& 0x0F`.";
    KeyInHeaderSize, None, "You counted the masking key. `size` is that of the header alone: 2, 4 or 10.";
    HeaderTooPatient, None, "You ask for more bytes than this header has. It ends before the masking key: 2, 4 or 10 \
        bytes.";
    EmptyRefused, None, "You refused an empty payload. A length of 0 is as good as any.";
    ControlLimit, None, "You refused a control frame of 125 bytes. So many are allowed: `> 125`, not `>= 125`.";
    KnownRefused, None, "You refused a known opcode. The known ones are 0, 1, 2, 8, 9 and 10.";
    MaskBit, None, "MASK is the top bit of the second byte, 0x80. A client sets it, a server does not: `masked` says which.";
    HeaderSizeWrong, None, "The length is right, and `size` is not. The header has 2 bytes, after 126 it has 4, and after 127 it has 10.";
    LargestRefused, None, "You refused a large length. Up to 2^63-1 every one is allowed here; step 12 has limits.";
    ProtocolCode, None, "You refused it rightly, and with another Close code. The code for a broken rule of the protocol is 1002.";
    MaskAskedInHeader, None, "You refused a header without a mask. Here only say what you find; step 07 refuses.";
    ReservedAccepted, Some(21), "You accepted an RSV bit or a reserved opcode. Nobody has agreed on what it means: 1002.";
    ControlRules, Some(20), "You accepted a control frame that is fragmented or over 125 bytes: 1002.";
    LengthNotMinimal, None, "You accepted a length in more bytes than it needs: 1002.";
    LengthTopBit, None, "You accepted a length whose top bit is set: 1002.";
    MarkerTakenTwice, Some(3), "You have read the length, 127, and took it for a marker again. Only the seven bits are a \
        marker: `else if`, or a `match` on the seven bits.";
    HeaderTooEager, Some(2), "Half a header has arrived, and you decided already. Say that more bytes are needed.";
    ShiftTooFar, None, "A shift went beyond its type. `+` binds before `<<`, so `a << 8 + b` is `a << (8 + b)`: write `(a << 8) | b`, \
        or `from_be_bytes`.";
    NothingUnmasked, None, "The payload is as it was. Change the bytes themselves, not a copy of them: \
        `for byte in payload.iter_mut()`, and then `*byte ^= ...`.";
    LastBytesMasked, None, "The last bytes are still masked: those that do not fill a group of four.";
    FourBytesOnly, None, "Only the first four bytes are unmasked. After the fourth byte of the key comes its first again: `key[i % 4]`.";
    ZeroIsSpecial, None, "Your loop ends, or leaves out a byte, where a byte is 0. Every value is data: the index alone \
        decides.";
    PartStillMasked, None, "A part of the payload is still masked. Where does your loop end, and which bytes does it leave out?";
    MaskIndexCut, None, "The first bytes are right, and further on the index into the key is wrong. An index is a `usize`: a \
        cast to a smaller type cuts it.";
    KeyReversed, None, "You used the key from its end. Byte 0 of the payload goes with byte 0 of the key.";
    OneByteOfTheKey, None, "You used one byte of the key for the whole payload. There are four, one after the other: `key[i % 4]`.";
    KeyIndexPanics, None, "The key has four bytes, and the payload can have more. After the fourth comes the first again: \
        `key[i % 4]`.";
    KeyOfAnotherFrame, None, "You used the key of another frame, or no key. Each frame has its own, in the four bytes before its payload.";
    OpcodeNotWritten, None, "The first byte has another opcode than the one that was given: `0x80 | opcode`.";
    LongFormMissing, None, "You have no form of its own for a payload of this length. There are three: one byte, 126 and \
        two bytes, 127 and eight bytes.";
    PayloadNotWhole, None, "The length is right, and the bytes after it are not the payload: all of it, unchanged, in its order.";
    PayloadCut, None, "The end of the payload is missing. Every byte of it goes into the frame, however many there are.";
    EndIsNoClose, None, "You took the end of the stream for a Close frame or for a broken rule. Nobody has sent one: `Ok(None)`.";
    EndIsNoError, None, "You took the end of the stream for an error. Between two frames it is a client that has left: `Ok(None)`.";
    CodeNotPassedOn, None, "`take_frame` has refused the frame, and its code did not reach your caller as it was: `take_frame(...)?`.";
    MaskIndex, Some(10), "The index into the masking key did not begin at 0. i starts at 0 in every frame, at its payload's first \
        byte.";
    ReplyMasked, Some(9), "You masked the reply. A server never masks.";
    FinMissing, None, "The FIN bit (0x80) is missing: the client waits for more fragments.";
    LengthNotShort, None, "You wrote the length in more bytes than it needs. Up to 125 the second byte holds it.";
    PayloadForgotten, None, "The payload is missing. It is after the header.";
    HalfFrameTaken, Some(2), "Half a frame has arrived, and you took it for a whole one. TCP has no message boundaries; keep a buffer.";
    BufferTouched, Some(2), "You changed the buffer though the frame is not complete. The next call needs these \
        bytes: leave them.";
    LeftoverDropped, Some(4), "Your reader swallowed the second frame. Take one frame from the front; leave the rest in the buffer.";
    FrameNotRemoved, None, "You left the frame's bytes in the buffer, so it is found again and again.";
    KeyNotRemoved, None, "The last four bytes of the frame are left in the buffer: the masking key counts too when \
        you remove it.";
    PartNotRemoved, None, "You removed a part of the frame. All of it goes: header, masking key and payload.";
    PayloadAtKey, None, "You took the payload from where the masking key begins. It begins four bytes further on.";
    PayloadToTheEnd, None, "You took all that is in the buffer. The payload has as many bytes as the header says.";
    HeaderSizeFixed, None, "You took a header of two bytes for granted. It can have 4 or 10: `header.size` tells.";
    WholeNotTaken, None, "A whole frame is there, and you ask for more. It has its header, four bytes of key, and \
        its payload.";
    NotUnmasked, None, "The payload is still masked. Call `unmask` with the frame's key.";
    HeaderNotCopied, None, "FIN or the opcode is not that of the header. Copy both from there.";
    HeaderFaultLost, None, "`decode_header` has refused the frame, and its code did not come out of `take_frame`: `decode_header(buffer)?`.";
    UnmaskedAccepted, Some(11), "You accepted a client's frame without a mask. Fail with 1002.";
    UnmaskedLate, Some(11), "You wait for more before you refuse a frame without a mask. Its second byte shows it \
        already: ask there.";
    FullArrayGoesOn, None, "You read again before you look into the buffer, because a read has filled your array. It can have \
        brought all there is: look after each read.";
    LastFrameLost, None, "A whole frame has arrived, and after it the end of the stream: you returned the end alone. Look for a \
        frame first, and at the end only if a read brings it.";
    NotBlocking, None, "A read brought no bytes and did not wait. The socket is in the blocking mode and stays in it: no `set_nonblocking`.";
    OtherBytesRead, None, "The frame is good, and you found a fault in it: other bytes than the client's are in the buffer. Append as many \
        as the read has brought.";
    EarlierBytesLost, None, "The frame arrived in two reads, and the bytes of the first are lost. Append what a read brings to the buffer, and \
        remove nothing but whole frames.";
    OneReadOneFrame, Some(2), "You took one read for one frame. TCP has no message boundaries; keep the rest and read on.";
    ReadBeforeBuffer, None, "You read from the socket although a whole frame is in the buffer. Look into the buffer \
        first.";
    PartialLost, Some(24), "The timeout came in the middle of a frame, and the bytes before it were lost (`read_exact` does that). Keep \
        them in the buffer.";
    TimeoutIsEnd, None, "You took a timeout for the end of the stream. The end is a read of 0 bytes; a timeout is an error.";
    TimeoutSwallowed, None, "You went on reading after the timeout, or took the timeout off the socket. It is an error for your caller, who decides what \
        to do.";
    // Messages
    PongEmpty, Some(12), "Your Pong is empty. Echo the Ping's bytes.";
    PongRepaired, None, "You made text of the Ping's bytes. They need not be UTF-8: echo the bytes.";
    PongCut, None, "Bytes of the Ping are missing in your Pong. Echo all of them: no `trim`, and no end at a 0.";
    PongToPong, None, "You answered a Pong. Only a Ping is answered.";
    PongOfNothing, None, "`Some` of no bytes is an answer too, and your caller would send it. If there is nothing to send, it is `None`.";
    PongToOther, None, "You answered a frame that is no Ping. Look at the opcode first.";
    PongIsPing, None, "You answered with a Ping, and the other side would answer that again. The opcode of the \
        answer is that of a Pong, 10.";
    PingSpliced, Some(13), "You put the Ping's bytes into the message. Control frames are not part of the message.";
    PingEndsMessage, Some(13), "The Ping in the middle ended the message. Its FIN bit is its own; the message goes on.";
    ControlIsMessage, None, "You returned a control frame as a message. A message is a text or binary: `Ok(None)`.";
    ControlNeedsMessage, None, "You refused a control frame because no message is open. It can come at any time: `Ok(None)`.";
    FragmentsLost, None, "Bytes of some fragments are missing. A message has any number of them, and keeps them all.";
    NothingToContinue, Some(16), "You accepted a continuation while no message is open. Know whether one is: 1002.";
    MessageInsideMessage, Some(16), "You began a new message inside another. Know whether one is open: 1002.";
    PingRefused, None, "You refused a control frame in the middle of a message. It is allowed there: `Ok(None)`, and the message goes on.";
    WholeMessageKept, None, "A frame with FIN and an opcode of its own is a whole message, and you did not return it.";
    FinNotAsked, None, "You returned a message before its last fragment had arrived. Without FIN it goes on: `Ok(None)`.";
    LastFragmentIgnored, None, "The last fragment has arrived, the one with FIN, and you did not return the message.";
    GoodFragmentRefused, None, "You refused a good fragment. While a message is open, frames of opcode 0 continue it, until a frame has FIN.";
    StateShared, None, "Two Assemblers share what they remember. Keep it in fields of the struct: each client has an Assembler of its own.";
    EmptyIsOpen, Some(16), "The first fragment was empty, and you took its message for closed. Whether a message is open is not \
        whether bytes have arrived: remember it by itself.";
    FirstFragmentLost, None, "The message lacks the bytes of its first fragment. Keep them: a message is all its fragments.";
    MessageNotReset, None, "The last message is still there. Once you have handed it out, nothing of it must remain: no bytes, and none is open.";
    OpcodeOfContinuation, None, "The message's opcode is that of its first frame; a continuation has 0.";
    Utf8PerFrame, Some(14), "You checked each frame by itself. A character can be split over two fragments; check the message.";
    InvalidUtf8Accepted, Some(15), "You let invalid UTF-8 through. Fail with 1007.";
    GoodTextRefused, None, "You refused a good text. Each character of Unicode is allowed, U+0000, U+FEFF and U+FFFD too: only \
        `from_utf8` decides.";
    TextChanged, None, "The text left `take` changed. Pass on the bytes that were sent: nothing is trimmed, and no mark at its start taken off.";
    TextCode, None, "The code for a text that is not UTF-8 is 1007.";
    LastOpcodeAsked, None, "You check a text that comes in one frame, and not one that comes in fragments. The last fragment has opcode 0: \
        ask the opcode of the message.";
    TextRepaired, Some(15), "You put U+FFFD where bytes were bad (`from_utf8_lossy` does that) and let the text through. Do not repair: \
        1007.";
    BinaryChecked, None, "You checked a binary message. Only text has to be UTF-8.";
    CheckTextNotCalled, None, "`check_text` is right, but `take` does not call it or does not pass its error on: a bad text left `take`. \
        Write `check_text(...)?` before you return a text.";
    // Limits
    LimitForSomeOpcodes, None, "You ask for the limit with some opcodes, and not with this one. Only control frames can be left out: a \
        continuation can announce as much as a first frame.";
    AnnouncedBelieved, Some(22), "You waited for a payload that is over the limit. Compare the announced length before you make room \
        for it: 1009.";
    FirstUnbounded, None, "You took a first fragment, or a whole message, over the limit. `take` asks `check_size` before it adds any payload.";
    FragmentsUnbounded, Some(22), "Each fragment is below the limit, but nobody compares their sum with `limit`. Cap the message: 1009.";
    SumOverflows, None, "Your sum overflowed, or a cast cut a number or made it negative. Which calculation with the same three numbers cannot do \
        either?";
    LimitExclusive, None, "Exactly the limit is still allowed. Too big is what is above it: `>`, not `>=`.";
    SoFarIgnored, None, "You did not count what the message has already: `so_far` and `more` together must fit.";
    LimitIgnored, None, "You did not compare with `limit`. It is the caller's, and another one in each call.";
    SizeCode, None, "The code for a message that is too big is 1009.";
    LimitNotHandedOn, None, "`read_frame` takes a limit, and you did not hand it on: `take_frame(buffer, limit)`.";
    ControlCounted, None, "You counted a control frame. It is not part of the message, and has its own limit of 125 bytes.";
    CountedTwice, None, "You counted the fragment twice, as a part of the message and as what is to come. Ask before you add it.";
    BufferCounted, None, "You compared the whole buffer with the limit. It can hold several frames, and the limit is for one message.";
    HeaderCounted, None, "You counted the header with the payload. The limit is for the payload alone: `header.length`.";
    MoreThanLimit, None, "`so_far` is more than the limit: did you pass the buffer's length, or add the fragment before \
        you asked?";
    // The closing handshake
    NoCloseReply, Some(17), "You sent no Close in reply to the Close. The browser reports 1006.";
    CodeNeverSent, Some(18), "You sent 1005, 1006 or 1015, which are never in a Close frame. A client that sends one breaks a rule: 1002.";
    EmptyCloseGotCode, Some(18), "The client's Close had an empty payload, and you answered with a code. Without a code there is none to \
        send back: the payload of your Close is empty too.";
    BadCodeEchoed, None, "You echoed a Close payload that breaks a rule. `answer_close` answers it with the two bytes of 1002.";
    HalfACode, None, "One byte is half a code, which breaks a rule: answer it with the two bytes of 1002.";
    ReasonRefused, None, "You take this code alone, and refuse it with a reason. After the two bytes there can be text.";
    ReasonCode, None, "The code for a reason that is not UTF-8 is 1007, as for any text.";
    FrameForPayload, None, "You returned a whole frame. It is the payload alone that is asked for; step 14 makes a frame of it.";
    GoodCodeRefused, None, "You refused a code that is allowed in a Close. The allowed ones are 1000 to 1003, 1007 to \
    1014 (the last three of them \
        are younger than the RFC) and 3000 to 4999.";
    CodeLittleEndian, None, "The two bytes of the code are in the wrong order. They are big-endian: `from_be_bytes`, `to_be_bytes`.";
    CodeSigned, None, "You read another code than was sent: a byte above 127 became a negative number. The bytes have no sign: \
        `u16::from_be_bytes`.";
    ReasonNotChecked, None, "You did not check the reason. It has to be UTF-8: 1007.";
    CloseDestroyed, Some(19), "You dropped the socket with unread bytes in it, and the reset destroyed your Close. Shut down \
        writing alone (`Shutdown::Write`), then drain.";
    EndNotSent, None, "You wait for the client's end before you close your own side. Shut down writing first.";
    DrainForever, None, "You drain without a deadline, or with a later one than `patience` allows. A client that never closes its side \
        holds your thread for as long.";
    DrainTimeoutAnew, None, "Your timeout restarts with each read, so a byte now and then holds your thread forever. Compute one \
        deadline before the loop; each read can take what is left until then.";
    DrainError, None, "A read has failed, and `hang_up` goes on. An error is the end as well: return.";
    DrainSpins, None, "The client has closed its side, and `hang_up` goes on. Read until a read brings 0 bytes, which is the end of the stream: \
        return then.";
    TimeoutSetOnce, None, "A byte in the last moment held you beyond `patience`. Before each read set the read timeout to what is \
        left until the deadline.";
    HangUpSpins, None, "`hang_up` asks again and again, and burns a core. Wait in the read: a blocking socket with a read timeout.";
    ZeroTimeout, None, "The deadline is over, and you read on. `set_read_timeout(Some(ZERO))` is refused and the old \
        timeout stays: return when nothing is left.";
    PatienceIgnored, None, "`hang_up` has a time of its own. `patience` says how long it can take: compute the deadline from it.";
    CloseTimeoutIgnored, None, "`serve_client` has a time of its own. `settings.close_timeout` is what `hang_up` gets.";
    HangsUpTooSoon, None, "`serve_client` did not wait for `settings.close_timeout`. It gives `hang_up` a time of its own, or ends the \
        socket both ways before `hang_up` can wait.";
    MaxMessageIgnored, None, "Another limit than `settings.max_message` holds, in `read_frame`, in `Assembler::new`, or in both.";
    SentBehindClose, None, "You sent something after your Close frame. Nothing is allowed to follow it.";
    NoCloseForFault, None, "You ended the connection without saying why. Send a Close frame with the code first.";
    FaultIgnored, None, "You let the fault pass, and the connection goes on. Send a Close frame with the code of the fault, then hang up.";
    FaultCode, None, "Your Close has another code than the fault. `read_frame` and `take` return the code: send that.";
    ReadsBehindClose, None, "You sent the Close and went on: the loop must end there, and `hang_up` follows.";
    PongRefused, None, "A Pong that nobody asked for is no fault and no message. Go on with the next frame.";
    EndsByItself, None, "The connection ended after some messages. It goes on until the client ends it, or breaks a rule.";
    QuietDropped, None, "You dropped a client because it was silent. A read waits as long as the client does: no read timeout on it.";
    RefusalDestroyed, None, "You dropped a client that was refused while bytes from it were unread. The reset can destroy your reply: \
        `hang_up` here too.";
    OpcodeNotKept, None, "The message came back with another opcode. Send it back as what it was, text or binary: `message.opcode`.";
    AssemblerAnew, None, "The last fragment was refused, because your Assembler did not know of the first. Make one Assembler for the \
        client, before the loop.";
    EndOfClientIgnored, None, "The client has left, and `serve_client` does not return. `None` of `read_frame` and an error both end the \
        loop.";
    PingUnanswered, None, "The Ping was not answered. Every Ping gets its Pong, even while a message is open.";
    WriteUnwrapped, None, "You took it for granted that a write succeeds. It fails when the client has left or does \
        not read: no `unwrap` on it. Leave the loop with `?`, so that the lines after it run.";
    // Clients
    OneAfterTheOther, None, "You serve one client after the other. A client that is silent must not keep the next one waiting: a thread \
        for each.";
    OneEndsAll, None, "One client's end ended the server. An error of one client concerns only its own thread.";
    SettingsNotHandedOn, None, "`run` serves its clients with settings of its own. Clone those that it was given, for each client.";
    RunReturns, None, "`run` has returned. It accepts clients forever; its caller ends the process when it returns.";
    NeverAccepts, None, "Not even a lone client is answered. `run` never comes to accept: the code before the loop \
        does not return.";
    NotEverybody, None, "The message did not reach everybody in the room, the sender included.";
    EchoForgotten, None, "A message on another path than /chat did not come back. Only on /chat it goes to the room; elsewhere it is echoed.";
    OneEchoPath, None, "A client on /echo gets its messages back, and one on another path does not. Compare no path with `/echo`: \
        every path is echoed, from step 16 on every path but `/chat`.";
    EveryPathARoom, None, "Every path is a room: a client on another path than /chat got the message of its neighbour. Compare the path with \
        `/chat` before you broadcast, and use `client.send` elsewhere.";
    PongToAll, None, "A Pong went to another client than the one whose Ping it answers. Broadcast messages alone; a Pong is for `client.send`.";
    WrongRoom, None, "A message went to a client on another path. Only those on the path of the message get it.";
    FramesMixed, Some(23), "Two threads wrote to one socket at the same time, and their frames are mixed. One lock for each whole \
        frame: `Client::send` holds it from the first byte to the last.";
    SlowHoldsAll, None, "A member that does not read holds up all others. Give its writes a limit (`set_write_timeout`, after the \
        handshake), and let it go when one fails.";
    SendTimeoutIgnored, None, "Your write timeout is a time of its own. `settings.send_timeout` says how long a write can wait: \
        `set_write_timeout(Some(settings.send_timeout))`.";
    PayloadOnly, None, "You sent the payload alone. Encode it first: `encode_frame(message.opcode, &message.payload)`.";
    NotListed, None, "The client is not in the list. `join` enters it; `serve_client` calls `join` after the handshake, and before it reads a \
        frame.";
    NeverLeft, None, "A client that has gone is still in the list, and its socket stays open forever. Call `leave` whichever way \
        the client ends.";
    WrongOneLeft, None, "`leave` must remove this client, and no other.";
    OneLockForAll, None, "A write to one client waits for a slow write to another. Each client has a lock of its own, in its `Client`.";
    ListLocked, None, "You hold the lock of the list while you write. A slow member then keeps everybody from joining and leaving: copy \
        the list with `clients()`, and write without its lock.";
    SentAgain, None, "You sent a frame again to a member to which a write had failed. A part of it can be there: let the member go at \
        the first error.";
    LeaveForgotten, None, "You ended the connection of a member that cannot be written to, and left it in the list: `leave` too.";
    HalfFrameKept, None, "Only a part of a frame could be written, and you kept the member, or `send` has not returned the error. Its next frame would begin in the middle of \
        this one: `leave`, and `shut_down`.";
    BroadcastStops, None, "Your broadcast ends with the first member that cannot be written to. Let that one go, and go on with the others.";
    SentTwice, None, "The sender got its message twice. On /chat broadcast it, which reaches the sender too; elsewhere echo it. Not both.";
    HalfShutDown, None, "You ended one direction of the connection. `shut_down` ends both, so that a read wakes up: `Shutdown::Both`.";
    NotShutDown, None, "You have forgotten the member, but its socket is still open, and its thread waits in a read. `shut_down` \
        wakes it, if it ends both ways (`Shutdown::Both`).";
    JoinReturnsAnother, None, "`join` returned another client than the one in the list, with a lock of its own. Put a clone of \
        the `Arc` that you return into the map.";
    BesideTheLock, None, "A reply to the client itself was written beside `Client::send`, into the middle of another thread's frame. \
        From step 16 on everything goes through `send`: echoes, Pongs and Closes.";
    LockOverRead, None, "You hold a lock while you wait for the client to speak, and nobody can write to it meanwhile. Read from your own \
        `stream`, and keep no guard in a variable, a `match` or a `while let`.";
    Deadlock, None, "This thread waits for a lock, and nobody slow is there. Most likely it holds that lock itself: a guard lives to \
        the end of its block, or of its `match` or `for`. Do you call a function that locks again?";
    RegistryForEach, None, "Each client has a list of its own, or they all have one entry in it. Make one Registry in `run`, before the loop, and share \
        it; the key of its map is the `peer_addr`.";
    LeftTooLate, None, "The client is still in the list while its Close is being sent, so a broadcast can write \
        after the Close. `leave` comes first, then the Close, then `hang_up`.";
    ReadTimedOut, None, "You dropped a client because it was silent. `send_timeout` is for writes: `set_write_timeout`, and no `set_read_timeout`.";
    WriteIgnored, None, "A write to the client has failed, and its thread goes on. A part of a frame can have gone \
        out, and nothing can follow it: leave the loop with `?`.";
    PathPrefix, None, "You compared a part of the path, or ignored its case. `/chat2` is another path than `/chat`: compare \
        with `==`.";
    KeyShared, None, "A client took the place of another in the list. The key is the address of the client, `peer_addr`; \
        `local_addr` is your own, and the same for all.";
    BroadcastAgain, None, "A member got the frame twice. Go through one copy of the list, from `clients()`, to its end: after an error \
        the loop goes on with the next member.";
    SocketKept, None, "A socket is still open although its client's life is over. Somebody holds a clone of it: whatever `run` or \
        the registry keeps has to be dropped with the client.";
    SeatsUsedUp, None, "After some clients no more are served, although the others have left. Give back at its end whatever a client \
        takes: a thread, or a place in a count.";
    // The heartbeat
    NoPing, None, "You sent no Ping. Does `run` start `watch`, and does it look at all clients again and again, also after a look at nobody? Or is a lock that `watch` needs held over a read?";
    NotAllWatched, None, "Some silent clients get no Ping while others are busy. Look at all of them each time: no `break` or `return` in the loop over `clients()`.";
    SentCountsAsHeard, None, "A message to a client, or your own Ping, counts as activity of the client. Set `last_heard` where a frame has been \
        read, and nowhere else.";
    WatchEndsAtDrop, None, "One client was dropped, and from then on nobody is watched. `watch` never returns: go on with the others.";
    PingBesideTheLock, None, "A Ping was written beside `Client::send`, into the middle of another frame. It takes the same lock as every other frame.";
    NeverDropped, None, "You never drop a client that stays silent. `shut_down` its socket, which wakes its thread; to forget it is not \
        enough.";
    LivingDropped, None, "You dropped a client that had answered. Any frame counts as activity, a Pong too: it ends the silence, and the \
        Ping before it does not count any more.";
    WatchEndsAll, None, "Nobody is served any more. `watch` never returns: start it in a thread of its own, before the loop of `run`.";
    DroppedUnasked, None, "You dropped a silent client without asking it. First a Ping; then it has `pong_timeout` to answer.";
    PingAgain, None, "You sent a second Ping in one silence. Note when you have sent one; until the client is heard again, it is enough.";
    NotHeard, None, "You sent a Ping to a client that was not silent. Set `last_heard` in `serve_client` whenever a frame has arrived, whatever its opcode.";
    NeverPing, None, "`verdict` never asks for a Ping. It is due in a silence of `ping_interval` or more, if no Ping was sent in it.";
    NeverDrop, None, "`verdict` never drops anybody. It is due when a Ping was sent in this silence, `pong_timeout` ago or earlier.";
    TimeReached, None, "A time is over as soon as it is reached: `silent >= ping_interval` for the Ping, `since >= pong_timeout` for the end.";
    TimesSwapped, None, "You compared with the other time. The silence goes with `ping_interval`, and the age of the Ping with \
        `pong_timeout`.";
    TimesIgnored, None, "You compared with a time of your own. `settings` has both, and other ones in each call.";
    TimesRounded, None, "You rounded a time. Compare the Durations as they are, not their `as_secs()`.";
    WatchSpins, None, "Your `watch` does not sleep, and burns a core. Sleep in its loop: a tenth of `ping_interval`.";
    WatchDeadlock, None, "No Ping, and no echo any more: `watch` holds a lock of the client that others need, itself perhaps. A guard \
        in a `match` or an `if let` lives to its end: take what you need out first.";
    WatchHoldsList, None, "A Ping waits for a client that does not read, and nobody can join meanwhile: `watch` holds the list. Copy \
        it with `clients`, then write.";
    HeartbeatEnds, None, "Your heartbeat ended with one client's failed write; from now on nobody is watched. Drop \
        this client and go on: no `unwrap` and no `return` in `watch`.";
    TooEarly, None, "You decide too early. Silence below `ping_interval` is fine; so is a Ping that is younger than `pong_timeout`.";
    WatchPause, None, "Your `watch` acts late, because it sleeps too long. Let it sleep for a part of `settings.ping_interval`, such as a tenth: neither for all \
        of it nor for a fixed time.";
    WatchEndsWithNobody, None, "Your heartbeat ended when the last client had left. `watch` never returns: an empty list is no end of \
        its loop.";
    WatchHoldsField, None, "`watch` holds the lock of `last_heard` or `pinged` while its Ping waits, so the client's own thread \
        cannot take the next frame. Let the guard go before `send`: a statement of its own, or a block.";
    WatchForEach, None, "Threads are left over, one for each client that ever came. Start `watch` once in `run`, before the loop.";
    // Push
    TickNotEncoded, None, "You returned the text alone. A frame goes over the wire: `encode_frame(TEXT, ...)`.";
    TickNotText, None, "You made a binary frame. A tick is text: opcode 1.";
    TickOtherText, None, "The text is another one. It is `tick ` and the number, which can be as large as a `u64`: no cast.";
    FirstTickLate, None, "No tick came at once. The first one goes out before the first pause.";
    FirstTick, None, "Your first tick has another number than 1.";
    TickNotCounted, None, "The number did not go up. Count in `push_ticks`, which is one call for all ticks of a client.";
    TicksEnd, None, "Your ticks have a last one. `push_ticks` goes on until nothing can be sent to its client any more.";
    TickerSpins, None, "Your ticker burns a core until the next tick is due. Sleep for `settings.tick_interval`.";
    TickInterval, None, "Your ticks have an interval of their own. Sleep for `settings.tick_interval` between two of them.";
    TickOnce, None, "You sent one tick and returned. `push_ticks` goes on until nothing can be sent to its client any more.";
    TickNoPause, None, "Your ticks follow one another without a pause. Sleep for `settings.tick_interval` between two of them.";
    TickerHoldsLock, None, "You hold the client's lock while you sleep, so its own thread cannot answer it. Call `Client::send`, \
        which locks for one frame, and sleep without a lock.";
    MarkTooEarly, None, "`send` refused the Close itself. The mark is looked at before a frame is written, and set after the Close has been.";
    FailedWriteKept, None, "A write has failed, and the connection is still open. Nothing can follow a part of a frame: in `send`, with \
        the guard that it holds, set the mark and `shutdown(Shutdown::Both)`.";
    MarkSaysOk, None, "`send` wrote nothing after the Close, which is right, and returned Ok. Return an error: by it `push_ticks` learns that it is over.";
    MarkTooOften, None, "`send` refuses a frame, and there was no Close and no write that failed. Only these two set the mark: `frame[0] & 0x0F == CLOSE`.";
    SendSaysOk, None, "A write has failed, and `send` returned Ok. Return what `write_all` has said.";
    TickAfterClose, None, "A frame was sent after the Close. Keep a mark beside the stream, under the same lock: `send` sets \
        it with a Close, and from then on returns an error.";
    TickerSurvives, None, "The client has gone, and your ticker goes on: a thread that is left over for each client that ever \
        came. The first `send` that fails is the end of it; do not try again.";
    TickUnwrapped, None, "A `send` has failed, and your ticker panicked. That its client has gone is the usual end of the ticks: \
        no `unwrap`, just return.";
    ShutDownAtClose, None, "The Close has just gone out, and your code has ended the connection: that can destroy the Close. Neither a Close nor an \
        error after it is a reason for a `shutdown`. Only a write that has failed is one, and `send` can see to that itself.";
    TicksNotStarted, None, "No tick came, not even after the client had spoken. Does `serve_client` start `push_ticks`, in a thread \
        of its own and once the client is in the list?";
    TicksWhenSpokenTo, None, "Ticks come only when the client speaks. Your thread looks for them after each message, and a \
        thread that waits in a read does nothing else: another thread has to send them.";
    EchoForgottenOnTicks, None, "The client is read and gets its ticks, and its text did not come back. On /ticks a message is echoed as elsewhere.";
    TickerInOwnThread, None, "Ticks come, and no reply. The client's own thread runs `push_ticks`, or waits for its end with `join`, and does not read any more: \
        start it with `thread::spawn` and go on.";
    TicksInSilenceOnly, None, "Ticks come only while the client is silent. You send them when a read has timed out, and each \
        message begins that time again. Let another thread send them; it needs no read that ends.";
    TicksToOneOnly, None, "One client gets ticks, and another on the same path gets none. Start `push_ticks` for each of them.";
    TickerDiesWithFirst, None, "The first client has left, and the ticks of all others ended with it. Only a client's own \
        ticks end with it: a thread for each.";
    TicksOnEveryPath, None, "A client on another path got a tick. Ticks are for clients on /ticks only.";
    SlowHoldsTicks, None, "A client that does not read holds up the ticks of another. Your ticker waits for one client, and the \
        others wait with it: a thread for each client waits for that client alone.";
    TickBesideTheLock, None, "A tick was written beside `Client::send`, into the middle of another frame or after the Close. A \
        clone is the same socket: every thread that writes to it goes through `send`, with its lock and its mark.";
    TicksOutliveClient, None, "The client is done, and its ticks go on. Its own thread does not wait for the ticker, as `join` would: it sends its Close, or hangs up, and that ends the ticker.";
    TwoTickers, None, "A number came twice, or they began again: this client has two tickers. Start one for each client that connects, and for that client alone.";
    TicksLost, None, "A tick is missing. If one cannot be sent at once, wait for the lock; do not leave it out.";
    // Compression
    OfferDeclined, None, "You declined an offer that you can take. There can be several, with commas between them, and each has \
        its parameters after semicolons.";
    ParameterTaken, None, "You took an offer with a parameter that asks for something you do not do. Decline it: a server that takes an \
        offer takes all of it.";
    NotThisExtension, None, "You took another extension. Compare its whole name with `permessage-deflate`.";
    OfferEchoed, None, "Your reply has a parameter that is for the client to say. Write what you agree to, and do not send the \
        offer back.";
    TakeoverAllowed, None, "Your reply lacks `server_no_context_takeover` or `client_no_context_takeover`. Without them a message \
        can refer to the one before.";
    Rsv1Refused, None, "You refused a frame with RSV1. Here it is allowed, in the first frame of a message: take the bit out \
        before `take_frame` sees it.";
    PlainFrameRefused, None, "You refused a frame without RSV1. Such a frame is as before: what `take_frame` says of it is right.";
    Rsv1Removed, None, "The frame is not complete, and RSV1 is gone from the buffer. The next call needs it: put it back.";
    Rsv1Read, None, "You read the bit the wrong way. It is RSV1, 0x40 of the first byte: set means compressed.";
    Rsv1OnContinuation, None, "You accepted RSV1 in a continuation. Only the first frame says that the message is compressed: 1002.";
    Rsv1OnControl, None, "You accepted RSV1 in a control frame. Control frames are never compressed: 1002.";
    OtherRsvTaken, None, "You accepted RSV2 or RSV3. The agreement is about RSV1 alone: 1002.";
    NotInflated, None, "You returned the message as it came. Inflate it: `for piece in Inflate::new(&bytes)`.";
    FirstPieceOnly, None, "A part of the message is missing. Go on until `Inflate` has no more pieces.";
    TailForgotten, None, "You refused a good message. The sender has left off its last four bytes: append 00 00 ff ff before you \
        inflate it.";
    EmptyMessageRefused, None, "You refused an empty message. Inflated, it has no bytes, which is fine.";
    CompressedCounted, None, "You refused a message that is within the limit. The limit is for the bytes that come out.";
    BadDeflate, None, "These bytes are no DEFLATE. An error of `Inflate` is 1007 here.";
    InflatedBeforeAsked, None, "You inflated all of it, and asked for the limit then. Ask piece by piece: a few KiB become many MiB.";
    InflatedUnbounded, None, "The message is over the limit once it is inflated, and nobody counts the bytes that come out: 1009.";
    // A client
    ClientNotMasked, None, "You sent a frame without a mask, or without the bit 0x80 that says so. A client masks every frame, Pongs too.";
    KeyWithoutMasking, None, "The key is there, and the payload is not masked with it.";
    KeyMisplaced, None, "The key is in the wrong place. It is after all bytes of the length, and before the payload.";
    KeyNotSent, None, "The payload is masked, and the key is missing. It is between the length and the payload.";
    RequestIncomplete, None, "Your request lacks a part, or has another one: see `expected`.";
    ClientKey, None, "The key is 16 random bytes in base64, others for each connection: `random_bytes::<16>()`.";
    GoodReplyRefused, None, "You refused what a good server sends. Names of headers have no case, there can be white space around a value or none, and a \
        server does not mask.";
    AcceptNotVerified, None, "You did not verify Sec-WebSocket-Accept. It is `accept_key` of the key that you sent, letter by letter.";
    StatusNotAsked, None, "You took another reply than a 101 for a good one. Ask for the status line first.";
    ReplyHeaderNotAsked, None, "You did not ask for the headers Upgrade and Connection of the reply.";
    KeyNotRandom, None, "Your masking keys can be guessed: take another one for each frame, `random_bytes()`.";
    BinaryAsText, None, "You returned another frame than a text. Leave out what is neither a text, a Ping nor a Close.";
    MaskedAccepted, None, "You accepted a masked frame from the server. A server never masks: that is an error.";
}
