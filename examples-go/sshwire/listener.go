package sshwire

/*
#include <sshwire.h>
*/
import "C"

import (
	"context"
	"math"
	"net"
	"runtime"
	"sync"
	"time"
)

// A ServerListener takes the connections of a server, on the library's threads, and turns away who is too many or has
// been penalized. Limits hold for connections to come, so they are set before Bind; docs/limits.md has their defaults.
// [Server.Serve] does with any net.Listener, and has no such limits.
type ServerListener struct {
	handle *C.ssh_listener
	came   *bell
}

// Penalty is what a source is penalized for.
type Penalty int32

const (
	PenaltyNoAuth        Penalty = C.SSH_PENALTY_NO_AUTH
	PenaltyAuthFailed    Penalty = C.SSH_PENALTY_AUTH_FAILED
	PenaltyGraceExceeded Penalty = C.SSH_PENALTY_GRACE_EXCEEDED
	PenaltyProtocol      Penalty = C.SSH_PENALTY_PROTOCOL
)

// Count is what a ServerListener counts: so far, but for the last three, which are how many there are now.
type Count int32

const (
	CountAccepted         Count = C.SSH_LISTENER_ACCEPTED
	CountRefusedTotal     Count = C.SSH_LISTENER_REFUSED_TOTAL
	CountRefusedPerSource Count = C.SSH_LISTENER_REFUSED_PER_SOURCE
	CountRefusedPenalty   Count = C.SSH_LISTENER_REFUSED_PENALTY
	CountShortages        Count = C.SSH_LISTENER_SHORTAGES
	CountUnauthenticated  Count = C.SSH_LISTENER_UNAUTHENTICATED
	CountWaiting          Count = C.SSH_LISTENER_WAITING
	CountPenalized        Count = C.SSH_LISTENER_PENALIZED
)

// NewServerListener makes one that listens nowhere yet.
func NewServerListener() (*ServerListener, error) {
	handle := C.ssh_listener_new()
	if handle == nil {
		return nil, &Error{Status: ErrResource, Message: "no memory for a listener"}
	}
	came, err := newBell(C.ssh_listener_accept_event(handle), false)
	if err != nil {
		C.ssh_listener_free(handle)
		return nil, err
	}
	l := &ServerListener{handle: handle, came: came}
	runtime.SetFinalizer(l, (*ServerListener).Close)
	return l, nil
}

// Bind listens: "tcp" at "host:port", where the host is an IP address, "localhost" or nothing for all and port 0 any
// port, or "unix" at a path. It may be called again for further places.
func (l *ServerListener) Bind(network, address string) (net.Addr, error) {
	defer runtime.KeepAlive(l)
	host, port, end, err := endpoint(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	defer end()
	var bound C.uint16_t
	var detail *C.ssh_error
	status := C.ssh_listener_bind(l.handle, host, port, &bound, &detail)
	if err := outcome(status, &detail); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: Addr(address), Err: err}
	}
	if network == "unix" {
		return Addr(address), nil
	}
	return addrOf(C.GoString(host), uint16(bound)), nil
}

// Accept waits for the next connection that is let in; it is not started.
func (l *ServerListener) Accept(ctx context.Context) (*Transport, error) {
	defer runtime.KeepAlive(l)
	var handle *C.ssh_transport
	var detail *C.ssh_error
	err := l.came.wait(ctx, nil, func() bool {
		handle = C.ssh_listener_accept(l.handle, 0, &detail)
		return handle != nil || detail != nil
	})
	if err == nil {
		err = taken(detail)
	}
	if err != nil {
		return nil, err
	}
	return newTransport(handle, &detail)
}

// Serve begins a session with each and holds them until Stop, or until the context ends, which ends the sessions and
// stops the listener, too.
func (l *ServerListener) Serve(ctx context.Context, server *Server) error {
	ctx, cancel := context.WithCancel(ctx)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	for {
		transport, err := l.Accept(ctx)
		if err != nil {
			l.Stop()
			return err
		}
		sessions.Add(1)
		go func() {
			defer sessions.Done()
			defer transport.Close()
			if server.start(ctx, transport) == nil {
				transport.Wait(ctx)
			}
		}()
	}
}

// SetMaxUnauthenticated bounds the connections that are not logged in: from start on some are refused by chance, so many
// of a hundred at first, and all of them at full.
func (l *ServerListener) SetMaxUnauthenticated(start, ratePercent, full uint32) error {
	defer runtime.KeepAlive(l)
	return failure(C.ssh_listener_set_max_unauthenticated(l.handle, C.uint32_t(start), C.uint32_t(ratePercent), C.uint32_t(full)))
}

// SetMaxPerSource does the same for each source, a network of so many bits; 0 for no bound.
func (l *ServerListener) SetMaxPerSource(most, ipv4Bits, ipv6Bits uint32) error {
	defer runtime.KeepAlive(l)
	return failure(C.ssh_listener_set_max_per_source(l.handle, C.uint32_t(most), C.uint32_t(ipv4Bits), C.uint32_t(ipv6Bits)))
}

// SetPenalty says what a connection that came to nothing costs its source.
func (l *ServerListener) SetPenalty(kind Penalty, penalty time.Duration) error {
	defer runtime.KeepAlive(l)
	return failure(C.ssh_listener_set_penalty(l.handle, C.int32_t(kind), milliseconds(penalty)))
}

// SetPenaltyBounds says from which sum on a source is refused, up to what they add up, and for how many sources; 0
// sources turn penalties off.
func (l *ServerListener) SetPenaltyBounds(least, most time.Duration, sources uint32) error {
	defer runtime.KeepAlive(l)
	return failure(C.ssh_listener_set_penalty_bounds(l.handle, milliseconds(least), milliseconds(most), C.uint32_t(sources)))
}

// milliseconds is a time as C takes it, as near to it as can be.
func milliseconds(d time.Duration) C.uint32_t {
	ms := d.Milliseconds()
	if ms < 0 {
		ms = 0
	} else if ms > math.MaxUint32 {
		ms = math.MaxUint32
	}
	return C.uint32_t(ms)
}

// AddExempt holds nothing against an address or a network such as "192.0.2.0/24".
func (l *ServerListener) AddExempt(network string) error {
	defer runtime.KeepAlive(l)
	text, end, err := cString(network)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_listener_add_exempt(l.handle, text))
}

// Counter tells what has happened so far, or how things are now.
func (l *ServerListener) Counter(kind Count) uint64 {
	defer runtime.KeepAlive(l)
	return uint64(C.ssh_listener_counter(l.handle, C.int32_t(kind)))
}

// Listening tells whether connections are taken: from the first Bind until Stop.
func (l *ServerListener) Listening() bool {
	defer runtime.KeepAlive(l)
	return bool(C.ssh_listener_is_listening(l.handle))
}

// Stop listens no longer. What was let in before may still be accepted.
func (l *ServerListener) Stop() error {
	defer runtime.KeepAlive(l)
	return failure(C.ssh_listener_stop(l.handle))
}

// Close stops, and closes the connections that nobody has accepted.
func (l *ServerListener) Close() error {
	C.ssh_listener_free(l.handle)
	l.came.close()
	return nil
}
