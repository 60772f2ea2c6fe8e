package sshwire

/*
#include <stdlib.h>
#include "callback.h"
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"runtime/cgo"
	"sort"
	"sync/atomic"
	"time"
	"unsafe"
)

// SFTP is the files of a server. Its calls wait in the library, each with a thread. A deadline that passes ends the
// call alone; a context that is cancelled during a call ends the whole SFTP, as nothing less would end it for sure.
type SFTP struct {
	handle *C.ssh_sftp
	owner  any
}

// SFTP starts SFTP on a channel of its own.
func (t *Transport) SFTP(ctx context.Context) (*SFTP, error) {
	channel, err := t.OpenSession(ctx)
	if err != nil {
		return nil, err
	}
	if err := channel.Subsystem(ctx, "sftp"); err != nil {
		channel.Close()
		return nil, err
	}
	return NewSFTP(ctx, channel)
}

// NewSFTP starts SFTP on a channel with an SFTP server at its other end. The channel belongs to it from now on.
func NewSFTP(ctx context.Context, channel *Channel) (*SFTP, error) {
	defer runtime.KeepAlive(channel)
	defer during(ctx, func() { channel.Close() })()
	var detail *C.ssh_error
	handle := C.ssh_sftp_new_channel(channel.handle, millis(ctx, C.SSH_TIMEOUT_DEFAULT), &detail)
	if handle == nil {
		channel.Close()
		return nil, joined(ctx, outcome(C.SSH_ERR_CLOSED, &detail))
	}
	s := &SFTP{handle, channel}
	runtime.SetFinalizer(s, (*SFTP).Close)
	return s, nil
}

// during calls end, once, if the context is cancelled before the function it returns is called. A deadline is left to
// the library.
func during(ctx context.Context, end func()) (over func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	var state atomic.Int32 // 1: the call is over; 2: the context was first
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) && state.CompareAndSwap(0, 2) {
				end()
			}
		}
	}()
	return func() {
		state.CompareAndSwap(0, 1)
		close(done)
	}
}

// call makes a call that waits.
func (s *SFTP) call(ctx context.Context, f func(ms C.int32_t, detail **C.ssh_error) C.ssh_status) error {
	defer runtime.KeepAlive(s)
	if ctx.Err() != nil {
		return ended(ctx)
	}
	defer during(ctx, func() { C.ssh_sftp_close(s.handle) })()
	var detail *C.ssh_error
	status := f(millis(ctx, C.SSH_TIMEOUT_FOREVER), &detail)
	if status == C.SSH_EOF {
		return io.EOF
	}
	return joined(ctx, outcome(status, &detail))
}

// onPath makes a call about a path, whose errors say so.
func (s *SFTP) onPath(ctx context.Context, op, name string,
	f func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status) error {
	text, end, err := cString(name)
	if err == nil {
		defer end()
		err = s.call(ctx, func(ms C.int32_t, detail **C.ssh_error) C.ssh_status { return f(text, ms, detail) })
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Close ends it, and the calls under way. Files and directories are closed.
func (s *SFTP) Close() error {
	C.ssh_sftp_close(s.handle)
	C.ssh_sftp_free(s.handle)
	return nil
}

// HasExtension tells whether the server has an extension, such as "fsync@openssh.com".
func (s *SFTP) HasExtension(name string) bool {
	defer runtime.KeepAlive(s)
	text, end, err := cString(name)
	if err != nil {
		return false
	}
	defer end()
	return bool(C.ssh_sftp_has_extension(s.handle, text))
}

// A FileInfo is what the server says of a file; Sys is a pointer to the same.
type FileInfo struct {
	name     string
	size     uint64
	mode     fs.FileMode
	modified time.Time
	Accessed time.Time
	UID, GID uint32
}

func (i *FileInfo) Name() string               { return i.name }
func (i *FileInfo) Size() int64                { return int64(i.size) }
func (i *FileInfo) Mode() fs.FileMode          { return i.mode }
func (i *FileInfo) ModTime() time.Time         { return i.modified }
func (i *FileInfo) IsDir() bool                { return i.mode.IsDir() }
func (i *FileInfo) Sys() any                   { return i }
func (i *FileInfo) Type() fs.FileMode          { return i.mode.Type() }
func (i *FileInfo) Info() (fs.FileInfo, error) { return i, nil }

// newInfo frees the attributes.
func newInfo(name string, a *C.ssh_sftp_attributes) *FileInfo {
	defer C.ssh_sftp_attributes_free(a)
	var size C.uint64_t
	var permissions, accessed, modified, user, group C.uint32_t
	C.ssh_sftp_attributes_size(a, &size)
	C.ssh_sftp_attributes_permissions(a, &permissions)
	C.ssh_sftp_attributes_times(a, &accessed, &modified)
	C.ssh_sftp_attributes_owner(a, &user, &group)
	return &FileInfo{name, uint64(size), goMode(uint32(permissions)), time.Unix(int64(modified), 0),
		time.Unix(int64(accessed), 0), uint32(user), uint32(group)}
}

// goMode makes Go's mode of POSIX's.
func goMode(posix uint32) fs.FileMode {
	mode := fs.FileMode(posix & 0o777)
	switch posix & 0o170000 {
	case 0o040000:
		mode |= fs.ModeDir
	case 0o120000:
		mode |= fs.ModeSymlink
	case 0o060000:
		mode |= fs.ModeDevice
	case 0o020000:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case 0o010000:
		mode |= fs.ModeNamedPipe
	case 0o140000:
		mode |= fs.ModeSocket
	}
	for posixBit, bit := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if posix&posixBit != 0 {
			mode |= bit
		}
	}
	return mode
}

// posixBits makes POSIX's permissions of Go's mode.
func posixBits(mode fs.FileMode) C.uint32_t {
	bits := uint32(mode.Perm())
	for posixBit, bit := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			bits |= posixBit
		}
	}
	return C.uint32_t(bits)
}

// Stat follows symbolic links.
func (s *SFTP) Stat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.stat(ctx, "stat", name, true)
}

// Lstat does not.
func (s *SFTP) Lstat(ctx context.Context, name string) (fs.FileInfo, error) {
	return s.stat(ctx, "lstat", name, false)
}

func (s *SFTP) stat(ctx context.Context, op, name string, follow bool) (fs.FileInfo, error) {
	var attributes *C.ssh_sftp_attributes
	if err := s.onPath(ctx, op, name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		if follow {
			attributes = C.ssh_sftp_stat(s.handle, path, ms, detail)
		} else {
			attributes = C.ssh_sftp_lstat(s.handle, path, ms, detail)
		}
		return statusOf(attributes != nil)
	}); err != nil {
		return nil, err
	}
	return newInfo(path.Base(name), attributes), nil
}

// statusOf is that of a function that makes a handle; the detail says more.
func statusOf(made bool) C.ssh_status {
	if made {
		return C.SSH_OK
	}
	return C.SSH_ERR_BAD_HANDLE
}

// ReadDir lists a directory by name, without "." and "..".
func (s *SFTP) ReadDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	var dir *C.ssh_sftp_dir
	if err := s.onPath(ctx, "open", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		dir = C.ssh_sftp_opendir(s.handle, path, ms, detail)
		return statusOf(dir != nil)
	}); err != nil {
		return nil, err
	}
	defer C.ssh_sftp_dir_free(dir)
	var entries []fs.DirEntry
	for {
		var entry *C.ssh_sftp_attributes
		err := s.call(ctx, func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
			return C.ssh_sftp_dir_read(dir, &entry, ms, detail)
		})
		if err == io.EOF {
			sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
			return entries, nil
		} else if err != nil {
			return entries, &fs.PathError{Op: "readdir", Path: name, Err: err}
		}
		var length C.size_t
		start := C.ssh_sftp_attributes_name(entry, &length)
		found := string(bytesOf(unsafe.Pointer(start), length))
		if info := newInfo(found, entry); found != "." && found != ".." {
			entries = append(entries, info)
		}
	}
}

// Mkdir makes a directory.
func (s *SFTP) Mkdir(ctx context.Context, name string, mode fs.FileMode) error {
	return s.onPath(ctx, "mkdir", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_mkdir(s.handle, path, posixBits(mode), ms, detail)
	})
}

// Remove removes a file or a symbolic link.
func (s *SFTP) Remove(ctx context.Context, name string) error {
	return s.onPath(ctx, "remove", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_remove(s.handle, path, ms, detail)
	})
}

// RemoveDir removes an empty directory.
func (s *SFTP) RemoveDir(ctx context.Context, name string) error {
	return s.onPath(ctx, "rmdir", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_rmdir(s.handle, path, ms, detail)
	})
}

// Rename renames as POSIX does, over what is there, if the server can; otherwise what is there is in the way.
func (s *SFTP) Rename(ctx context.Context, from, to string) error {
	return s.onPaths(ctx, "rename", from, to, func(from, to *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		if s.HasExtension("posix-rename@openssh.com") {
			return C.ssh_sftp_posix_rename(s.handle, from, to, ms, detail)
		}
		return C.ssh_sftp_rename(s.handle, from, to, ms, detail)
	})
}

// Symlink makes a symbolic link that says target.
func (s *SFTP) Symlink(ctx context.Context, target, link string) error {
	return s.onPaths(ctx, "symlink", target, link, func(from, to *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_symlink(s.handle, from, to, ms, detail)
	})
}

func (s *SFTP) onPaths(ctx context.Context, op, from, to string,
	f func(from, to *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status) error {
	second, end, err := cString(to)
	if err != nil {
		return &fs.PathError{Op: op, Path: to, Err: err}
	}
	defer end()
	return s.onPath(ctx, op, from, func(first *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return f(first, second, ms, detail)
	})
}

// ReadLink tells what a symbolic link says.
func (s *SFTP) ReadLink(ctx context.Context, name string) (string, error) {
	return s.pathOf(ctx, "readlink", name, func(path *C.char, result *unsafe.Pointer, length *C.size_t, ms C.int32_t,
		detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_readlink(s.handle, path, result, length, ms, detail)
	})
}

// RealPath is the absolute path without symbolic links; of "." the directory that relative paths begin in.
func (s *SFTP) RealPath(ctx context.Context, name string) (string, error) {
	return s.pathOf(ctx, "realpath", name, func(path *C.char, result *unsafe.Pointer, length *C.size_t, ms C.int32_t,
		detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_realpath(s.handle, path, result, length, ms, detail)
	})
}

func (s *SFTP) pathOf(ctx context.Context, op, name string, f func(path *C.char, result *unsafe.Pointer, length *C.size_t,
	ms C.int32_t, detail **C.ssh_error) C.ssh_status) (string, error) {
	var result unsafe.Pointer
	var length C.size_t
	err := s.onPath(ctx, op, name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return f(path, &result, &length, ms, detail)
	})
	defer C.ssh_memory_free(result)
	return string(bytesOf(result, length)), err
}

// Chmod sets the permissions.
func (s *SFTP) Chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return s.onPath(ctx, "chmod", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_chmod(s.handle, path, posixBits(mode), ms, detail)
	})
}

// Chtimes sets when a file was read and written, in whole seconds.
func (s *SFTP) Chtimes(ctx context.Context, name string, accessed, modified time.Time) error {
	return s.onPath(ctx, "chtimes", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_utime(s.handle, path, C.uint32_t(accessed.Unix()), C.uint32_t(modified.Unix()), ms, detail)
	})
}

// Truncate sets the size.
func (s *SFTP) Truncate(ctx context.Context, name string, size int64) error {
	return s.onPath(ctx, "truncate", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_truncate(s.handle, path, C.uint64_t(size), ms, detail)
	})
}

// Progress is how far a transfer has come.
type Progress struct {
	File           string // the remote path under way, of any bytes
	Done, Total    int64  // bytes of it; Total is -1 while it is not known
	Files, Skipped int    // files finished; entries left out, as they are neither files nor directories
}

// TransferFlags choose what Get and Put do.
type TransferFlags uint32

// Flags of transfers.
const (
	Resume         TransferFlags = C.SSH_SFTP_RESUME
	Preserve       TransferFlags = C.SSH_SFTP_PRESERVE
	Recursive      TransferFlags = C.SSH_SFTP_RECURSIVE
	FollowSymlinks TransferFlags = C.SSH_SFTP_FOLLOW_SYMLINKS
)

// Get downloads a file, or with Recursive a directory. The function, which may be nil, is told how far it has come and
// ends the transfer by returning false.
func (s *SFTP) Get(ctx context.Context, remote, local string, flags TransferFlags, progress func(Progress) bool) error {
	return s.transfer(ctx, "get", remote, local, progress,
		func(from, to *C.char, tell C.uintptr_t, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
			return C.go_sftp_get(s.handle, from, to, C.uint32_t(flags), tell, ms, detail)
		})
}

// Put uploads, and is otherwise as Get.
func (s *SFTP) Put(ctx context.Context, local, remote string, flags TransferFlags, progress func(Progress) bool) error {
	return s.transfer(ctx, "put", local, remote, progress,
		func(from, to *C.char, tell C.uintptr_t, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
			return C.go_sftp_put(s.handle, from, to, C.uint32_t(flags), tell, ms, detail)
		})
}

func (s *SFTP) transfer(ctx context.Context, op, from, to string, progress func(Progress) bool,
	f func(from, to *C.char, tell C.uintptr_t, ms C.int32_t, detail **C.ssh_error) C.ssh_status) error {
	tell := cgo.NewHandle(func(p Progress) bool { return ctx.Err() == nil && (progress == nil || progress(p)) })
	defer tell.Delete()
	return s.onPaths(ctx, op, from, to, func(from, to *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return f(from, to, C.uintptr_t(tell), ms, detail)
	})
}

// FS is the files below a directory of the server's, to read, as Go's libraries like them. Its calls end with the context.
func (s *SFTP) FS(ctx context.Context, root string) fs.FS { return &tree{s, ctx, root} }

type tree struct {
	sftp *SFTP
	ctx  context.Context
	root string
}

var _ interface {
	fs.StatFS
	fs.ReadDirFS
} = (*tree)(nil)

func (t *tree) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return path.Join(t.root, name), nil
}

func (t *tree) Open(name string) (fs.File, error) {
	full, err := t.path("open", name)
	if err != nil {
		return nil, err
	}
	info, err := t.sftp.Stat(t.ctx, full)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &openDir{t, name, info, nil, false}, nil
	}
	file, err := t.sftp.OpenFile(t.ctx, full, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return file.WithContext(t.ctx), nil
}

func (t *tree) Stat(name string) (fs.FileInfo, error) {
	full, err := t.path("stat", name)
	if err != nil {
		return nil, err
	}
	return t.sftp.Stat(t.ctx, full)
}

func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	full, err := t.path("readdir", name)
	if err != nil {
		return nil, err
	}
	return t.sftp.ReadDir(t.ctx, full)
}

// openDir is a directory of FS that was opened.
type openDir struct {
	tree *tree
	name string
	info fs.FileInfo
	rest []fs.DirEntry
	read bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		entries, err := d.tree.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.rest, d.read = entries, true
	}
	if n <= 0 || n > len(d.rest) {
		if n > 0 && len(d.rest) == 0 {
			return nil, io.EOF
		}
		n = len(d.rest)
	}
	given := d.rest[:n:n]
	d.rest = d.rest[n:]
	return given, nil
}
