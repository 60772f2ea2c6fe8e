package sshwire

/*
#include <sshwire.h>
*/
import "C"

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"
)

// A bell is an event of the library's that any number of goroutines wait for, without a thread and without looking
// at it now and then: its descriptor is in Go's poller. Only while somebody waits there is a goroutine more that
// listens for all of them.
type bell struct {
	event *C.ssh_event
	again bool // to be reset when it has rung; otherwise it stays set, or the library resets it
	file  *os.File
	raw   syscall.RawConn

	mu      sync.Mutex
	ring    chan struct{} // closed when it rings; nil while nobody listens
	waiting int
}

var past = time.Unix(1, 0)

// newBell takes the event over, whatever comes of it.
func newBell(event *C.ssh_event, again bool) (*bell, error) {
	fd := C.ssh_event_fd(event)
	if event == nil || fd < 0 {
		C.ssh_event_free(event)
		return nil, &Error{Status: ErrResource, Message: "no descriptor is left for an event"}
	}
	// The library closes its own, and Go wants to close what it polls.
	own, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		C.ssh_event_free(event)
		return nil, &Error{Status: ErrResource, Message: "no descriptor is left for an event: " + errno.Error(), Errno: errno}
	}
	b := &bell{event: event, again: again, file: os.NewFile(own, "ssh_event")}
	raw, err := b.file.SyscallConn()
	if err != nil {
		b.close()
		return nil, err
	}
	b.raw = raw
	return b, nil
}

// once makes a bell for one answer. It has rung or it has not.
func once() (*bell, error) { return newBell(C.ssh_event_new(), false) }

func (b *bell) rung() bool { return bool(C.ssh_event_is_set(b.event)) }

// close wakes all who wait. It may be called by several, and again.
func (b *bell) close() {
	b.file.Close()
	C.ssh_event_free(b.event)
}

// wait returns nil once done says so, which is asked at first and whenever the bell has rung or was closed; or an
// error when the context is over, or the deadline passes, before.
func (b *bell) wait(ctx context.Context, deadline *deadline, done func() bool) error {
	for {
		ring := b.listen()
		if done() {
			b.leave()
			return nil
		}
		select {
		case <-ring:
			b.leave()
		case <-ctx.Done():
			b.leave()
			return ended(ctx)
		case <-deadline.passed():
			b.leave()
			return failure(C.SSH_ERR_TIMEOUT)
		}
	}
}

func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	if b.ring == nil {
		b.ring = make(chan struct{})
		b.file.SetReadDeadline(time.Time{})
		go b.hear()
	}
	return b.ring
}

func (b *bell) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting--; b.waiting == 0 && b.ring != nil {
		b.file.SetReadDeadline(past)
	}
}

// hear listens until the bell rings, is closed, or nobody waits any more.
func (b *bell) hear() {
	err := b.raw.Read(func(uintptr) bool { return b.rung() })
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.again && err == nil {
		C.ssh_event_reset(b.event)
	}
	close(b.ring)
	b.ring = nil
}

// A deadline is a point in time that may be moved while somebody waits for it. The zero value never comes, and nil
// neither.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.done // it passes at this moment
	}
	d.timer = nil
	if d.done == nil || closed(d.done) {
		d.done = make(chan struct{})
	}
	if at.IsZero() {
		return
	}
	if left := time.Until(at); left > 0 {
		done := d.done
		d.timer = time.AfterFunc(left, func() { close(done) })
	} else {
		close(d.done)
	}
}

func (d *deadline) passed() <-chan struct{} {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
