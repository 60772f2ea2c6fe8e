#!/usr/bin/env python3
"""asyncssh, client and server."""

import asyncio
import os
import sys

import asyncssh

from common import *  # noqa: F403 - the words of the contract

ALL = {
    "encryption_algs": [name.decode() for name in asyncssh.encryption.get_encryption_algs()],
    "kex_algs": [name.decode() for name in asyncssh.kex.get_kex_algs() if not name.startswith(b"gss")],
}
if REKEY:
    ALL["rekey_bytes"] = REKEY


class Client(asyncssh.SSHClient):
    """Answers each question with the password."""

    def password_auth_requested(self):
        return PASSWORD if AUTH == "password" else None

    def kbdint_auth_requested(self):
        return "" if AUTH == "keyboard-interactive" else None

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        return [PASSWORD for _ in prompts]


async def pump(read, write, end) -> None:
    while data := await read(32768):
        write(data)
    end()


async def standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def say(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


async def carry(reader, writer, errors=None) -> None:
    own = await standard_input()

    async def send() -> None:
        while data := await own.read(32768):
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    while data := await reader.read(32768):
        say(data)
    sending.cancel()


async def client(words: list[str]) -> int:
    keys = [KEY] if AUTH == "publickey" else None
    connection = await asyncssh.connect(
        "127.0.0.1", int(PORT), username=USER, known_hosts=None, client_keys=keys, agent_path=None, config=None,
        client_factory=Client, preferred_auth=AUTH, **ALL,
    )
    match words:
        case ["run", command]:
            process = await connection.create_process(command, encoding=None)
            await carry(process.stdout, process.stdin)
            await process.wait()
            return process.exit_status if process.exit_status is not None else 255
        case ["forward", host, port]:
            reader, writer = await connection.open_connection(host, int(port), encoding=None)
            await carry(reader, writer)
            return 0
    async with connection.start_sftp_client() as files:
        match words:
            case ["put", here, there]:
                await files.put(here, there)
            case ["get", there, here]:
                await files.get(there, here)
            case ["list", there]:
                print("\n".join(await files.listdir(there)))
    return 0


class Server(asyncssh.SSHServer):
    """Lets in the one user, and forwards."""

    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == (USER, PASSWORD)

    def kbdint_auth_supported(self):
        return True

    def get_kbdint_challenge(self, username, lang, submethods):
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username, responses):
        return responses == [PASSWORD]

    def connection_requested(self, dest_host, dest_port, orig_host, orig_port):
        return True


async def execute(process: asyncssh.SSHServerProcess) -> None:
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    await process.redirect(stdin=child.stdin, stdout=child.stdout, send_eof=True)
    status = await child.wait()
    await process.stdout.drain()
    process.exit(status)


async def server() -> None:
    listener = await asyncssh.create_server(
        Server, "127.0.0.1", 0, server_host_keys=[HOST_KEY], authorized_client_keys=AUTHORIZED_KEYS,
        process_factory=execute, encoding=None, sftp_factory=True, config=None, **ALL,
    )
    print("listening", listener.sockets[0].getsockname()[1], flush=True)
    await (await standard_input()).read()


if sys.argv[1] == "server":
    asyncio.run(server())
else:
    try:
        code = asyncio.run(client(sys.argv[2:]))
    except (asyncssh.Error, OSError) as error:
        print(repr(error), file=sys.stderr)
        code = 255
    os._exit(code)
