// Runs a command on another machine: what the client of the README does, with every failure told.
//
//	client HOST:PORT 'ssh-ed25519 AAAA...' USER PRIVATE-KEY-FILE COMMAND
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"sshwire.example/go/sshwire"
)

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: client HOST:PORT HOST-KEY-LINE USER PRIVATE-KEY-FILE COMMAND")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	done, err := run(ctx, os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	var failure *sshwire.Error
	switch {
	case errors.As(err, &failure):
		fmt.Fprintf(os.Stderr, "%v: %v\n", failure.Status, err)
		os.Exit(255)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(255)
	}
	os.Stdout.Write(done.Output)
	os.Stderr.Write(done.ErrorOutput)
	if done.Signal != "" {
		fmt.Fprintln(os.Stderr, "ended by SIG"+done.Signal)
	}
	if done.Signal != "" || !done.Known {
		os.Exit(255)
	}
	os.Exit(done.Status)
}

func run(ctx context.Context, address, hostKeyLine, user, keyFile, command string) (*sshwire.Result, error) {
	hostKey, err := sshwire.ParsePublicKey(hostKeyLine)
	if err != nil {
		return nil, err
	}
	key, err := sshwire.LoadKey(keyFile, "")
	if err != nil {
		return nil, err
	}
	login, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	transport, err := sshwire.Dial(login, address, &sshwire.Config{User: user, HostKey: hostKey, Key: key})
	if err != nil {
		return nil, err
	}
	defer transport.Close()
	return transport.Run(ctx, command)
}
