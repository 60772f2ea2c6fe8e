package sshwire_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"time"

	"sshwire.example/go/sshwire"
)

func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	hostKey, err := sshwire.ParsePublicKey("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtQUDZWhs8k/cZcykMkaUX7ujkYhVBAoTvX2pJNz4cJ")
	if err != nil {
		log.Fatal(err)
	}
	key, err := sshwire.LoadKey("id_ed25519", "")
	if err != nil {
		log.Fatal(err)
	}
	transport, err := sshwire.Dial(ctx, "example.org:22", &sshwire.Config{User: "me", HostKey: hostKey, Key: key})
	if err != nil {
		log.Fatal(err)
	}
	defer transport.Close()
	result, err := transport.Run(ctx, "uname -a")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", result.Output)
}

// A web server that only the other machine can reach, and its files.
func ExampleTransport() {
	var transport *sshwire.Transport // of Dial
	client := http.Client{Transport: &http.Transport{DialContext: transport.Dial}}
	client.Get("http://localhost:8080/")

	ctx := context.Background()
	sftp, err := transport.SFTP(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer sftp.Close()
	names, err := fs.Glob(sftp.FS(ctx, "/var/log"), "*.log")
	fmt.Println(names, err)
}

func ExampleServer() {
	server := sshwire.NewServer()
	hostKey, err := sshwire.LoadKey("host_ed25519", "")
	if err != nil {
		log.Fatal(err)
	}
	server.AddKey(hostKey)
	server.Handle(sshwire.KindAuthPassword, func(question *sshwire.Request) {
		if question.User() == "alice" && question.Password() == "wonderland" {
			question.Accept()
		}
	})
	server.Handle(sshwire.KindOpenChannel, func(question *sshwire.Request) { question.Accept() })
	server.Handle(sshwire.KindExec, func(question *sshwire.Request) {
		channel, command := question.Channel(), question.Command()
		if question.Accept() == nil {
			go func() {
				defer channel.Close()
				fmt.Fprintf(channel, "You said: %s\n", command)
				channel.SendExit(0)
			}()
		}
	})
	listener, err := net.Listen("tcp", ":2222")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(context.Background(), listener))
}
