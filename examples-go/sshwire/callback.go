package sshwire

/*
#include "callback.h"
*/
import "C"

import (
	"errors"
	"io"
	"log"
	"net"
	"runtime/cgo"
	"runtime/debug"
	"time"
	"unsafe"
)

// given hands a function of the program's to C. Where C does not take it, it will never end its life either.
func given(function any, take func(C.uintptr_t) C.ssh_status) error {
	handle := cgo.NewHandle(function)
	status := take(C.uintptr_t(handle))
	if status != C.SSH_OK {
		handle.Delete()
	}
	return failure(status)
}

// survive ends a panic where it must not go on into C, and reports it as net/http does.
func survive(what string) {
	if cause := recover(); cause != nil {
		log.Printf("sshwire: panic in a function for %s: %v\n%s", what, cause, debug.Stack())
	}
}

//export goDestroy
func goDestroy(function C.uintptr_t) {
	if arrivals, ok := cgo.Handle(function).Value().(*arrivals); ok {
		arrivals.end()
	}
	cgo.Handle(function).Delete()
}

//export goRequest
func goRequest(handle *C.ssh_request, function C.uintptr_t) {
	request := newRequest(handle)
	defer request.forget() // which refuses what has no answer
	defer survive("a request")
	cgo.Handle(function).Value().(func(*Request))(request)
	request.kept = request.later
}

//export goSubsystem
func goSubsystem(handle *C.ssh_channel, name *C.char, function C.uintptr_t) (status C.int32_t) {
	defer survive("a subsystem")
	status = -1
	serve := cgo.Handle(function).Value().(func(*Channel, string) int)
	return C.int32_t(serve(borrow(handle), C.GoString(name)))
}

//export goKeepalive
func goKeepalive(roundTripMicroseconds C.int64_t, missed C.uint32_t, function C.uintptr_t) {
	defer survive("keepalive")
	heard := cgo.Handle(function).Value().(func(time.Duration, int))
	heard(time.Duration(roundTripMicroseconds)*time.Microsecond, int(missed))
}

//export goLog
func goLog(level C.int32_t, channel, message *C.char, function C.uintptr_t) {
	defer survive("the log")
	cgo.Handle(function).Value().(func(LogLevel, string, string))(LogLevel(level), C.GoString(channel), C.GoString(message))
}

//export goForward
func goForward(handle *C.ssh_channel, function C.uintptr_t) {
	cgo.Handle(function).Value().(*arrivals).add(handle)
}

//export goProgress
func goProgress(function C.uintptr_t, file *C.char, done, total, files, skipped C.uint64_t) (goOn C.bool) {
	defer survive("progress")
	tell := cgo.Handle(function).Value().(func(Progress) bool)
	size := int64(total)
	return C.bool(tell(Progress{C.GoString(file), int64(done), size, int(files), int(skipped)}))
}

//export goStreamRead
func goStreamRead(buffer unsafe.Pointer, capacity C.size_t, conn C.uintptr_t) (count C.int32_t) {
	defer survive("reading")
	count = C.SSH_ERR_CALLBACK
	return carried(cgo.Handle(conn).Value().(net.Conn).Read(bytesOf(buffer, capacity)))
}

//export goStreamWrite
func goStreamWrite(data unsafe.Pointer, length C.size_t, conn C.uintptr_t) (count C.int32_t) {
	defer survive("writing")
	count = C.SSH_ERR_CALLBACK
	return carried(cgo.Handle(conn).Value().(net.Conn).Write(bytesOf(data, length)))
}

//export goStreamClose
func goStreamClose(conn C.uintptr_t) {
	defer survive("closing")
	stream := cgo.Handle(conn).Value().(net.Conn)
	// Close of crypto/tls waits for what its Read answers by itself, such as a KeyUpdate, and that for a peer who reads.
	stream.SetDeadline(time.Unix(1, 0))
	stream.Close()
}

//export goChannelGone
func goChannelGone(handle C.uintptr_t) { gone(uintptr(handle)) }

// carried is what reading or writing came to, as C wants it. It is never SSH_ERR_TIMEOUT, to be called again: after a
// deadline that has passed in Write, or in a handshake, crypto/tls gives the same error for ever. So Read and Write have
// no deadlines and wait until goStreamClose.
func carried(count int, err error) C.int32_t {
	switch {
	case count > 0:
		return C.int32_t(count)
	case err == nil || errors.Is(err, io.EOF):
		return 0
	default:
		return C.SSH_ERR_IO
	}
}

// bytesOf sees memory of C's as a slice, at most 1 GiB of it.
func bytesOf(start unsafe.Pointer, length C.size_t) []byte {
	if start == nil || length == 0 {
		return nil
	}
	if length > 1<<30 {
		length = 1 << 30
	}
	return unsafe.Slice((*byte)(start), int(length))
}
