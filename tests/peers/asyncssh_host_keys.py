#!/usr/bin/env python3
"""Both ends of asyncssh for host keys that change.

usage: asyncssh_host_keys.py server AUTHORIZED_KEYS HOST_KEY...
       asyncssh_host_keys.py client PORT KNOWN_HOSTS USER IDENTITY

The server listens on a loopback port of its own choice, prints it, and tells of all its keys; of each type it shows the
first. A command lasts until its input ends. The client prints what it has learnt: `added`, `removed` or `retained` and
the fingerprint, a line for each key.
"""
import asyncio
import sys

import asyncssh


async def work(process):
    await process.stdin.read()
    process.exit(0)


async def serve(authorized, keys):
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=keys,
        send_server_host_keys=True,
        authorized_client_keys=authorized,
        process_factory=work,
    )
    print("listening on", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


async def learn(port, known_hosts, user, identity):
    learnt = asyncio.get_running_loop().create_future()

    def handler(added, removed, retained, revoked):
        found = [("added", added), ("removed", removed), ("retained", retained), ("revoked", revoked)]
        learnt.set_result([f"{what} {key.get_fingerprint()}" for what, keys in found for key in keys])

    async with asyncssh.connect(
        "127.0.0.1",
        int(port),
        config=None,
        known_hosts=known_hosts,
        username=user,
        client_keys=[identity],
        agent_path=None,
        server_host_keys_handler=handler,
    ):
        print("\n".join(sorted(await asyncio.wait_for(learnt, 60))))


if sys.argv[1] == "server":
    asyncio.run(serve(sys.argv[2], sys.argv[3:]))
else:
    asyncio.run(learn(*sys.argv[2:]))
