package sshwire_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"sshwire.example/go/sshwire"
)

func newServerListener(t *testing.T) *sshwire.ServerListener {
	listener := must(sshwire.NewServerListener())(t)
	t.Cleanup(func() { listener.Close() })
	check(t, listener.SetPenaltyBounds(time.Second, time.Minute, 0))
	return listener
}

func TestServerListenerServes(t *testing.T) {
	listener, server := newServerListener(t), newServer(t)
	address := must(listener.Bind("tcp", "127.0.0.1:0"))(t).String()
	if !listener.Listening() {
		t.Fatal("it does not listen")
	}
	serving := make(chan error, 1)
	go func() { serving <- listener.Serve(soon(t), server) }()
	config := &sshwire.Config{User: "alice", Password: "open\x00sesame", HostKey: hostKey}
	for range [3]int{} {
		client := must(sshwire.Dial(soon(t), address, config))(t)
		defer client.Close()
		if result := must(client.Run(soon(t), "talk"))(t); string(result.Output) != "out" {
			t.Fatalf("%q", result.Output)
		}
	}
	if accepted, waiting := listener.Counter(sshwire.CountAccepted), listener.Counter(sshwire.CountUnauthenticated); accepted != 3 ||
		waiting != 0 {
		t.Fatal(accepted, waiting)
	}
	check(t, listener.Stop())
	want(t, <-serving, net.ErrClosed)
	if listener.Listening() {
		t.Fatal("it listens")
	}
	_, err := listener.Accept(soon(t))
	want(t, err, net.ErrClosed)
}

func TestServerListenerWaitsAndRefuses(t *testing.T) {
	listener := newServerListener(t)
	check(t, listener.SetMaxUnauthenticated(10, 100, 10))
	check(t, listener.SetMaxPerSource(1, 32, 64))
	check(t, listener.SetPenalty(sshwire.PenaltyNoAuth, 0))
	path := t.TempDir() + "/socket"
	address := must(listener.Bind("tcp", "127.0.0.1:0"))(t).String()
	must(listener.Bind("unix", path))(t)
	ctx, cancel := context.WithCancel(soon(t))
	want(t, waiting(t, func() error { _, err := listener.Accept(ctx); return err }, cancel), context.Canceled)

	first := must(net.Dial("tcp", address))(t)
	defer first.Close()
	transport := must(listener.Accept(soon(t)))(t)
	defer transport.Close()
	second := must(net.Dial("tcp", address))(t)
	defer second.Close()
	second.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.ReadAll(second); len(n) > 0 {
		t.Fatal(n, err)
	}
	if refused := listener.Counter(sshwire.CountRefusedPerSource); refused != 1 {
		t.Fatal(refused)
	}
	check(t, listener.AddExempt("127.0.0.0/8"))
	third := must(net.Dial("tcp", address))(t)
	defer third.Close()
	must(listener.Accept(soon(t)))(t).Close()
	fourth := must(net.Dial("unix", path))(t)
	defer fourth.Close()
	must(listener.Accept(soon(t)))(t).Close()

	_, err := listener.Bind("tcp", "example.org:0")
	want(t, err, sshwire.ErrInvalidArg)
	want(t, listener.AddExempt("example.org"), sshwire.ErrInvalidArg)
	want(t, listener.SetMaxUnauthenticated(2, 30, 1), sshwire.ErrInvalidArg)
	want(t, waiting(t, func() error { _, err := listener.Accept(soon(t)); return err }, func() { listener.Close() }), net.ErrClosed)
	check(t, listener.Close())
	_, err = listener.Accept(soon(t))
	want(t, err, net.ErrClosed)
}
