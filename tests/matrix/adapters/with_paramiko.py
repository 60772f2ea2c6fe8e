#!/usr/bin/env python3
"""paramiko, client and server."""

import socket
import subprocess
import sys

import paramiko

from common import *  # noqa: F403 - the words of the contract

if REKEY:
    paramiko.packet.Packetizer.REKEY_BYTES = REKEY
    paramiko.packet.Packetizer.REKEY_PACKETS = 2**29


def load(path: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(path)
        except (paramiko.SSHException, ValueError):
            continue
    cannot("paramiko does not read this key")


def pump(read, write, end) -> None:
    """From one side to the other, until there is no more."""
    while data := read(32768):
        write(data)
    end()


# ---- client --------------------------------------------------------------------------------------------------------


def connect() -> paramiko.Transport:
    transport = paramiko.Transport(("127.0.0.1", int(PORT)))
    transport.start_client(timeout=30)
    match AUTH:
        case "password":
            transport.auth_password(USER, PASSWORD, fallback=False)
        case "keyboard-interactive":
            transport.auth_interactive(USER, lambda _title, _text, prompts: [PASSWORD for _ in prompts])
        case _:
            transport.auth_publickey(USER, load(KEY))
    return transport


def carry(channel: paramiko.Channel) -> None:
    def sending() -> None:
        pump(lambda count: os.read(0, count), channel.sendall, channel.shutdown_write)

    threading.Thread(target=sending, daemon=True).start()
    pump(channel.recv, lambda data: os.write(1, data), lambda: None)


def client(words: list[str]) -> int:
    transport = connect()
    match words:
        case ["run", command]:
            channel = transport.open_session()
            channel.exec_command(command)
            carry(channel)
            return channel.recv_exit_status()
        case ["forward", host, port]:
            carry(transport.open_channel("direct-tcpip", (host, int(port)), ("127.0.0.1", 1)))
        case ["put", here, there]:
            paramiko.SFTPClient.from_transport(transport).put(here, there)
        case ["get", there, here]:
            paramiko.SFTPClient.from_transport(transport).get(there, here)
        case ["list", there]:
            print("\n".join(paramiko.SFTPClient.from_transport(transport).listdir(there)))
    transport.close()
    return 0


# ---- server --------------------------------------------------------------------------------------------------------


class Server(paramiko.ServerInterface):
    """Lets in the one user, and runs commands."""

    def __init__(self) -> None:
        with open(AUTHORIZED_KEYS, encoding="utf-8") as file:
            self.keys = {line.split()[1] for line in file}
        self.targets: dict[int, tuple[str, int]] = {}

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password,keyboard-interactive"

    def check_auth_password(self, username: str, password: str) -> int:
        good = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if key.get_base64() in self.keys else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str):
        return paramiko.InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return paramiko.AUTH_SUCCESSFUL if responses == [PASSWORD] else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

    def check_channel_direct_tcpip_request(self, chanid: int, origin, destination) -> int:
        self.targets[chanid] = destination
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=execute, args=(channel, command.decode()), daemon=True).start()
        return True

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        return name == "sftp" and self.check_channel_exec_request(channel, b"exec /usr/lib/openssh/sftp-server")


def execute(channel: paramiko.Channel, command: str) -> None:
    child = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def hear() -> None:
        try:
            pump(channel.recv, child.stdin.write, child.stdin.close)
        except OSError:
            pass

    threading.Thread(target=hear, daemon=True).start()
    pump(child.stdout.read, channel.sendall, lambda: None)
    channel.send_exit_status(child.wait())
    channel.shutdown_write()
    channel.close()


def relay(channel: paramiko.Channel, destination: tuple[str, int]) -> None:
    there = socket.create_connection(destination)
    back = threading.Thread(target=pump, args=(there.recv, channel.sendall, channel.shutdown_write), daemon=True)
    back.start()
    pump(channel.recv, there.sendall, lambda: there.shutdown(socket.SHUT_WR))
    back.join()
    channel.close()


def serve_one(connection: socket.socket, key: paramiko.PKey) -> None:
    transport = paramiko.Transport(connection)
    transport.add_server_key(key)
    server = Server()
    try:
        transport.start_server(server=server)
    except (paramiko.SSHException, EOFError, OSError) as error:
        print(error, file=sys.stderr)
        return
    while transport.is_active():
        channel = transport.accept(1)
        if channel is not None and channel.chanid in server.targets:
            arguments = (channel, server.targets[channel.chanid])
            threading.Thread(target=relay, args=arguments, daemon=True).start()


def serve_all() -> None:
    key = load(HOST_KEY)
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening", listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve_one, args=(connection, key), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if sys.argv[1] == "server":
    serve_all()
else:
    try:
        code = client(sys.argv[2:])
    except (paramiko.SSHException, OSError, EOFError) as error:
        print(repr(error), file=sys.stderr)
        code = 255
    # Threads that read standard input are not waited for.
    os._exit(code)
