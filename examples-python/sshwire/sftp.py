"""Files on the server."""

import ctypes
import enum
import io
import os
import stat
from typing import NamedTuple, Optional

from . import _abi, _callbacks
from ._abi import lib
from ._calls import apart, ask, ask_bytes, call, check, sliced_call
from ._handle import Handle
from ._values import area, encode, encode_path, milliseconds
from .errors import EOF, Error


class Transfer(enum.IntFlag):
    """How get() and put() go about it."""

    RESUME, PRESERVE, RECURSIVE, FOLLOW_SYMLINKS = 1, 2, 4, 8


class Attributes(NamedTuple):
    """What the server tells of a file; None for what it does not."""

    name: Optional[str]
    size: Optional[int]
    mode: Optional[int]
    uid: Optional[int]
    gid: Optional[int]
    atime: Optional[int]
    mtime: Optional[int]

    @property
    def is_dir(self):
        return self.mode is not None and stat.S_ISDIR(self.mode)

    @property
    def is_file(self):
        return self.mode is not None and stat.S_ISREG(self.mode)

    @property
    def is_symlink(self):
        return self.mode is not None and stat.S_ISLNK(self.mode)


def _take_attributes(handle):
    def numbers(function, *types):
        found = [kind() for kind in types]
        known = function(handle, *map(ctypes.byref, found)) == 0
        return [number.value if known else None for number in found]

    try:
        length = ctypes.c_size_t()
        name = lib.ssh_sftp_attributes_name(handle, ctypes.byref(length))
        return Attributes(os.fsdecode(ctypes.string_at(name, length.value)) if name else None,
                          *numbers(lib.ssh_sftp_attributes_size, ctypes.c_uint64),
                          *numbers(lib.ssh_sftp_attributes_permissions, ctypes.c_uint32),
                          *numbers(lib.ssh_sftp_attributes_owner, ctypes.c_uint32, ctypes.c_uint32),
                          *numbers(lib.ssh_sftp_attributes_times, ctypes.c_uint32, ctypes.c_uint32))
    finally:
        lib.ssh_sftp_attributes_free(handle)


