package sshwire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"sshwire.example/go/sshwire"
)

// The collector runs all the time, so that what a call or a callback has let go of is gone.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1)
	log.SetOutput(io.Discard) // where the panics are told that the tests make
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				runtime.GC()
			}
		}
	}()
	code := m.Run()
	close(stop)
	os.Exit(code)
}

// Long enough for a loaded machine; nothing is expected to take it.
const patience = 60 * time.Second

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return value
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%T %v", err, err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%T %v, and not %v", err, err, target)
	}
}

var hostKey, userKey = generate(sshwire.Ed25519), generate(sshwire.ECDSAP256)

func generate(kind sshwire.KeyKind) *sshwire.Key {
	key, err := sshwire.GenerateKey(kind)
	if err != nil {
		panic(err)
	}
	return key
}

// serve accepts a connection and keeps its transport, which would be closed if nobody had it, until the test ends.
func serve(t *testing.T, conn net.Conn) {
	server, ctx, kept := newServer(t), soon(t), make(chan *sshwire.Transport, 1)
	go func() {
		transport, _ := server.Accept(ctx, conn)
		kept <- transport
	}()
	t.Cleanup(func() { runtime.KeepAlive(kept) })
}

// newServer lets alice in, echoes what "cat" gets, says what "talk" says, and leaves "hold" to Transport.Accept.
func newServer(t *testing.T) *sshwire.Server {
	server := sshwire.NewServer()
	check(t, server.AddKey(hostKey))
	handle := func(kind sshwire.Kind, answer func(*sshwire.Request)) {
		t.Helper()
		check(t, server.Handle(kind, answer))
	}
	handle(sshwire.KindAuthPassword, func(r *sshwire.Request) {
		if r.User() == "panic" {
			panic("what a function may do")
		}
		if r.User() == "alice" && r.Password() == "open\x00sesame" {
			r.Accept()
		}
	})
	handle(sshwire.KindAuthKey, func(r *sshwire.Request) {
		if r.Key().Equal(userKey) {
			r.Accept()
		}
	})
	handle(sshwire.KindOpenChannel, func(r *sshwire.Request) { r.Accept() })
	handle(sshwire.KindConnect, func(r *sshwire.Request) { r.Serve() })
	handle(sshwire.KindListen, func(r *sshwire.Request) { r.Serve() })
	handle(sshwire.KindCancelListen, func(r *sshwire.Request) { r.Accept() })
	handle(sshwire.KindExec, func(r *sshwire.Request) {
		channel, command := r.Channel(), r.Command()
		switch command {
		case "panic":
			panic(errors.New("what a function may do"))
		case "never":
			r.Later()
			t.Cleanup(func() { r.Refuse() })
			return
		}
		r.Accept()
		switch command {
		case "talk":
			go func() {
				defer channel.Close()
				io.WriteString(channel, "out")
				io.WriteString(channel.Stderr(), "err")
				channel.SendExit(7)
			}()
		case "cat":
			go func() {
				defer channel.Close()
				if _, err := io.Copy(channel, channel); err == nil {
					channel.CloseWrite()
					channel.SendExit(0)
				}
			}()
		}
	})
	t.Cleanup(func() { server.Close() })
	return server
}

func tcpPair(t *testing.T) (net.Conn, net.Conn) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	near := must(net.Dial("tcp", listener.Addr().String()))(t)
	return near, must(listener.Accept())(t)
}

func join(t *testing.T, server *sshwire.Server, near, far net.Conn) (client, served *sshwire.Transport) {
	t.Helper()
	accepted := make(chan error, 1)
	go func() {
		var err error
		served, err = server.Accept(soon(t), far)
		accepted <- err
	}()
	client = must(sshwire.NewTransport(near))(t)
	check(t, client.Login(soon(t), &sshwire.Config{User: "alice", HostKey: hostKey, Password: "open\x00sesame"}))
	check(t, <-accepted)
	t.Cleanup(func() { client.Close(); served.Close() })
	return client, served
}

