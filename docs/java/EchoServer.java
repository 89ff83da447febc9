import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** A WebSocket echo server on ServerSocket, a thread for each client: the Java side of the appendix "From Java". */
public final class EchoServer {
    static final int MAX_MESSAGE = 1 << 20;
    private static final int HANDSHAKE_TIMEOUT = 10_000; // milliseconds
    private static final int CLOSE_TIMEOUT = 5_000;

    public static void main(String[] arguments) throws IOException {
        int port = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 8000;
        try (ServerSocket listener = new ServerSocket(port, 50, InetAddress.getLoopbackAddress())) {
            System.out.println("listening on 127.0.0.1:" + listener.getLocalPort());
            while (true) {
                Socket socket = listener.accept();
                new Thread(() -> serve(socket), "client-" + socket.getRemoteSocketAddress()).start();
            }
        }
    }

    /** One client's life. */
    private static void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(HANDSHAKE_TIMEOUT);
            DataInputStream in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
            OutputStream out = socket.getOutputStream();
            if (Handshake.answer(in, out)) {
                socket.setSoTimeout(0);
                echo(in, out);
            }
            hangUp(socket, in);
        } catch (EOFException gone) {
            // The client ended TCP without a Close frame.
        } catch (IOException error) {
            System.err.println(Thread.currentThread().getName() + ": " + error);
        }
    }

    /** Every message comes back with its type, until a Close frame has gone each way. */
    private static void echo(DataInputStream in, OutputStream out) throws IOException {
        ByteArrayOutputStream message = new ByteArrayOutputStream();
        int type = 0; // none is open
        try {
            while (true) {
                Frame frame = Frame.read(in, MAX_MESSAGE - message.size());
                switch (frame.opcode()) {
                    case Frame.PING -> new Frame(true, Frame.PONG, frame.payload()).write(out);
                    case Frame.PONG -> { }
                    case Frame.CLOSE -> {
                        new Frame(true, Frame.CLOSE, answerToClose(frame.payload())).write(out);
                        return;
                    }
                    default -> {
                        if ((frame.opcode() == Frame.CONTINUATION) == (type == 0)) {
                            throw new ProtocolException(1002, "a fragment in the wrong place");
                        }
                        type = type == 0 ? frame.opcode() : type;
                        message.write(frame.payload());
                        if (frame.fin()) {
                            byte[] payload = message.toByteArray();
                            if (type == Frame.TEXT) {
                                checkUtf8(payload);
                            }
                            new Frame(true, type, payload).write(out);
                            message.reset();
                            type = 0;
                        }
                    }
                }
            }
        } catch (ProtocolException broken) {
            new Frame(true, Frame.CLOSE, broken.payload()).write(out);
        }
    }

    /** The code that the client gave, or none if it gave none. */
    private static byte[] answerToClose(byte[] payload) throws ProtocolException {
        if (payload.length == 0) {
            return payload;
        }
        int code = payload.length == 1 ? 0 : (payload[0] & 0xFF) << 8 | payload[1] & 0xFF;
        boolean allowed = code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999;
        if (!allowed) {
            throw new ProtocolException(1002, "Close code " + code);
        }
        checkUtf8(java.util.Arrays.copyOfRange(payload, 2, payload.length));
        return new byte[] {payload[0], payload[1]};
    }

    private static void checkUtf8(byte[] bytes) throws ProtocolException {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)); // new String(bytes) would repair it
        } catch (CharacterCodingException bad) {
            throw new ProtocolException(1007, "invalid UTF-8");
        }
    }

    /** Ends our side of TCP, and reads until the client has ended its own: close() alone might send a reset. */
    private static void hangUp(Socket socket, DataInputStream in) throws IOException {
        socket.shutdownOutput();
        long deadline = System.nanoTime() + CLOSE_TIMEOUT * 1_000_000L;
        byte[] rest = new byte[4096];
        do {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return;
            }
            socket.setSoTimeout((int) left);
        } while (in.read(rest) != -1);
    }
}
