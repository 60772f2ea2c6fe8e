package sshwire

/*
#include <sshwire.h>
*/
import "C"

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// A Status is what an [Error] is about. It is an error itself, so that errors.Is(err, ErrAuth) tells.
type Status int32

// What calls fail with; sshwire.h says more about each.
const (
	ErrInvalidArg        Status = C.SSH_ERR_INVALID_ARG
	ErrState             Status = C.SSH_ERR_STATE
	ErrWouldDeadlock     Status = C.SSH_ERR_WOULD_DEADLOCK
	ErrUnsupported       Status = C.SSH_ERR_UNSUPPORTED
	ErrCallback          Status = C.SSH_ERR_CALLBACK
	ErrIO                Status = C.SSH_ERR_IO
	ErrResolve           Status = C.SSH_ERR_RESOLVE
	ErrResource          Status = C.SSH_ERR_RESOURCE
	ErrTimeout           Status = C.SSH_ERR_TIMEOUT
	ErrCancelled         Status = C.SSH_ERR_CANCELLED
	ErrClosed            Status = C.SSH_ERR_CLOSED
	ErrConnLost          Status = C.SSH_ERR_CONN_LOST
	ErrDisconnected      Status = C.SSH_ERR_DISCONNECTED
	ErrProtocol          Status = C.SSH_ERR_PROTOCOL
	ErrVersion           Status = C.SSH_ERR_VERSION
	ErrMAC               Status = C.SSH_ERR_MAC
	ErrCompression       Status = C.SSH_ERR_COMPRESSION
	ErrLimit             Status = C.SSH_ERR_LIMIT
	ErrWindow            Status = C.SSH_ERR_WINDOW
	ErrService           Status = C.SSH_ERR_SERVICE
	ErrNegotiation       Status = C.SSH_ERR_NEGOTIATION
	ErrKex               Status = C.SSH_ERR_KEX
	ErrHostKey           Status = C.SSH_ERR_HOSTKEY
	ErrAuth              Status = C.SSH_ERR_AUTH
	ErrChannel           Status = C.SSH_ERR_CHANNEL
	ErrDenied            Status = C.SSH_ERR_DENIED
	ErrSFTP              Status = C.SSH_ERR_SFTP
	ErrKeyMalformed      Status = C.SSH_ERR_KEY_MALFORMED
	ErrKeyUnsupported    Status = C.SSH_ERR_KEY_UNSUPPORTED
	ErrPassphraseMissing Status = C.SSH_ERR_PASSPHRASE_MISSING
	ErrPassphraseWrong   Status = C.SSH_ERR_PASSPHRASE_WRONG
	ErrSignature         Status = C.SSH_ERR_SIGNATURE
	ErrInternal          Status = C.SSH_ERR_INTERNAL
	// ErrPartial is no failure: the credentials are good, and the server wants more of them.
	ErrPartial Status = C.SSH_PARTIAL
)

// Error gives the name, such as "SSH_ERR_AUTH".
func (s Status) Error() string { return C.GoString(C.ssh_status_name(C.ssh_status(s))) }

// SFTP status codes, as in Error.SFTPStatus.
const (
	SFTPNoSuchFile       = C.SSH_SFTP_STATUS_NO_SUCH_FILE
	SFTPPermissionDenied = C.SSH_SFTP_STATUS_PERMISSION_DENIED
	SFTPFailure          = C.SSH_SFTP_STATUS_FAILURE
	SFTPUnsupported      = C.SSH_SFTP_STATUS_OP_UNSUPPORTED
)

