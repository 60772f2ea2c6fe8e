package sshwire

/*
#include "callback.h"
*/
import "C"

import (
	"context"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"
)

// A Channel is one stream within a [Transport]: a command, a shell, a subsystem, a forwarded connection. It is a
// [net.Conn], too. [Channel.WithContext] has reads and writes end with a context.
type Channel struct {
	*channel
	ctx   context.Context
	owner any // what the collector must not close before: the transport, or the Channel this is a view of
}

var _ net.Conn = (*Channel)(nil)

// What all Channels of one handle share.
type channel struct {
	handle        *C.ssh_channel
	reads, writes deadline
	asking        chan struct{} // full while somebody asks the peer for something
	untold        int           // answers that nobody waits for any more; of who fills asking
	mu            sync.Mutex
	bell          *bell
}

// The channels that Go knows, until the library says that they are gone.
var channels struct {
	sync.Mutex
	known map[uintptr]*channel
}

func channelOf(handle *C.ssh_channel) *channel {
	key := uintptr(unsafe.Pointer(handle))
	channels.Lock()
	c := channels.known[key]
	found := c != nil
	if !found {
		c = &channel{handle: handle, asking: make(chan struct{}, 1)}
		if channels.known == nil {
			channels.known = map[uintptr]*channel{}
		}
		channels.known[key] = c
	}
	channels.Unlock()
	if !found && C.go_channel_watch(handle) != C.SSH_OK {
		gone(key)
	}
	return c
}

func gone(key uintptr) {
	channels.Lock()
	c := channels.known[key]
	delete(channels.known, key)
	channels.Unlock()
	if c != nil {
		c.wake()
	}
}

// own makes the Channel that frees the handle once nobody has it any more.
func own(handle *C.ssh_channel, owner any) *Channel {
	c := &Channel{channelOf(handle), context.Background(), owner}
	runtime.SetFinalizer(c, (*Channel).Close)
	return c
}

// borrow makes a Channel whose handle the library frees, in the end.
func borrow(handle *C.ssh_channel) *Channel {
	return &Channel{channelOf(handle), context.Background(), nil}
}

// WithContext is the same channel, whose Read, Write and Stderr end when the context does.
func (c *Channel) WithContext(ctx context.Context) *Channel { return &Channel{c.channel, ctx, c} }

// Close closes the channel in both directions, and wakes who waits for it.
func (c *Channel) Close() error {
	defer runtime.KeepAlive(c)
	C.ssh_channel_free(c.handle)
	c.wake()
	return nil
}

// wake has all who wait look again.
func (c *channel) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bell != nil {
		c.bell.close()
	}
}

// changes is the bell that rings whenever the channel may have become readable or writable, or has ended.
func (c *channel) changes() (*bell, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bell != nil {
		return c.bell, nil
	}
	made, err := newBell(C.ssh_event_new(), true)
	if err != nil {
		return nil, err
	}
	const all = C.SSH_CHANNEL_READABLE | C.SSH_CHANNEL_STDERR_READABLE | C.SSH_CHANNEL_WRITABLE | C.SSH_CHANNEL_EOF |
		C.SSH_CHANNEL_CLOSED
	if err := failure(C.ssh_channel_set_event(c.handle, made.event, all)); err != nil {
		made.close()
		return nil, err
	}
	c.bell = made
	return made, nil
}

// until asks done at once and at each change of the channel, as long as it says no.
func (c *channel) until(ctx context.Context, deadline *deadline, done func() bool) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if deadline != nil && closed(deadline.passed()) {
		return failure(C.SSH_ERR_TIMEOUT)
	}
	if done() {
		return nil
	}
	bell, err := c.changes()
	if err != nil {
		return err
	}
	return bell.wait(ctx, deadline, done)
}

// Read reads what has come from the peer's Write, and waits for at least one byte; [io.EOF] after its CloseWrite.
func (c *Channel) Read(p []byte) (int, error) { return c.read(p, false) }

func (c *Channel) read(p []byte, stderr bool) (int, error) {
	defer runtime.KeepAlive(c)
	if len(p) == 0 {
		return 0, nil
	}
	var status C.ssh_status
	var done C.size_t
	err := c.until(c.ctx, &c.reads, func() bool {
		if stderr {
			status = C.ssh_channel_read_stderr(c.handle, unsafe.Pointer(&p[0]), C.size_t(len(p)), &done, 0)
		} else {
			status = C.ssh_channel_read(c.handle, unsafe.Pointer(&p[0]), C.size_t(len(p)), &done, 0)
		}
		return status != C.SSH_AGAIN
	})
	if err == nil && status == C.SSH_EOF {
		err = io.EOF
	} else if err == nil {
		err = failure(status)
	}
	return int(done), err
}

