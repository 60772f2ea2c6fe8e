package sshwire

/*
#include "callback.h"
*/
import "C"

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Server is host keys and functions that any number of transports share. It refuses what no function accepts.
type Server struct{ handle *C.ssh_server }

// NewServer makes a server. It needs a key.
func NewServer() *Server {
	server := &Server{C.ssh_server_new()}
	runtime.SetFinalizer(server, (*Server).Close)
	return server
}

// AddKey adds a host key, one of each kind.
func (s *Server) AddKey(key *Key) error {
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(key)
	return failure(C.ssh_server_add_key(s.handle, key.get()))
}

// Handle sets who answers questions of a kind. Those of several transports come at once.
func (s *Server) Handle(kind Kind, answer func(*Request)) error {
	defer runtime.KeepAlive(s)
	return given(answer, func(function C.uintptr_t) C.ssh_status {
		return C.go_server_set_callback(s.handle, C.int32_t(kind), function)
	})
}

// HandleSubsystem sets who serves a subsystem, on a thread of its own. It returns the exit status, and the channel is
// closed.
func (s *Server) HandleSubsystem(name string, serve func(channel *Channel, name string) int) error {
	defer runtime.KeepAlive(s)
	text, end, err := cString(name)
	if err != nil {
		return err
	}
	defer end()
	return given(serve, func(function C.uintptr_t) C.ssh_status {
		return C.go_server_set_subsystem_handler(s.handle, text, function)
	})
}

// SetAuthMethods says which methods clients may try. Without it, those that there are functions for.
func (s *Server) SetAuthMethods(methods ...string) error {
	defer runtime.KeepAlive(s)
	names, end, err := cString(strings.Join(methods, ","))
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_server_set_auth_methods(s.handle, names))
}

// SetAuthLimits says after how many failures, and after how long without success, a client is sent away.
func (s *Server) SetAuthLimits(failures int, grace time.Duration) error {
	defer runtime.KeepAlive(s)
	return failure(C.ssh_server_set_auth_limits(s.handle, C.uint32_t(failures), C.uint32_t(grace/time.Millisecond)))
}

// SetBanner sets a text for users to read before they log in.
func (s *Server) SetBanner(banner string) error {
	defer runtime.KeepAlive(s)
	text, end, err := cString(banner)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_server_set_banner(s.handle, text))
}

// Close frees the server. Transports that were started with it go on.
func (s *Server) Close() error {
	C.ssh_server_free(s.handle)
	return nil
}

// Accept begins a session with the client at the other end of the connection, which is taken over as by
// [NewTransport]. It returns when keys are exchanged; the rest is up to the functions.
func (s *Server) Accept(ctx context.Context, conn net.Conn) (*Transport, error) {
	defer runtime.KeepAlive(s)
	t, err := NewTransport(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := s.start(ctx, t); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func (s *Server) start(ctx context.Context, t *Transport) error {
	defer runtime.KeepAlive(s)
	return t.start(ctx, func(event *C.ssh_event, ms C.int32_t, detail **C.ssh_error) C.ssh_status {
		return C.ssh_transport_start_server(t.handle, s.handle, event, ms, detail)
	})
}

// How long Serve waits when descriptors or memory are short, as a ServerListener does.
const shortagePause = 100 * time.Millisecond

// Serve accepts connections and holds their sessions until the listener fails or the context ends, which ends the
// sessions and closes the listener, too. A shortage of descriptors or memory ends nothing.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var sessions sync.WaitGroup
	defer sessions.Wait()
	defer cancel()
	go func() {
		<-ctx.Done()
		listener.Close()
	}()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return ctx.Err()
		} else if short(err) {
			select {
			case <-ctx.Done():
			case <-time.After(shortagePause):
			}
			continue
		} else if err != nil {
			return err
		}
		sessions.Add(1)
		go func() {
			defer sessions.Done()
			if transport, err := s.Accept(ctx, conn); err == nil {
				transport.Wait(ctx)
				transport.Close()
			}
		}()
	}
}

// short tells whether something has run out that may come back.
func short(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
