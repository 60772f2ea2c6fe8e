#!/usr/bin/env python3
"""paramiko's SFTP client for our server.

usage: paramiko_sftp.py PORT KEY

Works in the directory that the server offers, prints one line for each thing that worked and ends with 1 at the first
that did not.
"""
import hashlib
import os
import stat
import sys
import threading

import paramiko


def ok(what):
    print("ok", what, flush=True)


def refused(kind, call, *arguments):
    try:
        call(*arguments)
    except kind:
        return
    raise AssertionError("%s%r was not refused" % (call.__name__, arguments))


def main():
    transport = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
    transport.connect(username="tester", pkey=paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
    sftp = transport.open_sftp_client()
    assert sftp.normalize(".") == "/", sftp.normalize(".")

    data = os.urandom(16 << 20)
    with sftp.open("/file", "wb") as file:
        file.set_pipelined(True)
        file.write(data)
    assert sftp.stat("/file").st_size == len(data)
    with sftp.open("/file", "rb") as file:
        file.prefetch(len(data))
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()
    ok("16 MiB each way")

    with sftp.open("/file", "r+b") as file:
        parts = file.readv([(0, 100), (1 << 20, 32768), (len(data) - 10, 100)])
        assert [len(part) for part in parts] == [100, 32768, 10]
        file.seek(5)
        file.write(b"five")
        file.seek(3)
        assert file.read(8) == data[3:5] + b"five" + data[9:11]
        file.truncate(1000)
        assert file.stat().st_size == 1000
    with sftp.open("/file", "ab") as file:
        file.write(b"end")
    assert sftp.stat("/file").st_size == 1003
    refused(IOError, sftp.open, "/file", "x")
    ok("parts of a file")

    sftp.chmod("/file", 0o600)
    sftp.utime("/file", (1, 2))
    found = sftp.stat("/file")
    assert stat.S_IMODE(found.st_mode) == 0o600 and (found.st_atime, found.st_mtime) == (1, 2), found
    sftp.truncate("/file", 7)
    assert sftp.lstat("/file").st_size == 7
    ok("attributes")

    sftp.mkdir("/d")
    sftp.symlink("../file", "/d/link")
    assert sftp.readlink("/d/link") == "../file"
    assert stat.S_ISLNK(sftp.lstat("/d/link").st_mode) and sftp.stat("/d/link").st_size == 7
    sftp.rename("/file", "/d/moved")
    sftp.open("/other", "w").close()
    refused(IOError, sftp.rename, "/d/moved", "/other")
    sftp.posix_rename("/d/moved", "/other")
    refused(IOError, sftp.rmdir, "/d")
    sftp.remove("/d/link")
    sftp.rmdir("/d")
    refused(FileNotFoundError, sftp.stat, "/d")
    ok("names")

    names = ["n%d" % number for number in range(500)] + ["Grüße"]
    sftp.mkdir("/many")
    for name in names:
        sftp.open("/many/" + name, "w").close()
    assert sorted(sftp.listdir("/many")) == sorted(names)
    assert len(list(sftp.listdir_iter("/many"))) == len(names)
    ok("a directory")

    def work(number):
        own = transport.open_sftp_client()
        path = "/many/thread%d" % number
        with own.open(path, "wb") as file:
            file.write(data[: 1 << 20])
        with own.open(path, "rb") as file:
            assert file.read() == data[: 1 << 20]
        own.close()
        done.append(number)

    done = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4, done
    ok("four sessions at once")

    for path in ("/../../etc/passwd", "/etc/passwd"):
        refused(FileNotFoundError, sftp.open, path)
    refused(IOError, sftp.open, "/out/passwd")
    refused(IOError, sftp.listdir, "/out")
    ok("nothing outside")
    transport.close()


main()
