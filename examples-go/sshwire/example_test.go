package sshwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"sshwire.example/go/sshwire"
)

// A client that runs a command, and is done in a minute in any case.
func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	key, err := sshwire.LoadKey("id_ed25519", "")
	if err != nil {
		log.Fatal(err)
	}
	hostKey, err := sshwire.ParsePublicKey("ssh-ed25519 AAAA...")
	if err != nil {
		log.Fatal(err)
	}
	transport, err := sshwire.Dial(ctx, "example.org", &sshwire.Config{User: "me", HostKey: hostKey, Key: key})
	if errors.Is(err, sshwire.ErrHostKey) {
		log.Fatal("somebody else answers: ", err)
	} else if err != nil {
		log.Fatal(err)
	}
	defer transport.Close()
	done, err := transport.Run(ctx, "uname -a")
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(done.Output)
}

// A server that echoes, to whoever knows the password.
func ExampleServer_Serve() {
	hostKey, err := sshwire.GenerateKey(sshwire.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	server := sshwire.NewServer()
	server.AddKey(hostKey)
	server.Handle(sshwire.KindAuthPassword, func(question *sshwire.Request) {
		if question.User() == "me" && question.Password() == "secret" {
			question.Accept()
		}
	})
	server.Handle(sshwire.KindOpenChannel, func(question *sshwire.Request) { question.Accept() })
	server.Handle(sshwire.KindShell, func(question *sshwire.Request) {
		channel := question.Channel()
		if question.Accept() != nil {
			return
		}
		go func() {
			defer channel.Close()
			io.Copy(channel, channel)
			channel.SendExit(0)
		}()
	})
	listener, err := net.Listen("tcp", "127.0.0.1:2222")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(context.Background(), listener))
}

// A key that both sides can name.
func ExampleKey() {
	key, err := sshwire.ParsePublicKey("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f someone")
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	fmt.Println(key.Type(), key.IsPrivate())
	// Output: ssh-ed25519 false
}
