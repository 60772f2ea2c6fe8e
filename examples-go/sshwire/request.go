package sshwire

/*
#include <stdlib.h>
#include "callback.h"
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// A Kind is what a [Request] asks.
type Kind int

// Kinds of requests; sshwire.h says more about each.
const (
	KindAny           Kind = C.SSH_REQUEST_ANY             // to handle: every kind that has no function of its own
	KindHostKey       Kind = C.SSH_REQUEST_HOST_KEY        // client: is this the server's key? Key
	KindPrompts       Kind = C.SSH_REQUEST_PROMPTS         // client: what are the answers? Prompts, AnswerPrompts
	KindAuthMethods   Kind = C.SSH_REQUEST_AUTH_METHODS    // which methods has this user? User, AcceptMethods
	KindAuthNone      Kind = C.SSH_REQUEST_AUTH_NONE       // may this user in? User
	KindAuthPassword  Kind = C.SSH_REQUEST_AUTH_PASSWORD   // with this password? User, Password
	KindAuthKeyAsked  Kind = C.SSH_REQUEST_AUTH_KEY_ASKED  // would this key do? It proves nothing. User, Key
	KindAuthKey       Kind = C.SSH_REQUEST_AUTH_KEY_PROVEN // with this key, which the client has? User, Key
	KindAuthPrompts   Kind = C.SSH_REQUEST_AUTH_INTERACTIVE
	KindAuthAnswers   Kind = C.SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS
	KindOpenChannel   Kind = C.SSH_REQUEST_CHANNEL_OPEN // may a channel open? ChannelKind
	KindPty           Kind = C.SSH_REQUEST_PTY          // all these: Channel
	KindShell         Kind = C.SSH_REQUEST_SHELL
	KindExec          Kind = C.SSH_REQUEST_EXEC      // Command
	KindSubsystem     Kind = C.SSH_REQUEST_SUBSYSTEM // Name
	KindEnv           Kind = C.SSH_REQUEST_ENV       // Name, Value
	KindWindowChange  Kind = C.SSH_REQUEST_WINDOW_CHANGE
	KindSignal        Kind = C.SSH_REQUEST_SIGNAL  // Name
	KindConnect       Kind = C.SSH_REQUEST_CONNECT // forwarding: connect to Destination? Serve
	KindListen        Kind = C.SSH_REQUEST_LISTEN  // forwarding: listen on Destination? Serve
	KindCancelListen  Kind = C.SSH_REQUEST_CANCEL_LISTEN
	KindGlobalRequest Kind = C.SSH_REQUEST_GLOBAL_REQUEST
)

// A Request is a question of the library's or, through it, of the peer's. It is refused if the function that it was
// given to returns without an answer, unless the function has called [Request.Later].
type Request struct {
	handle      *C.ssh_request
	later, kept bool
}

func newRequest(handle *C.ssh_request) *Request {
	request := &Request{handle: handle}
	runtime.SetFinalizer(request, (*Request).free)
	return request
}

func (r *Request) free() { C.ssh_request_free(r.handle) }

func (r *Request) forget() {
	if !r.kept {
		r.free()
	}
}

// Later keeps the question, to be answered from any goroutine after the function has returned.
func (r *Request) Later() { r.later = true }

// Accept says yes.
func (r *Request) Accept() error {
	defer runtime.KeepAlive(r)
	return failure(C.ssh_request_accept(r.handle))
}

// Refuse says no.
func (r *Request) Refuse() error {
	defer runtime.KeepAlive(r)
	return failure(C.ssh_request_refuse(r.handle))
}

// AcceptPartial says that the credentials are good, and that one of the methods must follow.
func (r *Request) AcceptPartial(methods ...string) error {
	defer runtime.KeepAlive(r)
	names, end, err := cString(strings.Join(methods, ","))
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_request_accept_partial(r.handle, names))
}

// AcceptMethods says which methods the user may try, for KindAuthMethods: "publickey", "password", ...
func (r *Request) AcceptMethods(methods ...string) error {
	defer runtime.KeepAlive(r)
	names, end, err := cString(strings.Join(methods, ","))
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_request_accept_methods(r.handle, names))
}

// SendBanner sends a text for the user to read, before a question about authentication is answered.
func (r *Request) SendBanner(banner string) error {
	defer runtime.KeepAlive(r)
	text, end, err := cString(banner)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_request_send_banner(r.handle, text))
}

// AcceptChannel lets a channel open, and takes it: for KindOpenChannel and KindConnect.
func (r *Request) AcceptChannel() (*Channel, error) {
	defer runtime.KeepAlive(r)
	var detail *C.ssh_error
	handle := C.ssh_request_accept_channel(r.handle, &detail)
	if handle == nil {
		return nil, outcome(C.SSH_ERR_CLOSED, &detail)
	}
	return own(handle, nil), nil
}

// AcceptSFTP accepts a KindSubsystem and serves the files on its channel.
func (r *Request) AcceptSFTP(files *SFTPServer) error {
	defer runtime.KeepAlive(r)
	defer runtime.KeepAlive(files)
	var detail *C.ssh_error
	status := C.ssh_request_accept_sftp(r.handle, files.handle, &detail)
	return outcome(status, &detail)
}

// Serve accepts KindConnect or KindListen and does what is asked: connects or listens, and copies. Whether the Destination is
// allowed is for the program to say.
func (r *Request) Serve() error {
	defer runtime.KeepAlive(r)
	var detail *C.ssh_error
	status := C.ssh_request_serve(r.handle, &detail)
	return outcome(status, &detail)
}

// Kind is what is asked.
func (r *Request) Kind() Kind {
	defer runtime.KeepAlive(r)
	return Kind(C.ssh_request_kind(r.handle))
}

// User is who wants in.
func (r *Request) User() string {
	defer runtime.KeepAlive(r)
	return C.GoString(C.ssh_request_username(r.handle))
}

// PartialSuccesses is how many times [Request.AcceptPartial] counts for this user. A change of the user name begins anew.
func (r *Request) PartialSuccesses() int {
	defer runtime.KeepAlive(r)
	return int(C.ssh_request_partial_successes(r.handle))
}

// Password is what KindAuthPassword came with.
func (r *Request) Password() string {
	defer runtime.KeepAlive(r)
	var length C.size_t
	start := C.ssh_request_password(r.handle, &length)
	return string(bytesOf(unsafe.Pointer(start), length))
}

// Key is the server's key for KindHostKey, the user's for KindAuthKey; nil for other kinds.
func (r *Request) Key() *Key {
	defer runtime.KeepAlive(r)
	key, _ := newKey(C.ssh_request_key(r.handle), nil)
	return key
}

// ChannelKind is "session", or another kind for KindOpenChannel.
func (r *Request) ChannelKind() string {
	defer runtime.KeepAlive(r)
	return C.GoString(C.ssh_request_channel_kind(r.handle))
}

// Channel is what the request is about, the same for all requests on it. It lives until it is closed or its transport
// ends, and is not closed for being forgotten.
func (r *Request) Channel() *Channel {
	defer runtime.KeepAlive(r)
	return borrow(C.ssh_request_channel(r.handle))
}

// Command is the command line of KindExec.
func (r *Request) Command() string {
	defer runtime.KeepAlive(r)
	var length C.size_t
	start := C.ssh_request_command(r.handle, &length)
	return string(bytesOf(unsafe.Pointer(start), length))
}

// Name is that of a subsystem, a variable, a signal or a global request.
func (r *Request) Name() string {
	defer runtime.KeepAlive(r)
	return C.GoString(C.ssh_request_name(r.handle))
}

// Value is that of a variable.
func (r *Request) Value() string {
	defer runtime.KeepAlive(r)
	var length C.size_t
	start := C.ssh_request_value(r.handle, &length)
	return string(bytesOf(unsafe.Pointer(start), length))
}

// Terminal is what KindPty and KindWindowChange tell.
func (r *Request) Terminal() (term string, columns, rows int) {
	defer runtime.KeepAlive(r)
	var c, h C.uint32_t
	C.ssh_request_terminal_size(r.handle, &c, &h, nil, nil)
	return C.GoString(C.ssh_request_term(r.handle)), int(c), int(h)
}

// Destination is where KindConnect wants to, and where KindListen wants to listen.
func (r *Request) Destination() Addr {
	defer runtime.KeepAlive(r)
	var port C.uint16_t
	host := C.ssh_request_destination(r.handle, &port)
	return addr(host, port)
}

// Origin is where the connection comes from that KindConnect is about.
func (r *Request) Origin() Addr {
	defer runtime.KeepAlive(r)
	var port C.uint16_t
	host := C.ssh_request_origin(r.handle, &port)
	return addr(host, port)
}

// Prompts are what KindPrompts asks for; echo tells which answers may be seen while they are typed.
func (r *Request) Prompts() (texts []string, echo []bool) {
	defer runtime.KeepAlive(r)
	for i := C.size_t(0); i < C.ssh_request_prompt_count(r.handle); i++ {
		var seen C.bool
		texts = append(texts, C.GoString(C.ssh_request_prompt(r.handle, i, &seen)))
		echo = append(echo, bool(seen))
	}
	return texts, echo
}

// AnswerPrompts answers KindPrompts, with as many answers as there are prompts.
func (r *Request) AnswerPrompts(answers ...string) error {
	defer runtime.KeepAlive(r)
	texts, end, err := cStrings(answers)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_request_answer_prompts(r.handle, texts, C.size_t(len(answers))))
}

// Ask puts prompts to the user, for KindAuthPrompts and KindAuthAnswers. The answers come as KindAuthAnswers.
func (r *Request) Ask(title string, prompts ...string) error {
	defer runtime.KeepAlive(r)
	head, end, err := cString(title)
	if err != nil {
		return err
	}
	defer end()
	texts, end, err := cStrings(prompts)
	if err != nil {
		return err
	}
	defer end()
	return failure(C.ssh_request_ask(r.handle, head, nil, texts, nil, C.size_t(len(prompts))))
}

// Answers are what the user gave to the prompts of KindAuthAnswers.
func (r *Request) Answers() (answers []string) {
	defer runtime.KeepAlive(r)
	for i := C.size_t(0); i < C.ssh_request_answer_count(r.handle); i++ {
		var length C.size_t
		start := C.ssh_request_answer(r.handle, i, &length)
		answers = append(answers, string(bytesOf(unsafe.Pointer(start), length)))
	}
	return answers
}

// cStrings makes an array of strings in C's memory.
func cStrings(texts []string) (**C.char, func(), error) {
	array := (**C.char)(C.calloc(C.size_t(len(texts)+1), C.size_t(unsafe.Sizeof((*C.char)(nil)))))
	made := unsafe.Slice(array, len(texts)+1)
	end := func() {
		for _, text := range made {
			C.free(unsafe.Pointer(text))
		}
		C.free(unsafe.Pointer(array))
	}
	for i, s := range texts {
		text, _, err := cString(s)
		if err != nil {
			end()
			return nil, nil, err
		}
		made[i] = text
	}
	return array, end, nil
}

// SetLog sends what the library has to say about all transports to a function. It takes one line at a time.
func SetLog(level LogLevel, line func(level LogLevel, channel, message string)) error {
	return given(line, func(function C.uintptr_t) C.ssh_status {
		return C.go_set_log_callback(C.int32_t(level), function)
	})
}

// A LogLevel is how much is logged.
type LogLevel int

// Log levels.
const (
	LogNone    LogLevel = C.SSH_LOG_NONE
	LogError   LogLevel = C.SSH_LOG_ERROR
	LogWarning LogLevel = C.SSH_LOG_WARNING
	LogInfo    LogLevel = C.SSH_LOG_INFO
	LogDebug   LogLevel = C.SSH_LOG_DEBUG
)