func pair(t *testing.T) (client, served *sshwire.Transport) {
	t.Helper()
	near, far := tcpPair(t)
	return join(t, newServer(t), near, far)
}

func start(t *testing.T, client *sshwire.Transport, command string) *sshwire.Channel {
	t.Helper()
	channel := must(client.OpenSession(soon(t)))(t)
	check(t, channel.Exec(soon(t), command))
	return channel
}

func TestKeys(t *testing.T) {
	for kind, name := range map[sshwire.KeyKind]string{sshwire.Ed25519: "ssh-ed25519", sshwire.ECDSAP521: "ecdsa-sha2-nistp521"} {
		key := generate(kind)
		public := must(sshwire.ParsePublicKey(key.Line()))(t)
		if !public.Equal(key) || public.IsPrivate() || !key.IsPrivate() || key.Type() != name || key.Equal(userKey) {
			t.Fatal(key.Line())
		}
		path := t.TempDir() + "/key"
		check(t, key.Save(path, "horse"))
		_, err := sshwire.LoadKey(path, "cow")
		want(t, err, sshwire.ErrPassphraseWrong)
		_, err = sshwire.LoadKey(path, "")
		want(t, err, sshwire.ErrPassphraseMissing)
		if again := must(sshwire.LoadKey(path, "horse"))(t); again.Fingerprint() != key.Fingerprint() {
			t.Fatal(again.Fingerprint())
		}
		check(t, key.Close())
		check(t, key.Close())
		if key.Line() != "" || key.Equal(public) {
			t.Fatal("a closed key is none")
		}
	}
	_, err := sshwire.ParsePublicKey("ssh-ed25519\x00AAAA")
	want(t, err, sshwire.ErrInvalidArg)
	_, err = sshwire.ParseKey(nil, "")
	want(t, err, sshwire.ErrKeyMalformed)
	_, err = sshwire.LoadKey("/nowhere/at all", "")
	want(t, err, os.ErrNotExist)
}

func TestErrors(t *testing.T) {
	near, far := tcpPair(t)
	serve(t, far)
	client := must(sshwire.NewTransport(near))(t)
	otherKey := generate(sshwire.Ed25519)
	err := client.Login(soon(t), &sshwire.Config{User: "alice", HostKey: otherKey, Password: "open\x00sesame"})
	want(t, err, sshwire.ErrHostKey)
	var failure *sshwire.Error
	if !errors.As(err, &failure) || failure.ExpectedFingerprint != otherKey.Fingerprint() ||
		failure.FoundFingerprint != hostKey.Fingerprint() || failure.Status.Error() != "SSH_ERR_HOSTKEY" {
		t.Fatalf("%+v", failure)
	}
	client, served := pair(t)
	want(t, client.AuthNone(soon(t), "alice"), sshwire.ErrState)
	near, far = tcpPair(t)
	serve(t, far)
	other := must(sshwire.NewTransport(near))(t)
	err = other.Login(soon(t), &sshwire.Config{User: "alice", HostKey: hostKey, Password: "wrong"})
	if want(t, err, sshwire.ErrAuth); !errors.As(err, &failure) || !strings.Contains(strings.Join(failure.AuthMethods, " "), "publickey") {
		t.Fatalf("%+v", failure)
	}
	want(t, other.AuthPassword(soon(t), "panic", "x"), sshwire.ErrAuth)
	check(t, other.AuthKey(soon(t), "alice", userKey))
	_, err = sshwire.Connect(soon(t), "127.0.0.1:1")
	want(t, err, sshwire.ErrIO)
	client.Close()
	want(t, served.Wait(soon(t)), sshwire.ErrDisconnected)
	want(t, client.Wait(soon(t)), net.ErrClosed)
	_, err = client.OpenSession(soon(t))
	want(t, err, net.ErrClosed)
	_, err = served.OpenSession(soon(t))
	want(t, err, sshwire.ErrDisconnected)
}

