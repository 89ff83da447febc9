"""A WebTransport echo, to count its bytes. Needs aioquic (1.7.2 here) and a certificate of at most 14 days:

    pip install aioquic
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
        -days 10 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1
    python3 docs/chat/webtransport.py 4433
"""
import asyncio
import sys

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DatagramReceived, HeadersReceived, WebTransportStreamDataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated


class Echo(QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=True)
        for what in self.http.handle_event(event) if self.http else []:
            if isinstance(what, HeadersReceived):  # an extended CONNECT, where WebSocket has its GET with Upgrade
                self.http.send_headers(what.stream_id, [(b":status", b"200"), (b"sec-webtransport-http3-draft", b"draft02")])
            elif isinstance(what, WebTransportStreamDataReceived):
                self._quic.send_stream_data(what.stream_id, what.data)
            elif isinstance(what, DatagramReceived):
                self.http.send_datagram(what.stream_id, what.data)
        self.transmit()


async def main(port):
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False, max_datagram_frame_size=65536)
    configuration.load_cert_chain("cert.pem", "key.pem")
    await serve("127.0.0.1", port, configuration=configuration, create_protocol=Echo)
    await asyncio.Future()


asyncio.run(main(int(sys.argv[1])))
