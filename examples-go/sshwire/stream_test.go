package sshwire_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// gate is a connection whose peer reads nothing while it is shut. A write with a deadline then fails as if that had
// passed, and Close waits for writes, as that of crypto/tls does for some.
type gate struct {
	net.Conn
	mu       sync.Mutex
	changed  *sync.Cond
	shut     bool
	deadline time.Time
	writes   int
	waits    chan struct{} // a write has found it shut
	closed   chan struct{}
}

func newGate(conn net.Conn) *gate {
	g := &gate{Conn: conn, waits: make(chan struct{}, 1), closed: make(chan struct{})}
	g.changed = sync.NewCond(&g.mu)
	return g
}

func (g *gate) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	g.changed.Broadcast()
}

func (g *gate) Write(p []byte) (int, error) {
	g.set(func() { g.writes++ })
	defer g.set(func() { g.writes-- })
	g.mu.Lock()
	for g.shut {
		select {
		case g.waits <- struct{}{}:
		default:
		}
		if !g.deadline.IsZero() {
			g.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		g.changed.Wait()
	}
	g.mu.Unlock()
	return g.Conn.Write(p)
}

func (g *gate) SetWriteDeadline(t time.Time) error {
	g.set(func() { g.deadline = t })
	return g.Conn.SetWriteDeadline(t)
}

func (g *gate) SetDeadline(t time.Time) error {
	g.set(func() { g.deadline = t })
	return g.Conn.SetDeadline(t)
}

func (g *gate) Close() error {
	g.mu.Lock()
	for g.writes > 0 {
		g.changed.Wait()
	}
	g.mu.Unlock()
	close(g.closed)
	return g.Conn.Close()
}

// tlsPair is a connection in TLS, with a gate below the near end.
func tlsPair(t *testing.T) (net.Conn, net.Conn, *gate) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	near, far := tcpPair(t)
	gate := newGate(near)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	return tls.Client(gate, &tls.Config{InsecureSkipVerify: true}), tls.Server(far, config), gate
}

// Over TLS what a peer does not read for a while waits, and goes on; it does not break the connection.
func TestPeerThatReadsLateOverTLS(t *testing.T) {
	near, far, gate := tlsPair(t)
	client, _ := join(t, newServer(t), near, far)
	channel := start(t, client, "cat").WithContext(soon(t))
	gate.set(func() { gate.shut = true })
	must(channel.Write([]byte("late")))(t)
	<-gate.waits
	gate.set(func() { gate.shut = false })
	check(t, channel.CloseWrite())
	if said, err := io.ReadAll(channel); err != nil || string(said) != "late" {
		t.Fatalf("%q %v", said, err)
	}
}

// A deadline that the program has set before, for a handshake say, is not the transport's.
func TestDeadlineFromBeforeOverTLS(t *testing.T) {
	near, far, _ := tlsPair(t)
	check(t, near.SetDeadline(time.Unix(1, 0)))
	join(t, newServer(t), near, far)
}

// Close ends a write that a peer holds up who never reads again.
func TestPeerThatNeverReadsOverTLS(t *testing.T) {
	near, far, gate := tlsPair(t)
	client, _ := join(t, newServer(t), near, far)
	channel := start(t, client, "cat")
	gate.set(func() { gate.shut = true })
	must(channel.Write([]byte("never")))(t)
	<-gate.waits
	check(t, client.Close())
	select {
	case <-gate.closed:
	case <-soon(t).Done():
		t.Fatal("it goes on")
	}
}