class Sftp(Handle):
    """A session with the server's file system. Any number of threads may use it at once.

    Paths are str, bytes or PathLike, as for os; names that are no UTF-8 come and go as os.fsdecode() has them. Each call
    takes at most the time given to settimeout(), a minute at first.
    """

    _free = "ssh_sftp_free"
    _timeout = 60

    def settimeout(self, seconds):
        milliseconds(seconds)
        self._timeout = seconds

    def close(self):
        check(lib.ssh_sftp_close(self._handle))

    def has_extension(self, name):
        return lib.ssh_sftp_has_extension(self._handle, encode(name))

    def _ask(self, function, *arguments):
        return ask(function, self._handle, *arguments, milliseconds(self._timeout))

    def _ask_path(self, function, path):
        return os.fsdecode(ask_bytes(function, self._handle, encode_path(path), timeout_ms=milliseconds(self._timeout)))

    def stat(self, path):
        return _take_attributes(self._ask(lib.ssh_sftp_stat, encode_path(path)))

    def lstat(self, path):
        return _take_attributes(self._ask(lib.ssh_sftp_lstat, encode_path(path)))

    def exists(self, path):
        try:
            self.lstat(path)
            return True
        except FileNotFoundError:
            return False

    def scandir(self, path="."):
        """The Attributes of each entry but "." and "..", as they come."""
        directory = _Directory(self._ask(lib.ssh_sftp_opendir, encode_path(path)))
        with directory:
            while True:
                entry = ctypes.c_void_p()
                if sliced_call(self._timeout, lib.ssh_sftp_dir_read, directory._handle, ctypes.byref(entry)) == EOF:
                    return
                attributes = _take_attributes(entry.value)
                if attributes.name not in (".", ".."):
                    yield attributes

    def listdir(self, path="."):
        return [entry.name for entry in self.scandir(path)]

    def mkdir(self, path, mode=0o777):
        self._ask(lib.ssh_sftp_mkdir, encode_path(path), mode)

    def rmdir(self, path):
        self._ask(lib.ssh_sftp_rmdir, encode_path(path))

    def remove(self, path):
        self._ask(lib.ssh_sftp_remove, encode_path(path))

    def rename(self, old, new):
        """Fails when the new name exists."""
        self._ask(lib.ssh_sftp_rename, encode_path(old), encode_path(new))

    def replace(self, old, new):
        """Takes the place of what has the new name, at once."""
        self._ask(lib.ssh_sftp_posix_rename, encode_path(old), encode_path(new))

    def link(self, old, new):
        self._ask(lib.ssh_sftp_hardlink, encode_path(old), encode_path(new))

    def symlink(self, target, link):
        self._ask(lib.ssh_sftp_symlink, encode_path(target), encode_path(link))

    def readlink(self, path):
        return self._ask_path(lib.ssh_sftp_readlink, path)

    def realpath(self, path="."):
        return self._ask_path(lib.ssh_sftp_realpath, path)

    def home(self, user=""):
        """A user's home directory. Needs home-directory."""
        return self._ask_path(lib.ssh_sftp_home_directory, user)

    def expand(self, path):
        """As realpath(), with "~" and "~user" for home directories. Needs expand-path@openssh.com."""
        return self._ask_path(lib.ssh_sftp_expand_path, path)

    def statvfs(self, path="."):
        """The state of the file system, as os.statvfs() tells it. Needs statvfs@openssh.com."""
        values = (ctypes.c_uint64 * 11)()
        self._ask(lib.ssh_sftp_statvfs, encode_path(path), values, len(values))
        blocks, (identity, flags, name_max) = values[:8], values[8:]
        return os.statvfs_result((*blocks, flags, name_max, identity))

    def chmod(self, path, mode):
        self._ask(lib.ssh_sftp_chmod, encode_path(path), mode)

    def chown(self, path, uid, gid):
        self._ask(lib.ssh_sftp_chown, encode_path(path), uid, gid)

    def utime(self, path, times):
        self._ask(lib.ssh_sftp_utime, encode_path(path), int(times[0]), int(times[1]))

    def truncate(self, path, size):
        self._ask(lib.ssh_sftp_truncate, encode_path(path), size)

    def open(self, path, mode="r", buffering=-1, encoding="utf-8", errors=None, newline=None):
        """A file object, as the built-in open() makes it. A write that the server refuses is told by a later one or by
        close()."""
        kind = mode.replace("b", "").replace("t", "")
        if kind not in _FLAGS or ("b" in mode and "t" in mode):
            raise ValueError(f"{mode!r} is no mode")
        raw = SftpFile(self._ask(lib.ssh_sftp_open, encode_path(path), _FLAGS[kind], None), _FLAGS[kind], self._timeout)
        if buffering == 0:
            if "b" not in mode:
                raise ValueError("text needs a buffer")
            return raw
        size = buffering if buffering > 1 else 32768
        if "+" in kind:
            buffered = io.BufferedRandom(raw, size)
        else:
            buffered = (io.BufferedReader if kind == "r" else io.BufferedWriter)(raw, size)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def get(self, remote, local, progress=None, flags=0, timeout=None):
        """Downloads a file or, with Transfer.RECURSIVE, a directory. ``progress(file, done, total)`` may give False to
        end it; the total is None where it is not known. It may be called in another thread."""
        self._transfer(lib.ssh_sftp_get, remote, local, progress, flags, timeout)

    def put(self, local, remote, progress=None, flags=0, timeout=None):
        """Uploads a file or a directory, as get() downloads."""
        self._transfer(lib.ssh_sftp_put, local, remote, progress, flags, timeout)

    def _transfer(self, function, source, target, progress, flags, timeout):
        watcher = _Watcher(progress)
        source, target, timeout_ms = encode_path(source), encode_path(target), milliseconds(timeout)

        def work():
            number = _callbacks.register(watcher)
            try:
                call(function, self._handle, source, target, flags, _on_progress, number, timeout_ms)
            except Error:
                if watcher.raised is not None:
                    raise watcher.raised from None
                raise
            finally:
                _callbacks.unregister(number)

        try:
            apart(work)
        finally:
            watcher.given_up = True


