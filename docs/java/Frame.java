import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/** A frame (§5.2), its payload unmasked. */
record Frame(boolean fin, int opcode, byte[] payload) {
    static final int CONTINUATION = 0x0;
    static final int TEXT = 0x1;
    static final int BINARY = 0x2;
    static final int CLOSE = 0x8;
    static final int PING = 0x9;
    static final int PONG = 0xA;

    /** Waits for a client's next frame. A data frame may bring {@code room} bytes. */
    static Frame read(DataInputStream in, int room) throws IOException {
        int first = in.readUnsignedByte();
        int opcode = first & 0x0F;
        boolean fin = (first & 0x80) != 0;
        boolean control = opcode >= CLOSE;
        if ((first & 0x70) != 0 || opcode > BINARY && !control || opcode > PONG || control && !fin) {
            throw new ProtocolException(1002, "a bad first byte");
        }
        int second = in.readUnsignedByte();
        if ((second & 0x80) == 0) {
            throw new ProtocolException(1002, "not masked");
        }
        long length = second & 0x7F;
        if (control && length > 125) {
            throw new ProtocolException(1002, "a control frame over 125 bytes");
        }
        int shortest = 0;
        if (length == 126) {
            length = in.readUnsignedShort();
            shortest = 126;
        } else if (length == 127) {
            length = in.readLong(); // signed: a top bit that is set makes it negative
            shortest = 65536;
        }
        if (length < shortest) {
            throw new ProtocolException(1002, "a length in more bytes than it needs");
        }
        if (!control && length > room) {
            throw new ProtocolException(1009, "a message over the limit");
        }
        byte[] key = new byte[4];
        in.readFully(key);
        byte[] payload = new byte[(int) length];
        in.readFully(payload);
        for (int i = 0; i < payload.length; i++) {
            payload[i] ^= key[i % 4];
        }
        return new Frame(fin, opcode, payload);
    }

    /** A server's frame: no mask. One write, so that it leaves as one segment if it fits. */
    void write(OutputStream out) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(10 + payload.length);
        bytes.put((byte) ((fin ? 0x80 : 0) | opcode));
        if (payload.length < 126) {
            bytes.put((byte) payload.length);
        } else if (payload.length < 65536) {
            bytes.put((byte) 126).putShort((short) payload.length);
        } else {
            bytes.put((byte) 127).putLong(payload.length);
        }
        bytes.put(payload);
        out.write(bytes.array(), 0, bytes.position());
    }
}