// An Error is what calls of this package fail with. Besides its [Status] it is, for [errors.Is], what the standard
// library calls the same: [net.ErrClosed], [os.ErrDeadlineExceeded], [fs.ErrNotExist], [fs.ErrPermission], the errno;
// and the error of the context that ended the call.
type Error struct {
	Status  Status
	Message string // one line, safe to show on a terminal

	// Detail, where the status has some.
	PeerText            string        // what the peer said about it
	Reason              uint32        // the peer's number for a disconnect (RFC 4253 11.1) or a refused channel (RFC 4254 5.1)
	SFTPStatus          uint32        // the server's number, for ErrSFTP
	Errno               syscall.Errno // for ErrIO
	AuthMethods         []string      // what else may be tried, for ErrAuth
	ExpectedFingerprint string        // for ErrHostKey
	FoundFingerprint    string        // for ErrHostKey
	Retryable           bool          // whether the same may succeed in a while

	context error
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the error of the context that ended the call, or nil.
func (e *Error) Unwrap() error { return e.context }

// Timeout tells whether a deadline passed, as net.Error has it.
func (e *Error) Timeout() bool { return e.Status == ErrTimeout }

// Temporary is what net.Error had; see Retryable.
func (e *Error) Temporary() bool { return e.Retryable }

// Is tells whether the error is the target: see [Error].
func (e *Error) Is(target error) bool {
	switch target {
	case e.Status:
		return true
	case net.ErrClosed, os.ErrClosed:
		return e.Status == ErrClosed
	case os.ErrDeadlineExceeded:
		return e.Status == ErrTimeout
	case fs.ErrNotExist:
		return e.Status == ErrSFTP && e.SFTPStatus == SFTPNoSuchFile || errors.Is(e.Errno, target)
	case fs.ErrPermission:
		return e.Status == ErrSFTP && e.SFTPStatus == SFTPPermissionDenied || errors.Is(e.Errno, target)
	case fs.ErrExist:
		return errors.Is(e.Errno, target)
	}
	return e.Errno != 0 && target == e.Errno
}

// failure makes an error of a status alone, nil of SSH_OK.
func failure(status C.ssh_status) error {
	if status == C.SSH_OK {
		return nil
	}
	known := known(status)
	return &Error{Status: known, Message: describe(known)}
}

// known is the status as Go sees it: here a handle is bad only because it was freed.
func known(status C.ssh_status) Status {
	if status == C.SSH_ERR_BAD_HANDLE {
		return ErrClosed
	}
	return Status(status)
}

func describe(status Status) string {
	switch status {
	case ErrTimeout:
		return "the deadline passed"
	case ErrCancelled:
		return "the call was cancelled"
	case ErrClosed:
		return "it is closed"
	case ErrConnLost:
		return "the connection was lost"
	case ErrPartial:
		return "the credentials are good, and the server wants more"
	}
	return status.Error()
}

// taken makes an error of one of C, which it frees.
func taken(handle *C.ssh_error) error {
	if handle == nil {
		return nil
	}
	defer C.ssh_error_free(handle)
	reason := C.ssh_error_disconnect_reason(handle)
	if reason == 0 {
		reason = C.ssh_error_channel_reason(handle)
	}
	e := &Error{
		Status:              known(C.ssh_error_code(handle)),
		Message:             C.GoString(C.ssh_error_message(handle)),
		PeerText:            C.GoString(C.ssh_error_peer_text(handle)),
		Reason:              uint32(reason),
		SFTPStatus:          uint32(C.ssh_error_sftp_status(handle)),
		Errno:               syscall.Errno(C.ssh_error_errno(handle)),
		ExpectedFingerprint: C.GoString(C.ssh_error_expected_fingerprint(handle)),
		FoundFingerprint:    C.GoString(C.ssh_error_found_fingerprint(handle)),
		Retryable:           bool(C.ssh_error_is_retryable(handle)),
	}
	if methods := C.GoString(C.ssh_error_auth_methods(handle)); methods != "" {
		e.AuthMethods = strings.Split(methods, ",")
	}
	return e
}

// outcome makes an error of what a function returned and the detail it gave.
func outcome(status C.ssh_status, detail **C.ssh_error) error {
	if detail != nil && *detail != nil {
		return taken(*detail)
	}
	return failure(status)
}

// ended is what a call fails with when its context is over.
func ended(ctx context.Context) error {
	status := ErrCancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		status = ErrTimeout
	}
	return &Error{Status: status, Message: describe(status), context: ctx.Err()}
}

// joined is err, and the context's error too if that is why. A deadline is the library's to keep, which may be a
// moment before the context notices.
func joined(ctx context.Context, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if _, timed := ctx.Deadline(); e.Status == ErrTimeout && timed {
		e.context = context.DeadlineExceeded
	} else if e.Status == ErrClosed || e.Status == ErrCancelled {
		e.context = ctx.Err()
	}
	return e
}
