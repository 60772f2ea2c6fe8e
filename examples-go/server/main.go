// A server that greets: it lets in whoever holds one key and answers every command.
//
//	server PORT 'ssh-ed25519 AAAA...'      a port of 127.0.0.1, and the public key of who may in
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"sshwire.example/go/sshwire"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: server PORT PUBLIC-KEY-LINE")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, os.Args[1], os.Args[2]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, port, friendLine string) error {
	friend, err := sshwire.ParsePublicKey(friendLine)
	if err != nil {
		return err
	}
	hostKey, err := sshwire.GenerateKey(sshwire.Ed25519)
	if err != nil {
		return err
	}
	server := sshwire.NewServer()
	server.AddKey(hostKey)
	// Only once the client has proven that it holds the key.
	server.Handle(sshwire.KindAuthKey, func(question *sshwire.Request) {
		if question.Key().Equal(friend) {
			question.Accept()
		}
	})
	server.Handle(sshwire.KindOpenChannel, func(question *sshwire.Request) {
		if question.ChannelKind() == "session" {
			question.Accept()
		}
	})
	server.Handle(sshwire.KindExec, func(question *sshwire.Request) {
		channel, command := question.Channel(), question.Command()
		if question.Accept() == nil {
			go greet(channel, command)
		}
	})
	listener, err := sshwire.NewServerListener()
	if err != nil {
		return err
	}
	if _, err := listener.Bind("tcp", "127.0.0.1:"+port); err != nil {
		return err
	}
	fmt.Println(hostKey.Line())
	return listener.Serve(ctx, server)
}

func greet(channel *sshwire.Channel, command string) {
	defer channel.Close()
	if _, err := fmt.Fprintf(channel, "You said: %s\n", command); err == nil {
		channel.SendExit(0)
	}
}
