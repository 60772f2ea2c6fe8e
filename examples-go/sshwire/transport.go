package sshwire

/*
#include "callback.h"
*/
import "C"

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Transport is one connection, of a client or of a server.
type Transport struct {
	handle *C.ssh_transport
	owner  any // the channel below

	mu             sync.Mutex
	arrivals, over *bell
}

// Config is what [Dial] needs to know.
type Config struct {
	User     string
	HostKey  *Key           // the key the server must have
	Verify   func(*Request) // without it: answers KindHostKey
	Key      *Key           // a private key, or
	Password string         // a password
	Prompts  func(*Request) // answers KindPrompts, which are tried last
}

// Dial connects to "host", "host:port" or "[v6]:port", checks the server's key and authenticates.
func Dial(ctx context.Context, address string, config *Config) (*Transport, error) {
	t, err := Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := t.Login(ctx, config); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Connect makes a connection and sends nothing: see [Transport.Login].
func Connect(ctx context.Context, address string) (*Transport, error) {
	text, end, err := cString(address)
	if err != nil {
		return nil, err
	}
	defer end()
	made, err := once()
	if err != nil {
		return nil, err
	}
	defer made.close()
	var detail *C.ssh_error
	t, err := newTransport(C.ssh_transport_begin_address(text, made.event, millis(ctx, C.SSH_TIMEOUT_DEFAULT), &detail), &detail)
	if err != nil {
		return nil, err
	}
	if err = made.wait(ctx, nil, made.rung); err == nil {
		status := C.ssh_transport_connect_status(t.handle, &detail)
		err = joined(ctx, outcome(status, &detail))
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// NewTransport makes a transport over a connection, which belongs to it from now on. A socket is taken over by its
// descriptor; over other connections, such as TLS, the library has two threads that read and write. These wait without
// deadlines until Close, which must end them, as it does of every net.Conn.
func NewTransport(conn net.Conn) (*Transport, error) {
	var detail *C.ssh_error
	switch socket := conn.(type) {
	case *Channel:
		t, err := newTransport(C.ssh_transport_new_channel(socket.handle, &detail), &detail)
		if err == nil {
			t.owner = socket
		}
		return t, err
	case *net.TCPConn, *net.UnixConn:
		fd, err := duplicate(socket.(syscall.Conn))
		if err != nil {
			return nil, err
		}
		t, err := newTransport(C.ssh_transport_new(C.int32_t(fd), &detail), &detail)
		if err != nil {
			syscall.Close(fd)
			return nil, err
		}
		conn.Close()
		return t, nil
	}
	conn.SetDeadline(time.Time{}) // one for a handshake of its own, say
	var t *Transport
	err := given(conn, func(stream C.uintptr_t) C.ssh_status {
		made, err := newTransport(C.go_transport_new_stream(stream, &detail), &detail)
		if err != nil {
			return C.SSH_ERR_INVALID_ARG
		}
		t = made
		return C.SSH_OK
	})
	return t, err
}

func duplicate(socket syscall.Conn) (int, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1, err
	}
	var own uintptr
	var errno syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		own, _, errno = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	if errno != 0 {
		return -1, &Error{Status: ErrIO, Message: "dup: " + errno.Error(), Errno: errno}
	}
	return int(own), nil
}

func newTransport(handle *C.ssh_transport, detail **C.ssh_error) (*Transport, error) {
	if handle == nil {
		return nil, outcome(C.SSH_ERR_BAD_HANDLE, detail)
	}
	t := &Transport{handle: handle}
	runtime.SetFinalizer(t, (*Transport).Close)
	return t, nil
}

// millis is what is left of the context's time, for C, or other when it has no end.
func millis(ctx context.Context, other C.int32_t) C.int32_t {
	end, ok := ctx.Deadline()
	if !ok {
		return other
	}
	left := int64(time.Until(end)/time.Millisecond) + 1
	if left < 1 {
		left = 1
	} else if left > math.MaxInt32 {
		left = math.MaxInt32
	}
	return C.int32_t(left)
}

// Login begins the session as a client and authenticates. Where the context ends before, the transport does, too.
func (t *Transport) Login(ctx context.Context, config *Config) error {
	if config.HostKey != nil {
		if err := t.ExpectHostKey(config.HostKey); err != nil {
			return err
		}
	} else if config.Verify != nil {
		if err := t.Handle(KindHostKey, config.Verify); err != nil {
			return err
		}
	}
	if config.Prompts != nil {
		if err := t.Handle(KindPrompts, config.Prompts); err != nil {
			return err
		}
	}
	if err := t.StartClient(ctx); err != nil {
		return err
	}
	var err error
	switch {
	case config.Key != nil:
		err = t.AuthKey(ctx, config.User, config.Key)
	case config.Password != "":
		err = t.AuthPassword(ctx, config.User, config.Password)
	case config.Prompts == nil:
		return t.AuthNone(ctx, config.User)
	default:
		return t.AuthInteractive(ctx, config.User)
	}
	if config.Key != nil && config.Password != "" && (errors.Is(err, ErrPartial) || errors.Is(err, ErrAuth)) {
		err = t.AuthPassword(ctx, config.User, config.Password)
	}
	if config.Prompts != nil && (errors.Is(err, ErrPartial) || errors.Is(err, ErrAuth)) {
		err = t.AuthInteractive(ctx, config.User)
	}
	return err
}

// ExpectHostKey says which key the server must have.
func (t *Transport) ExpectHostKey(key *Key) error {
	defer runtime.KeepAlive(t)
	defer runtime.KeepAlive(key)
	return failure(C.ssh_transport_set_expected_host_key(t.handle, key.get()))
}

// InsecureAcceptAnyHostKey gives up knowing whom one talks to.
func (t *Transport) InsecureAcceptAnyHostKey() error {
	defer runtime.KeepAlive(t)
	return failure(C.ssh_transport_set_insecure_accept_any_host_key(t.handle))
}

// Handle sets who answers questions of a kind, before the transport is started.
func (t *Transport) Handle(kind Kind, answer func(*Request)) error {
	defer runtime.KeepAlive(t)
	return given(answer, func(function C.uintptr_t) C.ssh_status {
		return C.go_transport_set_callback(t.handle, C.int32_t(kind), function)
	})
}

// StartClient exchanges keys. Where the context ends before, the transport does, too.
func (t *Transport) StartClient(ctx context.Context) error {
	return t.start(ctx, func(event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_transport_start_client(t.handle, event, ms, detail)
	})
}

func (t *Transport) start(ctx context.Context, begin func(*C.ssh_event, C.int32_t, **C.ssh_error) C.ssh_status) error {
	err := t.await(ctx, begin)
	if err == nil && !bool(C.ssh_transport_is_active(t.handle)) {
		err = t.cause()
	}
	return joined(ctx, err)
}

// await begins something with an event and waits for that. If the context ends before, nobody could tell any more how
// far it came; so the transport ends, too.
func (t *Transport) await(ctx context.Context, begin func(*C.ssh_event, C.int32_t, **C.ssh_error) C.ssh_status) error {
	defer runtime.KeepAlive(t)
	done, err := once()
	if err != nil {
		return err
	}
	defer done.close()
	var detail *C.ssh_error
	if err := outcome(begin(done.event, millis(ctx, C.SSH_TIMEOUT_DEFAULT), &detail), &detail); err != nil {
		return err
	}
	if err := done.wait(ctx, nil, done.rung); err != nil {
		t.Close()
		return err
	}
	return nil
}

func (t *Transport) cause() error {
	defer runtime.KeepAlive(t)
	if err := taken(C.ssh_transport_error(t.handle)); err != nil {
		return err
	}
	return failure(C.SSH_ERR_CLOSED)
}

func (t *Transport) auth(ctx context.Context, user string,
	begin func(user *C.char, event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status) error {
	defer runtime.KeepAlive(t)
	name, end, err := cString(user)
	if err != nil {
		return err
	}
	defer end()
	if err := t.await(ctx, func(event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return begin(name, event, ms, detail)
	}); err != nil {
		return joined(ctx, err)
	}
	var detail *C.ssh_error
	status := C.ssh_transport_auth_status(t.handle, &detail)
	if status == C.SSH_AGAIN {
		return t.cause()
	}
	return joined(ctx, outcome(status, &detail))
}

// AuthNone authenticates with nothing, which most servers refuse: Error.AuthMethods tells what they want. As with all
// that authenticate, [ErrPartial] means that more is wanted (AuthMethods), and where the context ends before the
// answer is there, the transport does, too.
func (t *Transport) AuthNone(ctx context.Context, user string) error {
	return t.auth(ctx, user, func(user *C.char, event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_transport_auth_none(t.handle, user, event, ms, detail)
	})
}

// AuthPassword authenticates with a password.
func (t *Transport) AuthPassword(ctx context.Context, user, password string) error {
	secret, wipe := cBytes(password)
	defer wipe()
	return t.auth(ctx, user, func(user *C.char, event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_transport_auth_password(t.handle, user, secret, C.size_t(len(password)), true, event, ms, detail)
	})
}

// AuthKey authenticates with a private key.
func (t *Transport) AuthKey(ctx context.Context, user string, key *Key) error {
	defer runtime.KeepAlive(key)
	return t.auth(ctx, user, func(user *C.char, event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_transport_auth_publickey(t.handle, user, key.get(), event, ms, detail)
	})
}

// AuthInteractive has the server ask, by KindPrompts requests.
func (t *Transport) AuthInteractive(ctx context.Context, user string) error {
	return t.auth(ctx, user, func(user *C.char, event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_transport_auth_interactive(t.handle, user, nil, event, ms, detail)
	})
}

// AuthMethods are those that the server says may be tried.
func (t *Transport) AuthMethods() []string {
	defer runtime.KeepAlive(t)
	if methods := text(C.ssh_transport_auth_methods(t.handle)); methods != "" {
		return strings.Split(methods, ",")
	}
	return nil
}

// Banner is what the server has sent to read before the login.
func (t *Transport) Banner() string {
	defer runtime.KeepAlive(t)
	return text(C.ssh_transport_auth_banner(t.handle))
}

// RemoteKey is the server's key.
func (t *Transport) RemoteKey() (*Key, error) {
	defer runtime.KeepAlive(t)
	var detail *C.ssh_error
	return newKey(C.ssh_transport_get_remote_server_key(t.handle, &detail), &detail)
}

// User is who has authenticated.
func (t *Transport) User() string {
	defer runtime.KeepAlive(t)
	return text(C.ssh_transport_get_username(t.handle))
}

// String describes the transport in a line.
func (t *Transport) String() string {
	defer runtime.KeepAlive(t)
	return text(C.ssh_transport_describe(t.handle))
}

// SetKeepalive asks the peer after each interval of silence whether it is there, and ends the session after so many
// questions without an answer, 0 for never. The function, which may be nil, is told the round trip, negative where
// there is no answer, and how many in a row had none.
func (t *Transport) SetKeepalive(interval time.Duration, missed int, heard func(roundTrip time.Duration, missed int)) error {
	defer runtime.KeepAlive(t)
	if heard == nil {
		heard = func(time.Duration, int) {}
	}
	return given(heard, func(function C.uintptr_t) C.ssh_status {
		return C.go_transport_set_keepalive(t.handle, C.int32_t(interval/time.Millisecond), C.uint32_t(missed), function)
	})
}

// Rekey negotiates new keys. Channels go on meanwhile, and so does the exchange if the context ends before.
func (t *Transport) Rekey(ctx context.Context) error {
	defer runtime.KeepAlive(t)
	done, err := once()
	if err != nil {
		return err
	}
	defer done.close()
	var detail *C.ssh_error
	if err := outcome(C.ssh_transport_begin_renegotiate_keys(t.handle, done.event, &detail), &detail); err != nil {
		return err
	}
	if err := done.wait(ctx, nil, done.rung); err != nil {
		return err
	}
	status := C.ssh_transport_renegotiate_status(t.handle, &detail)
	return outcome(status, &detail)
}

// OpenSession opens a channel for a command, a shell or a subsystem.
func (t *Transport) OpenSession(ctx context.Context) (*Channel, error) {
	return t.open(ctx, func(event *C.ssh_event, detail **C.ssh_error) *C.ssh_channel {
		return C.ssh_transport_begin_session(t.handle, event, detail)
	})
}

func (t *Transport) open(ctx context.Context, begin func(*C.ssh_event, **C.ssh_error) *C.ssh_channel) (*Channel, error) {
	defer runtime.KeepAlive(t)
	answered, err := once()
	if err != nil {
		return nil, err
	}
	defer answered.close()
	var detail *C.ssh_error
	handle := begin(answered.event, &detail)
	if handle == nil {
		return nil, outcome(C.SSH_ERR_CLOSED, &detail)
	}
	channel := own(handle, t)
	if err = answered.wait(ctx, nil, answered.rung); err == nil {
		status := C.ssh_channel_open_status(handle, &detail)
		err = outcome(status, &detail)
	}
	if err != nil {
		channel.Close()
		return nil, err
	}
	return channel, nil
}

// A Result is what a command has said and how it ended.
type Result struct {
	Output, ErrorOutput []byte
	Exit
}

// Run runs a command without input to its end. What prints without bound is better read from a [Channel].
func (t *Transport) Run(ctx context.Context, command string) (*Result, error) {
	channel, err := t.OpenSession(ctx)
	if err != nil {
		return nil, err
	}
	defer channel.Close()
	if err := channel.Exec(ctx, command); err != nil {
		return nil, err
	}
	if err := channel.CloseWrite(); err != nil && !errors.Is(err, ErrClosed) {
		return nil, err // a command may be done already
	}
	channel = channel.WithContext(ctx)
	var result Result
	var errorOutput bytes.Buffer
	second := make(chan error, 1)
	go func() {
		_, err := io.Copy(&errorOutput, channel.Stderr())
		second <- err
	}()
	output, err := io.ReadAll(channel)
	if err != nil {
		channel.Close()
	}
	if err2 := <-second; err == nil {
		err = err2
	}
	result.Output, result.ErrorOutput = output, errorOutput.Bytes()
	if err == nil {
		result.Exit, err = channel.Wait(ctx)
	}
	return &result, err
}

// Accept waits for the next channel that the peer has opened and a [Request] has allowed. The same that
// [Request.Channel] gives come out here; they may as well be left here.
func (t *Transport) Accept(ctx context.Context) (*Channel, error) {
	defer runtime.KeepAlive(t)
	var handle *C.ssh_channel
	var detail *C.ssh_error
	err := t.wait(ctx, &t.arrivals, func() *C.ssh_event { return C.ssh_transport_accept_event(t.handle) }, func() bool {
		handle = C.ssh_transport_accept(t.handle, 0, &detail)
		return handle != nil || detail != nil
	})
	if err == nil {
		err = taken(detail)
	}
	if err != nil {
		return nil, err
	}
	return own(handle, t), nil
}

// Wait waits until the session is over, and tells why.
func (t *Transport) Wait(ctx context.Context) error {
	defer runtime.KeepAlive(t)
	var why *C.ssh_error
	err := t.wait(ctx, &t.over, func() *C.ssh_event { return C.ssh_transport_request_event(t.handle) }, func() bool {
		// In this order: a session that ends between the two would be one that ended without a cause.
		over := C.ssh_transport_join(t.handle, 0) != C.SSH_AGAIN
		why = C.ssh_transport_error(t.handle)
		return over || why != nil
	})
	if err == nil {
		err = taken(why)
	}
	if err == nil {
		err = failure(C.SSH_ERR_CLOSED)
	}
	return err
}

// wait waits for an event of the transport's own, with a bell that is made at the first need.
func (t *Transport) wait(ctx context.Context, place **bell, event func() *C.ssh_event, done func() bool) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if done() {
		return nil
	}
	t.mu.Lock()
	if *place == nil {
		handle := event()
		if handle == nil {
			t.mu.Unlock()
			return failure(C.SSH_ERR_CLOSED)
		}
		made, err := newBell(handle, false)
		if err != nil {
			t.mu.Unlock()
			return err
		}
		*place = made
	}
	bell := *place
	t.mu.Unlock()
	return bell.wait(ctx, nil, done)
}

// Close ends the session and wakes who waits for it.
func (t *Transport) Close() error {
	defer runtime.KeepAlive(t)
	C.ssh_transport_free(t.handle)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, bell := range []*bell{t.arrivals, t.over} {
		if bell != nil {
			bell.close()
		}
	}
	return nil
}
