"""A member of a chat, with the library websockets or aiohttp, with or without compression.

usage: interop.py {websockets|aiohttp} {compressed|plain} URL

The first line on stdin is a JSON list of the messages to send, and how many to wait for. On stdout it prints a line with
the extensions that were agreed on, once it is a member, and then a JSON list of the messages that it has received.
"""

import asyncio
import json
import sys


def tell(value):
    print(json.dumps(value), flush=True)


async def talk(send, receive):
    line = await asyncio.to_thread(sys.stdin.readline)
    messages, count = json.loads(line)
    for message in messages:
        await send(message)
    tell([await receive() for _ in range(count)])


async def with_websockets(url, is_compressed):
    import websockets

    compression = "deflate" if is_compressed else None
    async with websockets.connect(url, compression=compression, max_size=None, max_queue=None) as socket:
        tell(socket.response.headers.get("Sec-WebSocket-Extensions", ""))
        await talk(socket.send, socket.recv)


async def with_aiohttp(url, is_compressed):
    import aiohttp

    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url, compress=15 if is_compressed else 0, max_msg_size=0) as socket:
            tell("permessage-deflate" if socket.compress else "")
            await talk(socket.send_str, socket.receive_str)


library, compression, url = sys.argv[1:]
client = {"websockets": with_websockets, "aiohttp": with_aiohttp}[library]
asyncio.run(asyncio.wait_for(client(url, compression == "compressed"), 60))
