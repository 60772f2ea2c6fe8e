package sshwire

/*
#include "callback.h"
*/
import "C"

import (
	"context"
	"net"
	"runtime"
	"runtime/cgo"
	"strconv"
	"sync"
)

// endpoint takes "host:port", or for a UNIX socket its path.
func endpoint(network, address string) (host *C.char, port C.uint16_t, end func(), err error) {
	name := address
	switch network {
	case "unix":
		if len(address) == 0 || address[0] != '/' {
			return nil, 0, nil, &Error{Status: ErrInvalidArg, Message: "the path of a UNIX socket begins with /"}
		}
	case "tcp", "tcp4", "tcp6":
		var service string
		if name, service, err = net.SplitHostPort(address); err != nil {
			return nil, 0, nil, &Error{Status: ErrInvalidArg, Message: err.Error()}
		}
		number, err := strconv.ParseUint(service, 10, 16)
		if err != nil {
			return nil, 0, nil, &Error{Status: ErrInvalidArg, Message: "the port is no number: " + service}
		}
		port = C.uint16_t(number)
	default:
		return nil, 0, nil, &Error{Status: ErrUnsupported, Message: "no such network to forward: " + network}
	}
	host, end, err = cString(name)
	return host, port, end, err
}

// Dial has the server connect: "tcp" to "host:port", or "unix" to a path there. It fits http.Transport.DialContext.
func (t *Transport) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, end, err := endpoint(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	defer end()
	kind, origin := "direct-tcpip", "127.0.0.1"
	if network == "unix" {
		kind, origin = "direct-streamlocal@openssh.com", ""
	}
	kindText, endKind, _ := cString(kind)
	defer endKind()
	originText, endOrigin, _ := cString(origin)
	defer endOrigin()
	channel, err := t.open(ctx, func(event *C.ssh_event, detail **C.ssh_error) *C.ssh_channel {
		return C.ssh_transport_begin_channel(t.handle, kindText, host, port, originText, 0, event, detail)
	})
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: Addr(address), Err: err}
	}
	return channel, nil
}

// A Listener takes connections that come in at the server. They are [Channel]s.
type Listener struct {
	transport *Transport
	host      string
	port      uint16
	network   string
	*arrivals
}

var _ net.Listener = (*Listener)(nil)

// arrivals is what the library knows of a listener.
type arrivals struct {
	waiting chan *C.ssh_channel
	mu      sync.Mutex
	over    chan struct{} // closed when there will be no more
}

// As many connections as may wait to be accepted; those that come then are closed.
const backlog = 128

// add is called by C, for a connection that is Go's from now on.
func (a *arrivals) add(handle *C.ssh_channel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !closed(a.over) {
		select {
		case a.waiting <- handle:
			return
		default:
		}
	}
	C.ssh_channel_free(handle)
}

func (a *arrivals) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !closed(a.over) {
		close(a.over)
	}
}

// Listen has the server listen: "tcp" on "host:port", where no host means all addresses and port 0 any port, or
// "unix" on a path there.
func (t *Transport) Listen(ctx context.Context, network, address string) (*Listener, error) {
	host, port, end, err := endpoint(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l := &Listener{t, C.GoString(host), 0, network, &arrivals{waiting: make(chan *C.ssh_channel, backlog), over: make(chan struct{})}}
	err = granted(ctx, func(ms C.int32_t) error {
		defer end()
		defer runtime.KeepAlive(t)
		var detail *C.ssh_error
		var bound C.uint16_t
		function := C.uintptr_t(cgo.NewHandle(l.arrivals)) // which C ends in any case
		status := C.go_transport_request_port_forward(t.handle, host, port, function, ms, &bound, &detail)
		l.port = uint16(bound)
		return outcome(status, &detail)
	}, func() { l.Close() })
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: Addr(address), Err: err}
	}
	runtime.SetFinalizer(l, (*Listener).Close)
	return l, nil
}

// granted makes a call that asks the server for something, for which the library has no form that does not wait. When
// the context ends before, what is granted later is given back.
func granted(ctx context.Context, call func(ms C.int32_t) error, back func()) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	answer := make(chan error, 1)
	ms := millis(ctx, C.SSH_TIMEOUT_DEFAULT)
	go func() { answer <- call(ms) }()
	select {
	case err := <-answer:
		return joined(ctx, err)
	case <-ctx.Done():
		go func() {
			if <-answer == nil {
				back()
			}
		}()
		return ended(ctx)
	}
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	channel, err := l.AcceptContext(context.Background())
	if err != nil {
		return nil, err
	}
	return channel, nil
}

// AcceptContext waits for the next connection, as long as listener, transport and context last.
func (l *Listener) AcceptContext(ctx context.Context) (*Channel, error) {
	defer runtime.KeepAlive(l)
	select {
	case handle := <-l.waiting:
		return own(handle, l.transport), nil
	default:
	}
	var err error
	select {
	case handle := <-l.waiting:
		return own(handle, l.transport), nil
	case <-l.over:
		err = failure(C.SSH_ERR_CLOSED)
	case <-ctx.Done():
		err = ended(ctx)
	}
	return nil, &net.OpError{Op: "accept", Net: l.network, Addr: l.Addr(), Err: err}
}

