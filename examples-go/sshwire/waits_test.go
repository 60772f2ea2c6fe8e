package sshwire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"sshwire.example/go/sshwire"
)

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
			"accept": func(c *sshwire.Transport, channel *sshwire.Channel) error {
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
