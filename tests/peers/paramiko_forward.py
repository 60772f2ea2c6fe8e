#!/usr/bin/env python3
"""Forwarding with a paramiko client and our server.

usage: paramiko_forward.py PORT KEY TARGET_PORT

Prints one line for each thing that worked and ends with 1 at the first that did not.
"""
import hashlib
import os
import socket
import sys

import paramiko

PORT, KEY, TARGET = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


def exchange(stream, size):
    """The target sends back what it gets, and then its hash."""
    data = os.urandom(size)
    stream.settimeout(60)
    stream.sendall(data)
    stream.shutdown_write() if hasattr(stream, "shutdown_write") else stream.shutdown(socket.SHUT_WR)
    got = b"".join(iter(lambda: stream.recv(65536), b""))
    assert got == data + hashlib.sha256(data).digest(), len(got)
    stream.close()


transport = paramiko.Transport(("127.0.0.1", PORT))
transport.start_client(timeout=20)
transport.auth_publickey("tester", paramiko.Ed25519Key.from_private_key_file(KEY))

exchange(transport.open_channel("direct-tcpip", ("localhost", TARGET), ("127.0.0.1", 1)), 40000)
print("ok direct", flush=True)

port = transport.request_port_forward("localhost", 0)
near = socket.create_connection(("127.0.0.1", port))
channel = transport.accept(30)
assert channel.origin_addr[0] == "127.0.0.1", channel.origin_addr
near.sendall(b"hello")
near.shutdown(socket.SHUT_WR)
channel.settimeout(60)
assert b"".join(iter(lambda: channel.recv(100), b"")) == b"hello"
channel.sendall(b"there")
channel.close()
near.settimeout(60)
assert b"".join(iter(lambda: near.recv(100), b"")) == b"there"
print("ok forwarded", flush=True)

transport.cancel_port_forward("localhost", port)
try:
    socket.create_connection(("127.0.0.1", port)).close()
    sys.exit("still listening")
except ConnectionRefusedError:
    print("ok cancelled", flush=True)
transport.close()