// Each look of Wait falls at another moment of the end.
func TestWaitTellsTheCauseThatComesWhileItLooks(t *testing.T) {
	for i := 0; i < 30; i++ {
		client, served := pair(t)
		told := make(chan error, 4)
		for j := 0; j < cap(told); j++ {
			go func() {
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
					err := served.Wait(ctx)
					cancel()
					if !errors.Is(err, context.DeadlineExceeded) {
						told <- err
						return
					}
				}
			}()
		}
		client.Close()
		for j := 0; j < cap(told); j++ {
			want(t, <-told, sshwire.ErrDisconnected)
		}
	}
}

// The server's ways in: a socket by its descriptor, and any net.Conn by reading and writing.
func TestCommands(t *testing.T) {
	for name, conns := range map[string]func(*testing.T) (net.Conn, net.Conn){
		"socket": tcpPair, "stream": func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	} {
		t.Run(name, func(t *testing.T) {
			near, far := conns(t)
			client, served := join(t, newServer(t), near, far)
			result := must(client.Run(soon(t), "talk"))(t)
			if string(result.Output) != "out" || string(result.ErrorOutput) != "err" || !result.Known || result.Status != 7 {
				t.Fatalf("%q %+v", result.Output, result)
			}
			if served.User() != "alice" || !must(client.RemoteKey())(t).Equal(hostKey) || client.String() == "" {
				t.Fatal(client)
			}
			_, err := client.Run(soon(t), "panic")
			want(t, err, sshwire.ErrDenied)
			channel := start(t, client, "cat")
			sent, received := sha256.New(), sha256.New()
			go func() {
				block := bytes.Repeat([]byte("0123456789abcde"), 5000)
				for i := 0; i < 100; i++ {
					block[i]++
					sent.Write(block)
					if _, err := channel.Write(block); err != nil {
						t.Error(err)
					}
				}
				check(t, channel.CloseWrite())
			}()
			check(t, client.Rekey(soon(t)))
			if n := must(io.Copy(received, channel))(t); n != 7500000 || !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
				t.Fatal(n)
			}
			if exit := must(channel.Wait(soon(t)))(t); !exit.Known || exit.Status != 0 {
				t.Fatal(exit)
			}
		})
	}
}

func TestSessionWithinASession(t *testing.T) {
	outer, _ := pair(t)
	server, listener := newServer(t), must(net.Listen("tcp", "127.0.0.1:0"))(t)
	ctx, cancel := context.WithCancel(soon(t))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	conn := must(outer.Dial(soon(t), "tcp", listener.Addr().String()))(t)
	if conn.RemoteAddr().String() != listener.Addr().String() || conn.RemoteAddr().Network() != "tcp" {
		t.Fatal(conn.RemoteAddr())
	}
	inner := must(sshwire.NewTransport(conn))(t)
	check(t, inner.Login(soon(t), &sshwire.Config{User: "alice", Key: userKey, Verify: func(r *sshwire.Request) {
		if r.Key().Equal(hostKey) {
			r.Accept()
		}
	}}))
	if result := must(inner.Run(soon(t), "talk"))(t); string(result.Output) != "out" {
		t.Fatal(result)
	}
	cancel()
	want(t, <-served, context.Canceled)
	if err := inner.Wait(soon(t)); errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// waiting calls f and then end, which is to end it, some way along.
func waiting(t *testing.T, f func() error, end func()) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- f() }()
	runtime.Gosched()
	time.Sleep(10 * time.Millisecond) // so that it mostly does wait; either way it must end
	end()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("it does not end")
		return nil
	}
}

