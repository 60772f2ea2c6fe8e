package sshwire_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"sshwire.example/go/sshwire"
)

// Each peer of these tests: a server of our own, and the sshd of tests/languages/run.sh.
func peers(t *testing.T, test func(t *testing.T, client *sshwire.Transport)) {
	t.Run("ours", func(t *testing.T) {
		server := newServer(t)
		files := must(sshwire.NewSFTPServer("/"))(t)
		check(t, server.Handle(sshwire.KindSubsystem, func(r *sshwire.Request) {
			if r.Name() == "sftp" {
				r.AcceptSFTP(files)
			}
		}))
		near, far := tcpPair(t)
		client, _ := join(t, server, near, far)
		test(t, client)
	})
	t.Run("sshd", func(t *testing.T) { test(t, sshd(t)) })
}

func sshd(t *testing.T) *sshwire.Transport {
	address := os.Getenv("SSHWIRE_TEST_ADDRESS")
	if address == "" {
		t.Skip("no sshd: SSHWIRE_TEST_ADDRESS")
	}
	client := must(sshwire.Dial(soon(t), address, &sshwire.Config{
		User:    os.Getenv("SSHWIRE_TEST_USER"),
		HostKey: must(sshwire.ParsePublicKey(os.Getenv("SSHWIRE_TEST_HOST_KEY")))(t),
		Key:     must(sshwire.LoadKey(os.Getenv("SSHWIRE_TEST_KEY"), ""))(t),
	}))(t)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestCommandsOfSSHD(t *testing.T) {
	client := sshd(t)
	result := must(client.Run(soon(t), "echo out; echo err >&2; exit 3"))(t)
	if string(result.Output) != "out\n" || string(result.ErrorOutput) != "err\n" || result.Status != 3 || !result.Known {
		t.Fatalf("%+v", result)
	}
	if result = must(client.Run(soon(t), "kill -TERM $$"))(t); result.Signal != "TERM" {
		t.Fatalf("%+v", result)
	}
	channel := must(client.OpenSession(soon(t)))(t)
	check(t, channel.Pty(soon(t), "xterm", 99, 33))
	check(t, channel.Shell(soon(t)))
	must(io.WriteString(channel, "stty size; exit\n"))(t)
	if said := must(io.ReadAll(channel))(t); !strings.Contains(string(said), "33 99") {
		t.Fatalf("%q", said)
	}
	// A command that is being read when the context ends is closed alone.
	ctx, cancel := context.WithCancel(soon(t))
	want(t, waiting(t, func() error { _, err := client.Run(ctx, "sleep 600"); return err }, cancel), context.Canceled)
	must(client.Run(soon(t), "true"))(t)
}

// openDir is a directory for everybody, as sshd may run as another user.
func openDir(t *testing.T) string {
	root := t.TempDir()
	check(t, os.Chmod(filepath.Dir(root), 0o755))
	check(t, os.Chmod(root, 0o777))
	return root
}

func TestFiles(t *testing.T) {
	peers(t, func(t *testing.T, client *sshwire.Transport) {
		ctx := soon(t)
		sftp := must(client.SFTP(ctx))(t)
		defer sftp.Close()
		root := openDir(t)
		in := func(name string) string { return root + "/" + name }
		_, err := sftp.Stat(ctx, in("absent"))
		want(t, err, fs.ErrNotExist)
		want(t, err, sshwire.ErrSFTP)
		check(t, sftp.Mkdir(ctx, in("sub"), 0o755))
		noise := make([]byte, 3<<20)
		rand.Read(noise)
		file := must(sftp.Create(ctx, in("noise")))(t)
		if n := must(io.Copy(file, bytes.NewReader(noise)))(t); n != int64(len(noise)) {
			t.Fatal(n)
		}
		must(file.WriteAt([]byte("here"), 1000))(t)
		copy(noise[1000:], "here")
		check(t, file.Sync())
		if position := must(file.Seek(-5, io.SeekEnd))(t); position != int64(len(noise))-5 {
			t.Fatal(position)
		}
		if rest := must(io.ReadAll(file))(t); !bytes.Equal(rest, noise[len(noise)-5:]) {
			t.Fatal(rest)
		}
		if info := must(file.Stat())(t); info.Size() != int64(len(noise)) || info.Name() != "noise" {
			t.Fatal(info)
		}
		check(t, file.Close())
		check(t, file.Close())
		_, err = file.Write([]byte("x"))
		want(t, err, os.ErrClosed)

		file = must(sftp.Open(ctx, in("noise")))(t)
		if text := must(io.ReadAll(file.WithContext(ctx)))(t); !bytes.Equal(text, noise) {
			t.Fatal("other bytes")
		}
		var all sync.WaitGroup
		for i := 0; i < 30; i++ {
			all.Add(1)
			go func(at int64) {
				defer all.Done()
				piece := make([]byte, 50000)
				if _, err := file.ReadAt(piece, at); err != nil || !bytes.Equal(piece, noise[at:at+50000]) {
					t.Error(at, err)
				}
			}(int64(i) * 100000)
		}
		all.Wait()
		n, err := file.ReadAt(make([]byte, 10), int64(len(noise))-4)
		if n != 4 || err != io.EOF {
			t.Fatal(n, err)
		}
		if _, err := file.ReadAt(make([]byte, 10), int64(len(noise))); err != io.EOF {
			t.Fatal(err)
		}

		few := must(sftp.Create(ctx, in("sub/few")))(t)
		must(few.Write(noise[:300]))(t)
		check(t, few.Close())
		check(t, sftp.Symlink(ctx, "sub", in("link")))
		if target := must(sftp.ReadLink(ctx, in("link")))(t); target != "sub" {
			t.Fatal(target)
		}
		if real := must(sftp.RealPath(ctx, in("link/few")))(t); !strings.HasSuffix(real, "/sub/few") {
			t.Fatal(real)
		}
		if info := must(sftp.Lstat(ctx, in("link")))(t); info.Mode().Type() != fs.ModeSymlink {
			t.Fatal(info.Mode())
		}
		check(t, sftp.Remove(ctx, in("link")))
		check(t, sftp.Chmod(ctx, in("noise"), 0o640))
		then := time.Unix(1234567890, 0)
		check(t, sftp.Chtimes(ctx, in("noise"), then, then))
		if info := must(sftp.Stat(ctx, in("noise")))(t); info.Mode() != 0o640 || !info.ModTime().Equal(then) {
			t.Fatal(info.Mode(), info.ModTime())
		}
		check(t, sftp.Chmod(ctx, in("noise"), 0o644))
		check(t, fstest.TestFS(sftp.FS(ctx, in("sub")), "few"))
		check(t, sftp.Remove(ctx, in("sub/few")))
		check(t, sftp.Rename(ctx, in("noise"), in("sub/b")))

		told := 0
		local := t.TempDir()
		check(t, sftp.Get(ctx, in("sub"), local+"/copy", sshwire.Recursive, func(p sshwire.Progress) bool { told++; return true }))
		if text := must(os.ReadFile(local + "/copy/b"))(t); !bytes.Equal(text, noise) || told == 0 {
			t.Fatal(len(text), told)
		}
		check(t, sftp.Put(ctx, local+"/copy/b", in("up"), 0, nil))
		err = sftp.Get(ctx, in("up"), local+"/no", 0, func(sshwire.Progress) bool { panic("again") })
		want(t, err, sshwire.ErrCancelled)
		check(t, sftp.Truncate(ctx, in("up"), 5))
		check(t, sftp.Remove(ctx, in("up")))
		check(t, sftp.Remove(ctx, in("sub/b")))
		check(t, sftp.RemoveDir(ctx, in("sub")))
		if entries := must(sftp.ReadDir(ctx, root))(t); len(entries) != 0 {
			t.Fatal(entries)
		}
	})
}

// A deadline ends a call and nothing else; a context that is cancelled ends its SFTP, and the transport goes on.
func TestFilesThatWait(t *testing.T) {
	server := newServer(t)
	check(t, server.HandleSubsystem("sftp", func(channel *sshwire.Channel, _ string) int {
		// It agrees on a version and never answers again.
		channel.Read(make([]byte, 9))
		channel.Write([]byte{0, 0, 0, 5, 2, 0, 0, 0, 3})
		io.Copy(io.Discard, channel)
		return 0
	}))
	near, far := tcpPair(t)
	client, _ := join(t, server, near, far)
	sftp := must(client.SFTP(soon(t)))(t)
	stat := func(ctx context.Context) error { _, err := sftp.Stat(ctx, "x"); return err }
	for i := 0; i < 2; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		err := stat(ctx)
		want(t, err, context.DeadlineExceeded)
		want(t, err, sshwire.ErrTimeout)
	}
	ctx, cancel := context.WithCancel(context.Background())
	want(t, waiting(t, func() error { return stat(ctx) }, cancel), context.Canceled)
	want(t, stat(context.Background()), os.ErrClosed)
	sftp = must(client.SFTP(soon(t)))(t)
	if err := waiting(t, func() error { return stat(context.Background()) }, func() { sftp.Close() }); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	sftp = must(client.SFTP(soon(t)))(t)
	if err := waiting(t, func() error { return stat(context.Background()) }, func() { client.Close() }); err == nil {
		t.Fatal("it went well")
	}
}

