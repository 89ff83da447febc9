import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** The opening handshake (§4.2). */
final class Handshake {
    private static final int MAX_HEAD = 8 * 1024;
    private static final String GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    private Handshake() { }

    /** Reads the request and answers it: with 101 and true, or with 400, 405 or 426 and false. */
    static boolean answer(DataInputStream in, OutputStream out) throws IOException {
        String[] lines = readHead(in).split("\r\n");
        Map<String, String> headers = new HashMap<>();
        for (String line : Arrays.asList(lines).subList(1, lines.length)) {
            String[] parts = line.split(":", 2);
            if (parts.length == 2) {
                headers.put(parts[0].toLowerCase(Locale.ROOT), parts[1].trim());
            }
        }
        String reply = reply(lines[0], headers);
        out.write(reply.getBytes(StandardCharsets.ISO_8859_1));
        return reply.startsWith("HTTP/1.1 101 ");
    }

    private static String reply(String requestLine, Map<String, String> headers) {
        String key = headers.getOrDefault("sec-websocket-key", "");
        if (!requestLine.matches("[^ ]+ [^ ]+ HTTP/1\\.1") || !headers.containsKey("host")) {
            return refusal("400 Bad Request", "Connection: close");
        }
        if (!requestLine.startsWith("GET ")) {
            return refusal("405 Method Not Allowed", "Connection: close", "Allow: GET"); // RFC 9110 §15.5.6
        }
        if (!hasToken(headers.get("upgrade"), "websocket") || !"13".equals(headers.get("sec-websocket-version"))) {
            // What would be right: RFC 9110 §15.5.22, and §4.4 for the version.
            return refusal("426 Upgrade Required",
                    "Connection: close, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13");
        }
        if (!hasToken(headers.get("connection"), "upgrade") || !isKey(key)) {
            return refusal("400 Bad Request", "Connection: close");
        }
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: " + acceptKey(key) + "\r\n\r\n";
    }

    private static String refusal(String status, String... headers) {
        return "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n" + String.join("\r\n", headers) + "\r\n\r\n";
    }

    /** Up to the blank line; what comes behind it, frames perhaps, stays in the stream. */
    private static String readHead(DataInputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n", Math.max(0, head.length() - 4)) < 0) {
            if (head.length() == MAX_HEAD) {
                throw new IOException("the head is too long");
            }
            head.append((char) in.readUnsignedByte()); // EOFException at the end of the stream
        }
        return head.toString();
    }

    /** Browsers send "keep-alive, Upgrade": it is a list. */
    private static boolean hasToken(String list, String token) {
        return list != null && Arrays.stream(list.split(",")).anyMatch(word -> word.trim().equalsIgnoreCase(token));
    }

    private static boolean isKey(String key) {
        try {
            return Base64.getDecoder().decode(key).length == 16;
        } catch (IllegalArgumentException noBase64) {
            return false;
        }
    }

    static String acceptKey(String key) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            return Base64.getEncoder().encodeToString(sha1.digest((key + GUID).getBytes(StandardCharsets.ISO_8859_1)));
        } catch (NoSuchAlgorithmException impossible) {
            throw new AssertionError(impossible); // every Java has SHA-1
        }
    }
}
