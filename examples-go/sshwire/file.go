package sshwire

/*
#include "callback.h"
*/
import "C"

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"unsafe"
)

// A File is an open file of a server's. Reads and writes in small pieces are joined on the way: read ahead, and
// confirmed later, so that Close is what tells whether all that was written is there. [File.WithContext] has its calls
// end with a context.
type File struct {
	*file
	ctx   context.Context
	owner *File // the one this is a view of
}

// What all Files of one handle share.
type file struct {
	handle *C.ssh_sftp_file
	sftp   *SFTP
	name   string
	close  sync.Once
	closed error
}

var _ interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.WriterAt
	fs.File
} = (*File)(nil)

// Open opens a file to read.
func (s *SFTP) Open(ctx context.Context, name string) (*File, error) {
	return s.OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create opens a file to read and write, empty, and makes it if need be.
func (s *SFTP) Create(ctx context.Context, name string) (*File, error) {
	return s.OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile is as [os.OpenFile]. The context is for the opening alone.
func (s *SFTP) OpenFile(ctx context.Context, name string, flag int, mode fs.FileMode) (*File, error) {
	flags := C.uint32_t(C.SSH_SFTP_READ)
	switch flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) {
	case os.O_WRONLY:
		flags = C.SSH_SFTP_WRITE
	case os.O_RDWR:
		flags = C.SSH_SFTP_READ | C.SSH_SFTP_WRITE
	}
	for bit, more := range map[int]C.uint32_t{os.O_APPEND: C.SSH_SFTP_APPEND, os.O_CREATE: C.SSH_SFTP_CREATE,
		os.O_TRUNC: C.SSH_SFTP_TRUNCATE, os.O_EXCL: C.SSH_SFTP_EXCLUSIVE} {
		if flag&bit != 0 {
			flags |= more
		}
	}
	attributes := C.ssh_sftp_attributes_new()
	defer C.ssh_sftp_attributes_free(attributes)
	if flag&os.O_CREATE != 0 {
		C.ssh_sftp_attributes_set_permissions(attributes, posixBits(mode))
	}
	f := &File{&file{sftp: s, name: name}, context.Background(), nil}
	if err := s.onPath(ctx, "open", name, func(path *C.char, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		f.handle = C.ssh_sftp_open(s.handle, path, flags, attributes, ms, detail)
		return statusOf(f.handle != nil)
	}); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(f, func(f *File) { C.ssh_sftp_file_free(f.handle) })
	return f, nil
}

// WithContext is the same file, whose calls end when the context does.
func (f *File) WithContext(ctx context.Context) *File {
	return &File{f.file, ctx, f}
}

// Name is what it was opened by.
func (f *File) Name() string { return f.name }

func (f *File) call(op string, call func(ms C.int32_t, detail **C.ssh_error) C.ssh_status) error {
	defer runtime.KeepAlive(f)
	err := f.sftp.call(f.ctx, call)
	if err != nil && err != io.EOF {
		err = &fs.PathError{Op: op, Path: f.name, Err: err}
	}
	return err
}

// Read reads at the position.
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	var done C.size_t
	err := f.call("read", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_file_read(f.handle, unsafe.Pointer(&p[0]), C.size_t(len(p)), &done, ms, detail)
	})
	return int(done), err
}

// ReadAt reads at a place of its own. Any number may do so at once.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, &fs.PathError{Op: "readat", Path: f.name, Err: fs.ErrInvalid}
	}
	if len(p) == 0 {
		return 0, nil
	}
	var done C.size_t
	err := f.call("readat", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_file_pread(f.handle, C.uint64_t(offset), unsafe.Pointer(&p[0]), C.size_t(len(p)), &done, ms, detail)
	})
	if err == nil && int(done) < len(p) {
		err = io.EOF
	}
	return int(done), err
}

// Write writes at the position.
func (f *File) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	var done C.size_t
	err := f.call("write", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_file_write(f.handle, unsafe.Pointer(&p[0]), C.size_t(len(p)), &done, ms, detail)
	})
	if err == nil && int(done) < len(p) {
		err = &fs.PathError{Op: "write", Path: f.name, Err: failure(C.SSH_ERR_TIMEOUT)}
	}
	return int(done), err
}

// WriteAt writes at a place of its own, and waits until it is there.
func (f *File) WriteAt(p []byte, offset int64) (written int, err error) {
	if offset < 0 {
		return 0, &fs.PathError{Op: "writeat", Path: f.name, Err: fs.ErrInvalid}
	}
	for written < len(p) && err == nil {
		var done C.size_t
		rest := p[written:]
		err = f.call("writeat", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
			return C.ssh_sftp_file_pwrite(f.handle, C.uint64_t(offset)+C.uint64_t(written), unsafe.Pointer(&rest[0]),
				C.size_t(len(rest)), &done, ms, detail)
		})
		written += int(done)
	}
	return written, err
}

// Seek moves the position.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	if whence < io.SeekStart || whence > io.SeekEnd {
		return 0, &fs.PathError{Op: "seek", Path: f.name, Err: fs.ErrInvalid}
	}
	var position C.uint64_t
	err := f.call("seek", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_file_seek(f.handle, C.int64_t(offset), C.int32_t(whence), &position, ms, detail)
	})
	return int64(position), err
}

// Sync waits until what was written is on the server's disk, if the server can tell, or else in the file.
func (f *File) Sync() error {
	return f.call("sync", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		if f.sftp.HasExtension("fsync@openssh.com") {
			return C.ssh_sftp_file_fsync(f.handle, ms, detail)
		}
		return C.ssh_sftp_file_flush(f.handle, ms, detail)
	})
}

// Stat asks the server about the open file.
func (f *File) Stat() (fs.FileInfo, error) {
	var attributes *C.ssh_sftp_attributes
	if err := f.call("stat", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		attributes = C.ssh_sftp_file_stat(f.handle, ms, detail)
		return statusOf(attributes != nil)
	}); err != nil {
		return nil, err
	}
	return newInfo(path.Base(f.name), attributes), nil
}

// Truncate sets the size.
func (f *File) Truncate(size int64) error {
	return f.call("truncate", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_sftp_file_truncate(f.handle, C.uint64_t(size), ms, detail)
	})
}

// Close waits until all that was written is in the file, and closes it. It is the one Close that waits, and when it is
// called again it returns the same.
func (f *File) Close() error {
	f.close.Do(func() {
		f.closed = f.call("close", func(ms C.int32_t, detail **C.ssh_error) C.ssh_status {
			return C.ssh_sftp_file_close(f.handle, ms, detail)
		})
		C.ssh_sftp_file_free(f.handle)
	})
	return f.closed
}
