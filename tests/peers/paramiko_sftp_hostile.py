#!/usr/bin/env python3
"""A client that breaks SFTP, over paramiko's transport.

usage: paramiko_sftp_hostile.py PORT KEY each|all

The server must allow 256 handles, on each channel or on all together. Prints one line for each thing that went as it should and ends with 1 at the first
that did not.
"""
import struct
import sys

import paramiko

INIT, VERSION, OPEN, CLOSE, READ, WRITE, OPENDIR, READDIR = 1, 2, 3, 4, 5, 6, 11, 12
STAT, STATUS, HANDLE, DATA, ATTRS, EXTENDED, EXTENDED_REPLY = 17, 101, 102, 103, 105, 200, 201
OK, END, NO_SUCH_FILE, FAILURE, BAD_MESSAGE, UNSUPPORTED = 0, 1, 2, 4, 5, 8
READ_WRITE_CREATE = 0x0B
MOST = 256 * 1024
PATIENCE = 120


def ok(what):
    print("ok", what, flush=True)


def string(data):
    return struct.pack(">I", len(data)) + data


def frame(packet):
    return string(packet)


def request(kind, number, body=b""):
    return frame(struct.pack(">BI", kind, number) + body)


def init(version=3):
    return frame(struct.pack(">BI", INIT, version))


class Raw:
    """A channel with the subsystem, and bytes."""

    def __init__(self, transport):
        self.channel = transport.open_session()
        self.channel.settimeout(PATIENCE)
        self.channel.invoke_subsystem("sftp")
        self.pending = b""

    def send(self, data):
        self.channel.sendall(data)

    def bytes(self, count):
        while len(self.pending) < count:
            more = self.channel.recv(max(65536, count - len(self.pending)))
            if not more:
                raise EOFError("the server has closed")
            self.pending += more
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def packet(self):
        return self.bytes(struct.unpack(">I", self.bytes(4))[0])

    def ask(self, kind, number, body=b""):
        self.send(request(kind, number, body))
        return self.reply(number)

    def reply(self, number):
        """Kind and rest of the reply, which must be the one to this request."""
        packet = self.packet()
        kind, got = struct.unpack(">BI", packet[:5])
        assert got == number, (got, number, packet[:40])
        return kind, packet[5:]

    def status(self, kind, number, body=b""):
        got, rest = self.ask(kind, number, body)
        assert got == STATUS, (got, rest[:40])
        return struct.unpack(">I", rest[:4])[0]

    def open(self, number, path=b"/file"):
        kind, rest = self.ask(OPEN, number, string(path) + struct.pack(">II", READ_WRITE_CREATE, 0))
        return rest[4:] if kind == HANDLE else None

    def is_closed(self):
        """Whether the server ends the session; what it said before is thrown away."""
        while self.channel.recv(65536):
            pass
        return True

    def close(self):
        self.channel.close()


def begun(transport, version=3):
    raw = Raw(transport)
    raw.send(init(version))
    packet = raw.packet()
    assert packet[:5] == struct.pack(">BI", VERSION, 3), packet[:40]
    return raw


def broken_frames(transport):
    ends = {
        "length 0": init() + b"\0\0\0\0",
        "length one too large": init() + struct.pack(">I", MOST + 1),
        "largest length": init() + b"\xff\xff\xff\xff",
        "length 0 at first": b"\0\0\0\0",
        "a request before INIT": request(STAT, 1, string(b"/")),
        "a second INIT": init() + init(),
        "INIT without a version": frame(b"\x01"),
        "INIT that ends in an extension": frame(struct.pack(">BI", INIT, 3) + b"\0\0\0\x09short"),
        "text": b"GET / HTTP/1.1\r\n\r\n",
    }
    for length in range(1, 5):
        ends["a request of %d bytes" % length] = init() + frame(bytes([STAT]) + bytes(length - 1))
    for what, data in ends.items():
        raw = Raw(transport)
        raw.send(data)
        assert raw.is_closed(), what
        raw.close()
    raw = begun(transport)
    raw.send(request(STAT, 1, string(b"/"))[:-1])
    raw.channel.shutdown_write()
    assert raw.is_closed()
    ok("%d broken streams" % (len(ends) + 1))


def versions_and_splits(transport):
    for version in (0, 2, 3, 6, 0xFFFFFFFF):
        begun(transport, version).close()
    raw = Raw(transport)
    for byte in init() + request(STAT, 7, string(b"/")):
        raw.send(bytes([byte]))
    assert raw.packet()[0] == VERSION
    assert raw.reply(7)[0] == ATTRS
    # The longest packet, and then the session goes on.
    raw.send(frame(struct.pack(">BI", 99, 8) + bytes(MOST - 5)))
    assert raw.reply(8)[0] == STATUS
    assert raw.ask(STAT, 9, string(b"/"))[0] == ATTRS
    raw.close()
    ok("versions and single bytes")