// Write writes all of p, or tells how much was taken.
func (c *Channel) Write(p []byte) (int, error) { return c.write(p, false) }

func (c *Channel) write(p []byte, stderr bool) (int, error) {
	defer runtime.KeepAlive(c)
	written := 0
	for written < len(p) {
		var status C.ssh_status
		var done C.size_t
		rest := p[written:]
		err := c.until(c.ctx, &c.writes, func() bool {
			if stderr {
				status = C.ssh_channel_write_stderr(c.handle, unsafe.Pointer(&rest[0]), C.size_t(len(rest)), &done, 0)
			} else {
				status = C.ssh_channel_write(c.handle, unsafe.Pointer(&rest[0]), C.size_t(len(rest)), &done, 0)
			}
			return status != C.SSH_AGAIN
		})
		written += int(done)
		if err == nil {
			err = failure(status)
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// CloseWrite tells the peer that nothing more will be written. Reading goes on.
func (c *Channel) CloseWrite() error {
	defer runtime.KeepAlive(c)
	return failure(C.ssh_channel_send_eof(c.handle))
}

// Stderr is the second stream of the channel: a command's error output, to read from as client and to write to as
// server. It ends with the channel.
func (c *Channel) Stderr() io.ReadWriter { return stderr{c} }

type stderr struct{ of *Channel }

func (s stderr) Read(p []byte) (int, error)  { return s.of.read(p, true) }
func (s stderr) Write(p []byte) (int, error) { return s.of.write(p, true) }

// SetDeadline is SetReadDeadline and SetWriteDeadline.
func (c *Channel) SetDeadline(t time.Time) error {
	c.reads.set(t)
	c.writes.set(t)
	return nil
}

// SetReadDeadline has reads fail from then on, those under way too; a zero time has none fail.
func (c *Channel) SetReadDeadline(t time.Time) error {
	c.reads.set(t)
	return nil
}

// SetWriteDeadline is for writes what SetReadDeadline is for reads.
func (c *Channel) SetWriteDeadline(t time.Time) error {
	c.writes.set(t)
	return nil
}

// An Addr is an end of a forwarded connection, as the peers tell it: "host:port", the path of a UNIX socket, or "".
type Addr string

// Network is "tcp", or "unix" for a path.
func (a Addr) Network() string {
	if len(a) > 0 && a[0] == '/' {
		return "unix"
	}
	return "tcp"
}

func (a Addr) String() string { return string(a) }

func addr(host *C.char, port C.uint16_t) Addr {
	if host == nil || port == 0 {
		return Addr(C.GoString(host))
	}
	return Addr(net.JoinHostPort(C.GoString(host), strconv.Itoa(int(port))))
}

// LocalAddr is where a forwarded connection comes from, if the channel was opened by this side, or else where it leads.
func (c *Channel) LocalAddr() net.Addr {
	if c.opened() {
		return c.Origin()
	}
	return c.Destination()
}

// RemoteAddr is where a forwarded connection leads, if the channel was opened by this side, or else where it comes from.
func (c *Channel) RemoteAddr() net.Addr {
	if c.opened() {
		return c.Destination()
	}
	return c.Origin()
}

// opened tells whether this side is likely to have opened it: a client opens "direct" channels, a server the others.
func (c *Channel) opened() bool {
	kind := c.Kind()
	_, client := c.owner.(*Transport)
	return client && (kind == "direct-tcpip" || kind == "direct-streamlocal@openssh.com")
}

// Kind is "session", "direct-tcpip", ...
func (c *Channel) Kind() string {
	defer runtime.KeepAlive(c)
	return C.GoString(C.ssh_channel_kind(c.handle))
}

// Destination is where a forwarded connection leads, or was made to.
func (c *Channel) Destination() Addr {
	defer runtime.KeepAlive(c)
	var port C.uint16_t
	host := C.ssh_channel_destination(c.handle, &port)
	return addr(host, port)
}

// Origin is where a forwarded connection comes from.
func (c *Channel) Origin() Addr {
	defer runtime.KeepAlive(c)
	var port C.uint16_t
	host := C.ssh_channel_origin(c.handle, &port)
	return addr(host, port)
}

// ask puts a request to the peer and waits for the answer. Answers come in the order of the requests.
func (c *Channel) ask(ctx context.Context, begin func(*C.ssh_event, **C.ssh_error) C.ssh_status) error {
	defer runtime.KeepAlive(c)
	select {
	case c.asking <- struct{}{}:
	case <-ctx.Done():
		return ended(ctx)
	}
	defer func() { <-c.asking }()
	answered, err := once()
	if err != nil {
		return err
	}
	defer answered.close()
	var detail *C.ssh_error
	if err := outcome(begin(answered.event, &detail), &detail); err != nil {
		return err
	}
	if err := answered.wait(ctx, nil, answered.rung); err != nil {
		c.untold++
		return err
	}
	for ; c.untold > 0; c.untold-- {
		C.ssh_channel_request_status(c.handle, nil)
	}
	status := C.ssh_channel_request_status(c.handle, &detail)
	return outcome(status, &detail)
}

// Exec runs a command. What it prints is read from the channel, how it ended comes from Wait.
func (c *Channel) Exec(ctx context.Context, command string) error {
	text, end, err := cString(command)
	if err != nil {
		return err
	}
	defer end()
	return c.ask(ctx, func(event *C.ssh_event, detail **C.ssh_error) C.ssh_status {
		return C.ssh_channel_begin_exec(c.handle, text, event, detail)
	})
}

// Shell starts the user's shell.
func (c *Channel) Shell(ctx context.Context) error {
	return c.ask(ctx, func(event *C.ssh_event, detail **C.ssh_error) C.ssh_status {
		return C.ssh_channel_begin_shell(c.handle, event, detail)
	})
}

// Subsystem starts a service of the server's by name.
func (c *Channel) Subsystem(ctx context.Context, name string) error {
	text, end, err := cString(name)
	if err != nil {
		return err
	}
	defer end()
	return c.ask(ctx, func(event *C.ssh_event, detail **C.ssh_error) C.ssh_status {
		return C.ssh_channel_begin_subsystem(c.handle, text, event, detail)
	})
}

// Pty asks for a terminal, before a shell or command is started.
func (c *Channel) Pty(ctx context.Context, term string, columns, rows int) error {
	text, end, err := cString(term)
	if err != nil {
		return err
	}
	defer end()
	return c.ask(ctx, func(event *C.ssh_event, detail **C.ssh_error) C.ssh_status {
		return C.ssh_channel_begin_pty(c.handle, text, C.uint32_t(columns), C.uint32_t(rows), 0, 0, nil, 0, event, detail)
	})
}

// WindowChange tells the size of the terminal.
func (c *Channel) WindowChange(columns, rows int) error {
	defer runtime.KeepAlive(c)
	return failure(C.ssh_channel_window_change(c.handle, C.uint32_t(columns), C.uint32_t(rows), 0, 0))
}

// Setenv offers a variable for what is started next. The server does not say whether it takes it.
func (c *Channel) Setenv(name, value string) error {
	defer runtime.KeepAlive(c)
	first, end, err := cString(name)
	if err != nil {
		return err
	}
	defer end()
	second, end, err := cString(value)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_channel_request_env(c.handle, first, second))
}

// Signal sends a signal, such as "TERM", to the command.
func (c *Channel) Signal(name string) error {
	defer runtime.KeepAlive(c)
	text, end, err := cString(name)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_channel_signal(c.handle, text))
}

// An Exit says how a command ended.
type Exit struct {
	Known  bool   // whether the server has said it
	Status int    // of a command that ended by itself
	Signal string // of a command that was ended by one, such as "TERM"
}

// Wait waits until the server has said how the command ended, or closed the channel without saying. Read the output
// first, or in another goroutine: a command that cannot write does not end.
func (c *Channel) Wait(ctx context.Context) (Exit, error) {
	defer runtime.KeepAlive(c)
	var status C.ssh_status
	var kind C.int32_t
	var code C.uint32_t
	err := c.until(ctx, nil, func() bool {
		status = C.ssh_channel_wait_exit(c.handle, 0, &kind, &code)
		return status != C.SSH_AGAIN
	})
	if err == nil {
		err = failure(status)
	}
	if err != nil {
		return Exit{}, err
	}
	exit := Exit{Known: kind != C.SSH_EXIT_NONE, Status: int(code)}
	if kind == C.SSH_EXIT_SIGNAL {
		exit.Signal = text(C.ssh_channel_exit_signal(c.handle))
	}
	return exit, nil
}

// SendExit tells the client how the command ended. Close the channel then.
func (c *Channel) SendExit(status int) error {
	defer runtime.KeepAlive(c)
	return failure(C.ssh_channel_send_exit_status(c.handle, C.uint32_t(status)))
}

// SendExitSignal tells the client which signal, such as "TERM", ended the command.
func (c *Channel) SendExitSignal(name string) error {
	defer runtime.KeepAlive(c)
	text, end, err := cString(name)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_channel_send_exit_signal(c.handle, text, false, nil))
}
