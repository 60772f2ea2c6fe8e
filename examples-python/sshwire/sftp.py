"""Files on the server."""

import ctypes
import enum
import io
import os
import stat
from typing import NamedTuple, Optional

from . import _abi
from ._core import DEFAULT, EOF, Handle, call, check, encode_path, lib, milliseconds, take_bytes_detailed


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

    Paths are str, bytes or PathLike, as for os; names that are no UTF-8 come and go as os.fsdecode() has them.
    """

    _free = "ssh_sftp_free"
    _timeout = DEFAULT

    def settimeout(self, seconds):
        self._timeout = milliseconds(seconds)

    def close(self):
        check(lib.ssh_sftp_close(self._handle))

    def has_extension(self, name):
        return lib.ssh_sftp_has_extension(self._handle, encode_path(name))

    def _do(self, function, *arguments):
        return call(function, self._handle, *arguments, self._timeout)

    def stat(self, path):
        return _take_attributes(self._do(lib.ssh_sftp_stat, encode_path(path)))

    def lstat(self, path):
        return _take_attributes(self._do(lib.ssh_sftp_lstat, encode_path(path)))

    def exists(self, path):
        try:
            self.lstat(path)
            return True
        except FileNotFoundError:
            return False

    def scandir(self, path="."):
        """The Attributes of each entry but "." and "..", as they come."""
        directory = _Directory(self._do(lib.ssh_sftp_opendir, encode_path(path)))
        with directory:
            while True:
                entry = ctypes.c_void_p()
                if call(lib.ssh_sftp_dir_read, directory._handle, ctypes.byref(entry), self._timeout) == EOF:
                    return
                attributes = _take_attributes(entry.value)
                if attributes.name not in (".", ".."):
                    yield attributes

    def listdir(self, path="."):
        return [entry.name for entry in self.scandir(path)]

    def mkdir(self, path, mode=0o777):
        self._do(lib.ssh_sftp_mkdir, encode_path(path), mode)

    def rmdir(self, path):
        self._do(lib.ssh_sftp_rmdir, encode_path(path))

    def remove(self, path):
        self._do(lib.ssh_sftp_remove, encode_path(path))

    def rename(self, old, new):
        """Fails when the new name exists."""
        self._do(lib.ssh_sftp_rename, encode_path(old), encode_path(new))

    def replace(self, old, new):
        """Takes the place of what has the new name, at once."""
        self._do(lib.ssh_sftp_posix_rename, encode_path(old), encode_path(new))

    def link(self, old, new):
        self._do(lib.ssh_sftp_hardlink, encode_path(old), encode_path(new))

    def symlink(self, target, link):
        self._do(lib.ssh_sftp_symlink, encode_path(target), encode_path(link))

    def readlink(self, path):
        return os.fsdecode(take_bytes_detailed(lib.ssh_sftp_readlink, (self._handle, encode_path(path)), self._timeout))

    def realpath(self, path="."):
        return os.fsdecode(take_bytes_detailed(lib.ssh_sftp_realpath, (self._handle, encode_path(path)), self._timeout))

    def chmod(self, path, mode):
        self._do(lib.ssh_sftp_chmod, encode_path(path), mode)

    def chown(self, path, uid, gid):
        self._do(lib.ssh_sftp_chown, encode_path(path), uid, gid)

    def utime(self, path, times):
        self._do(lib.ssh_sftp_utime, encode_path(path), int(times[0]), int(times[1]))

    def truncate(self, path, size):
        self._do(lib.ssh_sftp_truncate, encode_path(path), size)

    def open(self, path, mode="r", buffering=-1, encoding="utf-8", errors=None, newline=None):
        """A file object, as the built-in open() makes it. Writes that the server has refused are told by a later
        write(), by flush() or by close()."""
        kind = mode.replace("b", "").replace("t", "")
        if kind not in _FLAGS or ("b" in mode and "t" in mode):
            raise ValueError(f"{mode!r} is no mode")
        raw = SftpFile(self._do(lib.ssh_sftp_open, encode_path(path), _FLAGS[kind], None), _FLAGS[kind], self._timeout)
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
        end it; the total is None where it is not known."""
        self._transfer(lib.ssh_sftp_get, remote, local, progress, flags, timeout)

    def put(self, local, remote, progress=None, flags=0, timeout=None):
        """Uploads a file or a directory, as get() downloads."""
        self._transfer(lib.ssh_sftp_put, local, remote, progress, flags, timeout)

    def _transfer(self, function, source, target, progress, flags, timeout):
        raised = []

        def tell(_userdata, file, done, total, _files, _skipped):
            try:
                size = None if total == 2 ** 64 - 1 else total
                return progress is None or progress(os.fsdecode(file), done, size) is not False
            except BaseException as error:
                raised.append(error)
                return False

        callback = _abi.PROGRESS_CALLBACK(tell)  # also without `progress`: it lets Ctrl-C through
        try:
            call(function, self._handle, encode_path(source), encode_path(target), flags, callback, None,
                 milliseconds(timeout))
        except Exception:
            if raised:
                raise raised[0] from None
            raise


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

    def _do(self, function, *arguments):
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return call(function, self._file._handle, *arguments, self._timeout)

    def readable(self):
        return bool(self._flags & _READ)

    def writable(self):
        return bool(self._flags & _WRITE)

    def seekable(self):
        return True

    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        if not self.readable():
            raise io.UnsupportedOperation("not open for reading")
        if not view.nbytes:
            return 0
        done = ctypes.c_size_t()
        area = (ctypes.c_char * view.nbytes).from_buffer(view)
        self._do(lib.ssh_sftp_file_read, area, view.nbytes, ctypes.byref(done))
        return done.value

    def write(self, data):
        if not self.writable():
            raise io.UnsupportedOperation("not open for writing")
        raw = bytes(data)
        done = ctypes.c_size_t()
        self._do(lib.ssh_sftp_file_write, raw, len(raw), ctypes.byref(done))
        return done.value

    def seek(self, offset, whence=io.SEEK_SET):
        position = ctypes.c_uint64()
        self._do(lib.ssh_sftp_file_seek, offset, whence, ctypes.byref(position))
        return position.value

    def truncate(self, size=None):
        size = self.tell() if size is None else size
        self._do(lib.ssh_sftp_file_truncate, size)
        return size

    def flush(self):
        """Waits until the server has confirmed every write."""
        super().flush()
        if self.writable():
            self._do(lib.ssh_sftp_file_flush)

    def sync(self):
        """Has the server put the file on its disk."""
        self._do(lib.ssh_sftp_file_fsync)

    def stat(self):
        return _take_attributes(self._do(lib.ssh_sftp_file_stat))

    def close(self):
        if self.closed:
            return
        try:
            self._do(lib.ssh_sftp_file_close)
        finally:
            self._flags &= ~_WRITE  # there is nothing left that the base class could flush
            super().close()
            self._file.free()
