// Command go-ssh is the adapter of golang.org/x/crypto/ssh and github.com/pkg/sftp, client and server.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

func told(name string) string { return os.Getenv("PEER_" + name) }

func die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(255)
}

func must[T any](value T, err error) T {
	if err != nil {
		die(err)
	}
	return value
}

func key(name string) ssh.Signer {
	return must(ssh.ParsePrivateKey(must(os.ReadFile(told(name)))))
}

func config() ssh.Config {
	supported := ssh.SupportedAlgorithms()
	insecure := ssh.InsecureAlgorithms()
	config := ssh.Config{
		Ciphers:      append(supported.Ciphers, insecure.Ciphers...),
		KeyExchanges: append(supported.KeyExchanges, insecure.KeyExchanges...),
		MACs:         append(supported.MACs, insecure.MACs...),
	}
	if told("REKEY") != "" {
		config.RekeyThreshold = must(strconv.ParseUint(told("REKEY"), 10, 64))
	}
	return config
}

func dial() *ssh.Client {
	var method ssh.AuthMethod
	switch told("AUTH") {
	case "password":
		method = ssh.Password(told("PASSWORD"))
	case "keyboard-interactive":
		method = ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range answers {
				answers[i] = told("PASSWORD")
			}
			return answers, nil
		})
	default:
		method = ssh.PublicKeys(key("KEY"))
	}
	return must(ssh.Dial("tcp", "127.0.0.1:"+told("PORT"), &ssh.ClientConfig{
		Config:          config(),
		User:            told("USER"),
		Auth:            []ssh.AuthMethod{method},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	}))
}

func run(client *ssh.Client, command string) {
	session := must(client.NewSession())
	session.Stdout, session.Stderr = os.Stdout, os.Stderr
	input := must(session.StdinPipe())
	go func() {
		io.Copy(input, os.Stdin)
		input.Close()
	}()
	err := session.Run(command)
	var exited *ssh.ExitError
	if errors.As(err, &exited) {
		os.Exit(exited.ExitStatus())
	}
	if err != nil {
		die(err)
	}
}

func forward(client *ssh.Client, host, port string) {
	there := must(client.Dial("tcp", net.JoinHostPort(host, port)))
	go func() {
		io.Copy(there, os.Stdin)
		there.(interface{ CloseWrite() error }).CloseWrite()
	}()
	io.Copy(os.Stdout, there)
}

func files(client *ssh.Client, arguments []string) {
	there := must(sftp.NewClient(client))
	switch arguments[0] {
	case "put":
		to := must(there.Create(arguments[2]))
		must(io.Copy(to, must(os.Open(arguments[1]))))
		must(0, to.Close())
	case "get":
		must(io.Copy(must(os.Create(arguments[2])), must(there.Open(arguments[1]))))
	case "list":
		for _, entry := range must(there.ReadDir(arguments[1])) {
			fmt.Println(entry.Name())
		}
	}
}

func serve(connection net.Conn, config *ssh.ServerConfig) {
	_, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		switch offered.ChannelType() {
		case "session":
			if channel, requests, err := offered.Accept(); err == nil {
				go session(channel, requests)
			}
		case "direct-tcpip":
			go direct(offered)
		default:
			offered.Reject(ssh.UnknownChannelType, "no such channel")
		}
	}
}

func direct(offered ssh.NewChannel) {
	var wanted struct {
		Host     string
		Port     uint32
		From     string
		FromPort uint32
	}
	if ssh.Unmarshal(offered.ExtraData(), &wanted) != nil {
		offered.Reject(ssh.ConnectionFailed, "nonsense")
		return
	}
	there, err := net.Dial("tcp", net.JoinHostPort(wanted.Host, strconv.Itoa(int(wanted.Port))))
	if err != nil {
		offered.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		io.Copy(there, channel)
		there.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(channel, there)
	channel.Close()
}

func session(channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		var named struct{ Text string }
		ssh.Unmarshal(request.Payload, &named)
		switch {
		case request.Type == "exec":
			request.Reply(true, nil)
			go func() {
				defer channel.Close()
				command := exec.Command("/bin/sh", "-c", named.Text)
				command.Stdout, command.Stderr = channel, channel.Stderr()
				input, _ := command.StdinPipe()
				go func() {
					io.Copy(input, channel)
					input.Close()
				}()
				command.Run()
				channel.CloseWrite()
				status := struct{ Status uint32 }{uint32(command.ProcessState.ExitCode())}
				channel.SendRequest("exit-status", false, ssh.Marshal(status))
			}()
		case request.Type == "subsystem" && named.Text == "sftp":
			request.Reply(true, nil)
			go func() {
				defer channel.Close()
				if server, err := sftp.NewServer(channel); err == nil {
					server.Serve()
				}
			}()
		default:
			request.Reply(false, nil)
		}
	}
}

func server() {
	authorized := must(os.ReadFile(told("AUTHORIZED_KEYS")))
	config := &ssh.ServerConfig{
		Config: config(),
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != told("PASSWORD") {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || answers[0] != told("PASSWORD") {
				return nil, errors.New("wrong answer")
			}
			return nil, nil
		},
		PublicKeyCallback: func(_ ssh.ConnMetadata, shown ssh.PublicKey) (*ssh.Permissions, error) {
			lines := bufio.NewScanner(bytes.NewReader(authorized))
			for lines.Scan() {
				known, _, _, _, err := ssh.ParseAuthorizedKey(lines.Bytes())
				if err == nil && bytes.Equal(known.Marshal(), shown.Marshal()) {
					return nil, nil
				}
			}
			return nil, errors.New("unknown key")
		},
	}
	config.AddHostKey(key("HOST_KEY"))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		connection, err := listener.Accept()
		if err != nil {
			die(err)
		}
		go serve(connection, config)
	}
}

func main() {
	arguments := os.Args[1:]
	switch arguments[0] {
	case "version":
		build, _ := debug.ReadBuildInfo()
		for _, module := range build.Deps {
			if module.Path == "golang.org/x/crypto" {
				fmt.Println(module.Version)
			}
		}
	case "server":
		server()
	case "client":
		client := dial()
		switch arguments[1] {
		case "run":
			run(client, arguments[2])
		case "forward":
			forward(client, arguments[2], arguments[3])
		default:
			files(client, arguments[1:])
		}
		client.Close()
	}
}