// Each call that waits ends with its context, with both errors, and what it waited on goes on.
func TestCancel(t *testing.T) {
	client, served := pair(t)
	channel := start(t, client, "hold")
	buffer := make([]byte, 10)
	deaf := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer deaf.Close()
	for name, f := range map[string]func(context.Context) error{
		"read":    func(ctx context.Context) error { _, err := channel.WithContext(ctx).Read(buffer); return err },
		"stderr":  func(ctx context.Context) error { _, err := channel.WithContext(ctx).Stderr().Read(buffer); return err },
		"wait":    func(ctx context.Context) error { _, err := channel.Wait(ctx); return err },
		"accept":  func(ctx context.Context) error { _, err := client.Accept(ctx); return err },
		"session": func(ctx context.Context) error { return served.Wait(ctx) },
		"exec":    func(ctx context.Context) error { _, err := client.Run(ctx, "never"); return err },
		"write": func(ctx context.Context) error {
			for {
				if _, err := channel.WithContext(ctx).Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		},
		"connect": func(ctx context.Context) error {
			_, err := sshwire.Dial(ctx, deaf.Addr().String(), &sshwire.Config{User: "x", HostKey: hostKey})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(soon(t))
			err := waiting(t, func() error { return f(ctx) }, cancel)
			want(t, err, context.Canceled)
			want(t, err, sshwire.ErrCancelled)
			want(t, f(ctx), context.Canceled)
			ctx, cancel = context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			err = waiting(t, func() error { return f(ctx) }, func() {})
			want(t, err, context.DeadlineExceeded)
			want(t, err, sshwire.ErrTimeout)
			want(t, err, os.ErrDeadlineExceeded)
		})
	}
	far := must(served.Accept(soon(t)))(t)
	must(far.Write([]byte("still there")))(t)
	if n := must(io.ReadFull(channel, buffer))(t); string(buffer[:n]) != "still ther" {
		t.Fatalf("%q", buffer)
	}
}

func TestDeadlines(t *testing.T) {
	client, _ := pair(t)
	channel := start(t, client, "cat")
	read := func() error { _, err := channel.Read(make([]byte, 1)); return err }
	want(t, waiting(t, read, func() { channel.SetReadDeadline(time.Now()) }), os.ErrDeadlineExceeded)
	want(t, read(), os.ErrDeadlineExceeded)
	must(channel.Write([]byte("x")))(t)
	channel.SetDeadline(time.Now().Add(time.Hour))
	check(t, read())
	channel.SetDeadline(time.Now().Add(10 * time.Millisecond))
	err := read()
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Fatal(err)
	}
	_, err = channel.Write([]byte("x"))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		time.Sleep(20 * time.Millisecond)
		_, err = channel.Write([]byte("x"))
		want(t, err, os.ErrDeadlineExceeded)
	}
	channel.SetDeadline(time.Time{})
	must(channel.Write([]byte("x")))(t)
	check(t, read())
}

// Close ends what waits, whichever object it is called on, from any number of goroutines.
func TestClose(t *testing.T) {
	for name, close := range map[string]func(client, served *sshwire.Transport, channel *sshwire.Channel) error{
		"channel": func(_, _ *sshwire.Transport, channel *sshwire.Channel) error { return channel.Close() },
		"near":    func(client, _ *sshwire.Transport, _ *sshwire.Channel) error { return client.Close() },
		"far":     func(_, served *sshwire.Transport, _ *sshwire.Channel) error { return served.Close() },
	} {
		for what, f := range map[string]func(*sshwire.Transport, *sshwire.Channel) error{
			"read": func(_ *sshwire.Transport, c *sshwire.Channel) error { _, err := c.Read(make([]byte, 1)); return err },
			"second": func(_ *sshwire.Transport, c *sshwire.Channel) error {
				_, err := c.Stderr().Read(make([]byte, 1))
				return err
			},
			"write": func(_ *sshwire.Transport, c *sshwire.Channel) error {
				_, err := c.Write(make([]byte, 64<<20))
				return err
			},
			"ask": func(_ *sshwire.Transport, c *sshwire.Channel) error { return c.Exec(context.Background(), "never") },
			"exit": func(_ *sshwire.Transport, c *sshwire.Channel) error {
				exit, err := c.Wait(context.Background())
				if err == nil && !exit.Known {
					err = io.EOF
				}
				return err
			},
			"session": func(c *sshwire.Transport, _ *sshwire.Channel) error {
				if name == "channel" {
					return io.EOF
				}
				return c.Wait(context.Background())
			},
			"accept": func(c *sshwire.Transport, _ *sshwire.Channel) error {
				if name == "channel" {
					return io.EOF
				}
				_, err := c.Accept(context.Background())
				return err
			},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				client, served := pair(t)
				channel := must(client.OpenSession(soon(t)))(t)
				if what != "ask" {
					check(t, channel.Exec(soon(t), "hold"))
				}
				err := waiting(t, func() error { return f(client, channel) }, func() {
					var all sync.WaitGroup
					for i := 0; i < 8; i++ {
						all.Add(1)
						go func() { defer all.Done(); check(t, close(client, served, channel)) }()
					}
					all.Wait()
				})
				if err == nil {
					t.Fatal("it went well")
				}
				check(t, close(client, served, channel))
			})
		}
	}
}

