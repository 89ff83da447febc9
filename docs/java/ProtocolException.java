import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** The client broke a rule: why, and the Close code for it (§7.4). */
final class ProtocolException extends IOException {
    private static final long serialVersionUID = 1;
    private final int code;

    ProtocolException(int code, String reason) {
        super(reason);
        this.code = code;
    }

    /** The payload of the Close frame. */
    byte[] payload() {
        byte[] reason = getMessage().getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(2 + reason.length).putShort((short) code).put(reason).array();
    }
}