// Close has the server listen no longer, and does not wait for its answer. Connections that there are go on.
func (l *Listener) Close() error {
	defer runtime.KeepAlive(l)
	l.end()
	if host, end, err := cString(l.host); err == nil {
		defer end()
		C.ssh_transport_cancel_port_forward(l.transport.handle, host, C.uint16_t(l.port), 0, nil)
	}
	for {
		select {
		case handle := <-l.waiting:
			C.ssh_channel_free(handle)
		default:
			return nil
		}
	}
}

// Addr is where the server listens.
func (l *Listener) Addr() net.Addr {
	if l.network == "unix" {
		return Addr(l.host)
	}
	return addrOf(l.host, l.port)
}

func addrOf(host string, port uint16) Addr {
	return Addr(net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// A Forward carries connections by itself, without a goroutine: see [Transport.ForwardLocal].
type Forward struct {
	handle  *C.ssh_forward
	owner   *Transport
	network string
}

// ForwardLocal listens on this side; for each connection the server connects to the destination.
func (t *Transport) ForwardLocal(network, address, destinationNetwork, destination string) (*Forward, error) {
	return t.forward(network, address, destinationNetwork, destination,
		func(host *C.char, port C.uint16_t, to *C.char, toPort C.uint16_t, detail **C.ssh_error) *C.ssh_forward {
			return C.ssh_forward_local(t.handle, host, port, to, toPort, detail)
		})
}

// ForwardDynamic listens on this side for clients of SOCKS 4 and 5, which say where the server is to connect to.
func (t *Transport) ForwardDynamic(network, address string) (*Forward, error) {
	return t.forward(network, address, "tcp", ":0",
		func(host *C.char, port C.uint16_t, _ *C.char, _ C.uint16_t, detail **C.ssh_error) *C.ssh_forward {
			return C.ssh_forward_dynamic(t.handle, host, port, detail)
		})
}

// ForwardRemote has the server listen; for each connection this side connects to the destination.
func (t *Transport) ForwardRemote(ctx context.Context, network, address, destinationNetwork, destination string) (*Forward, error) {
	var f *Forward
	err := granted(ctx, func(ms C.int32_t) (err error) {
		f, err = t.forward(network, address, destinationNetwork, destination,
			func(host *C.char, port C.uint16_t, to *C.char, toPort C.uint16_t, detail **C.ssh_error) *C.ssh_forward {
				return C.ssh_forward_remote(t.handle, host, port, to, toPort, ms, detail)
			})
		return err
	}, func() { f.Close() })
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ForwardRemoteDynamic has the server listen for clients of SOCKS 4 and 5; this side connects to where they say, as far as
// that is permitted: "host:port" and "[address]:port" with white space between them and "*" for any host or port, or "any".
func (t *Transport) ForwardRemoteDynamic(ctx context.Context, network, address, permitted string) (*Forward, error) {
	list, end, err := cString(permitted)
	if err != nil {
		return nil, &net.OpError{Op: "forward", Net: network, Addr: Addr(address), Err: err}
	}
	var f *Forward
	err = granted(ctx, func(ms C.int32_t) (err error) {
		defer end()
		f, err = t.forward(network, address, "tcp", ":0",
			func(host *C.char, port C.uint16_t, _ *C.char, _ C.uint16_t, detail **C.ssh_error) *C.ssh_forward {
				return C.ssh_forward_remote_dynamic(t.handle, host, port, list, ms, detail)
			})
		return err
	}, func() { f.Close() })
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (t *Transport) forward(network, address, toNetwork, to string, begin func(host *C.char, port C.uint16_t, to *C.char,
	toPort C.uint16_t, detail **C.ssh_error) *C.ssh_forward) (*Forward, error) {
	defer runtime.KeepAlive(t)
	host, port, end, err := endpoint(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "forward", Net: network, Err: err}
	}
	defer end()
	destination, toPort, end, err := endpoint(toNetwork, to)
	if err != nil {
		return nil, &net.OpError{Op: "forward", Net: toNetwork, Err: err}
	}
	defer end()
	var detail *C.ssh_error
	handle := begin(host, port, destination, toPort, &detail)
	if handle == nil {
		return nil, &net.OpError{Op: "forward", Net: network, Addr: Addr(address), Err: outcome(C.SSH_ERR_CLOSED, &detail)}
	}
	f := &Forward{handle, t, network}
	runtime.SetFinalizer(f, (*Forward).Close)
	return f, nil
}

// Addr is where it is listened.
func (f *Forward) Addr() net.Addr {
	defer runtime.KeepAlive(f)
	host := C.GoString(C.ssh_forward_address(f.handle))
	if f.network == "unix" {
		return Addr(host)
	}
	return addrOf(host, uint16(C.ssh_forward_port(f.handle)))
}

// Counters is what a Forward has done.
type Counters struct {
	Connections, Active, Failed uint64 // all that were carried, those under way, those that could not be made
	Sent, Received              uint64 // bytes to the server, and from it
}

// Counters tells what has happened so far.
func (f *Forward) Counters() Counters {
	defer runtime.KeepAlive(f)
	var connections, active, failed, sent, received C.uint64_t
	C.ssh_forward_counters(f.handle, &connections, &active, &failed, &sent, &received)
	return Counters{uint64(connections), uint64(active), uint64(failed), uint64(sent), uint64(received)}
}

// Stop takes no new connections any more. Those that there are go on.
func (f *Forward) Stop() error {
	defer runtime.KeepAlive(f)
	return failure(C.ssh_forward_stop(f.handle))
}

// Close ends it and its connections.
func (f *Forward) Close() error {
	C.ssh_forward_free(f.handle)
	return nil
}
