package sshwire

/*
#include <stdlib.h>
#include <string.h>
#include <sshwire.h>
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// A KeyKind is a type of key.
type KeyKind int

// Kinds of keys.
const (
	Ed25519   KeyKind = C.SSH_KEY_ED25519
	ECDSAP256 KeyKind = C.SSH_KEY_ECDSA_P256
	ECDSAP384 KeyKind = C.SSH_KEY_ECDSA_P384
	ECDSAP521 KeyKind = C.SSH_KEY_ECDSA_P521
	RSA       KeyKind = C.SSH_KEY_RSA
)

// A Key is a public key, or a private one with it. It never changes.
type Key struct{ handle *C.ssh_key }

func newKey(handle *C.ssh_key, detail **C.ssh_error) (*Key, error) {
	if handle == nil {
		return nil, outcome(C.SSH_ERR_BAD_HANDLE, detail)
	}
	key := &Key{handle}
	runtime.SetFinalizer(key, (*Key).Close)
	return key, nil
}

// GenerateKey makes a private key of the best size for its kind.
func GenerateKey(kind KeyKind) (*Key, error) {
	var detail *C.ssh_error
	return newKey(C.ssh_key_generate(C.int32_t(kind), 0, nil, &detail), &detail)
}

// ParsePublicKey reads a line such as "ssh-ed25519 AAAA... comment".
func ParsePublicKey(line string) (*Key, error) {
	text, end, err := cString(line)
	if err != nil {
		return nil, err
	}
	defer end()
	var detail *C.ssh_error
	return newKey(C.ssh_key_from_line(text, &detail), &detail)
}

// ParseKey reads the contents of a key file. The passphrase is "" where there is none.
func ParseKey(data []byte, passphrase string) (*Key, error) {
	text, wipe, err := passphraseString(passphrase)
	if err != nil {
		return nil, err
	}
	defer wipe()
	var detail *C.ssh_error
	if len(data) == 0 {
		return newKey(C.ssh_key_load(nil, 0, text, &detail), &detail)
	}
	return newKey(C.ssh_key_load(unsafe.Pointer(&data[0]), C.size_t(len(data)), text, &detail), &detail)
}

// LoadKey reads a key file.
func LoadKey(path, passphrase string) (*Key, error) {
	file, end, err := cString(path)
	if err != nil {
		return nil, err
	}
	defer end()
	text, wipe, err := passphraseString(passphrase)
	if err != nil {
		return nil, err
	}
	defer wipe()
	var detail *C.ssh_error
	return newKey(C.ssh_key_load_file(file, text, &detail), &detail)
}

// Save writes the private key in OpenSSH's format, encrypted if the passphrase is not "", to a file for the user only.
func (k *Key) Save(path, passphrase string) error {
	defer runtime.KeepAlive(k)
	file, end, err := cString(path)
	if err != nil {
		return err
	}
	defer end()
	text, wipe, err := passphraseString(passphrase)
	if err != nil {
		return err
	}
	defer wipe()
	var detail *C.ssh_error
	return outcome(C.ssh_key_save_file(k.get(), file, C.SSH_KEY_FORMAT_OPENSSH, text, &detail), &detail)
}

// Close frees the key.
func (k *Key) Close() error {
	C.ssh_key_free(k.get())
	return nil
}

// Line is the public key as it stands in authorized_keys; "" once it is closed.
func (k *Key) Line() string {
	defer runtime.KeepAlive(k)
	return text(C.ssh_key_public_line(k.get(), nil))
}

// Fingerprint is "SHA256:...".
func (k *Key) Fingerprint() string {
	defer runtime.KeepAlive(k)
	return text(C.ssh_key_fingerprint(k.get()))
}

// Type is the name of the type, such as "ssh-ed25519".
func (k *Key) Type() string {
	defer runtime.KeepAlive(k)
	return C.GoString(C.ssh_key_type(k.get()))
}

// IsPrivate tells whether it can sign.
func (k *Key) IsPrivate() bool {
	defer runtime.KeepAlive(k)
	return bool(C.ssh_key_is_private(k.get()))
}

// Equal tells whether the public keys are the same.
func (k *Key) Equal(other *Key) bool {
	defer runtime.KeepAlive(k)
	defer runtime.KeepAlive(other)
	return bool(C.ssh_key_equals(k.get(), other.get()))
}

func (k *Key) get() *C.ssh_key {
	if k == nil {
		return nil
	}
	return k.handle
}

// cString is a string for C, and what ends its life. No string of C's holds a NUL.
func cString(s string) (*C.char, func(), error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, nil, &Error{Status: ErrInvalidArg, Message: "there is a NUL in a text"}
	}
	text, end := cBytes(s)
	return text, end, nil
}

// cBytes is any bytes, with a NUL behind them. They are wiped at the end, as they may be a secret.
func cBytes(s string) (*C.char, func()) {
	bytes := C.CString(s)
	return bytes, func() {
		C.memset(unsafe.Pointer(bytes), 0, C.size_t(len(s)))
		C.free(unsafe.Pointer(bytes))
	}
}

// passphraseString is NULL for "".
func passphraseString(s string) (*C.char, func(), error) {
	if s == "" {
		return nil, func() {}, nil
	}
	return cString(s)
}

// text takes a string that C gives away.
func text(taken *C.char) string {
	defer C.ssh_memory_free(unsafe.Pointer(taken))
	return C.GoString(taken)
}
