package sshwire

/*
#include "callback.h"
*/
import "C"

import "runtime"

// An SFTPServer is a directory that SFTP clients see, and nothing outside of it: see [Request.AcceptSFTP].
type SFTPServer struct{ handle *C.ssh_sftp_server }

// NewSFTPServer serves a directory.
func NewSFTPServer(directory string) (*SFTPServer, error) {
	text, end, err := cString(directory)
	if err != nil {
		return nil, err
	}
	defer end()
	var detail *C.ssh_error
	handle := C.ssh_sftp_server_new_directory(text, &detail)
	if handle == nil {
		return nil, outcome(C.SSH_ERR_IO, &detail)
	}
	server := &SFTPServer{handle}
	runtime.SetFinalizer(server, (*SFTPServer).Close)
	return server, nil
}

// SetReadOnly has everything refused that would change something.
func (s *SFTPServer) SetReadOnly(readOnly bool) error {
	defer runtime.KeepAlive(s)
	return failure(C.ssh_sftp_server_set_read_only(s.handle, C.bool(readOnly)))
}

// Close frees it. Sessions that use it go on.
func (s *SFTPServer) Close() error {
	C.ssh_sftp_server_free(s.handle)
	return nil
}