// Objects end in every order, by hand or by being forgotten.
func TestOrders(t *testing.T) {
	for order := 0; order < 16; order++ {
		server := newServer(t)
		near, far := tcpPair(t)
		client, served := join(t, server, near, far)
		channel := start(t, client, "hold")
		other := must(served.Accept(soon(t)))(t)
		if order&1 != 0 {
			client.Close()
		}
		if order&2 != 0 {
			served.Close()
		}
		if order&4 != 0 {
			channel.Close()
			channel.Close()
		}
		if order&8 != 0 {
			server.Close()
		}
		if order != 0 && order != 8 {
			if _, err := other.Read(make([]byte, 1)); err == nil {
				t.Fatal("the other side reads on")
			}
		}
		if order&5 != 0 {
			if err := channel.Exec(soon(t), "x"); err == nil {
				t.Fatal("it went well")
			}
		}
		other.Close()
		client.Close()
		channel.Close()
	}
}

// A channel keeps its transport, and what is forgotten is closed: then the other side reads the end.
func TestCollected(t *testing.T) {
	_, served := func() (struct{}, *sshwire.Transport) {
		server, listener := newServer(t), must(net.Listen("tcp", "127.0.0.1:0"))(t)
		defer listener.Close()
		near := must(net.Dial("tcp", listener.Addr().String()))(t)
		accepted := make(chan *sshwire.Transport)
		go func() {
			conn, _ := listener.Accept()
			transport, _ := server.Accept(soon(t), conn)
			accepted <- transport
		}()
		client := must(sshwire.NewTransport(near))(t)
		check(t, client.Login(soon(t), &sshwire.Config{User: "alice", HostKey: hostKey, Key: userKey}))
		channel := start(t, client, "cat")
		client = nil
		for i := 0; i < 3; i++ {
			runtime.GC()
			must(channel.Write([]byte("x")))(t)
			must(channel.Read(make([]byte, 1)))(t)
		}
		return struct{}{}, <-accepted
	}()
	for ctx := soon(t); ; {
		runtime.GC()
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		err := served.Wait(short)
		cancel()
		if errors.Is(err, sshwire.ErrDisconnected) {
			return
		}
		check(t, ctx.Err())
	}
}

// Functions are called while objects end and the collector runs; none is called for an object it does not fit.
func TestCallbacksAndFinalizers(t *testing.T) {
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			near, far := tcpPair(t)
			server := newServer(t)
			go func() { // forgotten at once
				if transport, err := server.Accept(context.Background(), far); err == nil {
					transport.SetKeepalive(time.Millisecond, 0, func(time.Duration, int) { panic("again") })
					if i%2 == 0 {
						transport.Wait(context.Background())
					}
				}
			}()
			client, err := sshwire.NewTransport(near)
			if err != nil {
				t.Error(err)
				return
			}
			if client.Login(context.Background(), &sshwire.Config{User: "alice", HostKey: hostKey, Key: userKey}) != nil {
				return
			}
			for j := 0; j < 10; j++ {
				if result, err := client.Run(context.Background(), "talk"); err == nil && string(result.Output) != "out" && i%2 == 0 {
					t.Errorf("%q", result.Output)
				} else if err != nil && i%2 == 0 {
					t.Error(err)
				}
			}
		}(i)
	}
	all.Wait()
}

