// Package sshwire is SSH-2, client and server, over the C library libsshwire.
//
// A client:
//
//	transport, err := sshwire.Dial(ctx, "example.org:22", &sshwire.Config{User: "me", HostKey: hostKey, Key: key})
//	if err != nil {
//		return err
//	}
//	defer transport.Close()
//	done, err := transport.Run(ctx, "uname -a")
//
// # Contexts
//
// Everything that waits takes a [context.Context] or, where an interface of the standard library leaves no room for
// one, has a WithContext method. A goroutine that waits holds no thread: it waits in Go's poller for an event of the
// library's. When the context ends, so does the call, alone, and what it fails with is the context's error, too. The
// exceptions are said where they are: authentication, [Channel.Wait], and the calls of [SFTP].
//
// # Ends
//
// Every object has a Close (a [Request] has an answer), which may be called from any goroutine, in any order, any number
// of times, and does not wait for the network; only that of a [File] does. What is forgotten is closed once the garbage
// collector finds it, listeners and forwardings too. Channels, files and listeners keep the transport they were made
// with; the channels that a [Request] gives do not.
//
// # Questions
//
// What the library has to ask, such as whether a host key is good or a user may in, comes as a [Request] to a function
// of the program's. Nothing is trusted and nobody is let in unless the program says so; a function that panics has
// refused. The questions of one transport come one after another, each as soon as the function for the one before has
// returned, so what takes long belongs into a goroutine.
package sshwire

// #cgo pkg-config: sshwire
import "C"
