package sshwire_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sshwire.example/go/sshwire"
)

// A server may say how the command ended and leave the channel open, as when something in the background goes on writing.
func TestExitBeforeTheEnd(t *testing.T) {
	client, served := pair(t)
	channel := start(t, client, "hold")
	far := must(served.Accept(soon(t)))(t)
	exit := make(chan sshwire.Exit, 1)
	go func() {
		how, err := channel.Wait(soon(t))
		if err != nil {
			t.Error(err)
		}
		exit <- how
	}()
	time.Sleep(10 * time.Millisecond) // so that it mostly does wait
	check(t, far.SendExit(5))
	if how := <-exit; how.Status != 5 || !how.Known {
		t.Fatal(how)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := channel.WithContext(ctx).Read(make([]byte, 1))
	want(t, err, context.DeadlineExceeded)
	check(t, far.Close())
}

// Connections that nobody has accepted end with their listener, also those that come in at the same time.
func TestListenersThatEnd(t *testing.T) {
	peers(t, func(t *testing.T, client *sshwire.Transport) {
		listener := must(client.Listen(soon(t), "tcp", "127.0.0.1:0"))(t)
		var all sync.WaitGroup
		for i := 0; i < 30; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				conn, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					return // too late
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("it goes on: ", err)
				}
			}()
		}
		time.Sleep(5 * time.Millisecond)
		check(t, listener.Close())
		all.Wait()
		_, err := listener.Accept()
		want(t, err, net.ErrClosed)
	})
}

// shortages is a listener that fails first, with one error after another.
type shortages struct {
	net.Listener
	errors []syscall.Errno
}

func (s *shortages) Accept() (net.Conn, error) {
	if len(s.errors) == 0 {
		return s.Listener.Accept()
	}
	err := &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", s.errors[0])}
	s.errors = s.errors[1:]
	return nil, err
}

// A server outlives a shortage, and nothing else that its listener fails with.
func TestShortagesDoNotEndAServer(t *testing.T) {
	server := newServer(t)
	short := []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	served := make(chan error, 1)
	go func() { served <- server.Serve(soon(t), &shortages{listener, short}) }()
	config := &sshwire.Config{User: "alice", Password: "open\x00sesame", HostKey: hostKey}
	client := must(sshwire.Dial(soon(t), listener.Addr().String(), config))(t)
	defer client.Close()
	if result := must(client.Run(soon(t), "talk"))(t); string(result.Output) != "out" {
		t.Fatal(result)
	}
	listener.Close()
	want(t, <-served, net.ErrClosed)
	listener = must(net.Listen("tcp", "127.0.0.1:0"))(t)
	want(t, server.Serve(soon(t), &shortages{listener, []syscall.Errno{syscall.EINVAL}}), syscall.EINVAL)
}

// What each user may try, and reads before it.
func TestMethodsOfEachUser(t *testing.T) {
	server := newServer(t)
	check(t, server.SetAuthMethods("publickey"))
	check(t, server.SetAuthLimits(2, patience))
	check(t, server.Handle(sshwire.KindAuthMethods, func(r *sshwire.Request) {
		if r.User() == "alice" {
			r.SendBanner("Good morning, alice.\n")
			r.AcceptMethods("password", "publickey")
		}
	}))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	ctx, cancel := context.WithCancel(soon(t))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	methods := func(user string) (*sshwire.Transport, string) {
		client := must(sshwire.Connect(soon(t), listener.Addr().String()))(t)
		t.Cleanup(func() { client.Close() })
		check(t, client.ExpectHostKey(hostKey))
		check(t, client.StartClient(soon(t)))
		want(t, client.AuthNone(soon(t), user), sshwire.ErrAuth)
		return client, strings.Join(client.AuthMethods(), " ")
	}
	if client, said := methods("bob"); said != "publickey" || client.Banner() != "" {
		t.Fatal(said, client.Banner())
	}
	client, said := methods("alice")
	if said != "password publickey" && said != "publickey password" || !strings.Contains(client.Banner(), "Good morning") {
		t.Fatal(said, client.Banner())
	}
	want(t, client.AuthPassword(soon(t), "alice", "wrong"), sshwire.ErrAuth)
	client.AuthPassword(soon(t), "alice", "wrong")
	want(t, client.Wait(soon(t)), sshwire.ErrDisconnected)
	cancel()
	want(t, <-served, context.Canceled)
}

func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// Whoever waited on either side and closed it or not: no channel and no descriptor is left when the transports are gone.
func TestNoDescriptorIsLeft(t *testing.T) {
	before := descriptors()
	client, served := pair(t)
	for i := 0; i < 30; i++ {
		channel := start(t, client, "hold")
		far := must(served.Accept(soon(t)))(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		channel.WithContext(ctx).Read(make([]byte, 1))
		far.WithContext(ctx).Read(make([]byte, 1))
		channel.Wait(ctx)
		cancel()
		switch i % 3 {
		case 0:
			channel.Close()
		case 1:
			far.Close()
		}
	}
	client.Close()
	served.Close()
	for ctx := soon(t); descriptors() > before || sshwire.Known() > 0; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%d descriptors, %d before; %d channels", descriptors(), before, sshwire.Known())
		}
	}
}
