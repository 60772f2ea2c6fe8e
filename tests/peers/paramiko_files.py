"""Files of this machine for paramiko's SFTP server, below a directory that every path is taken to be in already."""
import os

import paramiko


def answer(call):
    """Turns an OSError into the status that SFTP has for it."""

    def wrapped(self, *arguments):
        try:
            result = call(self, *arguments)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK if result is None else result

    return wrapped


class Handle(paramiko.SFTPHandle):
    def __init__(self, flags, file):
        super().__init__(flags)
        self.file = file
        # Where paramiko's own read and write find what to use.
        self.readfile = self.writefile = file

    @answer
    def stat(self):
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.file.fileno()))

    @answer
    def chattr(self, attributes):
        self.file.flush()
        change(self.file.fileno(), attributes)


def change(target, attributes):
    if attributes.st_size is not None:
        os.truncate(target, attributes.st_size)
    if attributes.st_uid is not None:
        os.chown(target, attributes.st_uid, attributes.st_gid)
    if attributes.st_mode is not None:
        os.chmod(target, attributes.st_mode & 0o7777)
    if attributes.st_atime is not None:
        os.utime(target, (attributes.st_atime, attributes.st_mtime))


class Files(paramiko.SFTPServerInterface):
    @answer
    def list_folder(self, path):
        entries = []
        for name in os.listdir(path):
            entries.append(paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(path, name)), name))
        return entries

    @answer
    def stat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.stat(path))

    @answer
    def lstat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.lstat(path))

    @answer
    def open(self, path, flags, attributes):
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
        mode = {os.O_WRONLY: "wb", os.O_RDWR: "r+b"}.get(flags & os.O_ACCMODE, "rb")
        if flags & os.O_APPEND:
            mode = "ab"
        return Handle(flags, os.fdopen(descriptor, mode, 0))

    @answer
    def remove(self, path):
        os.remove(path)

    @answer
    def rename(self, old, new):
        if os.path.lexists(new):
            return paramiko.SFTP_FAILURE
        os.rename(old, new)

    @answer
    def posix_rename(self, old, new):
        os.replace(old, new)

    @answer
    def mkdir(self, path, attributes):
        os.mkdir(path)

    @answer
    def rmdir(self, path):
        os.rmdir(path)

    @answer
    def chattr(self, path, attributes):
        change(path, attributes)

    @answer
    def symlink(self, target, path):
        os.symlink(target, path)

    @answer
    def readlink(self, path):
        return os.readlink(path)
