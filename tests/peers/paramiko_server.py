#!/usr/bin/env python3
"""A paramiko server for our client.

usage: paramiko_server.py HOST_KEY AUTHORIZED_KEYS PASSWORD_FILE

Listens on a loopback port of its own choice and prints it. Users: `open` needs nothing (`none`), `tester` comes in
with a key of the file, with the password, or by answering `Password: ` (round one) and `Sum of 2 and 3: ` (round two);
`both` needs the key, then the password. Commands are not run but acted: see `act`.
Files are those of this machine.
"""
import socket
import sys
import threading
import time

import paramiko

from paramiko_files import Files

HOST_KEY = paramiko.Ed25519Key.from_private_key_file(sys.argv[1])
AUTHORIZED = {line.split()[1] for line in open(sys.argv[2]) if line.strip()}
PASSWORD = open(sys.argv[3]).read().strip()


class Server(paramiko.ServerInterface):
    def __init__(self):
        self.round = 0
        self.key_seen = False

    def get_allowed_auths(self, username):
        if username == "both":
            return "password" if self.key_seen else "publickey"
        return "publickey,password,keyboard-interactive"

    def check_auth_none(self, username):
        return paramiko.AUTH_SUCCESSFUL if username == "open" else paramiko.AUTH_FAILED

    def check_auth_password(self, username, password):
        if password != PASSWORD or (username == "both" and not self.key_seen):
            return paramiko.AUTH_FAILED
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_publickey(self, username, key):
        if key.get_base64() not in AUTHORIZED:
            return paramiko.AUTH_FAILED
        if username == "both":
            self.key_seen = True
            return paramiko.AUTH_PARTIALLY_SUCCESSFUL
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_interactive(self, username, submethods):
        self.round = 1
        return paramiko.InteractiveQuery("Login", "Two questions.", ("Password: ", False))

    def check_auth_interactive_response(self, responses):
        if self.round == 1 and responses == [PASSWORD]:
            self.round = 2
            return paramiko.InteractiveQuery("", "", ("Sum of 2 and 3: ", True))
        if self.round == 2 and responses == ["5"]:
            return paramiko.AUTH_SUCCESSFUL
        return paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        if kind == "session":
            return paramiko.OPEN_SUCCEEDED
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=act, args=(channel, command.decode()), daemon=True).start()
        return True


def act(channel, command):
    # paramiko answers the request only after the check has returned, and a close sent before that answer is an odd
    # thing to test a client with.
    time.sleep(0.05)
    status = 0
    if command == "cat":
        while True:
            data = channel.recv(65536)
            if not data:
                break
            channel.sendall(data)
    elif command.startswith("exit "):
        status = int(command[5:])
    elif command == "both":
        channel.sendall(b"to stdout\n")
        channel.sendall_stderr(b"to stderr\n")
    elif command == "rekey":
        channel.get_transport().renegotiate_keys()
        channel.sendall(b"rekeyed\n")
    else:
        status = 127
    channel.send_exit_status(status)
    channel.shutdown_write()
    channel.close()


def serve(connection):
    transport = paramiko.Transport(connection)
    transport.add_server_key(HOST_KEY)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    try:
        transport.start_server(server=Server())
        # A channel that nobody holds is closed by paramiko at once.
        channels = []
        while transport.is_active():
            channels.append(transport.accept(1))
    except (paramiko.SSHException, EOFError, OSError) as error:
        print("connection ended:", error)


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(100)
print("listening on", listener.getsockname()[1])
while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
