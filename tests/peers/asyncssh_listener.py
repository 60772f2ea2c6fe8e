#!/usr/bin/env python3
"""A server of asyncssh that listens wherever its clients want it to.

usage: asyncssh_listener.py AUTHORIZED_KEYS HOST_KEY

It listens on a loopback port of its own choice, and prints it.
"""
import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def server_requested(self, listen_host, listen_port):
        return True


async def serve(authorized, key):
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Server, server_host_keys=[key], authorized_client_keys=authorized
    )
    print("listening on", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(serve(*sys.argv[1:]))