class _Watcher:
    """Hears how far a transfer has come, and says whether it goes on."""

    def __init__(self, progress):
        self.progress, self.raised, self.given_up = progress, None, False

    def hear(self, file, done, total):
        if self.given_up:
            return False
        try:
            return self.progress is None or self.progress(file, done, total) is not False
        except BaseException as error:
            self.raised = error
            return False


@_abi.PROGRESS_CALLBACK
@_callbacks.shielded(False)
def _on_progress(number, file, done, total, _files, _skipped):
    return _callbacks.registered(number).hear(os.fsdecode(file), done, None if total == 2 ** 64 - 1 else total)


_READ, _WRITE, _APPEND, _CREATE, _TRUNCATE, _EXCLUSIVE = 1, 2, 4, 8, 16, 32
_FLAGS = {"r": _READ, "w": _WRITE | _CREATE | _TRUNCATE, "a": _WRITE | _APPEND | _CREATE,
          "x": _WRITE | _CREATE | _EXCLUSIVE}
_FLAGS.update({name + "+": flags | _READ | _WRITE for name, flags in list(_FLAGS.items())})


class _Directory(Handle):
    _free = "ssh_sftp_dir_free"


class _File(Handle):
    _free = "ssh_sftp_file_free"


class SftpFile(io.RawIOBase):
    """An open file. The library reads ahead and writes behind, so that small pieces are no slower than large ones."""

    def __init__(self, handle, flags, timeout):
        super().__init__()
        self._file, self._flags, self._timeout = _File(handle), flags, timeout

    def _ask(self, function, *arguments):
        self._check_open()
        return ask(function, self._file._handle, *arguments, milliseconds(self._timeout))

    def _sliced(self, function, *arguments):
        self._check_open()
        return sliced_call(self._timeout, function, self._file._handle, *arguments)

    def _check_open(self):
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def readable(self):
        return bool(self._flags & _READ)

    def writable(self):
        return bool(self._flags & _WRITE)

    def seekable(self):
        return True

    def readinto(self, buffer):
        if not self.readable():
            raise io.UnsupportedOperation("not open for reading")
        done = ctypes.c_size_t()
        self._sliced(lib.ssh_sftp_file_read, *area(buffer), ctypes.byref(done))
        return done.value

    def write(self, data):
        if not self.writable():
            raise io.UnsupportedOperation("not open for writing")
        raw = bytes(data)
        done = ctypes.c_size_t()
        self._sliced(lib.ssh_sftp_file_write, raw, len(raw), ctypes.byref(done))
        return done.value

    def seek(self, offset, whence=io.SEEK_SET):
        position = ctypes.c_uint64()
        self._ask(lib.ssh_sftp_file_seek, offset, whence, ctypes.byref(position))
        return position.value

    def tell(self):
        position = ctypes.c_uint64()
        self._sliced(lib.ssh_sftp_file_tell, ctypes.byref(position))
        return position.value

    def truncate(self, size=None):
        size = self.tell() if size is None else size
        self._ask(lib.ssh_sftp_file_truncate, size)
        return size

    def flush(self):
        """Waits until the server has confirmed every write."""
        super().flush()
        if self.writable():
            self._ask(lib.ssh_sftp_file_flush)

    def sync(self):
        """Has the server put the file on its disk."""
        self._ask(lib.ssh_sftp_file_fsync)

    def stat(self):
        return _take_attributes(self._ask(lib.ssh_sftp_file_stat))

    def close(self):
        """Waits until everything that was written is in the file, or tells that it is not."""
        if self.closed:
            return
        try:
            if self.writable():
                self._ask(lib.ssh_sftp_file_close)
        finally:
            self._flags = 0  # there is nothing left that the base class could flush
            super().close()
            self._file.free()