def broken_requests(transport):
    raw = begun(transport)
    number = 0
    bodies = (b"", b"\0\0\0", b"\0\0\0\x05abc", b"\xff\xff\xff\xff", string(b"/") + b"more than there should be")
    for kind in list(range(0, 22)) + [100, 101, 150, EXTENDED, EXTENDED_REPLY, 255]:
        for body in bodies if kind != INIT else ():
            number += 1
            got, rest = raw.ask(kind, number, body)
            # An id that nobody gave out, or nothing where a path is wanted, may be taken as a path.
            assert got == STATUS, (kind, body, got)
            assert rest[:4] != struct.pack(">I", OK), (kind, body)
    for name in (b"", b"nobody@knows", b"\xff\0\xff", b"x" * 60000):
        number += 1
        assert raw.status(EXTENDED, number, string(name) + b"whatever") == UNSUPPORTED, name[:20]
    for name in (b"copy-data", b"limits@openssh.com", b"statvfs@openssh.com", b"users-groups-by-id@openssh.com"):
        number += 1
        assert raw.status(EXTENDED, number, string(name) + b"\xff\xff\xff\xff\0") != OK, name
    attributes = struct.pack(">IIII", 0x80000000, 0xFFFFFFFF, 0, 0)
    assert raw.status(9, 1000, string(b"/") + attributes) != OK
    for path in (b"/a\0b", b"/" + b"x" * 65536, b"/" + b"d/" * 30000, b"/" + b"n" * 300, b"/\xff\xfe"):
        assert raw.status(STAT, 1001, string(path)) in (NO_SUCH_FILE, FAILURE, BAD_MESSAGE), path[:20]
    assert raw.ask(STAT, 1002, string(b"../../../.."))[0] == ATTRS
    raw.close()
    ok("broken requests")


def handles(transport):
    raw, other = begun(transport), begun(transport)
    kind, rest = raw.ask(EXTENDED, 1, string(b"limits@openssh.com"))
    assert kind == EXTENDED_REPLY, kind
    packet, read, write, most = struct.unpack(">QQQQ", rest)
    assert (packet, most) == (MOST, 256) and 32768 <= read < MOST and 32768 <= write < MOST, rest
    mine, theirs = raw.open(2), other.open(2)
    theirs_too = other.open(3)
    kind, rest = raw.ask(OPENDIR, 4, string(b"/"))
    directory = rest[4:]
    assert kind == HANDLE
    assert raw.status(WRITE, 5, string(mine) + struct.pack(">Q", 0) + string(b"content")) == OK
    place = struct.pack(">QI", 0, 10)
    # Of another session, of none, too long, empty, of a directory.
    for handle in (theirs_too if theirs_too not in (mine, directory) else b"?", b"", b"\xff" * 4, bytes(257), bytes(4),
                   directory):
        assert raw.status(READ, 6, string(handle) + place) in (FAILURE, BAD_MESSAGE), handle[:8]
    assert raw.status(READDIR, 7, string(mine)) == FAILURE
    for offset, length in ((0, 0xFFFFFFFF), (3, 0x80000000)):
        kind, rest = raw.ask(READ, 8, string(mine) + struct.pack(">QI", offset, length))
        assert kind == DATA and rest[4:] == b"content"[offset:], rest
    for offset in (7, 2**63, 2**64 - 1):
        assert raw.status(READ, 9, string(mine) + struct.pack(">QI", offset, 0xFFFFFFFF)) == END, offset
    for offset in (2**63 - 1, 2**64 - 1):
        assert raw.status(WRITE, 10, string(mine) + struct.pack(">Q", offset) + string(b"xx")) == FAILURE, offset
    assert raw.status(CLOSE, 11, string(mine)) == OK
    assert raw.status(CLOSE, 11, string(mine)) in (FAILURE, BAD_MESSAGE)
    assert raw.status(READ, 12, string(mine) + place) in (FAILURE, BAD_MESSAGE)
    # What is closed counts no more.
    each = sys.argv[3] == "each"
    room = most if each else most - 2
    opened = [directory]
    while True:
        handle = raw.open(13)
        if handle is None:
            break
        opened.append(handle)
        assert len(opened) <= room
    assert len(opened) == room and len(set(opened)) == room, len(opened)
    assert raw.status(OPENDIR, 14, string(b"/")) == FAILURE
    assert (other.open(15) is not None) == each
    assert raw.status(CLOSE, 16, string(opened[100])) == OK
    assert raw.open(17) not in (None, opened[100])
    raw.close()
    other.close()
    ok("handles")


def flood(transport):
    """Requests for much more than anybody should keep, and nothing taken for a while."""
    many, size = 4000, 32768
    raw = begun(transport)
    handle = raw.open(1, b"/large")
    for part in range(8):
        data = string(handle) + struct.pack(">Q", part * size) + string(bytes([part]) * size)
        assert raw.status(WRITE, 2, data) == OK
    reads = b"".join(
        request(READ, number, string(handle) + struct.pack(">QI", number % 8 * size, size)) for number in range(many))
    raw.send(reads)
    # Others are served meanwhile, in the same connection.
    other = begun(transport)
    assert other.ask(STAT, 1, string(b"/large"))[0] == ATTRS
    other.close()
    for number in range(many):
        kind, rest = raw.reply(number)
        assert kind == DATA and rest[4:] == bytes([number % 8]) * size, number
    stats = b"".join(request(STAT, number, string(b"/nowhere")) for number in range(10000))
    raw.send(stats)
    for number in range(10000):
        assert raw.reply(number)[0] == STATUS
    # Nothing is kept from going away in the middle of it.
    raw.send(reads)
    raw.reply(0)
    raw.close()
    ok("more requests than replies taken")


def main():
    transport = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
    transport.connect(username="tester", pkey=paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
    for part in (broken_frames, versions_and_splits, broken_requests, handles, flood):
        part(transport)
    sftp = transport.open_sftp_client()
    assert "file" in sftp.listdir("/")
    ok("an honest client after all that")
    transport.close()


main()
