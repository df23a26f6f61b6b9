"""A bot that is slow: it reads a stream frame by frame, takes its time, and can be killed any moment.

    python slow_reader.py URL SECONDS_A_FRAME

It writes the number of each event that it has dealt with to standard output, a line each. Its receive buffer
is as small as the system allows and its library holds one frame, so that what it does not read stays with the
gateway.
"""

import asyncio
import json
import socket
import sys
from urllib.parse import urlsplit

from websockets.asyncio.client import connect


async def main(url: str, pause: float) -> None:
    """Read until killed."""
    address = urlsplit(url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.connect((address.hostname, address.port))
    async with connect(url, sock=sock, compression=None, max_queue=1, ping_interval=None) as stream:
        async for frame in stream:
            await asyncio.sleep(pause)
            sys.stdout.write(f"{json.loads(frame)['n']}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