func TestHundredsOfGoroutines(t *testing.T) {
	client, _ := pair(t)
	var all sync.WaitGroup
	for i := 0; i < 300; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			channel, err := client.OpenSession(soon(t))
			if err == nil {
				err = channel.Exec(soon(t), "cat")
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer channel.Close()
			text := strings.Repeat(fmt.Sprintf("%d ", i), 5000)
			go func() {
				io.WriteString(channel, text)
				channel.CloseWrite()
			}()
			if said, err := io.ReadAll(channel); err != nil || string(said) != text {
				t.Error(i, len(said), err)
			}
		}(i)
	}
	all.Wait()
}

// Goroutines that wait hold no thread, and are gone when what they waited for is.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	client, _ := pair(t)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := 0; i < 200; i++ {
		channel := must(client.OpenSession(soon(t)))(t)
		all.Add(1)
		go func() {
			defer all.Done()
			_, err := channel.WithContext(ctx).Read(make([]byte, 1))
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}()
	}
	cancel()
	all.Wait()
	client.Close()
	for ctx := soon(t); runtime.NumGoroutine() > before+5; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			buffer := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buffer[:runtime.Stack(buffer, true)])
		}
	}
}

func TestSubsystemsPromptsAndTheLog(t *testing.T) {
	server := newServer(t)
	check(t, server.HandleSubsystem("upper", func(channel *sshwire.Channel, name string) int {
		text, _ := io.ReadAll(channel)
		channel.Write(bytes.ToUpper(text))
		return len(name)
	}))
	check(t, server.HandleSubsystem("panic", func(*sshwire.Channel, string) int { panic("again") }))
	check(t, server.Handle(sshwire.KindAuthPrompts, func(r *sshwire.Request) { r.Ask("questions", "one?", "two?") }))
	check(t, server.Handle(sshwire.KindAuthAnswers, func(r *sshwire.Request) {
		r.Later()
		go func() {
			if answers := r.Answers(); len(answers) == 2 && answers[0] == "1" && answers[1] == "2" {
				r.Accept()
			} else {
				r.Refuse()
			}
		}()
	}))
	var mu sync.Mutex
	lines := 0
	check(t, sshwire.SetLog(sshwire.LogDebug, func(sshwire.LogLevel, string, string) { mu.Lock(); lines++; mu.Unlock() }))
	near, far := tcpPair(t)
	accepted := make(chan *sshwire.Transport, 1)
	go func() {
		transport, _ := server.Accept(soon(t), far)
		accepted <- transport
	}()
	client := must(sshwire.NewTransport(near))(t)
	check(t, client.Login(soon(t), &sshwire.Config{User: "alice", HostKey: hostKey, Prompts: func(r *sshwire.Request) {
		texts, echo := r.Prompts()
		if len(texts) == 2 && texts[1] == "two?" && !echo[0] {
			r.AnswerPrompts("1", "2")
		}
	}}))
	defer (<-accepted).Close()
	channel := must(client.OpenSession(soon(t)))(t)
	check(t, channel.Subsystem(soon(t), "upper"))
	must(io.WriteString(channel, "shout"))(t)
	check(t, channel.CloseWrite())
	if text := must(io.ReadAll(channel))(t); string(text) != "SHOUT" || must(channel.Wait(soon(t)))(t).Status != 5 {
		t.Fatalf("%q", text)
	}
	channel = must(client.OpenSession(soon(t)))(t)
	check(t, channel.Subsystem(soon(t), "panic"))
	if exit := must(channel.Wait(soon(t)))(t); exit.Known {
		t.Fatal(exit)
	}
	check(t, sshwire.SetLog(sshwire.LogNone, func(sshwire.LogLevel, string, string) {}))
	mu.Lock()
	defer mu.Unlock()
	if lines == 0 {
		t.Fatal("nothing is logged")
	}
}