// echo answers each connection with what came, once all has come.
func echo(t *testing.T, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			text, err := io.ReadAll(conn)
			if err != nil {
				t.Error(err)
			}
			conn.Write(bytes.ToUpper(text))
		}()
	}
}

func shout(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	text := strings.Repeat("all the same. ", 20000)
	go func() {
		io.WriteString(conn, text)
		conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	if said, err := io.ReadAll(conn); err != nil || string(said) != strings.ToUpper(text) {
		t.Error(len(said), err)
	}
}

func TestForwarding(t *testing.T) {
	peers(t, func(t *testing.T, client *sshwire.Transport) {
		here := must(net.Listen("tcp", "127.0.0.1:0"))(t)
		defer here.Close()
		go echo(t, here)
		var all sync.WaitGroup
		several := func(dial func() (net.Conn, error)) {
			t.Helper()
			for i := 0; i < 10; i++ {
				all.Add(1)
				go func() {
					defer all.Done()
					conn, err := dial()
					if err != nil {
						t.Error(err)
						return
					}
					shout(t, conn)
				}()
			}
			all.Wait()
		}
		several(func() (net.Conn, error) { return client.Dial(soon(t), "tcp", here.Addr().String()) })
		_, err := client.Dial(soon(t), "tcp", "127.0.0.1:1")
		want(t, err, sshwire.ErrChannel)
		_, err = client.Dial(soon(t), "tcp", "127.0.0.1")
		want(t, err, sshwire.ErrInvalidArg)

		there := must(client.Listen(soon(t), "tcp", "127.0.0.1:0"))(t)
		go echo(t, there)
		several(func() (net.Conn, error) { return net.Dial("tcp", there.Addr().String()) })
		check(t, there.Close())
		check(t, there.Close())
		_, err = there.Accept()
		want(t, err, net.ErrClosed)

		local := must(client.ForwardLocal("tcp", "127.0.0.1:0", "tcp", here.Addr().String()))(t)
		several(func() (net.Conn, error) { return net.Dial("tcp", local.Addr().String()) })
		remote := must(client.ForwardRemote(soon(t), "tcp", "127.0.0.1:0", "tcp", here.Addr().String()))(t)
		several(func() (net.Conn, error) { return net.Dial("tcp", remote.Addr().String()) })
		if c := local.Counters(); c.Connections != 10 || c.Failed != 0 || c.Sent != 10*280000 {
			t.Fatalf("%+v", c)
		}
		check(t, local.Stop())
		check(t, local.Close())
		check(t, local.Close())
		check(t, remote.Close())
		path := openDir(t) + "/socket"
		there = must(client.Listen(soon(t), "unix", path))(t)
		go echo(t, there)
		check(t, os.Chmod(path, 0o777))
		several(func() (net.Conn, error) { return client.Dial(soon(t), "unix", path) })
		several(func() (net.Conn, error) { return net.Dial("unix", path) })
		if a := there.Addr(); a.Network() != "unix" || a.String() != path {
			t.Fatal(a)
		}
		check(t, there.Close())
		_, err = client.Listen(soon(t), "unix", "relative")
		want(t, err, sshwire.ErrInvalidArg)
		dynamic := must(client.ForwardDynamic("tcp", "127.0.0.1:0"))(t)
		defer dynamic.Close()
		several(func() (net.Conn, error) { return socks(dynamic.Addr().String(), here.Addr().(*net.TCPAddr)) })
		far := must(client.ForwardRemoteDynamic(soon(t), "tcp", "127.0.0.1:0", here.Addr().String()+" [::1]:*"))(t)
		defer far.Close()
		several(func() (net.Conn, error) { return socks(far.Addr().String(), here.Addr().(*net.TCPAddr)) })
		none := must(client.ForwardRemoteDynamic(soon(t), "tcp", "127.0.0.1:0", "none"))(t)
		defer none.Close()
		if _, err := socks(none.Addr().String(), here.Addr().(*net.TCPAddr)); err == nil {
			t.Fatal("nothing is permitted")
		}
		_, err = client.ForwardRemoteDynamic(soon(t), "tcp", "127.0.0.1:0", "")
		want(t, err, sshwire.ErrInvalidArg)

		listener := must(client.Listen(soon(t), "tcp", "127.0.0.1:0"))(t)
		ctx, cancel := context.WithCancel(soon(t))
		want(t, waiting(t, func() error { _, err := listener.AcceptContext(ctx); return err }, cancel), context.Canceled)
		want(t, waiting(t, func() error { _, err := listener.Accept(); return err }, func() { client.Close() }), net.ErrClosed)
		_, err = client.Listen(soon(t), "tcp", "127.0.0.1:0")
		want(t, err, net.ErrClosed)
	})
}

func socks(proxy string, target *net.TCPAddr) (net.Conn, error) {
	conn, err := net.Dial("tcp", proxy)
	if err != nil {
		return nil, err
	}
	ip := target.IP.To4()
	conn.Write([]byte{4, 1, byte(target.Port >> 8), byte(target.Port), ip[0], ip[1], ip[2], ip[3], 0})
	answer := make([]byte, 8)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[1] != 90 {
		return nil, errors.New("SOCKS: refused")
	}
	return conn, nil
}

// OpenSSH's client at a server in Go.
func TestOpenSSHClient(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("no ssh")
	}
	server, listener := newServer(t), must(net.Listen("tcp", "127.0.0.1:0"))(t)
	ctx, cancel := context.WithCancel(soon(t))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	dir := t.TempDir()
	check(t, userKey.Save(dir+"/key", ""))
	check(t, os.WriteFile(dir+"/known", []byte("go "+hostKey.Line()+"\n"), 0o600))
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	run := func(command, input string) (string, string, int) {
		c := exec.CommandContext(ctx, ssh, "-F", "none", "-p", port, "-i", dir+"/key", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
			"-o", "UserKnownHostsFile="+dir+"/known", "-o", "HostKeyAlias=go", "alice@127.0.0.1", command)
		var out, errors strings.Builder
		c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errors
		c.Run()
		return out.String(), errors.String(), c.ProcessState.ExitCode()
	}
	if out, errors, code := run("talk", ""); out != "out" || !strings.Contains(errors, "err") || code != 7 {
		t.Fatal(out, errors, code)
	}
	text := strings.Repeat("to and fro ", 100000)
	if out, errors, code := run("cat", text); out != text || code != 0 {
		t.Fatal(len(out), errors, code)
	}
	if _, errors, code := run("panic", ""); code != 255 {
		t.Fatal(errors, code)
	}
	cancel()
	want(t, <-served, context.Canceled)
}
