/*
 * sshwire.h - SSH-2, client and server, for programs in any language.
 *
 * Generated from the sources of libsshwire; changes made here are lost.
 *
 * A client in ten lines; README.md has one that says what went wrong:
 *
 *     ssh_key *host_key = ssh_key_from_line("ssh-ed25519 AAAAC3Nza...", NULL);
 *     ssh_transport *transport = ssh_transport_new_address("example.org:22", 10000, NULL);
 *     ssh_channel *channel = NULL;
 *     if (ssh_transport_connect(transport, host_key, "user", "password", NULL, 10000, NULL) == SSH_OK)
 *         channel = ssh_transport_open_session(transport, 10000, NULL);
 *     char text[4096]; size_t length;
 *     if (ssh_channel_request_exec(channel, "uname -a", 10000, NULL) == SSH_OK)
 *         while (ssh_channel_read(channel, text, sizeof text, &length, 60000) == SSH_OK)
 *             fwrite(text, 1, length, stdout);
 *     ssh_channel_free(channel); ssh_transport_free(transport); ssh_key_free(host_key);
 *
 * HANDLES. Every type below is opaque and made by a function of this library. A handle is not an address: it is
 * checked in every call, so that NULL, a freed handle, a handle of another type or a stray value make the call
 * fail with SSH_ERR_BAD_HANDLE (or return NULL, false or 0 where there is no status) and never harm anything.
 * Each ssh_..._free() takes NULL, may be called in any order and from any thread, and never waits for the
 * network.
 *
 * THREADS. Every function may be called from any thread, for any handle, at any time, unless its comment says
 * otherwise. A handle behind a pointer to const is not changed by the call. The library's threads block all
 * signals, it installs no signal handler, and it never raises SIGPIPE.
 *
 * RESULTS. Functions that make a handle return it, or NULL. Others return an ssh_status: 0 is success, negative
 * is a failure, positive an ordinary outcome. Functions with several causes of failure take an ssh_error ** as
 * last argument, which may be NULL; each call overwrites it, with NULL on success, so free an earlier one first.
 * Outputs are set to 0 or NULL on failure.
 *
 * MEMORY. `const char *` and `const void *` results belong to the object they were asked of and live until it
 * is freed. `char *` results, and what comes out through a `void **`, belong to the caller: ssh_memory_free().
 * Handles that functions return are the caller's to free, unless the comment says otherwise.
 * Arguments are copied, or not needed once the call returns. Text is UTF-8; C strings end in NUL. Passwords and data
 * come with a length and may hold any byte, and so do commands that are received. Commands that are given, and the
 * password of ssh_transport_connect(), are C strings of any bytes.
 *
 * TIME. Calls that wait take timeout_ms in milliseconds: 0 does not wait, SSH_TIMEOUT_FOREVER (-1) waits as long
 * as it takes, SSH_TIMEOUT_DEFAULT (-2) is what the comment says. When the connection ends, every call that
 * waits for it returns at once with the cause. ssh_transport_cancel() wakes them all. SSH_ERR_TIMEOUT is also the
 * cause where the session ended because its peer was silent for too long: then ssh_transport_is_active() is false,
 * and to call again is no use. SSH_AGAIN never stands for that.
 *
 * QUESTIONS. What the library has to ask the program - is this host key good, may this user in - comes as an
 * ssh_request. Nothing is trusted and nobody is let in unless the program says so.
 *
 * CALLBACKS take a userdata pointer and a destroy function for it, which is called exactly once, when nothing uses
 * the pointer any more. Where the call that they were given to fails, it is not called, and the pointer stays the
 * program's; only ssh_transport_request_port_forward() calls it then too. They run on threads of the library with no
 * lock held, may call any function, and must not unwind or longjmp.
 *
 * FORK. In a forked child, handles made before the fork fail with SSH_ERR_FORKED, except keys and errors, which
 * may be used on, and ssh_transport_atfork(). New transports work.
 */

#ifndef SSHWIRE_H
#define SSHWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(__cplusplus) && (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L)
#error "sshwire.h needs C99 or later"
#endif

/**
 * Major version of the header. It rises when a program must be changed or compiled anew.
 */
#define SSH_VERSION_MAJOR 0

/**
 * Minor version of the header. It rises when something was added.
 */
#define SSH_VERSION_MINOR 1

/**
 * Patch version of the header.
 */
#define SSH_VERSION_PATCH 0

/**
 * The version of the header as one number, 0xMMmmpp; compare with ssh_version_number().
 */
#define SSH_VERSION_NUMBER 256

/**
 * The call did what was asked.
 */
#define SSH_OK 0

/**
 * The peer has sent everything it will send; nothing was read.
 */
#define SSH_EOF 1

/**
 * Nothing can be done right now, and the call was asked not to wait (timeout 0).
 */
#define SSH_AGAIN 2

/**
 * The credentials were accepted but more are wanted: see ssh_transport_auth_methods().
 */
#define SSH_PARTIAL 3

/**
 * Class of misuse by the calling program.
 */
#define SSH_CLASS_USAGE 1

/**
 * Class of failures of the operating system.
 */
#define SSH_CLASS_SYSTEM 2

/**
 * Class of calls that were ended: deadline, cancellation, closed or lost connections.
 */
#define SSH_CLASS_ENDED 3

/**
 * Class of a peer that breaks the protocol.
 */
#define SSH_CLASS_PROTOCOL 4

/**
 * Class of key exchange and host key failures.
 */
#define SSH_CLASS_KEX 5

/**
 * Class of authentication failures.
 */
#define SSH_CLASS_AUTH 6

/**
 * Class of refused channels and requests.
 */
#define SSH_CLASS_CHANNEL 7

/**
 * Class of key and key file failures.
 */
#define SSH_CLASS_KEY 8

/**
 * Class of faults of this library.
 */
#define SSH_CLASS_INTERNAL 9

/**
 * An argument is NULL, out of range, not UTF-8 or otherwise not what the function takes.
 */
#define SSH_ERR_INVALID_ARG -101

/**
 * The handle is NULL, was freed, is of another type, or was never a handle.
 */
#define SSH_ERR_BAD_HANDLE -102

/**
 * The call does not fit the state of the object, such as authenticating twice.
 */
#define SSH_ERR_STATE -103

/**
 * The call was made inside a callback and would wait for something that only the return of that
 * callback can bring about.
 */
#define SSH_ERR_WOULD_DEADLOCK -104

/**
 * The process was forked; the handle belongs to the parent process.
 */
#define SSH_ERR_FORKED -105

/**
 * The function or the algorithm is known and not supported.
 */
#define SSH_ERR_UNSUPPORTED -106

/**
 * A callback of the program returned what it must not, such as a count larger than its buffer.
 */
#define SSH_ERR_CALLBACK -107

/**
 * A configuration file or an option says what makes no sense: the message names file and line, and what to do.
 */
#define SSH_ERR_CONFIG -110

/**
 * The system refused an operation on a socket or file: ssh_error_errno().
 */
#define SSH_ERR_IO -201

/**
 * The host name could not be resolved.
 */
#define SSH_ERR_RESOLVE -202

/**
 * The machine ran out of memory, threads or descriptors.
 */
#define SSH_ERR_RESOURCE -203

/**
 * The deadline passed.
 */
#define SSH_ERR_TIMEOUT -301

/**
 * ssh_transport_cancel() ended the call.
 */
#define SSH_ERR_CANCELLED -302

/**
 * The transport or channel was closed or freed by this side.
 */
#define SSH_ERR_CLOSED -303

/**
 * The connection ended without the peer saying goodbye.
 */
#define SSH_ERR_CONN_LOST -304

/**
 * The peer disconnected: ssh_error_disconnect_reason() and ssh_error_peer_text().
 */
#define SSH_ERR_DISCONNECTED -305

/**
 * The peer broke the protocol.
 */
#define SSH_ERR_PROTOCOL -401

/**
 * The peer's identification line was refused, or it speaks another version.
 */
#define SSH_ERR_VERSION -402

/**
 * A packet failed its authentication check: it was changed on the way.
 */
#define SSH_ERR_MAC -403

/**
 * Compressed data were corrupt or grew past the limit.
 */
#define SSH_ERR_COMPRESSION -404

/**
 * A limit set against hostile peers was reached.
 */
#define SSH_ERR_LIMIT -405

/**
 * The peer sent more than the channel's window allows.
 */
#define SSH_ERR_WINDOW -406

/**
 * The peer does not offer the service that was asked for.
 */
#define SSH_ERR_SERVICE -407

/**
 * The two sides have no algorithm in common: ssh_error_algorithm_list().
 */
#define SSH_ERR_NEGOTIATION -501

/**
 * Key exchange failed.
 */
#define SSH_ERR_KEX -502

/**
 * The host key was refused, is not the expected one, did not prove itself, or nobody accepted it.
 */
#define SSH_ERR_HOSTKEY -503

/**
 * New keys are needed: ssh_packetizer_need_rekey().
 */
#define SSH_ERR_NEED_REKEY -504

/**
 * The credentials were refused: ssh_error_auth_methods() tells what else may be tried.
 */
#define SSH_ERR_AUTH -601

/**
 * There is no agent, or it broke its protocol: ssh_error_message() tells which. One that says no is SSH_ERR_DENIED.
 */
#define SSH_ERR_AGENT -602

/**
 * The peer refused to open the channel: ssh_error_channel_reason() and ssh_error_peer_text().
 */
#define SSH_ERR_CHANNEL -701

/**
 * The peer, or the agent, answered the request with a failure.
 */
#define SSH_ERR_DENIED -702

/**
 * The SFTP server refused the request (ssh_error_sftp_status() and ssh_error_peer_text()), broke its protocol,
 * or ended.
 */
#define SSH_ERR_SFTP -703

/**
 * The bytes are no key, or a broken one.
 */
#define SSH_ERR_KEY_MALFORMED -801

/**
 * The format or type of the key is known and not supported.
 */
#define SSH_ERR_KEY_UNSUPPORTED -802

/**
 * The key is encrypted and no passphrase was given.
 */
#define SSH_ERR_PASSPHRASE_MISSING -803

/**
 * The passphrase does not fit the key.
 */
#define SSH_ERR_PASSPHRASE_WRONG -804

/**
 * Signing failed, or the signature does not verify.
 */
#define SSH_ERR_SIGNATURE -805

/**
 * A certificate does not count: expired, for somebody else, by an authority that is not trusted, ...
 */
#define SSH_ERR_CERTIFICATE -806

/**
 * The key or certificate is revoked.
 */
#define SSH_ERR_REVOKED -807

/**
 * Others than its owner may read the file of a private key, and it was not loaded for that.
 */
#define SSH_ERR_KEY_EXPOSED -808

/**
 * A fault of this library, never of the program or the peer. Please report it.
 */
#define SSH_ERR_INTERNAL -901

/**
 * Kind of key: ssh-ed25519. The best choice for a new key.
 */
#define SSH_KEY_ED25519 1

/**
 * Kind of key: ecdsa-sha2-nistp256.
 */
#define SSH_KEY_ECDSA_P256 2

/**
 * Kind of key: ecdsa-sha2-nistp384.
 */
#define SSH_KEY_ECDSA_P384 3

/**
 * Kind of key: ecdsa-sha2-nistp521.
 */
#define SSH_KEY_ECDSA_P521 4

/**
 * Kind of key: RSA, signing with rsa-sha2-512 and rsa-sha2-256.
 */
#define SSH_KEY_RSA 5

/**
 * Kind of key: sk-ssh-ed25519@openssh.com, in a FIDO authenticator; public keys only.
 */
#define SSH_KEY_SK_ED25519 6

/**
 * Kind of key: sk-ecdsa-sha2-nistp256@openssh.com, in a FIDO authenticator; public keys only.
 */
#define SSH_KEY_SK_ECDSA_P256 7

/**
 * File format: OpenSSH's own ("BEGIN OPENSSH PRIVATE KEY"), encrypted with aes256-ctr and bcrypt.
 */
#define SSH_KEY_FORMAT_OPENSSH 1

/**
 * File format: PKCS#8 PEM ("BEGIN PRIVATE KEY", and "BEGIN PUBLIC KEY" for public keys), as other programs than SSH
 * read it.
 */
#define SSH_KEY_FORMAT_PKCS8 2

/**
 * File format: PKCS#1 PEM ("BEGIN RSA PRIVATE KEY", and "BEGIN RSA PUBLIC KEY" for public keys). Private keys are only
 * read in it.
 */
#define SSH_KEY_FORMAT_PKCS1 3

/**
 * File format: SEC1 PEM ("BEGIN EC PRIVATE KEY"). Only read.
 */
#define SSH_KEY_FORMAT_SEC1 4

/**
 * File format: PuTTY's private key, version 2. Only read.
 */
#define SSH_KEY_FORMAT_PPK2 5

/**
 * File format: PuTTY's private key, version 3. Only read.
 */
#define SSH_KEY_FORMAT_PPK3 6

/**
 * File format of public keys: one line, `type base64 comment`, as in .pub files.
 */
#define SSH_KEY_FORMAT_LINE 7

/**
 * File format of public keys: RFC 4716 ("BEGIN SSH2 PUBLIC KEY").
 */
#define SSH_KEY_FORMAT_RFC4716 8

/**
 * Kind of certificate: for a user, who logs in with the key.
 */
#define SSH_CERTIFICATE_USER 1

/**
 * Kind of certificate: for a host, which proves itself with the key.
 */
#define SSH_CERTIFICATE_HOST 2

/**
 * Room for a passphrase that is asked for, its NUL included.
 */
#define SSH_PASSPHRASE_SIZE 1024

/**
 * Hash: SHA-256, which everybody shows today.
 */
#define SSH_HASH_SHA256 1

/**
 * Hash: MD5, only to compare with what was written down long ago. Other keys with the same MD5 can be made.
 */
#define SSH_HASH_MD5 2

/**
 * Hash: SHA-1, in SSHFP records only.
 */
#define SSH_HASH_SHA1 3

/**
 * Hash: SHA-512, in signatures over messages only: ssh_sshsig_sign().
 */
#define SSH_HASH_SHA512 4

/**
 * Preset: nothing that ssh-audit fails or warns of. For both ends under your control.
 */
#define SSH_PRESET_MODERN 1

/**
 * Preset: the default. Safe, and understood by all peers of the last ten years.
 */
#define SSH_PRESET_COMPATIBLE 2

/**
 * Preset: the default, and behind it SHA-1, CBC and small groups for old network gear.
 */
#define SSH_PRESET_LEGACY 3

/**
 * As timeout_ms: wait as long as it takes.
 */
#define SSH_TIMEOUT_FOREVER -1

/**
 * As timeout_ms: the timeout set on the channel with ssh_channel_set_timeout(), or on the transport with
 * ssh_transport_set_timeout(), for this kind of call.
 */
#define SSH_TIMEOUT_DEFAULT -2

/**
 * Which timeout: from the start to the end of the first key exchange; 15,000 ms at first. Before the start only.
 */
#define SSH_TIMEOUT_KIND_HANDSHAKE 1

/**
 * Which timeout: the peer's part in later key exchanges; 60,000 ms at first. Before the start only.
 */
#define SSH_TIMEOUT_KIND_REKEY 2

/**
 * Which timeout: each authentication call of a client; 30,000 ms at first.
 */
#define SSH_TIMEOUT_KIND_AUTH 3

/**
 * Which timeout: opening a channel, and requests on channels that wait for an answer; 60,000 ms at first.
 */
#define SSH_TIMEOUT_KIND_CHANNEL 4

/**
 * Which algorithm: of the key exchange.
 */
#define SSH_ALGORITHM_KEX 1

/**
 * Which algorithm: of the server's signature; for RSA keys more exact than the type of the key.
 */
#define SSH_ALGORITHM_HOST_KEY 2

/**
 * Which algorithm: the cipher of what we send.
 */
#define SSH_ALGORITHM_CIPHER_SENT 3

/**
 * Which algorithm: the cipher of what we receive.
 */
#define SSH_ALGORITHM_CIPHER_RECEIVED 4

/**
 * Which algorithm: the MAC of what we send; "implicit" with a cipher that needs none.
 */
#define SSH_ALGORITHM_MAC_SENT 5

/**
 * Which algorithm: the MAC of what we receive; "implicit" with a cipher that needs none.
 */
#define SSH_ALGORITHM_MAC_RECEIVED 6

/**
 * Which algorithm: the compression of what we send.
 */
#define SSH_ALGORITHM_COMPRESSION_SENT 7

/**
 * Which algorithm: the compression of what we receive.
 */
#define SSH_ALGORITHM_COMPRESSION_RECEIVED 8

/**
 * Which figure: packets sent.
 */
#define SSH_STATISTIC_PACKETS_SENT 0

/**
 * Which figure: their bytes, as on the wire.
 */
#define SSH_STATISTIC_BYTES_SENT 1

/**
 * Which figure: packets received.
 */
#define SSH_STATISTIC_PACKETS_RECEIVED 2

/**
 * Which figure: their bytes, as on the wire.
 */
#define SSH_STATISTIC_BYTES_RECEIVED 3

/**
 * Which figure: key exchanges, the first one included.
 */
#define SSH_STATISTIC_KEY_EXCHANGES 4

/**
 * Which figure: microseconds until the peer answered the last keepalive; UINT64_MAX while there was no answer.
 */
#define SSH_STATISTIC_ROUND_TRIP_US 5

/**
 * Which figure: writes that had to wait because the peer's window was used up.
 */
#define SSH_STATISTIC_WINDOW_STALLS 6

/**
 * Which figure: channels there are now.
 */
#define SSH_STATISTIC_CHANNELS 7

/**
 * How many figures there are.
 */
#define SSH_STATISTIC_COUNT 8

/**
 * Verdict: the host is known to have this key.
 */
#define SSH_KNOWN_HOSTS_MATCH 1

/**
 * Verdict: nothing is known about the host.
 */
#define SSH_KNOWN_HOSTS_UNKNOWN 2

/**
 * Verdict: the host is known to have keys, but none of this type. Where the known ones were offered first, as
 * ssh_known_hosts_order() has them, this is as bad as SSH_KNOWN_HOSTS_CHANGED, and ssh makes no difference.
 */
#define SSH_KNOWN_HOSTS_OTHER_TYPE 3

/**
 * Verdict: the host is known to have another key of this type.
 */
#define SSH_KNOWN_HOSTS_CHANGED 4

/**
 * Verdict: the key is marked `@revoked`, whatever else is known.
 */
#define SSH_KNOWN_HOSTS_REVOKED 5

/**
 * No marker: the hosts have the key.
 */
#define SSH_KNOWN_HOSTS_MARKER_NONE 0

/**
 * `@cert-authority`: the key signs certificates of the hosts.
 */
#define SSH_KNOWN_HOSTS_MARKER_AUTHORITY 1

/**
 * `@revoked`: the key must not be trusted, nor certificates that it has signed.
 */
#define SSH_KNOWN_HOSTS_MARKER_REVOKED 2

/**
 * LocalForward.
 */
#define SSH_CONFIG_FORWARD_LOCAL 0

/**
 * RemoteForward.
 */
#define SSH_CONFIG_FORWARD_REMOTE 1

/**
 * DynamicForward.
 */
#define SSH_CONFIG_FORWARD_DYNAMIC 2

/**
 * Log level: nothing.
 */
#define SSH_LOG_NONE 0

/**
 * Log level: what ends a connection.
 */
#define SSH_LOG_ERROR 1

/**
 * Log level: what is odd and does not end it.
 */
#define SSH_LOG_WARNING 2

/**
 * Log level: what a connection does, a few lines each.
 */
#define SSH_LOG_INFO 3

/**
 * Log level: what helps to find a fault; with ssh_transport_set_hexdump() all packets.
 */
#define SSH_LOG_DEBUG 4

/**
 * Condition of a channel: reading would return data or SSH_EOF at once.
 */
#define SSH_CHANNEL_READABLE 1

/**
 * Condition of a channel: reading from stderr would return data or SSH_EOF at once.
 */
#define SSH_CHANNEL_STDERR_READABLE 2

/**
 * Condition of a channel: writing would take at least one byte, or fail, at once.
 */
#define SSH_CHANNEL_WRITABLE 4

/**
 * Condition of a channel: the peer has sent EOF; there may be data left to read.
 */
#define SSH_CHANNEL_EOF 8

/**
 * Condition of a channel: it is closed; there may be data left to read.
 */
#define SSH_CHANNEL_CLOSED 16

/**
 * How a command ended: not known, because it runs, or because the server did not say.
 */
#define SSH_EXIT_NONE 0

/**
 * How a command ended: by itself, with a status.
 */
#define SSH_EXIT_STATUS 1

/**
 * How a command ended: by a signal, see ssh_channel_exit_signal().
 */
#define SSH_EXIT_SIGNAL 2

/**
 * Order of keys: as ssh has it, which is those named that the agent has, in its order, what else it has, the others that
 * were named.
 */
#define SSH_AUTH_AGENT_FIRST 0

/**
 * Order of keys: those named, as they were named, then what else the agent has.
 */
#define SSH_AUTH_NAMED_FIRST 1

/**
 * Order of keys: only those named, as they were named.
 */
#define SSH_AUTH_NAMED_ONLY 2

/**
 * All kinds at once, where a kind is set up.
 */
#define SSH_REQUEST_ANY 0

/**
 * Client: is this the server's host key? ssh_request_key().
 */
#define SSH_REQUEST_HOST_KEY 1

/**
 * Client: the server's prompts for keyboard-interactive. With ssh_connect_config() also whether to add a key to the agent,
 * where AddKeysToAgent is `ask`; then ssh_request_name() is the key. ssh_request_title(), ssh_request_instructions(),
 * ssh_request_prompt(); answer with ssh_request_answer_prompts().
 */
#define SSH_REQUEST_PROMPTS 2

/**
 * Client: the user's password at a server, which ssh_connect_config() needs. One hidden prompt, as for
 * SSH_REQUEST_PROMPTS; ssh_request_name() is the user and the host.
 */
#define SSH_REQUEST_PASSWORD 3

/**
 * Client: the passphrase of a key file, which ssh_connect_config() needs. One hidden prompt, as for
 * SSH_REQUEST_PROMPTS; ssh_request_name() is the file.
 */
#define SSH_REQUEST_PASSPHRASE 4

/**
 * Client: the server has other host keys than are known of it; keep them? Asked once, after a user is in, when the server
 * tells of its keys ("hostkeys-00@openssh.com") and its list differs from what the transport's known hosts say
 * (ssh_transport_set_known_hosts()). ssh_request_host_key() gives those that are new, for which the server has proven by
 * signatures that it has them, and those that it has no longer. Accepting writes them into the known hosts: new keys into
 * the first file, and the lines of old ones out of all of the user's. Refusing leaves all as it is, and so does nobody to
 * ask.
 *
 * Not asked, as by ssh: when another file than the user's, a certificate, or a name without the port has vouched for the
 * server; where the host's lines are patterns, lists of more than two names, or have a marker; and where a key of the host
 * is known under another name too. Without known hosts, but with an expected key or one that the program has accepted, all
 * keys but that one count as new, and accepting writes nothing: the program may keep them where it likes, or have
 * ssh_known_hosts_update() do it.
 */
#define SSH_REQUEST_HOST_KEYS 5

/**
 * Server: has this user, whom the client names for the first time, authentication methods of their own? Answer with
 * ssh_request_accept_methods(), or else those of the server hold: ssh_server_set_auth_methods(). The moment for a text
 * for this user, too: ssh_request_send_banner(). Asked if there is a callback for it when the transport starts, or with
 * ssh_server_pull_requests() if no question of authentication has a callback. ssh_request_username().
 */
#define SSH_REQUEST_AUTH_METHODS 9

/**
 * Server: may this user in without credentials? ssh_request_username().
 */
#define SSH_REQUEST_AUTH_NONE 10

/**
 * Server: may this user in with this password? ssh_request_username(), ssh_request_password().
 */
#define SSH_REQUEST_AUTH_PASSWORD 11

/**
 * Server: would this user be let in with this key? The client has not proven that it holds the key, and
 * accepting lets nobody in. ssh_request_username(), ssh_request_key(). Without a callback of its own,
 * the question is put as SSH_REQUEST_AUTH_KEY_PROVEN only, once the proof is there.
 */
#define SSH_REQUEST_AUTH_KEY_ASKED 12

/**
 * Server: may this user in with this key? The client has proven that it holds it. ssh_request_username(),
 * ssh_request_key(), ssh_request_algorithm().
 */
#define SSH_REQUEST_AUTH_KEY_PROVEN 13

/**
 * Server: the user wants keyboard-interactive; answer with ssh_request_ask() or refuse.
 * ssh_request_username(), ssh_request_submethods().
 */
#define SSH_REQUEST_AUTH_INTERACTIVE 14

/**
 * Server: the user's answers to ssh_request_ask(); accept, refuse, or ask again. ssh_request_username(),
 * ssh_request_answer_count(), ssh_request_answer().
 */
#define SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS 15

/**
 * May the peer open this channel? ssh_request_channel_kind(), ssh_request_data(). Once accepted it comes out
 * of ssh_transport_accept(), or of ssh_request_accept_channel(). Channels that connect the client to a target are
 * SSH_REQUEST_CONNECT. Forwarded channels that come from where a client has asked the server to listen are no question.
 */
#define SSH_REQUEST_CHANNEL_OPEN 20

/**
 * Server: a terminal for this channel? ssh_request_channel(), ssh_request_term(),
 * ssh_request_terminal_size(), ssh_request_terminal_modes().
 */
#define SSH_REQUEST_PTY 21

/**
 * Server: start the user's shell? ssh_request_channel().
 */
#define SSH_REQUEST_SHELL 22

/**
 * Server: run a command? ssh_request_channel(), ssh_request_command().
 */
#define SSH_REQUEST_EXEC 23

/**
 * Server: start a subsystem? ssh_request_channel(), ssh_request_name(). For "sftp" answer with ssh_request_accept_sftp().
 */
#define SSH_REQUEST_SUBSYSTEM 24

/**
 * Server: set an environment variable? ssh_request_channel(), ssh_request_name(), ssh_request_value().
 */
#define SSH_REQUEST_ENV 25

/**
 * Server: the client's terminal has another size. ssh_request_channel(), ssh_request_terminal_size().
 */
#define SSH_REQUEST_WINDOW_CHANGE 26

/**
 * Server: a signal for the command. ssh_request_channel(), ssh_request_name() such as "TERM".
 */
#define SSH_REQUEST_SIGNAL 27

/**
 * Server: a break for the command (RFC 4335). ssh_request_channel(), ssh_request_break_length_ms().
 */
#define SSH_REQUEST_BREAK 28

/**
 * Any other request on a channel. ssh_request_channel(), ssh_request_name(), ssh_request_data().
 */
#define SSH_REQUEST_CHANNEL_REQUEST 29

/**
 * Any global request the library does not know. ssh_request_name(), ssh_request_data().
 */
#define SSH_REQUEST_GLOBAL_REQUEST 30

/**
 * Server: connect the client to a target ("direct-tcpip", "direct-streamlocal@openssh.com")?
 * ssh_request_channel_kind(), ssh_request_destination(), ssh_request_origin(). Answered as
 * SSH_REQUEST_CHANNEL_OPEN, or with ssh_request_serve(): then the library connects and carries the data.
 */
#define SSH_REQUEST_CONNECT 31

/**
 * Server: listen for the client, and open a channel to it for each connection
 * (ssh_transport_open_forwarded_tcpip_channel())? ssh_request_destination() is the address, an empty one for all, or
 * the path of a UNIX socket. Where port 0 is asked for, answer with ssh_request_accept_port(). Or answer with
 * ssh_request_serve(): then the library listens and does the rest, SSH_REQUEST_CANCEL_LISTEN included.
 */
#define SSH_REQUEST_LISTEN 32

/**
 * Server: listen there no longer. ssh_request_destination() as it was granted. Asked only for what was granted by the
 * program, not for what the library serves.
 */
#define SSH_REQUEST_CANCEL_LISTEN 33

/**
 * Server: let programs of this session show windows on the client's display? ssh_request_channel(),
 * ssh_request_name() is the authentication protocol, ssh_request_value() the cookie in hexadecimal,
 * ssh_request_x11_screen(). Answer with ssh_request_serve_x11(), or accept and open channels with
 * ssh_transport_open_x11_channel().
 */
#define SSH_REQUEST_X11 34

/**
 * Server: let programs of this session use the client's agent? ssh_request_channel(). Answer with
 * ssh_request_serve_agent(), or accept and open channels of the kind "auth-agent@openssh.com".
 */
#define SSH_REQUEST_AGENT_FORWARD 35

/**
 * Keys that the server has, as it has proven, and that were not known.
 */
#define SSH_HOST_KEYS_NEW 1

/**
 * Keys that the server has, by its own account, and that were known.
 */
#define SSH_HOST_KEYS_KNOWN 2

/**
 * Keys that were known, and that the server has no longer.
 */
#define SSH_HOST_KEYS_GONE 3

/**
 * Bit of ssh_request_security_key_flags(): somebody has touched the security key.
 */
#define SSH_SECURITY_KEY_PRESENT 1

/**
 * Bit of ssh_request_security_key_flags(): the security key has made sure who it was, by a PIN or a finger.
 */
#define SSH_SECURITY_KEY_VERIFIED 4

/**
 * What a line may do: terminals.
 */
#define SSH_PERMIT_PTY 1

/**
 * What a line may do: forwarding of connections, to the places of its "permitopen" and "permitlisten".
 */
#define SSH_PERMIT_PORT_FORWARDING 2

/**
 * What a line may do: forwarding of the agent.
 */
#define SSH_PERMIT_AGENT_FORWARDING 4

/**
 * What a line may do: forwarding of X11.
 */
#define SSH_PERMIT_X11_FORWARDING 8

/**
 * What a line may do: have the user's rc file run.
 */
#define SSH_PERMIT_USER_RC 16

/**
 * What a line is: the key of an authority ("cert-authority").
 */
#define SSH_PERMIT_CERTIFICATES 32

/**
 * What a connection is penalized for: it has left without having tried to log in; 1,000 ms at first.
 */
#define SSH_PENALTY_NO_AUTH 1

/**
 * What a connection is penalized for: it has ended after attempts to log in that failed; 5,000 ms at first.
 */
#define SSH_PENALTY_AUTH_FAILED 2

/**
 * What a connection is penalized for: it was not logged in when its time was over; 10,000 ms at first.
 */
#define SSH_PENALTY_GRACE_EXCEEDED 3

/**
 * What a connection is penalized for: it has broken the protocol; 10,000 ms at first.
 */
#define SSH_PENALTY_PROTOCOL 4

/**
 * What is counted: connections that were let in.
 */
#define SSH_LISTENER_ACCEPTED 1

/**
 * What is counted: connections that were refused because too many were not logged in yet.
 */
#define SSH_LISTENER_REFUSED_TOTAL 2

/**
 * What is counted: connections that were refused because too many of their source were not logged in yet.
 */
#define SSH_LISTENER_REFUSED_PER_SOURCE 3

/**
 * What is counted: connections that were refused for the penalties of their source.
 */
#define SSH_LISTENER_REFUSED_PENALTY 4

/**
 * What is counted: how often nothing could be accepted because descriptors or memory were short.
 */
#define SSH_LISTENER_SHORTAGES 5

/**
 * What is counted: connections now that are not logged in.
 */
#define SSH_LISTENER_UNAUTHENTICATED 6

/**
 * What is counted: those among them that nobody has taken.
 */
#define SSH_LISTENER_WAITING 7

/**
 * What is counted: sources now that have penalties, whether they are enough to be refused or not.
 */
#define SSH_LISTENER_PENALIZED 8

/**
 * All kinds of operations at once, except SSH_SFTP_OP_REALPATH. Clients are then told of all extensions; what a program does
 * not do, it refuses with SSH_SFTP_STATUS_OP_UNSUPPORTED.
 */
#define SSH_SFTP_OP_ANY 0

/**
 * Open a file. ssh_sftp_operation_path(), ssh_sftp_operation_flags(), ssh_sftp_operation_attributes() for a new one.
 * Answer: ssh_sftp_operation_accept_file().
 */
#define SSH_SFTP_OP_OPEN 1

/**
 * A file or directory is not needed any more: free what ssh_sftp_operation_file() leads to. It is gone whatever the
 * answer is, which can still say that what was written is lost. Without a callback it is answered with yes.
 */
#define SSH_SFTP_OP_CLOSE 2

/**
 * Read. ssh_sftp_operation_file(), ssh_sftp_operation_offset(), ssh_sftp_operation_length().
 * Answer: ssh_sftp_operation_accept_data(), or ssh_sftp_operation_buffer() and ssh_sftp_operation_accept_buffer().
 */
#define SSH_SFTP_OP_READ 3

/**
 * Write all of ssh_sftp_operation_data() at ssh_sftp_operation_offset() of ssh_sftp_operation_file().
 */
#define SSH_SFTP_OP_WRITE 4

/**
 * What is known about ssh_sftp_operation_path(), which may be a symbolic link. Answer:
 * ssh_sftp_operation_accept_attributes(). With a callback for one of this and SSH_SFTP_OP_STAT it gets both.
 */
#define SSH_SFTP_OP_LSTAT 5

/**
 * The same, after symbolic links were followed.
 */
#define SSH_SFTP_OP_STAT 6

/**
 * The same of ssh_sftp_operation_file().
 */
#define SSH_SFTP_OP_FSTAT 7

/**
 * Set those of ssh_sftp_operation_attributes() that are there, of ssh_sftp_operation_path().
 */
#define SSH_SFTP_OP_SETSTAT 8

/**
 * The same for ssh_sftp_operation_file().
 */
#define SSH_SFTP_OP_FSETSTAT 9

/**
 * The same as SSH_SFTP_OP_SETSTAT, of a symbolic link itself ("lsetstat@openssh.com").
 */
#define SSH_SFTP_OP_LSETSTAT 10

/**
 * Open the directory ssh_sftp_operation_path(). Answer: ssh_sftp_operation_accept_file().
 */
#define SSH_SFTP_OP_OPENDIR 11

/**
 * Tell some further entries of ssh_sftp_operation_file(): ssh_sftp_operation_add_name() for each, then
 * ssh_sftp_operation_accept(); without any it is the end of the directory.
 */
#define SSH_SFTP_OP_READDIR 12

/**
 * Remove the file ssh_sftp_operation_path().
 */
#define SSH_SFTP_OP_REMOVE 13

/**
 * Make the directory ssh_sftp_operation_path() with ssh_sftp_operation_attributes().
 */
#define SSH_SFTP_OP_MKDIR 14

/**
 * Remove the directory ssh_sftp_operation_path(), if it is empty.
 */
#define SSH_SFTP_OP_RMDIR 15

/**
 * Give ssh_sftp_operation_path() with its links followed. Answer: ssh_sftp_operation_accept_path(). Without a callback
 * of its own it is answered with the path itself.
 */
#define SSH_SFTP_OP_REALPATH 16

/**
 * Call ssh_sftp_operation_path() ssh_sftp_operation_new_path(), which must not exist.
 */
#define SSH_SFTP_OP_RENAME 17

/**
 * The same; what is called so already is replaced ("posix-rename@openssh.com").
 */
#define SSH_SFTP_OP_POSIX_RENAME 18

/**
 * Tell what the symbolic link ssh_sftp_operation_path() says. Answer: ssh_sftp_operation_accept_path().
 */
#define SSH_SFTP_OP_READLINK 19

/**
 * Make the symbolic link ssh_sftp_operation_path(), which says ssh_sftp_operation_target().
 */
#define SSH_SFTP_OP_SYMLINK 20

/**
 * Call ssh_sftp_operation_path() ssh_sftp_operation_new_path(), too ("hardlink@openssh.com").
 */
#define SSH_SFTP_OP_HARDLINK 21

/**
 * Answer once everything written to ssh_sftp_operation_file() is safe ("fsync@openssh.com").
 */
#define SSH_SFTP_OP_FSYNC 22

/**
 * The state of the file system of ssh_sftp_operation_path() ("statvfs@openssh.com"). Answer:
 * ssh_sftp_operation_accept_statvfs().
 */
#define SSH_SFTP_OP_STATVFS 23

/**
 * The same of ssh_sftp_operation_file() ("fstatvfs@openssh.com").
 */
#define SSH_SFTP_OP_FSTATVFS 24

/**
 * SFTP status: the end of the file or list.
 */
#define SSH_SFTP_STATUS_EOF 1

/**
 * SFTP status: the file does not exist.
 */
#define SSH_SFTP_STATUS_NO_SUCH_FILE 2

/**
 * SFTP status: the user may not.
 */
#define SSH_SFTP_STATUS_PERMISSION_DENIED 3

/**
 * SFTP status: failed for a reason without a code of its own, such as a full disk or a name that exists.
 */
#define SSH_SFTP_STATUS_FAILURE 4

/**
 * SFTP status: the server found the request malformed.
 */
#define SSH_SFTP_STATUS_BAD_MESSAGE 5

/**
 * SFTP status: the server does not do this.
 */
#define SSH_SFTP_STATUS_OP_UNSUPPORTED 8

/**
 * Place among the values of ssh_sftp_statvfs(): block size in bytes.
 */
#define SSH_SFTP_VFS_BLOCK_BYTES 0

/**
 * Place among the values of ssh_sftp_statvfs(): size in bytes of the blocks that are counted.
 */
#define SSH_SFTP_VFS_FRAGMENT_BYTES 1

/**
 * Place among the values of ssh_sftp_statvfs(): blocks in all.
 */
#define SSH_SFTP_VFS_BLOCKS 2

/**
 * Place among the values of ssh_sftp_statvfs(): free blocks.
 */
#define SSH_SFTP_VFS_BLOCKS_FREE 3

/**
 * Place among the values of ssh_sftp_statvfs(): free blocks for users without privileges.
 */
#define SSH_SFTP_VFS_BLOCKS_AVAILABLE 4

/**
 * Place among the values of ssh_sftp_statvfs(): inodes in all.
 */
#define SSH_SFTP_VFS_FILES 5

/**
 * Place among the values of ssh_sftp_statvfs(): free inodes.
 */
#define SSH_SFTP_VFS_FILES_FREE 6

/**
 * Place among the values of ssh_sftp_statvfs(): free inodes for users without privileges.
 */
#define SSH_SFTP_VFS_FILES_AVAILABLE 7

/**
 * Place among the values of ssh_sftp_statvfs(): number of the file system.
 */
#define SSH_SFTP_VFS_ID 8

/**
 * Place among the values of ssh_sftp_statvfs(): 1 is read-only, 2 is without set-user-ID.
 */
#define SSH_SFTP_VFS_FLAGS 9

/**
 * Place among the values of ssh_sftp_statvfs(): longest name in bytes.
 */
#define SSH_SFTP_VFS_NAME_MAX 10

/**
 * How many values ssh_sftp_statvfs() gives.
 */
#define SSH_SFTP_VFS_COUNT 11

/**
 * Type of a file: unknown.
 */
#define SSH_SFTP_TYPE_UNKNOWN 0

/**
 * Type of a file: regular.
 */
#define SSH_SFTP_TYPE_REGULAR 1

/**
 * Type of a file: directory.
 */
#define SSH_SFTP_TYPE_DIRECTORY 2

/**
 * Type of a file: symbolic link.
 */
#define SSH_SFTP_TYPE_SYMLINK 3

/**
 * Type of a file: something else, such as a device or a pipe.
 */
#define SSH_SFTP_TYPE_SPECIAL 4

/**
 * Open for reading.
 */
#define SSH_SFTP_READ 1

/**
 * Open for writing.
 */
#define SSH_SFTP_WRITE 2

/**
 * Write always to the end of the file. One write is under way at a time.
 */
#define SSH_SFTP_APPEND 4

/**
 * Make the file if it does not exist.
 */
#define SSH_SFTP_CREATE 8

/**
 * Empty the file.
 */
#define SSH_SFTP_TRUNCATE 16

/**
 * With SSH_SFTP_CREATE: fail if the file exists.
 */
#define SSH_SFTP_EXCLUSIVE 32

/**
 * Seek from the beginning of the file.
 */
#define SSH_SFTP_SEEK_START 0

/**
 * Seek from the position.
 */
#define SSH_SFTP_SEEK_CURRENT 1

/**
 * Seek from the end of the file.
 */
#define SSH_SFTP_SEEK_END 2

/**
 * Transfer: go on behind what the destination has, which is taken for the beginning of the source.
 */
#define SSH_SFTP_RESUME 1

/**
 * Transfer: carry permissions (without set-user-ID and such) and times over.
 */
#define SSH_SFTP_PRESERVE 2

/**
 * Transfer: the path is a directory, and all below it is meant.
 */
#define SSH_SFTP_RECURSIVE 4

/**
 * Transfer: in directories, follow symbolic links, which are left out otherwise.
 */
#define SSH_SFTP_FOLLOW_SYMLINKS 8

/**
 * A program that keeps private keys and signs with them, such as ssh-agent, gpg-agent or the one of a password manager.
 *
 * Any thread may ask; one question is asked at a time, and the others wait for their turn. An agent that does not answer
 * in time, or that breaks its protocol, loses its connection; one to a socket is made anew with the next call, so that
 * an agent that was started again is found again.
 *
 * Calls that wait take `timeout_ms`, for which SSH_TIMEOUT_DEFAULT is 5 s; for signatures it is 60 s, because a person
 * may have to say yes or to touch something. They fail with SSH_ERR_AGENT when there is no agent or it breaks its
 * protocol, with SSH_ERR_DENIED when it says no, and with SSH_ERR_TIMEOUT, SSH_ERR_CANCELLED and SSH_ERR_CLOSED.
 */
typedef struct ssh_agent ssh_agent;

/**
 * The keys and certificates that an agent had when it was asked, in its order. A list does not change; what is asked of
 * it belongs to it and lives until it is freed.
 */
typedef struct ssh_agent_identities ssh_agent_identities;

/**
 * The lines of an authorized_keys file, as sshd(8) describes them: keys with options in front. A line of which anything is
 * not understood, an unknown option above all, lets nobody in: ssh_authorized_keys_warnings(). It does not change; a new
 * file is loaded anew, best at each login.
 */
typedef struct ssh_authorized_keys ssh_authorized_keys;

/**
 * A certificate: the signature of an authority over a key, the names it holds for, and what it permits (OpenSSH,
 * PROTOCOL.certkeys). Reading one checks its form and nothing else; whether it counts is for ssh_certificate_check() to
 * say, and for a server that was given authorities.
 *
 * Certificates that were read or signed do not change. One of ssh_certificate_new() is a draft until it is signed.
 */
typedef struct ssh_certificate ssh_certificate;

/**
 * One stream in each direction, and a second one (stderr) beside it, within a transport. Reading and writing
 * may go on at once in two threads; two readers, or two writers, take turns. A channel keeps what it needs of
 * its transport, so the two may be freed in any order.
 */
typedef struct ssh_channel ssh_channel;

/**
 * Configuration in the form of `ssh`'s files: options first, then files in the order in which they were loaded. What it
 * says about a host, ssh_config_resolve() finds out.
 *
 * Everything that OpenSSH reads is read: Host and Match with patterns and negation, Include, quotation marks, tokens such
 * as %h, variables such as ${HOME}, lists with + - and ^. What makes no sense is an error that names the file, the line
 * and what to do. What is understood and has no effect here, and what is unknown, is listed:
 * ssh_config_host_unsupported(). `Match` knows no `localnetwork`, `version` and `command`; host names are not made
 * canonical.
 */
typedef struct ssh_config ssh_config;

/**
 * What holds for one destination: a value for every option that has one, set or by default. It does not change; the
 * strings asked of it belong to it and live until it is freed.
 */
typedef struct ssh_config_host ssh_config_host;

/**
 * What went wrong with one call: a code, words for a person, and the details that go with the code.
 *
 * Functions with several causes of failure take an `ssh_error **` as their last argument. It may be
 * NULL. Otherwise it is set to NULL on success, and on failure to an error of the caller's, freed with
 * ssh_error_free(). The strings asked of an error belong to it and live until it is freed. An error
 * does not change, so any number of threads may read it.
 */
typedef struct ssh_error ssh_error;

/**
 * A flag that a call or the connection sets and that a thread or a poll loop waits for.
 *
 * Functions that take an `ssh_event *` return at once when it is not NULL, and set the event when what
 * they began has succeeded or failed. One event may be given to any number of calls. The calls keep what
 * they need of it, so it may be freed at any time.
 */
typedef struct ssh_event ssh_event;

/**
 * A forwarding: a place that is listened on, on this side or on the server, and the connections that came in there.
 * The library accepts, connects and copies on its own threads; the number of connections costs no thread. The end of
 * one direction is passed on while the other goes on, a connection that is reset on one side is reset on the other,
 * and one that stands still holds up no other.
 *
 * It ends with ssh_forward_free(), or with its session. The transport may be freed before, which ends the session.
 */
typedef struct ssh_forward ssh_forward;

/**
 * A public key, or a private key with its public half. A key does not change, so any number of threads
 * may use it; whoever is given one copies what it needs, so it may be freed right after the call. Private
 * keys are wiped when the last user lets go.
 */
typedef struct ssh_key ssh_key;

/**
 * What a key file holds, as far as it can be told without a passphrase: format, type, public half, comment, whether and
 * how it is encrypted. It does not change, so any number of threads may use it.
 */
typedef struct ssh_key_info ssh_key_info;

/**
 * The files in which hosts are listed with their keys, in OpenSSH's format: plain and hashed names, `[host]:port`,
 * patterns, `@cert-authority` and `@revoked`.
 *
 * Files are looked at for each question, and read again when they have changed. One that does not exist is an empty
 * one; one that cannot be read makes the call fail, and nothing is taken for known. Lines that make no sense, or are
 * longer than 16 KiB, are passed over: ssh_known_hosts_warnings(). A file may have 16 MiB.
 *
 * Hosts are given as name and port. A port other than 22 is part of the name in files, as `[host]:port`; a host that is
 * not listed so, but without the port, is known by that. With port 0 the name is taken as it stands.
 */
typedef struct ssh_known_hosts ssh_known_hosts;

/**
 * A line of a known_hosts file as it was when it was read. It does not change; the strings asked of it belong to it and
 * live until it is freed.
 */
typedef struct ssh_known_hosts_entry ssh_known_hosts_entry;

/**
 * Accepts the connections of a server, on the library's threads, and turns away those that are too many before they cost
 * anything: in all, of one source, and of sources whose connections have come to nothing again and again. A connection
 * counts from the moment it is accepted until its user is in or it has ended. When descriptors or memory are short, it
 * waits for a moment and goes on.
 *
 * What is let in comes out of ssh_listener_accept() or goes to the callback as a transport that is not started:
 * ssh_transport_start_server(). The limits have defaults, all of which docs/limits.md lists, and may be changed at any time.
 * They know a source by its address; connections of UNIX sockets, and what ssh_listener_add_exempt() names, count in all
 * only.
 */
typedef struct ssh_listener ssh_listener;

/**
 * The payload of a packet: a message number and fields. Fields are added at the end and read from a position that
 * starts at the first byte and moves on with each one read.
 *
 * A getter fails with SSH_ERR_PROTOCOL when the bytes at the position are no such field, and leaves the position
 * where it is: nothing is made up. The content is wiped when the message is freed.
 */
typedef struct ssh_message ssh_message;

/**
 * The packet layer of SSH over a stream, for programs that speak the protocol packet by packet: scanners, test
 * tools, key exchanges of one's own. It frames, seals and opens packets exactly as an ssh_transport does, for it is
 * the same code, and decides nothing: which messages go over it is the program's business.
 *
 * It has no thread. Calls read and write the stream themselves, one reading and one writing at a time; a second one
 * waits for the first, within its timeout. SSH_TIMEOUT_DEFAULT is SSH_TIMEOUT_FOREVER here.
 */
typedef struct ssh_packetizer ssh_packetizer;

/**
 * A question to the program: is this host key good, may this user in, may this command run?
 *
 * Whoever receives a request, as argument of a callback or from ssh_transport_next_request(), owns it: it is
 * answered once, with ssh_request_accept(), ssh_request_refuse() or another answer that fits its kind, and
 * freed with ssh_request_free(). Both may happen inside the callback or later, on any thread. A request that
 * is freed without an answer, or that nobody is set up to receive, is refused. Strings and bytes asked of
 * a request belong to it, end in a NUL byte, and live until it is freed.
 */
typedef struct ssh_request ssh_request;

/**
 * A list of what is revoked: one of OpenSSH's key revocation lists (KRL, as ssh-keygen -k makes them), or a plain file with
 * one public key a line. It does not change; a new file is loaded as a new list.
 */
typedef struct ssh_revocations ssh_revocations;

/**
 * The algorithms a transport may use, in order of preference: a list of its own, or the list of one
 * transport (ssh_transport_security_options()), which may be changed until that transport is started.
 *
 * Setters take names separated by commas, in one of OpenSSH's forms: `a,b` is the whole list; `+a,b`
 * appends to the list as it is; `-a,b*` removes names and patterns; `^a,b` puts names at the front.
 * What only old gear needs (SHA-1, CBC, small groups) must be named in full or come with SSH_PRESET_LEGACY; no
 * pattern adds it. Unknown names are refused with SSH_ERR_INVALID_ARG, and the list stays as it was. Getters return the
 * list in the same form. Before the start they show it as it is for a client; a server's defaults leave out
 * the NIST curves, but for host keys where it has no others.
 */
typedef struct ssh_security_options ssh_security_options;

/**
 * The callbacks and options of a server. One may serve any number of transports
 * (ssh_transport_start_server()); each takes them as they are when it starts, and changes hold for those that
 * start afterwards. Everything that has no callback is refused.
 */
typedef struct ssh_server ssh_server;

/**
 * A session with the server's file system (SFTP version 3, with OpenSSH's extensions).
 *
 * Any number of threads may use one session; their requests are under way side by side. Paths are C strings of any
 * bytes, for the protocol gives names no encoding; relative ones begin where the server put the user, which is mostly
 * the home directory. A refusal of the server's is SSH_ERR_SFTP with its code (ssh_error_sftp_status()) and text
 * (ssh_error_peer_text()). SSH_TIMEOUT_DEFAULT is one minute; a request whose time ran out may still be carried out.
 *
 * What a session has opened keeps it alive, so all may be freed in any order.
 */
typedef struct ssh_sftp ssh_sftp;

/**
 * Attributes of a file: size, owner, permissions, times. Each may be missing. Those of a directory's entry carry its
 * name, too. Any thread may read them; setters take turns with readers.
 */
typedef struct ssh_sftp_attributes ssh_sftp_attributes;

/**
 * An open directory of the server's. Its entries are asked for as they are read, so that a directory of any size
 * costs little memory. Any thread may read the next entry.
 */
typedef struct ssh_sftp_dir ssh_sftp_dir;

/**
 * An open file of the server's, with a position. Any thread may use it; calls on one file take turns.
 *
 * Reading in a row is served from read-ahead and writing is confirmed in the background, so that small calls, too,
 * fill a slow link. A write that fails is told by a later call, at the latest by ssh_sftp_file_fsync(),
 * ssh_sftp_file_flush() or ssh_sftp_file_close(); the position is then where the first bytes are missing, and no hole
 * is left behind it.
 */
typedef struct ssh_sftp_file ssh_sftp_file;

/**
 * An operation on files that the program makes up: open this file, read from it, list this directory.
 *
 * Whoever receives an operation owns it: it is answered once, with the ssh_sftp_operation_accept...() that fits its kind
 * or with ssh_sftp_operation_refuse(), and freed with ssh_sftp_operation_free(). Both may happen inside the callback
 * or later, on any thread; replies go to the client in the order of the answers. One that is freed without an answer
 * has failed. Strings and bytes asked of an operation belong to it and live until it is freed.
 *
 * Operations of one client come in its order, and the next one may come while others wait for their answers. It has to be
 * carried out as if those had been done: what a WRITE without an answer writes, a READ after it reads. The library sees to
 * it that a file is closed once, after all else that is under way with it was answered; also when the client goes away
 * without closing it.
 *
 * A file system that can only be looked at needs SSH_SFTP_OP_STAT, OPENDIR, READDIR, OPEN, READ and CLOSE:
 *
 *   static void read_only(ssh_sftp_operation *operation, void *userdata)
 *   {
 *       switch (ssh_sftp_operation_kind(operation)) {
 *       case SSH_SFTP_OP_OPEN: // find ssh_sftp_operation_path(), then
 *           ssh_sftp_operation_accept_file(operation, file);
 *           break;
 *       case SSH_SFTP_OP_READ: // of `file`, which ssh_sftp_operation_file() gives back
 *           ssh_sftp_operation_accept_data(operation, data + offset, length);
 *           break;
 *       ...
 *       }
 *       ssh_sftp_operation_free(operation); // what has no answer now has failed
 *   }
 *   ...
 *   ssh_sftp_server_set_callback(files, SSH_SFTP_OP_ANY, read_only, NULL, NULL);
 *   ssh_sftp_server_set_read_only(files, true); // what would change something does not even come
 *
 * Paths are absolute, without "." and ".." and double slashes; they may hold any byte but NUL.
 */
typedef struct ssh_sftp_operation ssh_sftp_operation;

/**
 * What clients see over SFTP: a directory of this machine and nothing else of it, or files that the program makes up.
 * One may serve any number of channels; each takes the options as they are when it starts.
 *
 * Neither "..", nor symbolic links, nor directories that are moved meanwhile lead out of a directory, which clients
 * see as "/".
 */
typedef struct ssh_sftp_server ssh_sftp_server;

/**
 * One SSH connection over one stream, as client or as server: it negotiates, authenticates, and carries any
 * number of channels. Every function may be called from any thread, also several at once.
 */
typedef struct ssh_transport ssh_transport;

/**
 * What a call came to: 0 is success, a negative number is a failure, a positive one an ordinary
 * outcome that is neither (end of data, nothing there yet).
 *
 * Numbers are never given a second meaning. New ones may appear in a later release, so treat an
 * unknown negative number as a failure of its class; the class is -(status / 100).
 */
typedef int32_t ssh_status;

/**
 * Asks a person for the passphrase of a key.
 *
 * It runs in the thread that called, with no lock held, and may call any function of the library. The texts live until
 * it returns; what was written into `passphrase` is wiped afterwards. It must not unwind or longjmp.
 *
 * @param name        the file of the key, or the name given with it, safe to show
 * @param attempt     1 for the first time, 2 and 3 after wrong ones
 * @param passphrase  where to put it, with a NUL behind it
 * @param size        how much room there is, SSH_PASSPHRASE_SIZE
 * @param userdata    the pointer given with the callback
 * @return true when there is one; false, or an empty one, gives up
 */
typedef bool (*ssh_passphrase_callback)(const char *name,
                                        uint32_t attempt,
                                        char *passphrase,
                                        size_t size,
                                        void *userdata);

/**
 * Ends the life of a callback's `userdata`. Called exactly once, when the callback was replaced or its
 * object is gone, and never while the callback runs. Not called where the call that it was given to fails,
 * but for ssh_transport_request_port_forward().
 *
 * The thread is any; no lock of the library is held; it may call any function of the library and must
 * not unwind or longjmp.
 */
typedef void (*ssh_destroy_callback)(void *userdata);

/**
 * Reads from a stream of the program's, as recv() does from a blocking socket.
 *
 * Called on a thread of the library's that belongs to the transport, with no lock held, never twice at once, and
 * not after it has returned 0 or a failure. It may block. It may call any function of the library, and must not
 * unwind or longjmp.
 *
 * @param buffer      where to put the bytes
 * @param capacity    how many fit; at least 1
 * @param timeout_ms  milliseconds after which it should return SSH_ERR_TIMEOUT if nothing has come. One that keeps
 *                    to it is done soon after the end; one that does not is ended by the close callback
 * @param userdata    as given
 * @return how many bytes, from 1 to capacity; 0 when the stream has ended; SSH_ERR_TIMEOUT to be called again; any
 *         other negative number is a failure, which ends the session: an SSH_ERR_... becomes its cause as it is,
 *         what is none becomes SSH_ERR_IO. Do not return SSH_AGAIN: it is positive and would be a count.
 */
typedef int32_t (*ssh_stream_read_callback)(void *buffer,
                                            size_t capacity,
                                            int32_t timeout_ms,
                                            void *userdata);

/**
 * Writes to a stream of the program's, as send() does to a blocking socket.
 *
 * Called on a second thread of the library's that belongs to the transport, so that it may block while reading goes
 * on; otherwise as ssh_stream_read_callback.
 *
 * @param data        the bytes
 * @param length      how many; at least 1
 * @param timeout_ms  milliseconds after which it should return SSH_ERR_TIMEOUT if none was taken
 * @param userdata    as given
 * @return how many bytes were taken, from 1 to length; 0 when the stream is closed; negative numbers as for
 *         ssh_stream_read_callback
 */
typedef int32_t (*ssh_stream_write_callback)(const void *data,
                                             size_t length,
                                             int32_t timeout_ms,
                                             void *userdata);

/**
 * Closes a stream of the program's. Calls of the two others that are blocked must then return, whatever they return.
 *
 * Called once, on a thread of the library's pool with no lock held, while the others may be running. It may call
 * any function of the library, and must not unwind or longjmp.
 *
 * @param userdata  as given
 */
typedef void (*ssh_stream_close_callback)(void *userdata);

/**
 * Reports one round of keepalive.
 *
 * Called on a thread of the library with no lock held, one at a time. It may call any function of the
 * library, and must not unwind or longjmp.
 *
 * @param transport      the handle the program made; NULL once it is freed
 * @param round_trip_us  microseconds until the peer answered, or -1 when it has not
 * @param missed         how many in a row it has not answered
 * @param userdata       as set
 */
typedef void (*ssh_keepalive_callback)(ssh_transport *transport,
                                       int64_t round_trip_us,
                                       uint32_t missed,
                                       void *userdata);

/**
 * Runs a command of `Match exec`, usually with the user's shell.
 *
 * Called inside ssh_config_resolve(), on its thread, with no lock held. It may call any function of the library, and must
 * not unwind or longjmp.
 *
 * @param command   the command, with its tokens replaced; lives during the call
 * @param userdata  as set
 * @return the exit status of the command, 0 for success; a negative number when it could not be run, which fails the call
 *         with SSH_ERR_CONFIG
 */
typedef int32_t (*ssh_config_exec_callback)(const char *command, void *userdata);

/**
 * Receives one line of log. No secret and no control character of the peer's is in it.
 *
 * Called on a thread of the library with no lock held; lines of one transport come one at a time and in order,
 * except for the dumps of packets. It may call any function of the library, and must not unwind
 * or longjmp.
 *
 * @param level     SSH_LOG_ERROR to SSH_LOG_DEBUG
 * @param channel   the log channel's name, see ssh_transport_set_log_channel(); lives during the call
 * @param message   the line without a newline, UTF-8; lives during the call
 * @param userdata  as set
 */
typedef void (*ssh_log_callback)(int32_t level,
                                 const char *channel,
                                 const char *message,
                                 void *userdata);

/**
 * Receives a text that the server wants shown before authentication.
 *
 * Called on a thread of the library's pool with no lock held. It may call any function of the library, and must
 * not unwind or longjmp.
 *
 * @param transport  the handle the program made; NULL once it is freed
 * @param text       the text; control characters except newlines and tabs are escaped; lives during the call
 * @param userdata   as set
 */
typedef void (*ssh_banner_callback)(ssh_transport *transport, const char *text, void *userdata);

/**
 * Gets a connection that came in where the server was asked to listen.
 *
 * Called on a thread of the library's pool with no lock held, once the channel is open. Callbacks of one transport
 * run one after another, so it hands the channel on and does not wait for what comes on it. It must not unwind or
 * longjmp.
 *
 * @param channel      the channel, which is the callback's from now on: ssh_channel_free()
 * @param origin       the address that the connection came from; NULL for a UNIX socket. It lives during the call
 * @param origin_port  its port
 * @param address      the address that was listened on, as the server tells it, or the path of the UNIX socket
 * @param port         its port, 0 for a UNIX socket
 * @param userdata     as set
 */
typedef void (*ssh_forward_callback)(ssh_channel *channel,
                                     const char *origin,
                                     uint16_t origin_port,
                                     const char *address,
                                     uint16_t port,
                                     void *userdata);

/**
 * Makes a signature with a private key that the library does not have.
 *
 * Called with no lock held, on the thread that calls ssh_key_sign(), or on one of the library's pool when a session needs
 * the signature; several may be wanted at once. It may take its time, up to the timeouts of the login or the key
 * exchange that waits for it, and holds up nothing else. It may call any function of the library, and must not unwind or
 * longjmp.
 *
 * @param algorithm  the signature algorithm, such as "rsa-sha2-512"; lives during the call
 * @param data       what to sign: not a hash, the hash is part of the algorithm
 * @param length     how many bytes
 * @param signature  where to put the signature blob (RFC 4253 section 6.6): the algorithm and the signature, each as a string
 *                   with its length in front
 * @param capacity   how many bytes fit; at least 4096
 * @param signature_length  receives how many there are
 * @param userdata   as given
 * @return SSH_OK, or a negative number for a failure: an SSH_ERR_... becomes the status of what needed the signature
 */
typedef ssh_status (*ssh_sign_callback)(const char *algorithm,
                                        const void *data,
                                        size_t length,
                                        void *signature,
                                        size_t capacity,
                                        size_t *signature_length,
                                        void *userdata);

/**
 * Receives questions.
 *
 * Called on a thread of the library's pool with no lock held; questions of one transport come one at a time
 * and in order. It may call any function of the library, also ssh_transport_free(). A call that
 * could only be ended by a further callback of the same transport fails with SSH_ERR_WOULD_DEADLOCK; rather
 * answer later, from another thread. What it says to the peer leaves when it returns, at the latest some milliseconds
 * after it was said: before that the process must not exit, unless it closes the transport. It must not unwind or longjmp.
 *
 * @param request   the question; now the callback's, to answer and to free with ssh_request_free()
 * @param userdata  as set
 */
typedef void (*ssh_request_callback)(ssh_request *request, void *userdata);

/**
 * Makes the connection that ProxyCommand leads to, in place of a command run by the library.
 *
 * Called inside ssh_connect_config(), on its thread, with no lock held. It may call any function of the library, and must
 * not unwind or longjmp.
 *
 * @param command   the command, with its tokens replaced; lives during the call
 * @param userdata  as set
 * @return a connected stream socket, which belongs to the transport as for ssh_transport_new(), or a negative number, which
 *         fails the call with SSH_ERR_CALLBACK
 */
typedef int32_t (*ssh_config_proxy_callback)(const char *command, void *userdata);

/**
 * Serves one request for a subsystem, from its beginning to its end.
 *
 * Called on a thread of its own, once the client has been told that the request is granted, with no lock held. It
 * may block for as long as it likes and call any function of the library. When it returns, the channel is closed. It
 * must not unwind or longjmp. All signals are blocked on its thread.
 *
 * @param channel   the channel; it lives during the call and no longer, and is not to be freed, unless the program
 *                  itself has got it from ssh_transport_accept() or ssh_request_accept_channel()
 * @param name      the subsystem's name, a string that lives during the call
 * @param userdata  as set
 * @return the exit status that the client is told, or a negative number to tell none
 */
typedef int32_t (*ssh_subsystem_callback)(ssh_channel *channel, const char *name, void *userdata);

/**
 * Gets a connection that was let in.
 *
 * Called on a thread of the library's pool with no lock held. Callbacks of one listener run one after another, so it
 * starts the transport with an event and does not wait: connections that come meanwhile wait, and count. It may call any
 * function of the library, ssh_listener_free() included, and must not unwind or longjmp.
 *
 * @param listener   the handle the program made; NULL once it is freed
 * @param transport  a transport that is not started, which is the callback's from now on: ssh_transport_free()
 * @param userdata   as set
 */
typedef void (*ssh_listener_callback)(ssh_listener *listener,
                                      ssh_transport *transport,
                                      void *userdata);

/**
 * Receives operations.
 *
 * Called on a thread of the library with no lock held; operations of one channel come one at a time and in order. It may
 * call any function of the library, and may wait, which holds up this channel's files only; but the process has 256
 * such threads for all channels, so what takes long is better answered later. It must not unwind or longjmp.
 *
 * @param operation  the operation; now the callback's, to answer and to free with ssh_sftp_operation_free()
 * @param userdata   as set
 */
typedef void (*ssh_sftp_callback)(ssh_sftp_operation *operation, void *userdata);

/**
 * Is told how far a transfer has come, after each piece of at most 256 KiB.
 *
 * Of the small files of a directory, which are under way side by side, it is told when each is done: its beginning, then
 * its end, so that no other file comes in between.
 *
 * It runs in the thread that called, with no lock held, and may call any function of the library. The path lives
 * until it returns; it is of any bytes, so make it safe before a terminal gets it. It must not unwind or longjmp.
 *
 * @param userdata  the pointer given with the callback
 * @param file      the remote path of the file under way
 * @param done      bytes of it that are transferred, those of an earlier try included
 * @param total     its size as far as it is known, else UINT64_MAX; a file may grow or shrink meanwhile
 * @param files     files finished before
 * @param skipped   entries left out: symbolic links, and what is neither file nor directory
 * @return true to go on; false ends the transfer with SSH_ERR_CANCELLED
 */
typedef bool (*ssh_sftp_progress_callback)(void *userdata,
                                           const char *file,
                                           uint64_t done,
                                           uint64_t total,
                                           uint64_t files,
                                           uint64_t skipped);

/**
 * Takes the next bytes of a download, all of them.
 *
 * It runs in the thread that called, with no lock held, and may call any function of the library. The data live until
 * it returns. It must not unwind or longjmp.
 *
 * @param userdata  the pointer given with the callback
 * @param data      the bytes
 * @param length    how many, at least 1
 * @return true when they were taken; false ends the transfer with SSH_ERR_CALLBACK
 */
typedef bool (*ssh_sftp_sink_callback)(void *userdata, const void *data, size_t length);

/**
 * Gives the next bytes of an upload.
 *
 * It runs in the thread that called, with no lock held, and may call any function of the library. It must not unwind
 * or longjmp.
 *
 * @param userdata  the pointer given with the callback
 * @param buffer    where to put them
 * @param capacity  how many there is room for
 * @param length    receives how many were put there; 0 is the end
 * @return true on success; false ends the transfer with SSH_ERR_CALLBACK
 */
typedef bool (*ssh_sftp_source_callback)(void *userdata,
                                         void *buffer,
                                         size_t capacity,
                                         size_t *length);

/**
 * Is called when nothing was read or written for the interval.
 *
 * Called on the thread that waits in a call on the packetizer, with no lock held. It may call any function of the
 * library but those that read from the packetizer, or write to it where the waiting call writes: these fail with
 * SSH_ERR_WOULD_DEADLOCK. It must not unwind or longjmp.
 *
 * @param userdata  as set
 */
typedef void (*ssh_packetizer_keepalive_callback)(void *userdata);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that is loaded, as one number 0xMMmmpp.
 *
 * A program compiled with SSH_VERSION_NUMBER v works with every library of the same major version
 * whose number is at least v.
 *
 * @return the number. Any thread. Since 0.1.
 */
uint32_t ssh_version_number(void);

/**
 * The version of the library that is loaded, as text such as "0.1.0".
 *
 * @return a constant string. Any thread. Since 0.1.
 */
const char *ssh_version_string(void);

/**
 * The name of a status, such as "SSH_ERR_TIMEOUT"; "SSH_ERR_UNKNOWN" for a number without one.
 *
 * @param status  any number
 * @return a constant string, never NULL. Any thread. Since 0.1.
 */
const char *ssh_status_name(ssh_status status);

/**
 * Wipes and frees what a function of this library returned as `char *` or through a `void **`.
 *
 * @param memory  the pointer as it was handed out; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_memory_free(void *memory);

/**
 * How many handles this process has that are not freed, of all kinds together: for tests that look for leaks.
 *
 * One that is freed while another thread is inside a call on it counts until that call ends. A child of fork() begins
 * at 0; what it has inherited does not count.
 *
 * @return the number. Any thread. Since 0.1.
 */
size_t ssh_handle_count(void);

/**
 * Makes bytes of a peer's safe to show on a terminal or to write to a log: control characters, marks that change the
 * order in which others are shown, and what is no UTF-8 are escaped, such as "\u{1b}" or "\xff".
 *
 * What the library itself tells (errors, log lines, banners, prompts) has been through this. Names of files and the data
 * of channels have not.
 *
 * @param bytes   the bytes; NUL is one of them
 * @param length  how many
 * @return a string in UTF-8, freed with ssh_memory_free(), or NULL for a NULL or when memory is short.
 *
 * Any thread. Since 0.1.
 */
char *ssh_text_printable(const void *bytes,
                         size_t length);

/**
 * Frees an error and the strings asked of it.
 *
 * @param error  the error; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_error_free(ssh_error *error);

/**
 * The status the failed call returned, or would have returned if it returns a handle.
 *
 * @return the status; SSH_ERR_BAD_HANDLE when `error` is no error. Any thread. Since 0.1.
 */
ssh_status ssh_error_code(const ssh_error *error);

/**
 * The class of the code: SSH_CLASS_USAGE, SSH_CLASS_SYSTEM, ...
 *
 * @return the class; 0 when `error` is no error. Any thread. Since 0.1.
 */
int32_t ssh_error_class(const ssh_error *error);

/**
 * One line in English that says what went wrong. Text of the peer's in it has its control characters
 * escaped, so it may be shown on a terminal.
 *
 * @return a string of the error's, never NULL; "no error" when `error` is no error.
 *
 * Any thread. Since 0.1.
 */
const char *ssh_error_message(const ssh_error *error);

/**
 * Whether trying again in a while, with nothing changed, may succeed: after a timeout, a lost
 * connection, or a shortage.
 *
 * @return false also when `error` is no error. Any thread. Since 0.1.
 */
bool ssh_error_is_retryable(const ssh_error *error);

/**
 * The system's error number, for SSH_ERR_IO, and for SSH_ERR_AGENT when there is no agent where it should be.
 *
 * @return an errno value, or 0. Any thread. Since 0.1.
 */
int32_t ssh_error_errno(const ssh_error *error);

/**
 * The reason number the peer disconnected with (RFC 4253 section 11.1), for SSH_ERR_DISCONNECTED.
 *
 * @return the number as sent, or 0. Any thread. Since 0.1.
 */
uint32_t ssh_error_disconnect_reason(const ssh_error *error);

/**
 * The reason number the peer refused a channel with (RFC 4254 section 5.1), for SSH_ERR_CHANNEL.
 *
 * @return the number as sent, or 0. Any thread. Since 0.1.
 */
uint32_t ssh_error_channel_reason(const ssh_error *error);

/**
 * The status code the SFTP server refused with, for SSH_ERR_SFTP: SSH_SFTP_STATUS_NO_SUCH_FILE and the others. The
 * server's text is ssh_error_peer_text().
 *
 * @return the code as sent, or 0 when the server sent none. Any thread. Since 0.1.
 */
uint32_t ssh_error_sftp_status(const ssh_error *error);

/**
 * The text the peer sent with its disconnect, refusal or SFTP status, shortened and with control characters
 * escaped.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_peer_text(const ssh_error *error);

/**
 * Which list had no algorithm in common, in words such as "key exchange", for SSH_ERR_NEGOTIATION.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_algorithm_list(const ssh_error *error);

/**
 * Our names on that list, separated by commas, in order of preference.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_local_algorithms(const ssh_error *error);

/**
 * The peer's names on that list, separated by commas, in order of preference.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_peer_algorithms(const ssh_error *error);

/**
 * The authentication methods that the server says may be tried, separated by commas, for SSH_ERR_AUTH.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_auth_methods(const ssh_error *error);

/**
 * The fingerprint of the host key that was expected, for SSH_ERR_HOSTKEY. One that is revoked is the very key that was
 * found.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_expected_fingerprint(const ssh_error *error);

/**
 * The fingerprint of the host key that the server showed instead, for SSH_ERR_HOSTKEY.
 *
 * @return a string of the error's, or NULL when there is none. Any thread. Since 0.1.
 */
const char *ssh_error_found_fingerprint(const ssh_error *error);

/**
 * Makes an event that is not set.
 *
 * @return an event, freed with ssh_event_free(), or NULL when memory is short.
 *
 * Any thread. Since 0.1.
 */
ssh_event *ssh_event_new(void);

/**
 * Frees an event. Threads that wait for it return with SSH_ERR_CLOSED.
 *
 * @param event  the event; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_event_free(ssh_event *event);

/**
 * Waits until the event is set. The event stays set.
 *
 * A loop that waits for one event again and again, each time for a moment, does the library's own work in this call: it receives
 * and decrypts what sets the event, and no other thread has to wake it. So one loop around all channels is the quickest
 * way to serve many connections that have little to say. A wait with a time limit may be late then by the work under way,
 * which is some milliseconds where many peers exchange keys; all of it is done on the caller's stack, as in ssh_channel_read().
 *
 * @param event       the event
 * @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is SSH_TIMEOUT_FOREVER
 * @return SSH_OK when it is set, SSH_AGAIN when it is not and timeout_ms is 0, SSH_ERR_TIMEOUT,
 *         SSH_ERR_CLOSED when it was freed meanwhile.
 *
 * Any thread, any number at once. Since 0.1.
 */
ssh_status ssh_event_wait(const ssh_event *event,
                          int32_t timeout_ms);

/**
 * Whether the event is set.
 *
 * @return false also when `event` is no event. Any thread. Since 0.1.
 */
bool ssh_event_is_set(const ssh_event *event);

/**
 * Sets the event from the program's side, to wake its own waiters.
 *
 * @return SSH_OK. Any thread. Since 0.1.
 */
ssh_status ssh_event_set(ssh_event *event);

/**
 * Takes the event back to not set, to be used again.
 *
 * @return SSH_OK. Any thread. Since 0.1.
 */
ssh_status ssh_event_reset(ssh_event *event);

/**
 * A descriptor that is readable (POLLIN) exactly while the event is set, for poll(), epoll and the like.
 * Do not read from, write to or close it.
 *
 * @return a descriptor that lives until the event is freed, or -1 when `event` is no event or the process has no
 *         descriptors left.
 *
 * Any thread. Since 0.1.
 */
int32_t ssh_event_fd(const ssh_event *event);

/**
 * Takes a channel from the event: one for which ssh_channel_set_event() has had the event set since the channel was taken
 * last. So a loop with one event for many channels need not look at each of them:
 *
 *   for (;;) {
 *       ssh_event_wait(event, SSH_TIMEOUT_FOREVER);
 *       ssh_event_reset(event);
 *       while ((channel = ssh_event_take_channel(event)) != NULL)
 *           serve(channel, ssh_channel_get_userdata(channel));
 *   }
 *
 * Channels come in the order in which they set the event, each once until it sets the event again. So read and write with
 * timeout 0 until a call says something else than SSH_OK: a channel that is left readable comes when there is more, not
 * before. The event stays set or not, as it is: take until NULL after each ssh_event_reset(), or call
 * ssh_event_set() to come back to those that are left. What else sets the event (ssh_event_set(), a call that was begun
 * with it) names no channel. One that was freed, or that has another event or none since, does not come.
 *
 * @param event  the event
 * @return the program's own handle of the channel, not a new one, so not to be freed for this; NULL when no channel is
 *         left, and when `event` is no event.
 *
 * Any thread. A channel may come to a second thread while the first one still serves it, so let one thread take, or have a
 * lock for each channel. Since 0.1.
 */
ssh_channel *ssh_event_take_channel(ssh_event *event);

/**
 * Reads a private key from memory. The formats are told apart by their content: OpenSSH, PKCS#1, SEC1, PKCS#8, and
 * PuTTY's versions 2 and 3, each plain or encrypted. A file that asks for absurd work before the passphrase can be
 * checked is malformed.
 *
 * @param data        the text of the key file
 * @param length      its length in bytes, at most 1 MiB
 * @param passphrase  the passphrase, or NULL; not looked at when the key is not encrypted
 * @param error       receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED,
 *                    SSH_ERR_PASSPHRASE_MISSING, SSH_ERR_PASSPHRASE_WRONG
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread; takes as long as the passphrase's rounds want, often 100 ms. Since 0.1.
 */
ssh_key *ssh_key_load(const void *data,
                      size_t length,
                      const char *passphrase,
                      ssh_error **error);

/**
 * Reads a private key from a file, as ssh_key_load() does from memory. Who else may read the file is not looked at:
 * ssh_key_load_file_asking() refuses what others may read.
 *
 * @param path        the file, which must be a regular one of at most 1 MiB
 * @param passphrase  the passphrase, or NULL
 * @param error       receives the detail, or NULL: as for ssh_key_load(), and SSH_ERR_IO
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_key_load_file(const char *path,
                           const char *passphrase,
                           ssh_error **error);

/**
 * Makes a new private key.
 *
 * @param kind     SSH_KEY_ED25519, SSH_KEY_ECDSA_P256, ..., SSH_KEY_RSA
 * @param bits     for SSH_KEY_RSA the size, 2048 to 16384, 0 for the usual 3072; for others 0
 * @param comment  the comment to store with the key, often user@host, or NULL for none
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread; large RSA keys take seconds. Since 0.1.
 */
ssh_key *ssh_key_generate(int32_t kind, uint32_t bits, const char *comment, ssh_error **error);

/**
 * Reads a public key from its one-line form, `type base64 [comment]`, as in a .pub file.
 *
 * @param line   the line, with or without a newline
 * @param error  receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_key_from_line(const char *line, ssh_error **error);

/**
 * Reads a public key from its blob, the form it has on the wire (RFC 4253 section 6.6).
 *
 * @param blob    the bytes
 * @param length  how many
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_key_from_blob(const void *blob, size_t length, ssh_error **error);

/**
 * Frees a key.
 *
 * @param key  the key; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_key_free(ssh_key *key);

/**
 * The public half of a key, as a key of its own.
 *
 * @return a key, freed with ssh_key_free(), or NULL when `key` is no key. Any thread. Since 0.1.
 */
ssh_key *ssh_key_public(const ssh_key *key);

/**
 * Whether the key can sign.
 *
 * @return false also when `key` is no key. Any thread. Since 0.1.
 */
bool ssh_key_is_private(const ssh_key *key);

/**
 * Whether two keys have the same public half.
 *
 * @param key    a key
 * @param other  another one
 * @return false also when one of them is no key. Any thread. Since 0.1.
 */
bool ssh_key_equals(const ssh_key *key, const ssh_key *other);

/**
 * The kind of the key: SSH_KEY_ED25519, ...
 *
 * @return the kind, or 0 when `key` is no key. Any thread. Since 0.1.
 */
int32_t ssh_key_kind(const ssh_key *key);

/**
 * The type name that stands in the key, such as "ssh-ed25519" or "ssh-rsa".
 *
 * @return a constant string, or NULL when `key` is no key. Any thread. Since 0.1.
 */
const char *ssh_key_type(const ssh_key *key);

/**
 * The size in bits as ssh-keygen shows it.
 *
 * @return bits, or 0 when `key` is no key. Any thread. Since 0.1.
 */
uint32_t ssh_key_bits(const ssh_key *key);

/**
 * The fingerprint: "SHA256:" and 43 characters, as ssh-keygen -l shows it.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when `key` is no key. Any thread. Since 0.1.
 */
char *ssh_key_fingerprint(const ssh_key *key);

/**
 * The comment stored with the key.
 *
 * @return a string, possibly empty, freed with ssh_memory_free(), or NULL when `key` is no key.
 *
 * Any thread. Since 0.1.
 */
char *ssh_key_comment(const ssh_key *key);

/**
 * The public half as one line, `type base64 comment` without a newline, as in .pub and authorized_keys
 * files.
 *
 * @param key      the key
 * @param comment  the comment to put there, or NULL for the one stored with the key
 * @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_key_public_line(const ssh_key *key,
                          const char *comment);

/**
 * The blob of the public half, the form it has on the wire.
 *
 * @param key     the key
 * @param blob    receives the bytes, freed with ssh_memory_free()
 * @param length  receives how many
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_key_blob(const ssh_key *key, void **blob, size_t *length);

/**
 * The private key as the text of a key file.
 *
 * @param key         a private key
 * @param format      SSH_KEY_FORMAT_OPENSSH or SSH_KEY_FORMAT_PKCS8
 * @param passphrase  encrypts the text, or NULL for plain text
 * @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG for a public key
 * @return a string, wiped and freed with ssh_memory_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
char *ssh_key_private_text(const ssh_key *key,
                           int32_t format,
                           const char *passphrase,
                           ssh_error **error);

/**
 * Writes the private key to a new file that only its owner may read (mode 0600). The file appears whole
 * or not at all, and an existing one is never overwritten: SSH_ERR_IO with errno EEXIST.
 *
 * @param key         a private key
 * @param path        the file to make
 * @param format      SSH_KEY_FORMAT_OPENSSH or SSH_KEY_FORMAT_PKCS8
 * @param passphrase  encrypts the file, or NULL for plain text
 * @param error       receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG for a public key
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_key_save_file(const ssh_key *key,
                             const char *path,
                             int32_t format,
                             const char *passphrase,
                             ssh_error **error);

/**
 * Signs data.
 *
 * @param key        a private key
 * @param algorithm  a signature algorithm such as "rsa-sha2-512", or NULL for the key's strongest
 * @param data       what to sign
 * @param length     how many bytes
 * @param signature  receives the signature blob (RFC 4253 section 6.6), freed with ssh_memory_free()
 * @param signature_length  receives its length
 * @param error      receives the detail, or NULL: SSH_ERR_SIGNATURE, SSH_ERR_INVALID_ARG
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_key_sign(const ssh_key *key,
                        const char *algorithm,
                        const void *data,
                        size_t length,
                        void **signature,
                        size_t *signature_length,
                        ssh_error **error);

/**
 * Checks a signature made by ssh_key_sign() or by a peer.
 *
 * @param key               a public or private key
 * @param algorithm         the signature algorithm that must have been used
 * @param data              what was signed
 * @param length            how many bytes
 * @param signature         the signature blob
 * @param signature_length  its length
 * @return SSH_OK when it is good, SSH_ERR_SIGNATURE when it is not, or another failure.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_key_verify(const ssh_key *key,
                          const char *algorithm,
                          const void *data,
                          size_t length,
                          const void *signature,
                          size_t signature_length);

/**
 * Reads a certificate from memory.
 *
 * @param data    a line `type base64 [comment]` as in a -cert.pub file; empty lines and comments may stand around it
 * @param length  its length in bytes
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
 */
ssh_certificate *ssh_certificate_load(const void *data,
                                      size_t length,
                                      ssh_error **error);

/**
 * Reads a certificate from a file, as ssh_certificate_load() does from memory.
 *
 * @param path   the file, often that of the key with "-cert.pub" behind it; a regular one of at most 1 MiB
 * @param error  receives the detail, or NULL: as for ssh_certificate_load(), and SSH_ERR_IO
 * @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
 */
ssh_certificate *ssh_certificate_load_file(const char *path,
                                           ssh_error **error);

/**
 * Reads a certificate from its blob, the form it has on the wire.
 *
 * @param blob    the bytes
 * @param length  how many, at most 64 KiB
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
 */
ssh_certificate *ssh_certificate_from_blob(const void *blob, size_t length, ssh_error **error);

/**
 * Frees a certificate.
 *
 * @param certificate  the certificate; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_certificate_free(ssh_certificate *certificate);

/**
 * Whether a certificate counts now, for somebody, from somewhere: it is of the kind, one of the authorities has signed
 * it, it names the principal, its time has come and not gone, and it has no critical option that is unknown or not met.
 * ("source-address" is checked here; "force-command" and "verify-required" are for the caller to obey.)
 *
 * @param certificate      a signed certificate
 * @param kind             SSH_CERTIFICATE_USER or SSH_CERTIFICATE_HOST
 * @param authorities      the keys of those who may sign
 * @param authority_count  how many; with 0 nothing counts
 * @param principal        the user or host it must name. In host certificates names may be patterns with * and ?
 * @param address          where the user comes from, such as "192.0.2.7", or NULL where that is unknown: certificates
 *                         that are bound to addresses do not count then. Not looked at for hosts
 * @param now              seconds since 1970, or 0 for the time of the system
 * @param error            receives the reason, or NULL: SSH_ERR_CERTIFICATE
 * @return SSH_OK, SSH_ERR_CERTIFICATE, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_certificate_check(const ssh_certificate *certificate,
                                 int32_t kind,
                                 const ssh_key *const *authorities,
                                 size_t authority_count,
                                 const char *principal,
                                 const char *address,
                                 uint64_t now,
                                 ssh_error **error);

/**
 * The kind of a certificate.
 *
 * @return SSH_CERTIFICATE_USER, SSH_CERTIFICATE_HOST, or 0 for what is no signed certificate. Any thread. Since 0.1.
 */
int32_t ssh_certificate_kind(const ssh_certificate *certificate);

/**
 * The type name in a certificate, such as "ssh-ed25519-cert-v01@openssh.com".
 *
 * @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
 */
char *ssh_certificate_type(const ssh_certificate *certificate);

/**
 * The number that the authority gave the certificate; 0 where it numbers none, and for what is no signed certificate.
 *
 * Any thread. Since 0.1.
 */
uint64_t ssh_certificate_serial(const ssh_certificate *certificate);

/**
 * What the authority calls the certificate, safe to show and to log.
 *
 * @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
 */
char *ssh_certificate_key_id(const ssh_certificate *certificate);

/**
 * How many principals a certificate names. Any thread. Since 0.1.
 */
size_t ssh_certificate_principal_count(const ssh_certificate *certificate);

/**
 * A principal: a user or host that the certificate holds for. The bytes are the authority's, not made safe to show.
 *
 * @param certificate  a signed certificate
 * @param index        from 0
 * @return a string, freed with ssh_memory_free(), or NULL when there is none. Any thread. Since 0.1.
 */
char *ssh_certificate_principal(const ssh_certificate *certificate,
                                size_t index);

/**
 * From when a certificate holds, in seconds since 1970. Any thread. Since 0.1.
 */
uint64_t ssh_certificate_valid_after(const ssh_certificate *certificate);

/**
 * From when a certificate holds no more, in seconds since 1970; UINT64_MAX for never. Any thread. Since 0.1.
 */
uint64_t ssh_certificate_valid_before(const ssh_certificate *certificate);

/**
 * How many critical options a certificate has. Any thread. Since 0.1.
 */
size_t ssh_certificate_critical_option_count(const ssh_certificate *certificate);

/**
 * The name of a critical option, such as "force-command".
 *
 * @param certificate  a signed certificate
 * @param index        from 0
 * @return a string, freed with ssh_memory_free(), or NULL when there is none. Any thread. Since 0.1.
 */
char *ssh_certificate_critical_option_name(const ssh_certificate *certificate,
                                           size_t index);

/**
 * The text of a critical option.
 *
 * @param certificate  a signed certificate
 * @param name         the option, such as "force-command"
 * @return a string, freed with ssh_memory_free(); NULL when there is no such option, and for one without text.
 *
 * Any thread. Since 0.1.
 */
char *ssh_certificate_critical_option(const ssh_certificate *certificate,
                                      const char *name);

/**
 * How many extensions a certificate has. Any thread. Since 0.1.
 */
size_t ssh_certificate_extension_count(const ssh_certificate *certificate);

/**
 * The name of an extension, such as "permit-pty".
 *
 * @param certificate  a signed certificate
 * @param index        from 0
 * @return a string, freed with ssh_memory_free(), or NULL when there is none. Any thread. Since 0.1.
 */
char *ssh_certificate_extension_name(const ssh_certificate *certificate,
                                     size_t index);

/**
 * The text of an extension.
 *
 * @param certificate  a signed certificate
 * @param name         the extension
 * @return a string, freed with ssh_memory_free(); NULL when there is no such extension, and for one without text.
 *
 * Any thread. Since 0.1.
 */
char *ssh_certificate_extension(const ssh_certificate *certificate,
                                const char *name);

/**
 * The key that a certificate is about, as a key of its own.
 *
 * @return a public key, freed with ssh_key_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
 */
ssh_key *ssh_certificate_key(const ssh_certificate *certificate);

/**
 * The key of the authority that has signed a certificate.
 *
 * @return a public key, freed with ssh_key_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
 */
ssh_key *ssh_certificate_authority(const ssh_certificate *certificate);

/**
 * The fingerprint of the key that a certificate is about, as ssh-keygen -l shows it.
 *
 * @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
 */
char *ssh_certificate_fingerprint(const ssh_certificate *certificate);

/**
 * The algorithm that the authority has signed with, such as "rsa-sha2-512".
 *
 * @return a string, freed with ssh_memory_free(), or NULL for what is no signed certificate. Any thread. Since 0.1.
 */
char *ssh_certificate_signature_algorithm(const ssh_certificate *certificate);

/**
 * A certificate as one line, `type base64 comment` without a newline, as in -cert.pub files.
 *
 * @param certificate  a signed certificate
 * @param comment      the comment to put there, or NULL for the one it was read with
 * @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_certificate_line(const ssh_certificate *certificate, const char *comment);

/**
 * The blob of a certificate, the form it has on the wire.
 *
 * @param certificate  a signed certificate
 * @param blob         receives the bytes, freed with ssh_memory_free()
 * @param length       receives how many
 * @return SSH_OK, SSH_ERR_STATE for a draft, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_certificate_blob(const ssh_certificate *certificate, void **blob, size_t *length);

/**
 * Begins a certificate. At first it names nobody, so that it would not count for anybody, holds without limit of time, and
 * permits nothing: a user's shell wants ssh_certificate_set_extension() with "permit-pty".
 *
 * @param kind  SSH_CERTIFICATE_USER or SSH_CERTIFICATE_HOST
 * @param key   the key it is about; its public half is enough
 * @return a draft, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
 *
 *   ssh_certificate *draft = ssh_certificate_new(SSH_CERTIFICATE_USER, key);
 *   ssh_certificate_set_key_id(draft, "alice, laptop");
 *   ssh_certificate_add_principal(draft, "alice");
 *   ssh_certificate_set_validity(draft, now - 60, now + 8 * 3600);
 *   ssh_certificate_set_extension(draft, "permit-pty", NULL);
 *   ssh_certificate *certificate = ssh_certificate_sign(draft, authority, NULL, &error);
 */
ssh_certificate *ssh_certificate_new(int32_t kind,
                                     const ssh_key *key);

/**
 * Sets the number of a draft, by which the certificate can be revoked; 0 at first.
 *
 * @param certificate  a draft
 * @param serial       the number, best one that this authority gives only once
 * @return SSH_OK, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_certificate_set_serial(ssh_certificate *certificate, uint64_t serial);

/**
 * Sets what a draft is called in logs; empty at first.
 *
 * @param certificate  a draft
 * @param key_id       at most 4096 bytes
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_certificate_set_key_id(ssh_certificate *certificate,
                                      const char *key_id);

/**
 * Adds a user or host that a draft shall hold for.
 *
 * @param certificate  a draft
 * @param principal    a name without commas and control characters; for hosts it may be a pattern with * and ?
 * @return SSH_OK, SSH_ERR_INVALID_ARG, also for the 257th; SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_certificate_add_principal(ssh_certificate *certificate,
                                         const char *principal);

/**
 * Sets when a draft shall hold.
 *
 * @param certificate   a draft
 * @param valid_after   the first second, since 1970; 0 at first
 * @param valid_before  the second from which it holds no more; UINT64_MAX for never, as at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG for no time at all, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_certificate_set_validity(ssh_certificate *certificate,
                                        uint64_t valid_after,
                                        uint64_t valid_before);

/**
 * Sets an option that who reads the certificate must understand: "force-command" with the command, "source-address" with
 * networks such as "192.0.2.0/24,2001:db8::/32", "verify-required" without text. One of the same name is replaced.
 *
 * @param certificate  a draft
 * @param name         the name
 * @param value        the text, or NULL for an option without one
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_certificate_set_critical_option(ssh_certificate *certificate,
                                               const char *name,
                                               const char *value);

/**
 * Sets an option that may be passed over: "permit-pty", "permit-port-forwarding", "permit-agent-forwarding",
 * "permit-X11-forwarding", "permit-user-rc", "no-touch-required", or one of one's own with an @. One of the same name is
 * replaced.
 *
 * @param certificate  a draft
 * @param name         the name
 * @param value        the text, or NULL for an option without one, as all of the above are
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for what is signed, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_certificate_set_extension(ssh_certificate *certificate,
                                         const char *name,
                                         const char *value);

/**
 * Signs a draft, which stays as it is and may be changed and signed again.
 *
 * @param draft      the draft
 * @param authority  the private key of the authority
 * @param algorithm  the signature algorithm, or NULL for the key's strongest
 * @param error      receives the detail, or NULL: SSH_ERR_KEY_UNSUPPORTED, SSH_ERR_SIGNATURE, SSH_ERR_STATE for what is
 *                   signed already, SSH_ERR_INVALID_ARG for a public key
 * @return a certificate, freed with ssh_certificate_free(), or NULL. Any thread. Since 0.1.
 */
ssh_certificate *ssh_certificate_sign(const ssh_certificate *draft,
                                      const ssh_key *authority,
                                      const char *algorithm,
                                      ssh_error **error);

/**
 * Reads a private key from memory as ssh_key_load() does, and asks for the passphrase when there is one, three times at
 * most.
 *
 * @param data      the text of the key file
 * @param length    its length in bytes, at most 1 MiB
 * @param name      what the callback is told that the key is called, or NULL
 * @param ask       asks for the passphrase; NULL means that there is nobody to ask
 * @param userdata  handed to the callback
 * @param error     receives the detail, or NULL: as for ssh_key_load(). SSH_ERR_PASSPHRASE_MISSING when the callback
 *                  gave up at once, SSH_ERR_PASSPHRASE_WRONG when none of its answers was right
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread; it waits for the callback. Since 0.1.
 */
ssh_key *ssh_key_load_asking(const void *data,
                             size_t length,
                             const char *name,
                             ssh_passphrase_callback ask,
                             void *userdata,
                             ssh_error **error);

/**
 * Reads a private key from a file, and asks for the passphrase when there is one, three times at most. As ssh does, it
 * refuses a file of the user's own that others may read or write.
 *
 * @param path      the file, which must be a regular one of at most 1 MiB
 * @param ask       asks for the passphrase; NULL means that there is nobody to ask
 * @param userdata  handed to the callback
 * @param error     receives the detail, or NULL: as for ssh_key_load_asking(), SSH_ERR_IO, SSH_ERR_KEY_EXPOSED. The
 *                  message names the file and says what to do
 * @return a key, freed with ssh_key_free(), or NULL.
 *
 * Any thread; it waits for the callback. Since 0.1.
 */
ssh_key *ssh_key_load_file_asking(const char *path,
                                  ssh_passphrase_callback ask,
                                  void *userdata,
                                  ssh_error **error);

/**
 * Reads the public half of whatever key there is: a line as in .pub files, RFC 4716, PKCS#8 ("BEGIN PUBLIC KEY"), PKCS#1
 * ("BEGIN RSA PUBLIC KEY"), a private key in the clear, or an encrypted one whose format leaves the public half readable,
 * as OpenSSH's and PuTTY's do.
 *
 * @param data    the content of the key file
 * @param length  its length in bytes, at most 1 MiB
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED,
 *                SSH_ERR_PASSPHRASE_MISSING where the encryption hides it
 * @return a public key, freed with ssh_key_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_key_load_public(const void *data,
                             size_t length,
                             ssh_error **error);

/**
 * Reads the public half of the key in a file, as ssh_key_load_public() does in memory.
 *
 * @param path   the file, which must be a regular one of at most 1 MiB
 * @param error  receives the detail, or NULL: as for ssh_key_load_public(), and SSH_ERR_IO
 * @return a public key, freed with ssh_key_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_key_load_public_file(const char *path, ssh_error **error);

/**
 * The public half as the text of a file, its last newline included.
 *
 * @param key      the key
 * @param format   SSH_KEY_FORMAT_LINE as in .pub files, SSH_KEY_FORMAT_RFC4716, SSH_KEY_FORMAT_PKCS8 or, for RSA keys,
 *                 SSH_KEY_FORMAT_PKCS1; the last two have no room for a comment
 * @param comment  the comment to put there, or NULL for the one stored with the key
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_KEY_UNSUPPORTED
 * @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_key_public_text(const ssh_key *key,
                          int32_t format,
                          const char *comment,
                          ssh_error **error);

/**
 * Writes the public half to a new file (mode 0644, less what the process's mask takes away). The file appears whole or
 * not at all, and an existing one is never overwritten: SSH_ERR_IO with errno EEXIST.
 *
 * @param key      the key
 * @param path     the file to make
 * @param format   as for ssh_key_public_text()
 * @param comment  the comment to put there, or NULL for the one stored with the key
 * @param error    receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG, SSH_ERR_KEY_UNSUPPORTED
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_key_save_public_file(const ssh_key *key,
                                    const char *path,
                                    int32_t format,
                                    const char *comment,
                                    ssh_error **error);

/**
 * Looks at a key in memory: a private key in any format that ssh_key_load() reads, or a public key in any that
 * ssh_key_load_public() does. No passphrase is wanted, and no time spent on key derivation.
 *
 * @param data    the content of the key file
 * @param length  its length in bytes, at most 1 MiB
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return what is known, freed with ssh_key_info_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key_info *ssh_key_inspect(const void *data,
                              size_t length,
                              ssh_error **error);

/**
 * Looks at a key in a file, as ssh_key_inspect() does in memory.
 *
 * @param path   the file, which must be a regular one of at most 1 MiB
 * @param error  receives the detail, or NULL: as for ssh_key_inspect(), and SSH_ERR_IO
 * @return what is known, freed with ssh_key_info_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_key_info *ssh_key_inspect_file(const char *path, ssh_error **error);

/**
 * Frees what is known of a key.
 *
 * @param info  the handle; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_key_info_free(ssh_key_info *info);

/**
 * The format: SSH_KEY_FORMAT_OPENSSH, ...
 *
 * @return the format, or 0 when `info` is no handle of this kind. Any thread. Since 0.1.
 */
int32_t ssh_key_info_format(const ssh_key_info *info);

/**
 * Whether the file holds a private key.
 *
 * @return false also when `info` is no handle of this kind. Any thread. Since 0.1.
 */
bool ssh_key_info_is_private(const ssh_key_info *info);

/**
 * Whether a passphrase is needed to load the private key.
 *
 * @return false also when `info` is no handle of this kind. Any thread. Since 0.1.
 */
bool ssh_key_info_is_encrypted(const ssh_key_info *info);

/**
 * How the private key is encrypted, in words: "aes256-ctr, bcrypt with 24 rounds". For people; the words may change.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when it is not encrypted. Any thread. Since 0.1.
 */
char *ssh_key_info_encryption(const ssh_key_info *info);

/**
 * The type of the key, such as "ssh-ed25519", also one that this library does not support.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when the encryption hides it. Any thread. Since 0.1.
 */
char *ssh_key_info_type(const ssh_key_info *info);

/**
 * The size in bits as ssh-keygen shows it.
 *
 * @return bits, or 0 when the public half is not readable or not supported. Any thread. Since 0.1.
 */
uint32_t ssh_key_info_bits(const ssh_key_info *info);

/**
 * The comment. OpenSSH's format hides it when it encrypts the key.
 *
 * @return a string, possibly empty, freed with ssh_memory_free(), or NULL when `info` is no handle of this kind.
 *
 * Any thread. Since 0.1.
 */
char *ssh_key_info_comment(const ssh_key_info *info);

/**
 * The public half, with the comment. Of an encrypted key nothing vouches for it before the key is loaded: good to ask a
 * server or an agent about, not to decide by.
 *
 * @return a key, freed with ssh_key_free(), or NULL when the encryption hides it or its type is not supported.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_key_info_public(const ssh_key_info *info);

/**
 * The fingerprint with the hash of your choice: "SHA256:" and base64, as ssh_key_fingerprint() has it, or "MD5:" and 16
 * bytes in hexadecimal with colons.
 *
 * @param key   the key
 * @param hash  SSH_HASH_SHA256 or SSH_HASH_MD5
 * @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_key_fingerprint_with(const ssh_key *key,
                               int32_t hash);

/**
 * A drawing of the fingerprint, easier to compare at a glance than letters: what `ssh-keygen -lv` shows.
 *
 * @param key   the key
 * @param hash  SSH_HASH_SHA256 or SSH_HASH_MD5
 * @return eleven lines with newlines between them, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_key_randomart(const ssh_key *key,
                        int32_t hash);

/**
 * The data of the SSHFP record (RFC 4255) that DNS may have of a host key, as `ssh-keygen -r` prints them: the numbers of
 * algorithm and hash, and the hash in hexadecimal.
 *
 * @param key   the host key
 * @param hash  SSH_HASH_SHA256 or SSH_HASH_SHA1
 * @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_key_sshfp(const ssh_key *key,
                    int32_t hash);

/**
 * Whether an SSHFP record is of this key. The record proves only as much as the way it came: the program looks it up, and
 * must see to it that the answer was secured with DNSSEC.
 *
 * @param key     the host key
 * @param record  the data of the record as text, as ssh_key_sshfp() returns them; the hash may have blanks in it
 * @return false also when `key` is no key or the record has numbers that are not known. Any thread. Since 0.1.
 */
bool ssh_key_matches_sshfp(const ssh_key *key,
                           const char *record);

/**
 * Signs a message, such as the content of a file or of a git commit, as `ssh-keygen -Y sign` does.
 *
 * The namespace says what the signature is for, so that it can be used for nothing else: "file" for files, "git" for git,
 * or a name of your own such as "invoice@example.org".
 *
 * @param key         a private key
 * @param name_space  what the signature is for; not empty, at most 1024 bytes
 * @param hash        SSH_HASH_SHA512, or SSH_HASH_SHA256
 * @param data        the message
 * @param length      how many bytes
 * @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_SIGNATURE
 * @return the text of a .sig file, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_sshsig_sign(const ssh_key *key,
                      const char *name_space,
                      int32_t hash,
                      const void *data,
                      size_t length,
                      ssh_error **error);

/**
 * Checks a signature over a message, as `ssh-keygen -Y check-novalidate` does, and tells which key made it. Whose key that
 * is, and whether it may sign such things, is for the program to decide: compare it with ssh_key_equals().
 *
 * @param signature         the text of the .sig file
 * @param signature_length  its length
 * @param name_space        what the signature must be for
 * @param data              the message
 * @param length            how many bytes
 * @param error             receives the detail, or NULL: SSH_ERR_SIGNATURE when the signature is not good, and for a key
 *                          in it that is of no use SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return the public key that signed, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
 */
ssh_key *ssh_sshsig_verify(const void *signature,
                           size_t signature_length,
                           const char *name_space,
                           const void *data,
                           size_t length,
                           ssh_error **error);

/**
 * Whether a key may sign, by a file of allowed signers as `ssh-keygen -Y verify` reads it: lines of principals, options
 * (namespaces, valid-after, valid-before) and a key. Lines for certificates (cert-authority) let nobody sign here.
 *
 * @param signer          the key, as ssh_sshsig_verify() returned it
 * @param signers         the content of the file
 * @param signers_length  its length in bytes, at most 16 MiB
 * @param principal       in whose name, such as "me@example.org"
 * @param name_space      what for
 * @param when            the moment in seconds since 1970; 0 is now
 * @param error           receives the detail, or NULL: SSH_ERR_SIGNATURE when it may not, SSH_ERR_KEY_MALFORMED when it may
 *                        not and there is a line that makes no sense, which the message tells
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sshsig_check_signer(const ssh_key *signer,
                                   const void *signers,
                                   size_t signers_length,
                                   const char *principal,
                                   const char *name_space,
                                   uint64_t when,
                                   ssh_error **error);

/**
 * The principals of a key: those of the first line of a file of allowed signers that has it and is valid, whatever for.
 *
 * @param signer          the key, as ssh_sshsig_verify() returned it
 * @param signers         the content of the file
 * @param signers_length  its length in bytes, at most 16 MiB
 * @param when            the moment in seconds since 1970; 0 is now
 * @param error           receives the detail, or NULL: as for ssh_sshsig_check_signer()
 * @return patterns separated by commas, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_sshsig_find_principals(const ssh_key *signer,
                                 const void *signers,
                                 size_t signers_length,
                                 uint64_t when,
                                 ssh_error **error);

/**
 * Makes a set of options with the defaults.
 *
 * @return options, freed with ssh_security_options_free(), or NULL when memory is short.
 *
 * Any thread. Since 0.1.
 */
ssh_security_options *ssh_security_options_new(void);

/**
 * Frees the handle. A transport whose options these are keeps them.
 *
 * @param options  the options; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_security_options_free(ssh_security_options *options);

/**
 * Sets all lists to those of a preset.
 *
 * @param options  the options
 * @param preset   SSH_PRESET_MODERN, SSH_PRESET_COMPATIBLE or SSH_PRESET_LEGACY
 * @param error    receives the detail, or NULL: SSH_ERR_STATE once the transport is started,
 *                 SSH_ERR_INVALID_ARG for an unknown preset
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_security_options_set_preset(ssh_security_options *options,
                                           int32_t preset,
                                           ssh_error **error);

/**
 * Sets the key exchange methods.
 *
 * @param options  the options
 * @param names    names such as "curve25519-sha256", or one of the forms above
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
 *                 the transport is started
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_security_options_set_kex(ssh_security_options *options,
                                        const char *names,
                                        ssh_error **error);

/**
 * The key exchange methods in order of preference.
 *
 * @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
 *
 * Any thread. Since 0.1.
 */
char *ssh_security_options_kex(const ssh_security_options *options);

/**
 * Sets the host key algorithms. Naming "ssh-rsa", which means SHA-1, allows it for user authentication too.
 *
 * @param options  the options
 * @param names    names such as "ssh-ed25519,rsa-sha2-512", or one of the forms above
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
 *                 the transport is started
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_security_options_set_key_types(ssh_security_options *options,
                                              const char *names,
                                              ssh_error **error);

/**
 * The host key algorithms in order of preference.
 *
 * @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
 *
 * Any thread. Since 0.1.
 */
char *ssh_security_options_key_types(const ssh_security_options *options);

/**
 * Sets the ciphers, for both directions.
 *
 * @param options  the options
 * @param names    names such as "aes256-gcm@openssh.com", or one of the forms above
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
 *                 the transport is started
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_security_options_set_ciphers(ssh_security_options *options,
                                            const char *names,
                                            ssh_error **error);

/**
 * The ciphers, for both directions in order of preference.
 *
 * @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
 *
 * Any thread. Since 0.1.
 */
char *ssh_security_options_ciphers(const ssh_security_options *options);

/**
 * Sets the message authentication codes, for both directions.
 *
 * @param options  the options
 * @param names    names such as "hmac-sha2-256-etm@openssh.com", or one of the forms above
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
 *                 the transport is started
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_security_options_set_digests(ssh_security_options *options,
                                            const char *names,
                                            ssh_error **error);

/**
 * The message authentication codes, for both directions in order of preference.
 *
 * @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
 *
 * Any thread. Since 0.1.
 */
char *ssh_security_options_digests(const ssh_security_options *options);

/**
 * Sets the compression methods, for both directions.
 *
 * @param options  the options
 * @param names    names such as "zlib@openssh.com,none", or one of the forms above
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG with the unknown name, SSH_ERR_STATE once
 *                 the transport is started
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_security_options_set_compression(ssh_security_options *options,
                                                const char *names,
                                                ssh_error **error);

/**
 * The compression methods, for both directions in order of preference.
 *
 * @return names separated by commas, freed with ssh_memory_free(), or NULL when `options` are none.
 *
 * Any thread. Since 0.1.
 */
char *ssh_security_options_compression(const ssh_security_options *options);

/**
 * Makes a transport over a connected stream socket. Nothing is sent before ssh_transport_start_client() or
 * ssh_transport_start_server().
 *
 * @param fd     a connected stream socket, blocking or not. On success it belongs to the transport, which
 *               makes it non-blocking and closes it; on failure it stays the caller's.
 * @param error  receives the detail, or NULL: SSH_ERR_IO when the system refuses it, SSH_ERR_INVALID_ARG when it is
 *               no connected stream socket
 * @return a transport, freed with ssh_transport_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_transport *ssh_transport_new(int32_t fd,
                                 ssh_error **error);

/**
 * Makes a transport over a new TCP connection. All addresses of the host are tried, IPv6 and IPv4.
 *
 * @param address     "host", "host:port", `[v6]:port` or a bare address; the port is 22 if not given
 * @param timeout_ms  milliseconds for resolving and connecting together; SSH_TIMEOUT_FOREVER leaves it to
 *                    the system, SSH_TIMEOUT_DEFAULT is 30 s
 * @param error       receives the detail, or NULL: SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT, SSH_ERR_INVALID_ARG
 * @return a transport, freed with ssh_transport_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_transport *ssh_transport_new_address(const char *address,
                                         int32_t timeout_ms,
                                         ssh_error **error);

/**
 * Ends the transport: closes it if it is not closed, without waiting for the network, and frees the handle.
 * Calls that are blocked on it in other threads return with SSH_ERR_CLOSED. Channels, requests and events
 * keep what they need and are freed by their owners, before or after.
 *
 * @param transport  the transport; NULL is fine
 *
 * Any thread, also inside its own callbacks. Since 0.1.
 */
void ssh_transport_free(ssh_transport *transport);

/**
 * Begins the session as client: exchanges identifications and keys. The server's host key is then known
 * (ssh_transport_get_remote_server_key()) and has proven itself; whether it is the right one is decided by
 * the expected key, the known hosts (ssh_transport_set_known_hosts()), the SSH_REQUEST_HOST_KEY callback,
 * ssh_transport_accept_host_key() or ssh_transport_set_insecure_accept_any_host_key(). Nobody can authenticate before that.
 *
 * An OpenSSH, Dropbear or libsshwire server that this process has been connected to over TCP before is told everything at once, if it
 * preferred what the client does, which saves a round trip (RFC 4253 section 7).
 *
 * @param transport   the transport
 * @param event       NULL to wait until it is done; otherwise the call returns at once and the event is set
 *                    when it is done: then see ssh_transport_is_active() and ssh_transport_get_exception()
 * @param timeout_ms  milliseconds until it must be done; SSH_TIMEOUT_DEFAULT is the handshake timeout
 * @param error       receives the detail, or NULL: SSH_ERR_NEGOTIATION, SSH_ERR_KEX, SSH_ERR_HOSTKEY,
 *                    SSH_ERR_VERSION, SSH_ERR_TIMEOUT, ...
 * @return SSH_OK or a failure; the transport is closed after a failure other than SSH_ERR_CANCELLED and
 *         SSH_ERR_STATE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_start_client(ssh_transport *transport,
                                      ssh_event *event,
                                      int32_t timeout_ms,
                                      ssh_error **error);

/**
 * Begins the session as server. Authentication and channels then go through the questions of `server`
 * (ssh_server_set_callback()), and channels arrive at ssh_transport_accept().
 *
 * @param transport   the transport, with at least one key (ssh_transport_add_server_key() or
 *                    ssh_server_add_key())
 * @param server      the callbacks and options, kept as long as the transport needs them; NULL refuses every
 *                    question
 * @param event       NULL to wait until the keys are exchanged; otherwise as for ssh_transport_start_client()
 * @param timeout_ms  milliseconds until it must be done; SSH_TIMEOUT_DEFAULT is the handshake timeout
 * @param error       receives the detail, or NULL: SSH_ERR_STATE without a key, SSH_ERR_NEGOTIATION, ...
 * @return SSH_OK or a failure; the transport is closed after a failure other than SSH_ERR_CANCELLED and
 *         SSH_ERR_STATE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_start_server(ssh_transport *transport,
                                      ssh_server *server,
                                      ssh_event *event,
                                      int32_t timeout_ms,
                                      ssh_error **error);

/**
 * Begins the session as client and authenticates, in one call: ssh_transport_start_client(), the check of
 * the host key, and then publickey if a private key is given, or else password, or else nothing.
 *
 * @param transport          the transport
 * @param expected_host_key  the key the server must have, or NULL for what was set up before the call
 * @param username           whom to authenticate as; NULL only when neither password nor key is given
 * @param password           a C string of any bytes, or NULL; one with a NUL in it goes with
 *                           ssh_transport_auth_password()
 * @param private_key        a private key, or NULL
 * @param timeout_ms         milliseconds for all of it; SSH_TIMEOUT_DEFAULT gives each step its own timeout
 * @param error              receives the detail, or NULL: those of the calls named
 * @return SSH_OK, which without password and key says only that the host key is good, and nobody is logged in yet;
 *         SSH_PARTIAL when the server wants more (ssh_transport_auth_methods()); or a failure. After
 *         SSH_ERR_AUTH the transport lives and another ssh_transport_auth_...() may be tried.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_connect(ssh_transport *transport,
                                 const ssh_key *expected_host_key,
                                 const char *username,
                                 const char *password,
                                 const ssh_key *private_key,
                                 int32_t timeout_ms,
                                 ssh_error **error);

/**
 * Closes the session: says goodbye to the peer, closes all channels and the stream. Does nothing when it is
 * closed. Waits no longer than one second for the goodbye to leave.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread, also inside callbacks. Since 0.1.
 */
ssh_status ssh_transport_close(ssh_transport *transport);

/**
 * Ends the transport's work in the background: like ssh_transport_close(), but does not wait for the goodbye to
 * leave.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_stop_thread(ssh_transport *transport);

/**
 * Wakes every call that is blocked on the transport or one of its channels now, with SSH_ERR_CANCELLED. The
 * session goes on; later calls are not touched.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread; not in signal handlers. Since 0.1.
 */
ssh_status ssh_transport_cancel(ssh_transport *transport);

/**
 * Drops this process's copy of a transport after a fork(), and frees the handle: closes its copy of the
 * descriptor, without a word to the peer. The other process's session goes on undisturbed. Usually the child
 * calls it for the transports it has inherited; the parent may, to leave a transport to the child that has
 * not been started. In a child, destroy functions are not called.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Since 0.1.
 */
ssh_status ssh_transport_atfork(ssh_transport *transport);

/**
 * Waits until the transport has ended and its descriptor is closed.
 *
 * @param transport   the transport
 * @param timeout_ms  milliseconds to wait at most; SSH_TIMEOUT_DEFAULT is SSH_TIMEOUT_FOREVER
 * @return SSH_OK when it has ended, SSH_AGAIN when timeout_ms is 0 and it has not, SSH_ERR_TIMEOUT,
 *         SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_join(ssh_transport *transport, int32_t timeout_ms);

/**
 * Whether a thread of the library takes care of the transport: from the start until its descriptor is closed.
 *
 * @return false also when `transport` is none. Any thread. Since 0.1.
 */
bool ssh_transport_is_alive(const ssh_transport *transport);

/**
 * Whether the session is open: it was started and nothing has ended it.
 *
 * @return false also when `transport` is none. Any thread. Since 0.1.
 */
bool ssh_transport_is_active(const ssh_transport *transport);

/**
 * Whether the session is open and authenticated.
 *
 * @return false also when `transport` is none. Any thread. Since 0.1.
 */
bool ssh_transport_is_authenticated(const ssh_transport *transport);

/**
 * The name of the user that is authenticated, in either role.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when nobody is. Any thread. Since 0.1.
 */
char *ssh_transport_get_username(const ssh_transport *transport);

/**
 * The address of the other side.
 *
 * @param transport  the transport
 * @param port       receives the port, 0 when there is none; or NULL
 * @return the address as text, "unknown" when the stream has none; freed with ssh_memory_free(). NULL when
 *         `transport` is none. Any thread. Since 0.1.
 */
char *ssh_transport_getpeername(const ssh_transport *transport,
                                uint16_t *port);

/**
 * One line about the transport for logs and debuggers: role, state, algorithms in use, channels.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
 */
char *ssh_transport_describe(const ssh_transport *transport);

/**
 * Hands out the last saved error and forgets it: the failure of an operation that was given an event, or
 * what ended the session.
 *
 * @return an error, freed with ssh_error_free(), or NULL when none is saved. Any thread. Since 0.1.
 */
ssh_error *ssh_transport_get_exception(ssh_transport *transport);

/**
 * What ended the session. It is kept: every call returns it anew.
 *
 * @return an error, freed with ssh_error_free(), or NULL while the session has not ended.
 *
 * Any thread. Since 0.1.
 */
ssh_error *ssh_transport_error(const ssh_transport *transport);

/**
 * Gives the transport a name, for logs. At first "ssh-transport-" and a number.
 *
 * @param transport  the transport
 * @param name       the name, copied
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_name(ssh_transport *transport, const char *name);

/**
 * The name of the transport.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
 */
char *ssh_transport_get_name(const ssh_transport *transport);

/**
 * Attaches a pointer of the program's to the transport.
 *
 * @param transport  the transport
 * @param userdata   the pointer
 * @param destroy    ends its life once it is replaced or the transport is gone, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_userdata(ssh_transport *transport,
                                      void *userdata,
                                      ssh_destroy_callback destroy);

/**
 * The pointer attached with ssh_transport_set_userdata().
 *
 * @return the pointer, or NULL. Any thread. Since 0.1.
 */
void *ssh_transport_get_userdata(const ssh_transport *transport);

/**
 * Adds a host key for the server role. One key of each kind is used; the last one added wins.
 *
 * @param transport  a transport that is not started
 * @param key        a private key
 * @return SSH_OK, SSH_ERR_INVALID_ARG for a public key, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_add_server_key(ssh_transport *transport, const ssh_key *key);

/**
 * In the server role: the host key that was negotiated.
 *
 * @return its public half, freed with ssh_key_free(), or NULL before keys were exchanged.
 *
 * Any thread. Since 0.1.
 */
ssh_key *ssh_transport_get_server_key(const ssh_transport *transport);

/**
 * In the client role: the host key of the server, which has proven that it holds the private half.
 *
 * @param transport  the transport
 * @param error      receives the detail, or NULL: SSH_ERR_STATE before keys were exchanged
 * @return a public key, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
 */
ssh_key *ssh_transport_get_remote_server_key(const ssh_transport *transport, ssh_error **error);

/**
 * Says which host key the server must have. Another key ends the session with SSH_ERR_HOSTKEY, which shows
 * both fingerprints. Host key algorithms that do not fit the key are no longer offered.
 *
 * @param transport  a transport that is not started
 * @param key        the key; NULL takes the expectation back
 * @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_expected_host_key(ssh_transport *transport,
                                               const ssh_key *key);

/**
 * Accepts the host key that the server showed, after the program has checked it by its own means:
 * ssh_transport_start_client(), ssh_transport_get_remote_server_key(), the check, and then this call.
 *
 * @param transport  a client transport whose keys were exchanged
 * @return SSH_OK, SSH_ERR_STATE before keys were exchanged, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_accept_host_key(ssh_transport *transport);

/**
 * Accepts every host key without looking. INSECURE: whoever sits between the two sides can read and change
 * everything. For tests, and for networks that are secured otherwise.
 *
 * @param transport  a transport that is not started
 * @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_insecure_accept_any_host_key(ssh_transport *transport);

/**
 * The algorithms of this transport, to be read and, until it is started, changed.
 *
 * @return options, freed with ssh_security_options_free(), or NULL when `transport` is none.
 *
 * Any thread. Since 0.1.
 */
ssh_security_options *ssh_transport_security_options(ssh_transport *transport);

/**
 * Copies algorithms into the transport.
 *
 * @param transport  a transport that is not started
 * @param options    the options, copied
 * @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_security_options(ssh_transport *transport,
                                              const ssh_security_options *options);

/**
 * Makes a transport over functions of the program's: over pipes, TLS, a serial line, another library's connection.
 *
 * What the peer sends is read ahead up to 256 KiB, and as much is taken for writing, so the functions never hold up
 * another transport, nor calls on this one longer than their timeouts. The transport does not wait for them: when it
 * ends, it calls `close` and is done, also when a `read` never returns. `destroy` is called once `close` and every
 * other call have returned; if one never does, it is not called.
 *
 * @param read      reads
 * @param write     writes
 * @param close     ends the stream, or NULL when both others keep to their timeouts
 * @param userdata  passed to all of them
 * @param destroy   ends userdata's life, or NULL
 * @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG
 * @return a transport, freed with ssh_transport_free(), or NULL; then none of the functions is ever called.
 *
 * Any thread. Since 0.1.
 */
ssh_transport *ssh_transport_new_stream(ssh_stream_read_callback read,
                                        ssh_stream_write_callback write,
                                        ssh_stream_close_callback close,
                                        void *userdata,
                                        ssh_destroy_callback destroy,
                                        ssh_error **error);

/**
 * Makes a transport over a channel of another transport: a session within a session, as a jump host needs it. Open
 * the channel with ssh_transport_open_channel("direct-tcpip", ...), or with a command that connects. There may be
 * any number of transports over one another.
 *
 * Only the new transport reads and writes the channel from now on; ssh_channel_read() and its like fail with
 * SSH_ERR_STATE. What comes on stderr is thrown away. Flow control reaches through: what is not read above is not
 * fetched below. When the transport below ends, this one ends with SSH_ERR_CONN_LOST, and the error tells the cause;
 * when this one ends, the channel is closed and the transport below goes on.
 *
 * @param channel  an open channel. The handle stays the caller's and may be freed at any time, which does not close
 *                 the channel while the transport needs it; ssh_channel_close() does
 * @param error    receives the detail, or NULL: SSH_ERR_CLOSED, SSH_ERR_STATE when a transport runs over it already
 *                 or it is not open yet, or what ended the transport below
 * @return a transport, freed with ssh_transport_free() before or after the one below, or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_transport *ssh_transport_new_channel(ssh_channel *channel,
                                         ssh_error **error);

/**
 * Makes a transport over a new TCP connection and does not wait for it: ssh_transport_new_address() for event loops.
 * The transport may be started at once, with an event of its own; the handshake timeout then counts the connecting
 * too.
 *
 * @param address     as for ssh_transport_new_address()
 * @param event       set when the connection is made, or cannot be: ssh_transport_connect_status(); NULL if nobody
 *                    cares, as when the transport is started at once
 * @param timeout_ms  milliseconds for resolving and connecting together; SSH_TIMEOUT_DEFAULT is 30 s
 * @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG
 * @return a transport, freed with ssh_transport_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_transport *ssh_transport_begin_address(const char *address,
                                           ssh_event *event,
                                           int32_t timeout_ms,
                                           ssh_error **error);

/**
 * How the making of the connection went, for ssh_transport_begin_address().
 *
 * @param transport  the transport
 * @param error      receives the detail, or NULL: SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT
 * @return SSH_OK when it is made, and for every other kind of transport; SSH_AGAIN while it is made; or the failure.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_connect_status(const ssh_transport *transport,
                                        ssh_error **error);

/**
 * Sets one of the timeouts that calls with SSH_TIMEOUT_DEFAULT and the session itself use.
 *
 * @param transport   the transport
 * @param kind        SSH_TIMEOUT_KIND_HANDSHAKE, ...
 * @param timeout_ms  milliseconds, above 0; SSH_TIMEOUT_FOREVER for none
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_timeout(ssh_transport *transport, int32_t kind, int32_t timeout_ms);

/**
 * Asks the peer now and then whether it is still there, and ends the session with SSH_ERR_TIMEOUT when it is
 * not. Any answer counts, also a refusal.
 *
 * @param transport    the transport
 * @param interval_ms  milliseconds of silence after which to ask, and between questions; 0 turns it off
 * @param max_missed   how many unanswered questions end the session; 0 asks and never ends it
 * @param callback     hears of every answer and every missing one, or NULL
 * @param userdata     passed to the callback
 * @param destroy      ends userdata's life once it is replaced or the transport is gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE, or what ended the session; on failure destroy is not called.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_keepalive(ssh_transport *transport,
                                       int32_t interval_ms,
                                       uint32_t max_missed,
                                       ssh_keepalive_callback callback,
                                       void *userdata,
                                       ssh_destroy_callback destroy);

/**
 * Whether to compress: true puts zlib@openssh.com and zlib before none in the list, false leaves none alone.
 *
 * @param transport  a transport that is not started
 * @param enabled    whether to compress
 * @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_use_compression(ssh_transport *transport,
                                         bool enabled);

/**
 * Sets when new keys are negotiated, in either direction, besides what the cipher itself demands.
 *
 * @param transport   a transport that is not started
 * @param bytes       after so many bytes; 0 keeps the default of 1 GiB
 * @param packets     after so many packets; 0 keeps the default of 2^31
 * @param seconds     after so many seconds; 0 keeps the default of 3600
 * @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_rekey_limits(ssh_transport *transport,
                                          uint64_t bytes,
                                          uint64_t packets,
                                          uint32_t seconds);

/**
 * Sets how far the receive window of one channel may grow, which bounds the memory of a channel that is not
 * read.
 *
 * @param transport  a transport that is not started
 * @param bytes      at least 32,768; 64 MiB at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_window_cap(ssh_transport *transport,
                                        uint32_t bytes);

/**
 * Sets how many channels may be open at once.
 *
 * @param transport  a transport that is not started
 * @param channels   at least 1; 1,000 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_channel_limit(ssh_transport *transport, uint32_t channels);

/**
 * Refuses peers that do not know strict key exchange, the remedy against CVE-2023-48795 (Terrapin). Without
 * this it is used with every peer that knows it.
 *
 * @param transport  a transport that is not started
 * @param required   whether to refuse
 * @return SSH_OK, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_require_strict_kex(ssh_transport *transport,
                                            bool required);

/**
 * Sets how many threads wait on the sockets of all transports of the process. Without it there is one for
 * each core, at most 4.
 *
 * @param threads  1 to 64
 * @return SSH_OK, SSH_ERR_INVALID_ARG. Without effect once the first transport was started. Any thread. Since 0.1.
 */
ssh_status ssh_set_io_threads(uint32_t threads);

/**
 * Names an algorithm that was agreed on; after new keys the ones of these.
 *
 * @param transport  the transport
 * @param which      SSH_ALGORITHM_KEX and the others
 * @return a name as in RFC 4253 and its kin, freed with ssh_memory_free(); NULL before the first key exchange is over,
 *         and when `which` is none of them. Any thread. Since 0.1.
 */
char *ssh_transport_get_algorithm(const ssh_transport *transport,
                                  int32_t which);

/**
 * Tells what a transport has carried since it was made. It may be asked after its end.
 *
 * @param transport  the transport
 * @param values     receives the figures, in the order of SSH_STATISTIC_PACKETS_SENT and the others
 * @param count      how many there is room for; SSH_STATISTIC_COUNT for all
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; it waits for the packets that are being opened
 *         and sealed, and no longer. Since 0.1.
 */
ssh_status ssh_transport_statistics(const ssh_transport *transport,
                                    uint64_t *values,
                                    size_t count);

/**
 * Makes known hosts without any.
 *
 * @return known hosts, freed with ssh_known_hosts_free(), or NULL when memory is short. Any thread. Since 0.1.
 */
ssh_known_hosts *ssh_known_hosts_new(void);

/**
 * Makes known hosts of the files that ssh uses by default: `.ssh/known_hosts` and `.ssh/known_hosts2` in the home of the
 * account that runs the program, and the system's `/etc/ssh/ssh_known_hosts` and `/etc/ssh/ssh_known_hosts2`.
 *
 * @param error  receives the detail, or NULL: SSH_ERR_IO when one of them is there and cannot be read, SSH_ERR_STATE
 *               when the account has no home
 * @return known hosts, freed with ssh_known_hosts_free(), or NULL. Any thread. Since 0.1.
 */
ssh_known_hosts *ssh_known_hosts_new_default(ssh_error **error);

/**
 * Frees the handle. Transports that use the known hosts keep them.
 *
 * @param known_hosts  the known hosts; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_known_hosts_free(ssh_known_hosts *known_hosts);

/**
 * Adds a file behind those there are. The first one is where changes go; all of them are asked.
 *
 * @param known_hosts  the known hosts
 * @param path         the file; it need not exist yet
 * @param error        receives the detail, or NULL: SSH_ERR_IO when it is there and cannot be read
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_known_hosts_add_file(ssh_known_hosts *known_hosts,
                                    const char *path,
                                    ssh_error **error);

/**
 * Adds lines that stand in no file, for programs that keep them elsewhere.
 *
 * @param known_hosts  the known hosts
 * @param text         lines as in a file; copied
 * @param length       how many bytes
 * @param error        receives the detail, or NULL: SSH_ERR_INVALID_ARG for more than 16 MiB
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_known_hosts_add_lines(ssh_known_hosts *known_hosts,
                                     const void *text,
                                     size_t length,
                                     ssh_error **error);

/**
 * What is known about a host and a key that it shows.
 *
 * @param known_hosts  the known hosts
 * @param host         the name or address, as the user gave it
 * @param port         the port
 * @param key          the key that the host has shown
 * @param verdict      receives SSH_KNOWN_HOSTS_MATCH, ...; 0 on failure, which means that nothing is known for sure
 * @param entry        receives the line that decided, freed with ssh_known_hosts_entry_free(), or NULL for
 *                     SSH_KNOWN_HOSTS_UNKNOWN; may be NULL
 * @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG for what is no host's name
 * @return SSH_OK or a failure. Any thread; reads files. Since 0.1.
 */
ssh_status ssh_known_hosts_check(const ssh_known_hosts *known_hosts,
                                 const char *host,
                                 uint16_t port,
                                 const ssh_key *key,
                                 int32_t *verdict,
                                 ssh_known_hosts_entry **entry,
                                 ssh_error **error);

/**
 * What is known about the key that has signed a host's certificate: SSH_KNOWN_HOSTS_MATCH when a line with
 * `@cert-authority` names host and key, SSH_KNOWN_HOSTS_REVOKED, or SSH_KNOWN_HOSTS_UNKNOWN. Whether the certificate is a
 * good one is another question.
 *
 * @param known_hosts  as for ssh_known_hosts_check()
 * @param host         as for ssh_known_hosts_check()
 * @param port         as for ssh_known_hosts_check()
 * @param key          the key that signed the certificate
 * @param verdict      as for ssh_known_hosts_check()
 * @param entry        as for ssh_known_hosts_check()
 * @param error        as for ssh_known_hosts_check()
 * @return SSH_OK or a failure. Any thread; reads files. Since 0.1.
 */
ssh_status ssh_known_hosts_check_authority(const ssh_known_hosts *known_hosts,
                                           const char *host,
                                           uint16_t port,
                                           const ssh_key *key,
                                           int32_t *verdict,
                                           ssh_known_hosts_entry **entry,
                                           ssh_error **error);

/**
 * Puts host key algorithms in the order in which they should be offered to a host: those first that lead to a key that it
 * is known to have. ssh_transport_set_known_hosts() does this by itself; programs that decide otherwise give the result
 * to ssh_security_options_set_key_types().
 *
 * @param known_hosts  the known hosts
 * @param host         the host
 * @param port         the port
 * @param algorithms   names separated by commas, such as ssh_security_options_key_types() returns
 * @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG
 * @return the same names, freed with ssh_memory_free(), or NULL. Any thread; reads files. Since 0.1.
 */
char *ssh_known_hosts_order(const ssh_known_hosts *known_hosts,
                            const char *host,
                            uint16_t port,
                            const char *algorithms,
                            ssh_error **error);

/**
 * One of the lines that name a host, whatever marker they have, or of all lines that make sense.
 *
 * @param known_hosts  the known hosts
 * @param host         the host, or NULL for all lines; a port is looked for as given, and not without it
 * @param port         the port
 * @param index        which of the lines, from 0
 * @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG
 * @return the line, freed with ssh_known_hosts_entry_free(); NULL when there are no more of them (then `error` is NULL
 *         too) or on failure. Any thread; reads files. Since 0.1.
 */
ssh_known_hosts_entry *ssh_known_hosts_find(const ssh_known_hosts *known_hosts,
                                            const char *host,
                                            uint16_t port,
                                            size_t index,
                                            ssh_error **error);

/**
 * The lines that are passed over because they make no sense, the first hundred: `file:line: why`, each with a newline.
 *
 * @param known_hosts  the known hosts
 * @param error        receives the detail, or NULL: SSH_ERR_IO
 * @return text, empty when all is well, freed with ssh_memory_free(), or NULL. Any thread; reads files. Since 0.1.
 */
char *ssh_known_hosts_warnings(const ssh_known_hosts *known_hosts,
                               ssh_error **error);

/**
 * Has known hosts decide about the key of a transport's server. Before the start: the algorithms are then offered in the
 * order that suits what is known. A key that matches is accepted; one that is changed, of another type than is known, or
 * revoked ends the session with SSH_ERR_HOSTKEY, and ssh_error_message() says what to do. Where nothing is known of the
 * host, the question is the program's: SSH_REQUEST_HOST_KEY where it is set up, or else ssh_transport_accept_host_key()
 * after the start; without either nobody can log in. Nothing is written: see ssh_known_hosts_add(). An expected key
 * (ssh_transport_set_expected_host_key()) goes before.
 *
 * @param transport    the transport
 * @param known_hosts  the known hosts, kept as long as the transport needs them; NULL for none
 * @param host         the host that the user wants, or NULL for the one of ssh_transport_new_address()
 * @param port         its port, 0 where the host is an alias to be taken as it stands; not looked at when the host is NULL
 * @param error        receives the detail, or NULL: SSH_ERR_STATE once the transport is started, or when it was not made
 *                     from an address and no host is given, SSH_ERR_INVALID_ARG
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_known_hosts(ssh_transport *transport,
                                         const ssh_known_hosts *known_hosts,
                                         const char *host,
                                         uint16_t port,
                                         ssh_error **error);

/**
 * What the known hosts of a transport said about its server's key, also while SSH_REQUEST_HOST_KEY asks about it.
 *
 * @param transport  the transport
 * @param verdict    receives SSH_KNOWN_HOSTS_MATCH, ...; 0 while there is no verdict
 * @param entry      receives the line that decided, freed with ssh_known_hosts_entry_free(), or NULL; may be NULL
 * @return SSH_OK, SSH_ERR_STATE while there is no verdict, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_known_hosts_verdict(const ssh_transport *transport,
                                             int32_t *verdict,
                                             ssh_known_hosts_entry **entry);

/**
 * Frees an entry and the strings asked of it.
 *
 * @param entry  the entry; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_known_hosts_entry_free(ssh_known_hosts_entry *entry);

/**
 * The file in which the line stands.
 *
 * @return a string of the entry's, or NULL for a line that stands in no file. Any thread. Since 0.1.
 */
const char *ssh_known_hosts_entry_file(const ssh_known_hosts_entry *entry);

/**
 * The number of the line in its file, from 1.
 *
 * @return the number, or 0 when `entry` is no entry. Any thread. Since 0.1.
 */
uint64_t ssh_known_hosts_entry_line(const ssh_known_hosts_entry *entry);

/**
 * The marker: SSH_KNOWN_HOSTS_MARKER_NONE, ...
 *
 * @return the marker, or 0 also when `entry` is no entry. Any thread. Since 0.1.
 */
int32_t ssh_known_hosts_entry_marker(const ssh_known_hosts_entry *entry);

/**
 * The names as they stand in the line: names and patterns separated by commas, or one hashed name. What is not printable
 * is escaped.
 *
 * @return a string of the entry's, or NULL when `entry` is no entry. Any thread. Since 0.1.
 */
const char *ssh_known_hosts_entry_names(const ssh_known_hosts_entry *entry);

/**
 * The type of the key, such as "ssh-ed25519" or "ssh-dss".
 *
 * @return a string of the entry's, or NULL when `entry` is no entry. Any thread. Since 0.1.
 */
const char *ssh_known_hosts_entry_key_type(const ssh_known_hosts_entry *entry);

/**
 * The key.
 *
 * @return a key, freed with ssh_key_free(), or NULL for one that this library does not use, such as ssh-dss or a short RSA
 *         key. Any thread. Since 0.1.
 */
ssh_key *ssh_known_hosts_entry_key(const ssh_known_hosts_entry *entry);

/**
 * The fingerprint of the key, also of one that this library does not use: "SHA256:" and 43 characters.
 *
 * @return a string of the entry's, or NULL when `entry` is no entry. Any thread. Since 0.1.
 */
const char *ssh_known_hosts_entry_fingerprint(const ssh_known_hosts_entry *entry);

/**
 * What stands behind the key. What is not printable is escaped.
 *
 * @return a string of the entry's, possibly empty, or NULL when `entry` is no entry. Any thread. Since 0.1.
 */
const char *ssh_known_hosts_entry_comment(const ssh_known_hosts_entry *entry);

/**
 * Adds a line to the first file, unless it is there already; the file is made (mode 0600) where there is none.
 *
 * This and the other changes leave every other line as it is, byte for byte. They are safe against other writers: the
 * file is locked, the new content is written beside it, and takes its place at once, with its mode and owner; links are
 * followed. They wait for the lock for 10 seconds at most.
 *
 * @param known_hosts  known hosts with a file
 * @param marker       SSH_KNOWN_HOSTS_MARKER_NONE, or another one; then `host` may be a list of patterns
 * @param host         the host
 * @param port         its port
 * @param key          its key
 * @param comment      what to write behind the key, or NULL for nothing
 * @param hashed       whether to hash the name, so that the file does not tell it; not with a marker
 * @param error        receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_TIMEOUT, SSH_ERR_STATE without a file,
 *                     SSH_ERR_INVALID_ARG
 * @return SSH_OK or a failure. Any thread; writes a file. Since 0.1.
 */
ssh_status ssh_known_hosts_add(ssh_known_hosts *known_hosts,
                               int32_t marker,
                               const char *host,
                               uint16_t port,
                               const ssh_key *key,
                               const char *comment,
                               bool hashed,
                               ssh_error **error);

/**
 * Gives a host a new key in the first file: in place of the first line that gives it another key of the same type, while
 * further such lines are taken away. Other hosts in those lines keep their key, and so do patterns. Without such a line
 * the new one is added at the end.
 *
 * @param known_hosts  known hosts with a file
 * @param host         the host
 * @param port         its port
 * @param key          its key from now on
 * @param comment      what to write behind the key, or NULL for nothing
 * @param hashed       whether to hash the name
 * @param error        as for ssh_known_hosts_add()
 * @return SSH_OK or a failure. Any thread; writes a file. Since 0.1.
 */
ssh_status ssh_known_hosts_replace(ssh_known_hosts *known_hosts,
                                   const char *host,
                                   uint16_t port,
                                   const ssh_key *key,
                                   const char *comment,
                                   bool hashed,
                                   ssh_error **error);

/**
 * Removes from the first file every line without a marker that names the host, as `ssh-keygen -R` does: whole lines,
 * patterns and other names in them included.
 *
 * @param known_hosts  known hosts with a file
 * @param host         the host
 * @param port         its port
 * @param count        receives how many lines were removed; may be NULL
 * @param error        as for ssh_known_hosts_add()
 * @return SSH_OK, also when there was none, or a failure. Any thread; writes a file. Since 0.1.
 */
ssh_status ssh_known_hosts_remove(ssh_known_hosts *known_hosts,
                                  const char *host,
                                  uint16_t port,
                                  size_t *count,
                                  ssh_error **error);

/**
 * Writes down what a SSH_REQUEST_HOST_KEYS tells: the keys that are new go into the first file, and the lines in which the
 * host has a key that it has no longer out of all files but the system's. Lines with a marker or with patterns stay. This
 * is for known hosts that are not the transport's, or to say whether names are hashed; otherwise ssh_request_accept() does
 * it.
 *
 * @param known_hosts  known hosts with a file
 * @param request      the request, answered or not
 * @param host         the host, or NULL for the one of the transport's known hosts
 * @param port         its port; not looked at when the host is NULL
 * @param hashed       whether to hash the name in new lines
 * @param error        as for ssh_known_hosts_add(); SSH_ERR_STATE also for a request of another kind, and when the transport
 *                     has no known hosts and no host is given
 * @return SSH_OK or a failure. Any thread; writes files. Since 0.1.
 */
ssh_status ssh_known_hosts_update(ssh_known_hosts *known_hosts,
                                  const ssh_request *request,
                                  const char *host,
                                  uint16_t port,
                                  bool hashed,
                                  ssh_error **error);

/**
 * Hashes the names in the first file, as `ssh-keygen -H` does: a line of its own for each name. Patterns and lines with
 * a marker stay as they are. What was there is not kept: unlike ssh-keygen this leaves no file with the old content.
 *
 * @param known_hosts  known hosts with a file
 * @param count        receives how many lines were hashed; may be NULL
 * @param error        as for ssh_known_hosts_add()
 * @return SSH_OK, also when there was none, or a failure. Any thread; writes a file. Since 0.1.
 */
ssh_status ssh_known_hosts_hash(ssh_known_hosts *known_hosts,
                                size_t *count,
                                ssh_error **error);

/**
 * Makes a configuration without anything in it.
 *
 * @return a configuration, freed with ssh_config_free(), or NULL when memory is short. Any thread. Since 0.1.
 */
ssh_config *ssh_config_new(void);

/**
 * Frees the handle. What was resolved stays.
 *
 * @param config  the configuration; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_config_free(ssh_config *config);

/**
 * Reads a file as `ssh -F` does, behind those that were read before. It counts as the user's: files that it includes by
 * relative names are looked for in `.ssh` in the home of the account. Included files are read when a host is resolved.
 *
 * @param config  the configuration
 * @param path    the file
 * @param error   receives the detail, or NULL: SSH_ERR_IO when it is not there, cannot be read or has more than 4 MiB
 * @return SSH_OK or a failure. Any thread; reads the file. Since 0.1.
 */
ssh_status ssh_config_load_file(ssh_config *config,
                                const char *path,
                                ssh_error **error);

/**
 * Reads the files that ssh reads without -F: `.ssh/config` in the home of the account, which must belong to the user or to
 * root and be writable by nobody else, and then `/etc/ssh/ssh_config`. Either may be absent.
 *
 * @param config  the configuration
 * @param error   receives the detail, or NULL: SSH_ERR_IO when one cannot be read, SSH_ERR_CONFIG when others may write
 *                the user's, SSH_ERR_RESOURCE when the account has no entry
 * @return SSH_OK or a failure. Any thread; reads the files. Since 0.1.
 */
ssh_status ssh_config_load_defaults(ssh_config *config,
                                    ssh_error **error);

/**
 * Adds an option as `ssh -o` takes it. Options go before all files, and the first of two that say different things holds.
 *
 * @param config  the configuration
 * @param option  such as "Port=2222" or "Port 2222"; copied. What is wrong with it, ssh_config_resolve() tells.
 * @param error   receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_LIMIT for more than 4096 of them
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_config_add_option(ssh_config *config,
                                 const char *option,
                                 ssh_error **error);

/**
 * Sets who runs the commands of `Match exec`. Without anybody a block with such a criterion does not apply, and
 * ssh_config_host_unsupported() says so.
 *
 * @param config    the configuration
 * @param callback  runs a command, or NULL for nobody
 * @param userdata  passed to the callback
 * @param destroy   ends userdata's life once it is replaced or the configuration is gone, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE, and then destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_config_set_exec_callback(ssh_config *config,
                                        ssh_config_exec_callback callback,
                                        void *userdata,
                                        ssh_destroy_callback destroy);

/**
 * Finds out what holds for a destination.
 *
 * @param config       the configuration
 * @param destination  `[user@]host` or `ssh://[user@]host[:port]`, where host is a name, an address or an alias. A user
 *                     and a port given here go before all files, and behind the options. The user is meant as it is
 *                     written: `%` and `$` in it stand for nothing else, as for ssh.
 * @param error        receives the detail, or NULL: SSH_ERR_CONFIG with file, line and what to do, SSH_ERR_IO,
 *                     SSH_ERR_INVALID_ARG for what is no destination
 * @return what holds, freed with ssh_config_host_free(), or NULL. Any thread; reads the files that are included, and the
 *         user database. Since 0.1.
 */
ssh_config_host *ssh_config_resolve(const ssh_config *config,
                                    const char *destination,
                                    ssh_error **error);

/**
 * Frees what was resolved, and the strings asked of it.
 *
 * @param host  what was resolved; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_config_host_free(ssh_config_host *host);

/**
 * A value of an option, in the form of the manual of ssh_config: words as it writes them (`yes` also for `true`), times in
 * seconds, sizes in bytes, with tokens, variables and `~` replaced. RekeyLimit is bytes and seconds, a forwarding is
 * `[address]:port [host]:port`, ProxyJump `user@host:port,...`. Lists of algorithms are as they were written, without the
 * names that are not supported; ssh_security_options_set_ciphers() and its kin take them. Options without a value and
 * without a default, and those set to `none`, have none.
 *
 * @param host     what was resolved
 * @param keyword  the option, in any case
 * @param index    which of its values, from 0; most have one
 * @return a string of the host's, or NULL when there are no more. Any thread. Since 0.1.
 */
const char *ssh_config_host_get(const ssh_config_host *host,
                                const char *keyword,
                                size_t index);

/**
 * The same value as it was written.
 *
 * @param host     what was resolved
 * @param keyword  the option, in any case
 * @param index    which of its values, from 0
 * @return a string of the host's, or NULL when there are no more. Any thread. Since 0.1.
 */
const char *ssh_config_host_get_written(const ssh_config_host *host,
                                        const char *keyword,
                                        size_t index);

/**
 * Where the value is set, for messages: `file:line`, `the option "Port 22"` or "the destination".
 *
 * @param host     what was resolved
 * @param keyword  the option, in any case
 * @param index    which of its values, from 0
 * @return a string of the host's, or NULL for a default and when there are no more. Any thread. Since 0.1.
 */
const char *ssh_config_host_get_place(const ssh_config_host *host,
                                      const char *keyword,
                                      size_t index);

/**
 * The options that have a value, one after the other, in the order of their names.
 *
 * @param host   what was resolved
 * @param index  which of them, from 0
 * @return a string of the host's, such as "HostName", or NULL when there are no more. Any thread. Since 0.1.
 */
const char *ssh_config_host_keyword(const ssh_config_host *host,
                                    size_t index);

/**
 * The name or address to connect to: HostName or, without it, the host that was given.
 *
 * @return a string of the host's, or NULL when `host` is none. Any thread. Since 0.1.
 */
const char *ssh_config_host_name(const ssh_config_host *host);

/**
 * The port to connect to.
 *
 * @return the port, or 0 when `host` is none. Any thread. Since 0.1.
 */
uint16_t ssh_config_host_port(const ssh_config_host *host);

/**
 * Whom to log in as: User or, without it, the name of the account that runs the program.
 *
 * @return a string of the host's, or NULL when `host` is none. Any thread. Since 0.1.
 */
const char *ssh_config_host_user(const ssh_config_host *host);

/**
 * Whether an option is `yes`.
 *
 * @param host     what was resolved
 * @param keyword  the option, in any case
 * @return false also for what is no option. Any thread. Since 0.1.
 */
bool ssh_config_host_is_yes(const ssh_config_host *host, const char *keyword);

/**
 * An option that is a number, or a time in seconds.
 *
 * @param host       what was resolved
 * @param keyword    the option, in any case
 * @param otherwise  returned when it is not set, or no number
 * @return the number. Any thread. Since 0.1.
 */
uint64_t ssh_config_host_number(const ssh_config_host *host,
                                const char *keyword,
                                uint64_t otherwise);

/**
 * A host of ProxyJump, the first one to connect to first. It is a destination itself: an alias may be set up in the same
 * configuration.
 *
 * @param host   what was resolved
 * @param index  which of the hosts, from 0
 * @param user   receives a string of the host's, or NULL where no user is named; may be NULL
 * @param name   receives a string of the host's; may be NULL
 * @param port   receives the port, 0 where none is named; may be NULL
 * @return SSH_OK, SSH_EOF when there are no more, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_config_host_jump(const ssh_config_host *host,
                                size_t index,
                                const char **user,
                                const char **name,
                                uint16_t *port);

/**
 * A forwarding. Each end is a host and a port or, with port 0 and a host that begins with `/`, a UNIX socket.
 *
 * @param host          what was resolved
 * @param kind          SSH_CONFIG_FORWARD_LOCAL, ...
 * @param index         which of them, from 0
 * @param listen_host   receives where to listen, a string of the host's; NULL where GatewayPorts decides; "" and "*" are all
 *                      interfaces; may be NULL
 * @param listen_port   receives the port to listen on, 0 for a remote one that is given a port; may be NULL
 * @param connect_host  receives where to connect to, a string of the host's, or NULL where SOCKS tells; may be NULL
 * @param connect_port  receives the port to connect to; may be NULL
 * @return SSH_OK, SSH_EOF when there are no more, SSH_ERR_BAD_HANDLE, SSH_ERR_INVALID_ARG for another kind. Any thread.
 *         Since 0.1.
 */
ssh_status ssh_config_host_forward(const ssh_config_host *host,
                                   int32_t kind,
                                   size_t index,
                                   const char **listen_host,
                                   uint16_t *listen_port,
                                   const char **connect_host,
                                   uint16_t *connect_port);

/**
 * What the files say and has no effect here: unknown keywords, options that nothing does anything about, algorithms that
 * are not supported. Programs show it when they are asked to be talkative.
 *
 * @param host   what was resolved
 * @param index  which of them, from 0
 * @return `file:line: keyword: why`, a string of the host's, or NULL when there are no more. Any thread. Since 0.1.
 */
const char *ssh_config_host_unsupported(const ssh_config_host *host,
                                        size_t index);

/**
 * Sets whether the process may exit while the transport is alive. It may at first. With false, exit() and the return
 * from main() wait until the transport has ended, whether its handle is freed or not; a transport whose peer never
 * ends it keeps the process for ever, unless another thread closes it. _exit() and signals do not wait.
 *
 * @param transport  the transport
 * @param daemon     true: the process may exit; false: it waits
 * @return SSH_OK, SSH_ERR_IO when the C library takes no more functions to call at exit, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_daemon(ssh_transport *transport,
                                    bool daemon);

/**
 * Whether the process may exit while the transport is alive.
 *
 * @return true also when `transport` is none. Any thread. Since 0.1.
 */
bool ssh_transport_is_daemon(const ssh_transport *transport);

/**
 * Sets where the log of all transports goes that have no log callback of their own. There is none at first.
 *
 * @param callback  receives the lines, or NULL for nobody
 * @param level     the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
 * @param userdata  passed to the callback
 * @param destroy   ends userdata's life once it is replaced, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, and then destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_set_log_callback(ssh_log_callback callback,
                                int32_t level,
                                void *userdata,
                                ssh_destroy_callback destroy);

/**
 * Sets where the log of one transport goes.
 *
 * @param transport  the transport
 * @param callback   receives the lines, or NULL to go back to the process's callback
 * @param level      the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
 * @param userdata   passed to the callback
 * @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_log_callback(ssh_transport *transport,
                                          ssh_log_callback callback,
                                          int32_t level,
                                          void *userdata,
                                          ssh_destroy_callback destroy);

/**
 * Names the log channel of a transport. The name comes with every line. At first "sshwire.transport".
 *
 * @param transport  the transport
 * @param name       the name, copied
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_log_channel(ssh_transport *transport,
                                         const char *name);

/**
 * The name of the log channel.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when `transport` is none. Any thread. Since 0.1.
 */
char *ssh_transport_get_log_channel(const ssh_transport *transport);

/**
 * Logs every packet in hexadecimal at SSH_LOG_DEBUG. Messages that carry passwords or answers show their
 * number and length only.
 *
 * @param transport  the transport
 * @param enabled    whether packets are logged
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_hexdump(ssh_transport *transport,
                                     bool enabled);

/**
 * Whether packets are logged in hexadecimal.
 *
 * @return false also when `transport` is none. Any thread. Since 0.1.
 */
bool ssh_transport_get_hexdump(const ssh_transport *transport);

/**
 * Authenticates with no credentials. Servers that want some refuse, and say which methods they allow: the
 * usual way to find out.
 *
 * @param transport   a client transport that was started
 * @param username    whom to authenticate as
 * @param event       NULL to wait for the outcome; otherwise the call returns SSH_OK at once and the event is
 *                    set when there is an outcome: ssh_transport_auth_status()
 * @param timeout_ms  milliseconds until the outcome; SSH_TIMEOUT_DEFAULT is the auth timeout
 * @param error       receives the detail, or NULL
 * @return SSH_OK when authenticated, SSH_PARTIAL, SSH_ERR_AUTH with the methods allowed, SSH_ERR_HOSTKEY when
 *         nobody has accepted the host key, or another failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_auth_none(ssh_transport *transport,
                                   const char *username,
                                   ssh_event *event,
                                   int32_t timeout_ms,
                                   ssh_error **error);

/**
 * Authenticates with a password.
 *
 * @param transport        a client transport that was started
 * @param username         whom to authenticate as
 * @param password         the password, UTF-8 by the standard, but any bytes are sent as they are
 * @param password_length  its length in bytes
 * @param fallback         whether to answer a single hidden prompt with the password when the server allows
 *                         keyboard-interactive and not password
 * @param event            NULL to wait, as for ssh_transport_auth_none()
 * @param timeout_ms       milliseconds until the outcome; SSH_TIMEOUT_DEFAULT is the auth timeout
 * @param error            receives the detail, or NULL
 * @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed,
 *         SSH_ERR_HOSTKEY when nobody has accepted the host key, or another failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_auth_password(ssh_transport *transport,
                                       const char *username,
                                       const char *password,
                                       size_t password_length,
                                       bool fallback,
                                       ssh_event *event,
                                       int32_t timeout_ms,
                                       ssh_error **error);

/**
 * Authenticates with a private key.
 *
 * @param transport   a client transport that was started
 * @param username    whom to authenticate as
 * @param key         a private key
 * @param event       NULL to wait, as for ssh_transport_auth_none()
 * @param timeout_ms  milliseconds until the outcome; SSH_TIMEOUT_DEFAULT is the auth timeout
 * @param error       receives the detail, or NULL
 * @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed,
 *         SSH_ERR_HOSTKEY when nobody has accepted the host key, or another failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_auth_publickey(ssh_transport *transport,
                                        const char *username,
                                        const ssh_key *key,
                                        ssh_event *event,
                                        int32_t timeout_ms,
                                        ssh_error **error);

/**
 * Authenticates by answering the server's prompts (keyboard-interactive, RFC 4256). The prompts come as
 * requests of kind SSH_REQUEST_PROMPTS, any number of rounds, to the callback set for them or to
 * ssh_transport_next_request().
 *
 * @param transport   a client transport that was started
 * @param username    whom to authenticate as
 * @param submethods  hints for the server separated by commas, or NULL for none
 * @param event       NULL to wait, as for ssh_transport_auth_none()
 * @param timeout_ms  milliseconds until the outcome, which includes the person at the keyboard; SSH_TIMEOUT_DEFAULT is
 *                    no limit
 * @param error       receives the detail, or NULL
 * @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed,
 *         SSH_ERR_HOSTKEY when nobody has accepted the host key, or another failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_auth_interactive(ssh_transport *transport,
                                          const char *username,
                                          const char *submethods,
                                          ssh_event *event,
                                          int32_t timeout_ms,
                                          ssh_error **error);

/**
 * How the last authentication call ended: what it returned, or would have returned without its event.
 *
 * @param transport  the transport
 * @param error      receives the detail, or NULL
 * @return SSH_OK, SSH_PARTIAL, SSH_ERR_AUTH or another failure; SSH_AGAIN while it runs or before the first.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_auth_status(const ssh_transport *transport,
                                     ssh_error **error);

/**
 * The methods that the server said may continue, after SSH_PARTIAL or SSH_ERR_AUTH.
 *
 * @return names separated by commas, freed with ssh_memory_free(), or NULL when nothing was said.
 *
 * Any thread. Since 0.1.
 */
char *ssh_transport_auth_methods(const ssh_transport *transport);

/**
 * The banner that the server wants shown before authentication. Control characters except newlines and tabs
 * are escaped.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when there was none. Any thread. Since 0.1.
 */
char *ssh_transport_auth_banner(const ssh_transport *transport);

/**
 * Sets who receives the server's banners as they come, and the lines before its identification.
 *
 * @param transport  the transport
 * @param callback   receives the texts, or NULL for nobody
 * @param userdata   passed to the callback
 * @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_banner_callback(ssh_transport *transport,
                                             ssh_banner_callback callback,
                                             void *userdata,
                                             ssh_destroy_callback destroy);

/**
 * Opens a session channel, to run a command, a shell or a subsystem.
 *
 * @param transport   a client transport that is authenticated
 * @param timeout_ms  milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
 * @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_open_session(ssh_transport *transport,
                                        int32_t timeout_ms,
                                        ssh_error **error);

/**
 * Opens a channel of any kind.
 *
 * @param transport    a transport that is authenticated
 * @param kind         "session", "direct-tcpip", "forwarded-tcpip", "x11", "direct-streamlocal@openssh.com",
 *                     "forwarded-streamlocal@openssh.com", "auth-agent@openssh.com", or a name of your own
 * @param destination  for the direct kinds where to connect to, for the forwarded kinds where the connection came in:
 *                     a host or address, or for the streamlocal kinds the path of a UNIX socket; else NULL
 * @param destination_port  its port
 * @param source       for direct-tcpip, forwarded-tcpip and x11 where the connection comes from; else NULL
 * @param source_port  its port
 * @param timeout_ms   milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error        receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_INVALID_ARG when the kind wants
 *                     addresses that are missing, SSH_ERR_TIMEOUT, what ended the session
 * @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_open_channel(ssh_transport *transport,
                                        const char *kind,
                                        const char *destination,
                                        uint16_t destination_port,
                                        const char *source,
                                        uint16_t source_port,
                                        int32_t timeout_ms,
                                        ssh_error **error);

/**
 * Takes the next channel that the peer has opened, in the order of opening. Which ones may open is decided by
 * SSH_REQUEST_CHANNEL_OPEN and SSH_REQUEST_CONNECT, and on a client by ssh_transport_request_port_forward().
 * ssh_channel_kind() tells what it is for. Those that nobody takes count among the channels that may be open, also once
 * the peer has closed them, until ssh_channel_free() or the end of the transport.
 *
 * @param transport   the transport
 * @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is
 *                    SSH_TIMEOUT_FOREVER
 * @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, what ended the session;
 *                    set to NULL when timeout_ms is 0 and there is no channel
 * @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_accept(ssh_transport *transport,
                                  int32_t timeout_ms,
                                  ssh_error **error);

/**
 * Sends a global request (RFC 4254 section 4). Any number may be under way; each caller gets its own reply.
 *
 * @param transport     a transport that is authenticated
 * @param name          the request's name
 * @param data          what follows `want reply` in the message, or NULL
 * @param length        how many bytes
 * @param want_reply    whether to ask for a reply and wait for it
 * @param timeout_ms    milliseconds to wait for the reply; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param reply         receives the data in the reply, freed with ssh_memory_free(); or NULL
 * @param reply_length  receives how many bytes; or NULL
 * @param error         receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_global_request(ssh_transport *transport,
                                        const char *name,
                                        const void *data,
                                        size_t length,
                                        bool want_reply,
                                        int32_t timeout_ms,
                                        void **reply,
                                        size_t *reply_length,
                                        ssh_error **error);

/**
 * Sends a packet that the peer ignores, to hide the pattern of the traffic.
 *
 * @param transport  a transport that is active
 * @param length     how many random bytes, at most 32,768; 0 for a random number of them
 * @return SSH_OK, SSH_ERR_INVALID_ARG, or what ended the session. Any thread. Since 0.1.
 */
ssh_status ssh_transport_send_ignore(ssh_transport *transport, size_t length);

/**
 * Negotiates new keys now. Data in both directions go on before and after.
 *
 * @param transport   a transport that is active
 * @param timeout_ms  milliseconds to wait until both directions use the new keys; SSH_TIMEOUT_DEFAULT is as long
 *                    as the peer is given
 * @param error       receives the detail, or NULL
 * @return SSH_OK or a failure, which is also the end of the session unless it is SSH_ERR_TIMEOUT or
 *         SSH_ERR_CANCELLED. Any thread. Since 0.1.
 */
ssh_status ssh_transport_renegotiate_keys(ssh_transport *transport,
                                          int32_t timeout_ms,
                                          ssh_error **error);

/**
 * Reads what has come, waiting for at least one byte.
 *
 * @param channel     the channel
 * @param buffer      where to put it
 * @param capacity    the size of the buffer in bytes; 0 is fine and reads nothing
 * @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
 * @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @return SSH_OK, SSH_EOF when the peer has sent all, SSH_AGAIN when timeout_ms is 0 and nothing is there,
 *         SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, or what ended the session. Data that came before the end are
 *         returned first. Any thread. Since 0.1.
 */
ssh_status ssh_channel_read(ssh_channel *channel,
                            void *buffer,
                            size_t capacity,
                            size_t *done,
                            int32_t timeout_ms);

/**
 * Reads from stderr, otherwise as ssh_channel_read(). Both streams share one window: one that is not read
 * ends up stopping the other. So either read both in turn, with timeout 0, and wait for
 * whichever has something with ssh_channel_set_event(); or have a thread for each; or put both into one with
 * ssh_channel_set_combine_stderr().
 *
 * @param channel     the channel
 * @param buffer      where to put it
 * @param capacity    the size of the buffer in bytes
 * @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
 * @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @return as ssh_channel_read(). Any thread. Since 0.1.
 */
ssh_status ssh_channel_read_stderr(ssh_channel *channel,
                                   void *buffer,
                                   size_t capacity,
                                   size_t *done,
                                   int32_t timeout_ms);

/**
 * Writes as much as fits, waiting until at least one byte does.
 *
 * What is taken leaves at once. Only in a stream, of half a megabyte and more without a pause of 0.1 ms, do writes wait for
 * each other, so that the socket gets some 128 KiB at a time; what so waits leaves as soon as the thread waits for
 * anything of the session, when anything else is sent, or else within some milliseconds. Calls with timeout_ms 0 leave
 * nothing waiting. End a session with ssh_transport_close() or ssh_transport_free(), not with the process.
 *
 * @param channel     the channel
 * @param data        what to write, copied or sent before the call returns
 * @param length      how many bytes; 0 is fine and writes nothing
 * @param done        receives how many bytes were taken, from 1 to length; 0 whenever the result is not SSH_OK
 * @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @return SSH_OK, SSH_AGAIN when timeout_ms is 0 and nothing fits, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED after
 *         ssh_channel_send_eof() or when the channel is closed, or what ended the session.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_channel_write(ssh_channel *channel,
                             const void *data,
                             size_t length,
                             size_t *done,
                             int32_t timeout_ms);

/**
 * Writes to stderr, otherwise as ssh_channel_write(). Only servers have reason to.
 *
 * @param channel     the channel
 * @param data        what to write
 * @param length      how many bytes
 * @param done        receives how many bytes were taken
 * @param timeout_ms  milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @return as ssh_channel_write(). Any thread. Since 0.1.
 */
ssh_status ssh_channel_write_stderr(ssh_channel *channel,
                                    const void *data,
                                    size_t length,
                                    size_t *done,
                                    int32_t timeout_ms);

/**
 * Writes everything.
 *
 * @param channel     the channel
 * @param data        what to write
 * @param length      how many bytes
 * @param done        receives how many bytes were taken, also on failure; or NULL
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @return SSH_OK when all were taken, or as ssh_channel_write(). Any thread. Since 0.1.
 */
ssh_status ssh_channel_write_all(ssh_channel *channel,
                                 const void *data,
                                 size_t length,
                                 size_t *done,
                                 int32_t timeout_ms);

/**
 * Writes everything to stderr, otherwise as ssh_channel_write_all().
 *
 * @param channel     the channel
 * @param data        what to write
 * @param length      how many bytes
 * @param done        receives how many bytes were taken, also on failure; or NULL
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @return SSH_OK when all were taken, or as ssh_channel_write(). Any thread. Since 0.1.
 */
ssh_status ssh_channel_write_all_stderr(ssh_channel *channel,
                                        const void *data,
                                        size_t length,
                                        size_t *done,
                                        int32_t timeout_ms);

/**
 * Sets the timeout that reads and writes with SSH_TIMEOUT_DEFAULT use. At first SSH_TIMEOUT_FOREVER.
 *
 * @param channel     the channel
 * @param timeout_ms  milliseconds, 0 or SSH_TIMEOUT_FOREVER
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_channel_set_timeout(ssh_channel *channel,
                                   int32_t timeout_ms);

/**
 * The timeout set with ssh_channel_set_timeout().
 *
 * @return milliseconds, or SSH_TIMEOUT_FOREVER. Any thread. Since 0.1.
 */
int32_t ssh_channel_get_timeout(const ssh_channel *channel);

/**
 * Puts what comes on stderr into the main stream, in the order of arrival; what waits on stderr already goes
 * first.
 *
 * @param channel  the channel
 * @param combine  whether to
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_channel_set_combine_stderr(ssh_channel *channel,
                                          bool combine);

/**
 * Whether ssh_channel_read() would return data or SSH_EOF at once.
 *
 * @return false also when `channel` is none. Any thread. Since 0.1.
 */
bool ssh_channel_read_ready(const ssh_channel *channel);

/**
 * Whether ssh_channel_read_stderr() would return data or SSH_EOF at once.
 *
 * @return false also when `channel` is none. Any thread. Since 0.1.
 */
bool ssh_channel_read_stderr_ready(const ssh_channel *channel);

/**
 * Whether ssh_channel_write() would take a byte, or fail, at once.
 *
 * @return false also when `channel` is none. Any thread. Since 0.1.
 */
bool ssh_channel_write_ready(const ssh_channel *channel);

/**
 * Which conditions hold now.
 *
 * @return SSH_CHANNEL_READABLE and the others, or'ed; 0 when `channel` is none. Any thread. Since 0.1.
 */
uint32_t ssh_channel_conditions(const ssh_channel *channel);

/**
 * Has an event set whenever one of some conditions begins to hold, and at once if one holds now. For poll
 * loops: when ssh_event_fd() is readable, reset the event, then read and write with timeout 0 until SSH_AGAIN.
 * Of many channels with one event, ssh_event_take_channel() tells which to look at. Of a channel that a transport runs over
 * (ssh_transport_new_channel()) only SSH_CHANNEL_EOF and SSH_CHANNEL_CLOSED set it.
 *
 * @param channel  the channel
 * @param event    the event, which may serve many channels; NULL for none
 * @param mask     SSH_CHANNEL_READABLE and the others, or'ed
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_channel_set_event(ssh_channel *channel,
                                 ssh_event *event,
                                 uint32_t mask);

/**
 * Tells the peer that nothing more will be written. Reading goes on.
 *
 * @return SSH_OK, also when it was told before; SSH_ERR_CLOSED, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_channel_send_eof(ssh_channel *channel);

/**
 * Ends one or both directions, as shutdown(2) does.
 *
 * @param channel  the channel
 * @param read     whether to end reading: data that come are thrown away, and reads return SSH_EOF
 * @param write    whether to end writing: as ssh_channel_send_eof()
 * @return SSH_OK, SSH_ERR_CLOSED, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_channel_shutdown(ssh_channel *channel, bool read, bool write);

/**
 * Closes the channel. Calls blocked on it return, writes with SSH_ERR_CLOSED, reads once the data that have
 * come are read. Does not wait for the network. Does nothing when it is closed.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_channel_close(ssh_channel *channel);

/**
 * Closes the channel if it is not closed, and frees the handle. Calls blocked on it in other threads return
 * with SSH_ERR_CLOSED. One that the peer has opened and nobody has taken does not come out of
 * ssh_transport_accept() any more.
 *
 * @param channel  the channel; NULL is fine
 *
 * Any thread, also inside callbacks. Since 0.1.
 */
void ssh_channel_free(ssh_channel *channel);

/**
 * Whether the channel is closed.
 *
 * @return true also when `channel` is none. Any thread. Since 0.1.
 */
bool ssh_channel_is_closed(const ssh_channel *channel);

/**
 * The number by which this side knows the channel, for logs.
 *
 * @return the number; 0 also when `channel` is none. Any thread. Since 0.1.
 */
uint32_t ssh_channel_id(const ssh_channel *channel);

/**
 * The transport of the channel.
 *
 * @return the handle the program made; it stays the program's. NULL once that is freed. Any thread. Since 0.1.
 */
ssh_transport *ssh_channel_transport(const ssh_channel *channel);

/**
 * Attaches a pointer of the program's to the channel, such as the state of a session that its requests
 * (ssh_request_channel()) then find.
 *
 * @param channel   the channel
 * @param userdata  the pointer
 * @param destroy   ends its life once it is replaced or the channel is gone, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_channel_set_userdata(ssh_channel *channel,
                                    void *userdata,
                                    ssh_destroy_callback destroy);

/**
 * The pointer attached with ssh_channel_set_userdata().
 *
 * @return the pointer, or NULL. Any thread. Since 0.1.
 */
void *ssh_channel_get_userdata(const ssh_channel *channel);

/**
 * What the channel is for, such as "session" or "forwarded-tcpip".
 *
 * @return a string of the channel's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_channel_kind(const ssh_channel *channel);

/**
 * Where a "direct-tcpip" channel leads to, or where the connection of a "forwarded-tcpip" one came in: the address as
 * it was asked for. For the kinds with UNIX sockets it is the path.
 *
 * @param channel  the channel
 * @param port     receives the port, 0 with a path; or NULL
 * @return a string of the channel's, or NULL for other kinds. Any thread. Since 0.1.
 */
const char *ssh_channel_destination(const ssh_channel *channel,
                                    uint16_t *port);

/**
 * Where the connection that a "direct-tcpip", "forwarded-tcpip" or "x11" channel carries came from, as the side that
 * opened the channel tells it.
 *
 * @param channel  the channel
 * @param port     receives the port; or NULL
 * @return a string of the channel's, or NULL for other kinds. Any thread. Since 0.1.
 */
const char *ssh_channel_origin(const ssh_channel *channel,
                               uint16_t *port);

/**
 * Asks for a terminal, before a shell or command is started.
 *
 * @param channel        a session channel
 * @param term           the terminal's type such as "xterm-256color"; NULL for "vt100"
 * @param columns        width in characters
 * @param rows           height in characters
 * @param width_pixels   width in pixels, or 0
 * @param height_pixels  height in pixels, or 0
 * @param modes          terminal modes in the encoding of RFC 4254 section 8, or NULL for none
 * @param modes_length   their length in bytes
 * @param timeout_ms     milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error          receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_pty(ssh_channel *channel,
                                   const char *term,
                                   uint32_t columns,
                                   uint32_t rows,
                                   uint32_t width_pixels,
                                   uint32_t height_pixels,
                                   const void *modes,
                                   size_t modes_length,
                                   int32_t timeout_ms,
                                   ssh_error **error);

/**
 * Starts the user's shell.
 *
 * @param channel     a session channel on which nothing was started
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_shell(ssh_channel *channel,
                                     int32_t timeout_ms,
                                     ssh_error **error);

/**
 * Runs a command. Its output comes from ssh_channel_read() and ssh_channel_read_stderr(), its end from
 * ssh_channel_wait_exit().
 *
 * @param channel     a session channel on which nothing was started
 * @param command     the command line for the user's shell, a C string of any bytes: it goes out as it is
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_exec(ssh_channel *channel,
                                    const char *command,
                                    int32_t timeout_ms,
                                    ssh_error **error);

/**
 * Starts a subsystem such as "sftp".
 *
 * @param channel     a session channel on which nothing was started
 * @param name        the subsystem
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_subsystem(ssh_channel *channel,
                                         const char *name,
                                         int32_t timeout_ms,
                                         ssh_error **error);

/**
 * Sets an environment variable for what is started afterwards. Servers refuse most names, and no answer is
 * asked for.
 *
 * @param channel  a session channel on which nothing was started
 * @param name     the variable
 * @param value    its value
 * @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_env(ssh_channel *channel,
                                   const char *name,
                                   const char *value);

/**
 * Tells the server the terminal's new size.
 *
 * @param channel        a session channel with a terminal
 * @param columns        width in characters
 * @param rows           height in characters
 * @param width_pixels   width in pixels, or 0
 * @param height_pixels  height in pixels, or 0
 * @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_window_change(ssh_channel *channel,
                                     uint32_t columns,
                                     uint32_t rows,
                                     uint32_t width_pixels,
                                     uint32_t height_pixels);

/**
 * Sends the command a signal.
 *
 * @param channel  a session channel on which something runs
 * @param name     the signal without SIG: "TERM", "INT", "HUP", ...
 * @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_signal(ssh_channel *channel, const char *name);

/**
 * Sends a break (RFC 4335), for consoles behind serial lines.
 *
 * @param channel     a session channel on which something runs
 * @param length_ms   how long the break shall last; 0 for the usual
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_break(ssh_channel *channel,
                             uint32_t length_ms,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * Sends a channel request of any name.
 *
 * @param channel     the channel
 * @param name        the request's name
 * @param data        what follows `want reply` in the message, or NULL
 * @param length      how many bytes
 * @param want_reply  whether to ask for an answer and wait for it
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request(ssh_channel *channel,
                               const char *name,
                               const void *data,
                               size_t length,
                               bool want_reply,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Server: tells the client the command's exit status. Close the channel afterwards.
 *
 * @param channel  a session channel
 * @param status   the status
 * @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_send_exit_status(ssh_channel *channel, uint32_t status);

/**
 * Server: tells the client that a signal ended the command. Close the channel afterwards.
 *
 * @param channel      a session channel
 * @param name         the signal without SIG: "KILL", "SEGV", ...
 * @param core_dumped  whether a core was dumped
 * @param message      a text for the user, or NULL
 * @return SSH_OK once it is on its way, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_send_exit_signal(ssh_channel *channel,
                                        const char *name,
                                        bool core_dumped,
                                        const char *message);

/**
 * Waits until the server has said how the command ended, or closed the channel without saying. It goes on
 * being known after the channel is closed. Read the output first, or in another thread: a command that cannot
 * write does not end.
 *
 * @param channel      a session channel
 * @param timeout_ms   milliseconds to wait at most; 0 does not wait, SSH_TIMEOUT_DEFAULT is the channel's timeout
 * @param kind         receives SSH_EXIT_NONE, SSH_EXIT_STATUS or SSH_EXIT_SIGNAL; not NULL (SSH_ERR_INVALID_ARG)
 * @param exit_status  receives the status for SSH_EXIT_STATUS; or NULL. 0 otherwise, also where the call fails: look at the
 *                     result and at `kind` first
 * @return SSH_OK, also with SSH_EXIT_NONE when the channel was closed without it; SSH_AGAIN, SSH_ERR_TIMEOUT,
 *         or what ended the session. Any thread. Since 0.1.
 */
ssh_status ssh_channel_wait_exit(ssh_channel *channel,
                                 int32_t timeout_ms,
                                 int32_t *kind,
                                 uint32_t *exit_status);

/**
 * The signal that ended the command, without SIG.
 *
 * @return a string, freed with ssh_memory_free(), or NULL when none did. Any thread. Since 0.1.
 */
char *ssh_channel_exit_signal(const ssh_channel *channel);

/**
 * The text that came with the signal. Control characters are escaped.
 *
 * @return a string, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_channel_exit_message(const ssh_channel *channel);

/**
 * Whether the signal left a core dump.
 *
 * @return false also when no signal did. Any thread. Since 0.1.
 */
bool ssh_channel_exit_core_dumped(const ssh_channel *channel);

/**
 * Begins to open a session channel, and does not wait for the server's answer.
 *
 * @param transport  a client transport that is authenticated
 * @param event      set when the answer is there: ssh_channel_open_status(); or NULL
 * @param error      receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_LIMIT, what ended the session
 * @return a channel that is open only once ssh_channel_open_status() says so, freed with ssh_channel_free(); or
 *         NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_begin_session(ssh_transport *transport,
                                         ssh_event *event,
                                         ssh_error **error);

/**
 * Begins to open a channel of any kind, and does not wait for the peer's answer.
 *
 * @param transport         a transport that is authenticated
 * @param kind              as for ssh_transport_open_channel()
 * @param destination       as for ssh_transport_open_channel()
 * @param destination_port  its port
 * @param source            as for ssh_transport_open_channel()
 * @param source_port       its port
 * @param event             set when the answer is there: ssh_channel_open_status(); or NULL
 * @param error             receives the detail, or NULL
 * @return as ssh_transport_begin_session(). Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_begin_channel(ssh_transport *transport,
                                         const char *kind,
                                         const char *destination,
                                         uint16_t destination_port,
                                         const char *source,
                                         uint16_t source_port,
                                         ssh_event *event,
                                         ssh_error **error);

/**
 * How the opening of a channel went.
 *
 * @param channel  the channel
 * @param error    receives the detail, or NULL: SSH_ERR_CHANNEL with the peer's reason, what ended the session
 * @return SSH_OK once the channel is open, SSH_AGAIN while the peer has not answered, or the failure.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_channel_open_status(const ssh_channel *channel,
                                   ssh_error **error);

/**
 * Asks for a terminal, and does not wait for the answer.
 *
 * @param channel        as for ssh_channel_request_pty()
 * @param term           the terminal's type; NULL for "vt100"
 * @param columns        width in characters
 * @param rows           height in characters
 * @param width_pixels   width in pixels, or 0
 * @param height_pixels  height in pixels, or 0
 * @param modes          terminal modes in the encoding of RFC 4254 section 8, or NULL for none
 * @param modes_length   their length in bytes
 * @param event          set when the answer is there: ssh_channel_request_status(); or NULL
 * @param error          receives the detail, or NULL
 * @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_begin_pty(ssh_channel *channel,
                                 const char *term,
                                 uint32_t columns,
                                 uint32_t rows,
                                 uint32_t width_pixels,
                                 uint32_t height_pixels,
                                 const void *modes,
                                 size_t modes_length,
                                 ssh_event *event,
                                 ssh_error **error);

/**
 * Starts the user's shell, and does not wait for the answer.
 *
 * @param channel  as for ssh_channel_request_shell()
 * @param event    set when the answer is there: ssh_channel_request_status(); or NULL
 * @param error    receives the detail, or NULL
 * @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_begin_shell(ssh_channel *channel, ssh_event *event, ssh_error **error);

/**
 * Runs a command, and does not wait for the answer.
 *
 * @param channel  as for ssh_channel_request_exec()
 * @param command  the command line for the user's shell, a C string of any bytes: it goes out as it is
 * @param event    set when the answer is there: ssh_channel_request_status(); or NULL
 * @param error    receives the detail, or NULL
 * @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_begin_exec(ssh_channel *channel,
                                  const char *command,
                                  ssh_event *event,
                                  ssh_error **error);

/**
 * Starts a subsystem, and does not wait for the answer.
 *
 * @param channel  as for ssh_channel_request_subsystem()
 * @param name     the subsystem, such as "sftp"
 * @param event    set when the answer is there: ssh_channel_request_status(); or NULL
 * @param error    receives the detail, or NULL
 * @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_begin_subsystem(ssh_channel *channel,
                                       const char *name,
                                       ssh_event *event,
                                       ssh_error **error);

/**
 * Sends any request that wants a reply, and does not wait for it.
 *
 * @param channel  the channel
 * @param name     the request's name
 * @param data     what follows `want reply` in the message, or NULL
 * @param length   how many bytes
 * @param event    set when the answer is there: ssh_channel_request_status(); or NULL
 * @param error    receives the detail, or NULL
 * @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_begin_request(ssh_channel *channel,
                                     const char *name,
                                     const void *data,
                                     size_t length,
                                     ssh_event *event,
                                     ssh_error **error);

/**
 * The answer to the oldest request begun on the channel that has not been told yet. Answers come in the order of the
 * requests, and each is told once.
 *
 * @param channel  the channel
 * @param error    receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_CLOSED, what ended the session
 * @return SSH_OK when it was granted, SSH_AGAIN while it is not answered, SSH_ERR_STATE when none was begun, or the
 *         failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_status(ssh_channel *channel,
                                      ssh_error **error);

/**
 * Sends a global request that wants a reply, and does not wait for it.
 *
 * @param transport  a transport that is authenticated
 * @param name       the request's name
 * @param data       what follows `want reply` in the message, or NULL
 * @param length     how many bytes
 * @param event      set when the reply is there: ssh_transport_global_request_status(); or NULL
 * @param error      receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_LIMIT, what ended the session
 * @return SSH_OK when the request was sent, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_begin_global_request(ssh_transport *transport,
                                              const char *name,
                                              const void *data,
                                              size_t length,
                                              ssh_event *event,
                                              ssh_error **error);

/**
 * The reply to the oldest global request begun on the transport that has not been told yet. Replies come in the order
 * of the requests, and each is told once.
 *
 * @param transport     the transport
 * @param reply         receives the data in the reply, freed with ssh_memory_free(); or NULL
 * @param reply_length  receives how many bytes; or NULL
 * @param error         receives the detail, or NULL: SSH_ERR_DENIED, what ended the session
 * @return SSH_OK when it was granted, SSH_AGAIN while it is not answered, SSH_ERR_STATE when none was begun, or the
 *         failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_global_request_status(ssh_transport *transport,
                                               void **reply,
                                               size_t *reply_length,
                                               ssh_error **error);

/**
 * Begins to negotiate new keys, and does not wait for them. Data in both directions go on before and after.
 *
 * @param transport  a transport that is active
 * @param event      set when both directions use the new keys: ssh_transport_renegotiate_status(); or NULL
 * @param error      receives the detail, or NULL: SSH_ERR_STATE, what ended the session
 * @return SSH_OK, or a failure, which is also the end of the session unless it is SSH_ERR_STATE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_begin_renegotiate_keys(ssh_transport *transport,
                                                ssh_event *event,
                                                ssh_error **error);

/**
 * How the key exchange went that ssh_transport_begin_renegotiate_keys() began last.
 *
 * @param transport  the transport
 * @param error      receives the detail, or NULL: what ended the session
 * @return SSH_OK once both directions use the new keys, SSH_AGAIN before, SSH_ERR_STATE when none was begun, or the
 *         failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_renegotiate_status(const ssh_transport *transport,
                                            ssh_error **error);

/**
 * An event that is set while channels wait for ssh_transport_accept(), and once the session has ended, for poll
 * loops: when ssh_event_fd() is readable, accept with timeout 0 until there is none.
 *
 * @param transport  the transport
 * @return a handle of the transport's event, freed with ssh_event_free(), or NULL. Any thread. Since 0.1.
 */
ssh_event *ssh_transport_accept_event(ssh_transport *transport);

/**
 * Asks the server to listen on a port, and to open a channel to this side for each connection that comes in there.
 * To copy between such channels and sockets see ssh_forward_remote(), which does it by itself.
 *
 * An address that begins with "/" is the path of a UNIX socket on the server, whose port is 0. This holds for all
 * functions that forward.
 *
 * @param transport   a client transport that is authenticated
 * @param address     the address to listen on: "" for all, "localhost", an address of the server, or a path
 * @param port        the port; 0 has the server choose one
 * @param callback    gets the channels, or NULL: then they come out of ssh_transport_accept()
 * @param userdata    passed to the callback
 * @param destroy     ends userdata's life once the forward is cancelled or the session is over. Here, and in no other
 *                    function, also when this call fails, whatever the reason: the server may have granted it and the
 *                    callback may run until the very moment. Or NULL
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout. A forward that is
 *                    granted later than that is cancelled
 * @param bound_port  receives the port that the server listens on; or NULL
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_STATE also when the address is forwarded
 *                    already, SSH_ERR_LIMIT, SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY (see ssh_connect_config()), what ended the
 *                    session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_request_port_forward(ssh_transport *transport,
                                              const char *address,
                                              uint16_t port,
                                              ssh_forward_callback callback,
                                              void *userdata,
                                              ssh_destroy_callback destroy,
                                              int32_t timeout_ms,
                                              uint16_t *bound_port,
                                              ssh_error **error);

/**
 * Asks the server to listen there no longer. From the call on, connections that come in there are refused; channels
 * that are open stay.
 *
 * @param transport   the transport
 * @param address     as it was asked for
 * @param port        the port that the server listens on
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_STATE when nothing is forwarded from there,
 *                    SSH_ERR_DENIED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_cancel_port_forward(ssh_transport *transport,
                                             const char *address,
                                             uint16_t port,
                                             int32_t timeout_ms,
                                             ssh_error **error);

/**
 * Opens a channel to the client for a connection that came in where it has asked the server to listen
 * (SSH_REQUEST_LISTEN).
 *
 * @param transport         a server transport that is authenticated
 * @param source            the address that the connection came from
 * @param source_port       its port
 * @param destination       the address that was listened on, as the client asked for it, or the path of the socket
 * @param destination_port  the port that was listened on, 0 with a path
 * @param timeout_ms        milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error             receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
 * @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_open_forwarded_tcpip_channel(ssh_transport *transport,
                                                        const char *source,
                                                        uint16_t source_port,
                                                        const char *destination,
                                                        uint16_t destination_port,
                                                        int32_t timeout_ms,
                                                        ssh_error **error);

/**
 * Listens on this side; for each connection the server connects to the destination.
 *
 * Addresses that begin with "/" are paths of UNIX sockets, as for ssh_transport_request_port_forward(). The file of
 * the socket can be used by its owner only, must not exist before, and is removed with the forwarding.
 *
 * @param transport         a client transport that is authenticated
 * @param address           where to listen: an IP address, "localhost", "" for all, or a path. Names are not looked up
 * @param port              the port; 0 has the system choose one
 * @param destination       the host to connect to, as the server knows it, or a path there
 * @param destination_port  its port, 0 with a path
 * @param error             receives the detail, or NULL: SSH_ERR_IO when the address is taken, SSH_ERR_INVALID_ARG,
 *                          SSH_ERR_STATE, SSH_ERR_HOSTKEY (see ssh_connect_config()), what ended the session
 * @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
 */
ssh_forward *ssh_forward_local(ssh_transport *transport,
                               const char *address,
                               uint16_t port,
                               const char *destination,
                               uint16_t destination_port,
                               ssh_error **error);

/**
 * Has the server listen; for each connection this side connects to the destination, and the channel opens only when
 * that works.
 *
 * @param transport         a client transport that is authenticated
 * @param address           where the server listens: "" for all its addresses, "localhost", one of its addresses, or a
 *                          path there
 * @param port              the port; 0 has the server choose one: ssh_forward_port()
 * @param destination       the host to connect to, as this side knows it, or a path
 * @param destination_port  its port, 0 with a path
 * @param timeout_ms        milliseconds to wait for the server's answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error             receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_INVALID_ARG, SSH_ERR_STATE,
 *                          SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY (see ssh_connect_config()), what ended the session
 * @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
 */
ssh_forward *ssh_forward_remote(ssh_transport *transport,
                                const char *address,
                                uint16_t port,
                                const char *destination,
                                uint16_t destination_port,
                                int32_t timeout_ms,
                                ssh_error **error);

/**
 * Listens on this side for programs that speak SOCKS 4, 4a or 5 and say where the server is to connect to. Nobody has
 * to log in there, so think before you listen on more than "localhost".
 *
 * @param transport  a client transport that is authenticated
 * @param address    where to listen, as for ssh_forward_local()
 * @param port       the port; 0 has the system choose one
 * @param error      receives the detail, or NULL, as for ssh_forward_local()
 * @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
 */
ssh_forward *ssh_forward_dynamic(ssh_transport *transport,
                                 const char *address,
                                 uint16_t port,
                                 ssh_error **error);

/**
 * Has the server listen for programs that speak SOCKS 4, 4a or 5, there and wherever they are let in; this side connects to
 * where they say, as far as that is permitted, and answers what came of it. Names are looked up on this side. So the
 * server, and whoever can connect to that port, gets at what this machine gets at: permit no more than is wanted.
 *
 * @param transport   a client transport that is authenticated
 * @param address     where the server listens, as for ssh_forward_remote()
 * @param port        the port; 0 has the server choose one: ssh_forward_port()
 * @param permitted   where connections may be made to: `host:port` and `[address]:port` with white space between them, as
 *                    PermitRemoteOpen of ssh_config has it, with `*` for any host or any port; or `any`, or `none`. Names
 *                    are compared as the program writes them
 * @param timeout_ms  milliseconds to wait for the server's answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL, as for ssh_forward_remote(); SSH_ERR_INVALID_ARG also when `permitted`
 *                    is no such list
 * @return a forwarding, freed with ssh_forward_free(), or NULL. Any thread. Since 0.1.
 */
ssh_forward *ssh_forward_remote_dynamic(ssh_transport *transport,
                                        const char *address,
                                        uint16_t port,
                                        const char *permitted,
                                        int32_t timeout_ms,
                                        ssh_error **error);

/**
 * Where it is listened on: the address as it was given, or the path.
 *
 * @return a string of the forwarding's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_forward_address(const ssh_forward *forward);

/**
 * The port that is listened on.
 *
 * @return the port, also where it was chosen; 0 for a UNIX socket. Any thread. Since 0.1.
 */
uint16_t ssh_forward_port(const ssh_forward *forward);

/**
 * What has happened so far. Each output may be NULL.
 *
 * @param forward      the forwarding
 * @param connections  receives how many connections were carried, those under way included
 * @param active       receives how many there are now, those that are being made included
 * @param failed       receives how many could not be made
 * @param sent         receives how many bytes went from this side to the server
 * @param received     receives how many came from there
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_forward_counters(const ssh_forward *forward,
                                uint64_t *connections,
                                uint64_t *active,
                                uint64_t *failed,
                                uint64_t *sent,
                                uint64_t *received);

/**
 * Bounds the number of connections at once; 256 at first. Where this side listens, further ones wait until one ends;
 * where the server does, they are refused.
 *
 * @param forward  the forwarding
 * @param max      the bound, at least 1. A transport carries no more channels than
 *                 ssh_transport_set_channel_limit() lets it, 1000 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_forward_set_max_connections(ssh_forward *forward,
                                           size_t max);

/**
 * Takes no new connections any more; those that there are go on. Does not wait for the network.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_forward_stop(ssh_forward *forward);

/**
 * Whether new connections are taken: until ssh_forward_stop() or the end of the session.
 *
 * @return false also when `forward` is none. Any thread. Since 0.1.
 */
bool ssh_forward_is_listening(const ssh_forward *forward);

/**
 * Ends a forwarding and its connections, and frees the handle. Does not wait for the network.
 *
 * @param forward  the forwarding; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_forward_free(ssh_forward *forward);

/**
 * Says yes to SSH_REQUEST_CONNECT or SSH_REQUEST_LISTEN, and has the library do what is asked: connect and copy, or
 * listen, open channels and copy, until the client wants it ended or the session is over. Where it cannot be done the
 * request is refused; of a target that cannot be reached the client alone is told. Whether the address may be used at
 * all is for the program to decide before: ssh_request_destination().
 *
 * @param request  a request that has no answer yet
 * @param error    receives the detail, or NULL: SSH_ERR_IO when the address cannot be listened on, SSH_ERR_STATE when
 *                 the request is of another kind or has its answer
 * @return SSH_OK or a failure. Any thread, also inside callbacks; does not wait. Since 0.1.
 */
ssh_status ssh_request_serve(ssh_request *request,
                             ssh_error **error);

/**
 * Asks the server to let programs of the session use the agent of this side, before a shell or command is started.
 * Whoever has all rights on the server can then use it too, as long as the session of the transport lasts. Channels to an
 * agent do not say for which session: of several requests on one transport the last one that was not refused gets them all.
 *
 * @param channel     a session channel of a client
 * @param socket      the path of the agent's socket, such as the value of SSH_AUTH_SOCK: the library connects there for
 *                    each channel. Or NULL: then the channels, of the kind "auth-agent@openssh.com", come out of
 *                    ssh_transport_accept()
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_INVALID_ARG, SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY
 *                    (see ssh_connect_config()), ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_agent_forward(ssh_channel *channel,
                                             const char *socket,
                                             int32_t timeout_ms,
                                             ssh_error **error);

/**
 * Asks the server to let programs of the session show windows on a display of this side, before a shell or command is
 * started.
 *
 * The server is given a cookie that is made for this. Each connection must begin with it, in the protocol
 * MIT-MAGIC-COOKIE-1; the library checks that, puts the display's own cookie in its place and copies. So the server
 * never learns the display's cookie. Of several requests on one transport the last one that was not refused gets all channels,
 * and its cookie counts: ask once for each transport, for the first session.
 *
 * @param channel            a session channel of a client
 * @param display            the display as DISPLAY has it, ":0", "host:0.0" and the like, or the path of its socket; or
 *                           NULL: then the channels, of the kind "x11", come out of ssh_transport_accept() unchecked
 * @param cookie             the display's cookie, as bytes, or NULL when it wants none
 * @param cookie_length      its length in bytes, at most 256
 * @param screen             the number of the screen
 * @param single_connection  whether one connection is all that is wanted
 * @param timeout_ms         milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param fake_cookie        receives the cookie that the server was given, in hexadecimal, freed with
 *                           ssh_memory_free(); or NULL
 * @param error              receives the detail, or NULL: SSH_ERR_DENIED, SSH_ERR_INVALID_ARG, SSH_ERR_TIMEOUT, SSH_ERR_HOSTKEY
 *                           (see ssh_connect_config()), ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_channel_request_x11(ssh_channel *channel,
                                   const char *display,
                                   const void *cookie,
                                   size_t cookie_length,
                                   uint32_t screen,
                                   bool single_connection,
                                   int32_t timeout_ms,
                                   char **fake_cookie,
                                   ssh_error **error);

/**
 * Opens a channel to the client for a program that wants to show a window (SSH_REQUEST_X11).
 *
 * @param transport    a server transport that is authenticated
 * @param source       the address that the program connected from
 * @param source_port  its port
 * @param timeout_ms   milliseconds until it must be open; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error        receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_TIMEOUT, what ended the session
 * @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_transport_open_x11_channel(ssh_transport *transport,
                                            const char *source,
                                            uint16_t source_port,
                                            int32_t timeout_ms,
                                            ssh_error **error);

/**
 * The screen that is asked for, for SSH_REQUEST_X11.
 *
 * @param request            the request
 * @param single_connection  receives whether one connection is all that is wanted; or NULL
 * @return the number; 0 also for other kinds. Any thread. Since 0.1.
 */
uint32_t ssh_request_x11_screen(const ssh_request *request, bool *single_connection);

/**
 * Says yes to SSH_REQUEST_X11 and has the library be the display: it listens on loopback, from display 10 on, and opens
 * a channel for each connection until the channel of the session is closed. The program tells the session's commands
 * the display, and puts the cookie (ssh_request_value()) where they look for it, as with xauth(1).
 *
 * @param request  a request that has no answer yet
 * @param display  receives the number of the display, for DISPLAY=localhost:N.SCREEN
 * @param error    receives the detail, or NULL: SSH_ERR_IO when no display is free, SSH_ERR_LIMIT when the session has one
 *                 or the client has 32 agents and displays; then the request has no answer yet. SSH_ERR_STATE for other
 *                 kinds and answered requests, SSH_ERR_CLOSED when the session is over, SSH_ERR_RESOURCE: yes was
 *                 said, and nobody listens
 * @return SSH_OK or a failure. Any thread, also inside callbacks; does not wait. Since 0.1.
 */
ssh_status ssh_request_serve_x11(ssh_request *request,
                                 uint16_t *display,
                                 ssh_error **error);

/**
 * Says yes to SSH_REQUEST_AGENT_FORWARD and has the library be the agent: it listens on a UNIX socket, which only its
 * owner can use, and opens a channel for each connection until the channel of the session is closed. The program tells
 * the session's commands the path, in SSH_AUTH_SOCK.
 *
 * @param request  a request that has no answer yet
 * @param socket   where to listen: a path in a directory that nobody else can write to, with no file there yet
 * @param error    receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_IO when it cannot listen there; the
 *                 others are as with ssh_request_serve_x11()
 * @return SSH_OK or a failure. Any thread, also inside callbacks; does not wait. Since 0.1.
 */
ssh_status ssh_request_serve_agent(ssh_request *request,
                                   const char *socket,
                                   ssh_error **error);

/**
 * Connects to an agent that listens at a UNIX socket.
 *
 * @param socket      the path of the socket; NULL for the user's agent, which the variable SSH_AUTH_SOCK names
 * @param timeout_ms  milliseconds until it must be connected; SSH_TIMEOUT_DEFAULT is 5 s
 * @param error       receives the detail, or NULL: SSH_ERR_AGENT, SSH_ERR_TIMEOUT, SSH_ERR_INVALID_ARG
 * @return an agent, freed with ssh_agent_free(), or NULL. Any thread. Since 0.1.
 */
ssh_agent *ssh_agent_new(const char *socket,
                         int32_t timeout_ms,
                         ssh_error **error);

/**
 * Talks to the agent at the other end of a channel. On a server whose client forwards its agent, open the channel with
 * ssh_transport_open_channel("auth-agent@openssh.com", ...): the keys of the client's user can then be used there.
 *
 * @param channel  an open channel. The handle stays the caller's and may be freed at any time; nobody else should read
 *                 or write the channel
 * @param error    receives the detail, or NULL: SSH_ERR_BAD_HANDLE
 * @return an agent, freed with ssh_agent_free(), or NULL. Any thread. Since 0.1.
 */
ssh_agent *ssh_agent_new_channel(ssh_channel *channel,
                                 ssh_error **error);

/**
 * Talks to an agent over functions of the program's. They are called on the threads that ask the agent, with no lock
 * held, and should keep to their timeouts: one that does not holds up the call, whose own timeout then comes late.
 *
 * @param read      reads, as for ssh_transport_new_stream()
 * @param write     writes
 * @param close     ends the stream, and calls of the others; or NULL when both keep to their timeouts
 * @param userdata  passed to all of them
 * @param destroy   ends userdata's life, or NULL
 * @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG
 * @return an agent, freed with ssh_agent_free(), or NULL; then none of the functions is ever called.
 *
 * Any thread. Since 0.1.
 */
ssh_agent *ssh_agent_new_stream(ssh_stream_read_callback read,
                                ssh_stream_write_callback write,
                                ssh_stream_close_callback close,
                                void *userdata,
                                ssh_destroy_callback destroy,
                                ssh_error **error);

/**
 * Ends the connection and frees the handle. Calls that wait for the agent in other threads return with SSH_ERR_CLOSED.
 *
 * @param agent  the agent; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_agent_free(ssh_agent *agent);

/**
 * Has every call that waits for the agent return with SSH_ERR_CANCELLED.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread; does not wait. Since 0.1.
 */
ssh_status ssh_agent_cancel(ssh_agent *agent);

/**
 * The keys and certificates that the agent has.
 *
 * @param agent       the agent
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL
 * @return a list, freed with ssh_agent_identities_free(), or NULL. It is empty when the agent has no keys, or is locked.
 *
 * Any thread. Since 0.1.
 */
ssh_agent_identities *ssh_agent_list(ssh_agent *agent,
                                     int32_t timeout_ms,
                                     ssh_error **error);

/**
 * Has the agent sign.
 *
 * @param agent             the agent
 * @param blob              the blob of the key or certificate to sign with, as ssh_agent_identities_blob() has it
 * @param blob_length       its length
 * @param algorithm         the signature algorithm, such as "rsa-sha2-512", which what comes back must have; NULL for the
 *                          strongest of the key. The name that a certificate has for it means the same
 * @param data              what to sign
 * @param length            how many bytes
 * @param signature         receives the signature blob (RFC 4253 section 6.6), freed with ssh_memory_free()
 * @param signature_length  receives its length
 * @param timeout_ms        milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is 60 s
 * @param error             receives the detail, or NULL: SSH_ERR_DENIED when the agent does not have the key, is locked
 *                          or a person said no; SSH_ERR_KEY_UNSUPPORTED for an algorithm that is not of the key
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_agent_sign(ssh_agent *agent,
                          const void *blob,
                          size_t blob_length,
                          const char *algorithm,
                          const void *data,
                          size_t length,
                          void **signature,
                          size_t *signature_length,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Has the agent keep a key, with its comment.
 *
 * @param agent               the agent
 * @param key                 a private key
 * @param certificate         the blob of a certificate of the key, which is then what the agent has; or NULL. ssh-add adds
 *                            both, the key and then the certificate
 * @param certificate_length  its length
 * @param lifetime_s          seconds after which the agent forgets it; 0 for never
 * @param confirm             whether a person has to say yes to each use
 * @param timeout_ms          milliseconds to wait for the answer
 * @param error               receives the detail, or NULL: SSH_ERR_DENIED, also when the agent does not know such keys or
 *                            limits; SSH_ERR_INVALID_ARG for a public key or a certificate of another key
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_agent_add(ssh_agent *agent,
                         const ssh_key *key,
                         const void *certificate,
                         size_t certificate_length,
                         uint32_t lifetime_s,
                         bool confirm,
                         int32_t timeout_ms,
                         ssh_error **error);

/**
 * Has the agent forget a key or certificate.
 *
 * @param agent       the agent
 * @param blob        the blob of the key or certificate
 * @param length      its length
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED when the agent does not have it
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_agent_remove(ssh_agent *agent,
                            const void *blob,
                            size_t length,
                            int32_t timeout_ms,
                            ssh_error **error);

/**
 * Has the agent forget all its keys.
 *
 * @param agent       the agent
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_agent_remove_all(ssh_agent *agent, int32_t timeout_ms, ssh_error **error);

/**
 * Locks the agent: until it is unlocked with the same passphrase it lists no keys and does not sign.
 *
 * @param agent              the agent
 * @param passphrase         any bytes
 * @param passphrase_length  how many, at most 4096
 * @param timeout_ms         milliseconds to wait for the answer
 * @param error              receives the detail, or NULL: SSH_ERR_DENIED when it is locked already
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_agent_lock(ssh_agent *agent,
                          const char *passphrase,
                          size_t passphrase_length,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Unlocks the agent. Agents make those wait who try wrong passphrases.
 *
 * @param agent              the agent
 * @param passphrase         the passphrase that it was locked with
 * @param passphrase_length  its length
 * @param timeout_ms         milliseconds to wait for the answer
 * @param error              receives the detail, or NULL: SSH_ERR_DENIED for another passphrase, or when it is not locked
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_agent_unlock(ssh_agent *agent,
                            const char *passphrase,
                            size_t passphrase_length,
                            int32_t timeout_ms,
                            ssh_error **error);

/**
 * Frees a list and what was asked of it.
 *
 * @param list  the list; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_agent_identities_free(ssh_agent_identities *list);

/**
 * How many there are.
 *
 * @return the number; 0 also when `list` is no list. Any thread. Since 0.1.
 */
size_t ssh_agent_identities_count(const ssh_agent_identities *list);

/**
 * The type of one: "ssh-ed25519", "ssh-rsa-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com" and others.
 *
 * @param list   the list
 * @param index  which one, from 0
 * @return a string of the list's, or NULL when there is none such. Any thread. Since 0.1.
 */
const char *ssh_agent_identities_type(const ssh_agent_identities *list,
                                      size_t index);

/**
 * The comment of one: often the file that it came from. What is not printable is escaped.
 *
 * @param list   the list
 * @param index  which one, from 0
 * @return a string of the list's, or NULL when there is none such. Any thread. Since 0.1.
 */
const char *ssh_agent_identities_comment(const ssh_agent_identities *list, size_t index);

/**
 * The fingerprint of the blob of one: "SHA256:" and 43 characters. For a key it is what ssh-add -l shows.
 *
 * @param list   the list
 * @param index  which one, from 0
 * @return a string of the list's, or NULL when there is none such. Any thread. Since 0.1.
 */
const char *ssh_agent_identities_fingerprint(const ssh_agent_identities *list,
                                             size_t index);

/**
 * The blob of one, by which the agent knows it.
 *
 * @param list    the list
 * @param index   which one, from 0
 * @param length  receives the length, or NULL
 * @return bytes of the list's, or NULL when there is none such. Any thread. Since 0.1.
 */
const void *ssh_agent_identities_blob(const ssh_agent_identities *list,
                                      size_t index,
                                      size_t *length);

/**
 * The key of one, without what is secret.
 *
 * @param list   the list
 * @param index  which one, from 0
 * @return a public key, freed with ssh_key_free(); NULL when there is none such, or it is of a type that ssh_key does not
 *         know: its blob can be used all the same. Any thread. Since 0.1.
 */
ssh_key *ssh_agent_identities_key(const ssh_agent_identities *list,
                                  size_t index);

/**
 * Makes a private key whose signatures the program makes: with a hardware token, a key management service, another
 * process. It goes wherever a private key goes, for users (ssh_transport_auth_publickey()) and hosts
 * (ssh_server_add_key()), but cannot be written or given to an agent. Each signature is checked before it is used.
 *
 * @param public_key  the key whose signatures are made; its public half counts
 * @param sign        makes them
 * @param userdata    passed to it
 * @param destroy     ends userdata's life once nothing uses the key any more, or NULL
 * @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE
 * @return a key, freed with ssh_key_free(), or NULL; then destroy is not called. Any thread. Since 0.1.
 */
ssh_key *ssh_key_new_signer(const ssh_key *public_key,
                            ssh_sign_callback sign,
                            void *userdata,
                            ssh_destroy_callback destroy,
                            ssh_error **error);

/**
 * Makes a private key whose signatures an agent makes.
 *
 * @param agent       an agent; once it is freed, the key cannot sign any more (SSH_ERR_CLOSED)
 * @param public_key  a key that the agent has, such as ssh_agent_identities_key() returns
 * @param timeout_ms  milliseconds that each signature may take; SSH_TIMEOUT_DEFAULT is 60 s
 * @param error       receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE
 * @return a key, freed with ssh_key_free(), or NULL. Any thread; does not ask the agent. Since 0.1.
 */
ssh_key *ssh_key_new_agent(ssh_agent *agent,
                           const ssh_key *public_key,
                           int32_t timeout_ms,
                           ssh_error **error);

/**
 * Authenticates with the keys and certificates of an agent, and with others, one after the other until one is accepted.
 * Each is tried once, and the server is asked about it before anything is signed. The agent is told which session its
 * signatures are for, so that it can hold keys to their destinations.
 *
 * An agent that cannot be asked, or does not sign, is passed over: then the other keys are tried.
 *
 * @param transport   a client transport that was started
 * @param username    whom to authenticate as
 * @param agent       the agent, or NULL for none
 * @param keys        keys to be named, the best first: a public one is tried if the agent has it, a private one also if it
 *                    has not; may be NULL when there are none
 * @param count       how many, at most 1024
 * @param order       SSH_AUTH_AGENT_FIRST, SSH_AUTH_NAMED_FIRST or SSH_AUTH_NAMED_ONLY
 * @param max_tries   how many keys to try at most; 0 for the usual 5, for servers end the session after some refusals, often
 *                    six
 * @param event       NULL to wait, as for ssh_transport_auth_none()
 * @param timeout_ms  milliseconds for all of it, a person included whom the agent may ask; SSH_TIMEOUT_DEFAULT is the auth
 *                    timeout
 * @param error       receives the detail, or NULL
 * @return SSH_OK when authenticated, SSH_PARTIAL when more is wanted, SSH_ERR_AUTH with the methods allowed, or when there
 *         was no key at all; SSH_ERR_AGENT when the agent was all there was and could not be asked; SSH_ERR_HOSTKEY when
 *         nobody has accepted the host key, or another failure. Any thread. Since 0.1.
 */
ssh_status ssh_transport_auth_agent(ssh_transport *transport,
                                    const char *username,
                                    ssh_agent *agent,
                                    const ssh_key *const *keys,
                                    size_t count,
                                    int32_t order,
                                    uint32_t max_tries,
                                    ssh_event *event,
                                    int32_t timeout_ms,
                                    ssh_error **error);

/**
 * Sets who receives the questions of one kind.
 *
 * @param transport  the transport; for the server's kinds see also ssh_server_set_callback()
 * @param kind       SSH_REQUEST_HOST_KEY, ...; SSH_REQUEST_ANY for every kind without a callback of its own
 * @param callback   receives the requests, or NULL: then they are refused
 * @param userdata   passed to the callback
 * @param destroy    ends userdata's life once it is replaced or the transport is gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_callback(ssh_transport *transport,
                                      int32_t kind,
                                      ssh_request_callback callback,
                                      void *userdata,
                                      ssh_destroy_callback destroy);

/**
 * Has questions without a callback wait for ssh_transport_next_request(), instead of being refused.
 *
 * @param transport  the transport
 * @param enabled    whether they wait
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_pull_requests(ssh_transport *transport, bool enabled);

/**
 * Takes the next question that waits because of ssh_transport_pull_requests() or ssh_server_pull_requests().
 *
 * @param transport   the transport
 * @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is
 *                    SSH_TIMEOUT_FOREVER
 * @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED, what ended the session;
 *                    set to NULL when timeout_ms is 0 and there is no question
 * @return a request, freed with ssh_request_free(), or NULL. Any thread. Since 0.1.
 */
ssh_request *ssh_transport_next_request(ssh_transport *transport,
                                        int32_t timeout_ms,
                                        ssh_error **error);

/**
 * An event that is set while questions wait for ssh_transport_next_request(), and once the session has ended,
 * for poll loops: when ssh_event_fd() is readable, take questions with timeout 0 until there is none.
 *
 * @param transport  the transport
 * @return a handle of the transport's event, freed with ssh_event_free(), or NULL. Any thread. Since 0.1.
 */
ssh_event *ssh_transport_request_event(ssh_transport *transport);

/**
 * Frees a request. One without an answer is refused.
 *
 * @param request  the request; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_request_free(ssh_request *request);

/**
 * The kind of the question: SSH_REQUEST_HOST_KEY, ...
 *
 * @return the kind, or 0 when `request` is none. Any thread. Since 0.1.
 */
int32_t ssh_request_kind(const ssh_request *request);

/**
 * The transport that asks.
 *
 * @return the handle the program made; it stays the program's. NULL once that is freed. Any thread. Since 0.1.
 */
ssh_transport *ssh_request_transport(const ssh_request *request);

/**
 * The channel the request is about.
 *
 * @return the channel's one handle: the same for all its requests, and the same that ssh_transport_accept()
 *         returns. It belongs to whoever takes it there, or from ssh_request_accept_channel(). A program that takes
 *         none, and does all in callbacks, frees it when it is done: until then it counts among the channels that may be
 *         open. NULL for kinds without a channel, for SSH_REQUEST_CHANNEL_OPEN, and once it is freed. Any thread.
 *         Since 0.1.
 */
ssh_channel *ssh_request_channel(const ssh_request *request);

/**
 * The user who wants in, for the SSH_REQUEST_AUTH_... kinds.
 *
 * @return a string of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_username(const ssh_request *request);

/**
 * How many partial successes (ssh_request_accept_partial()) count for this user, for the SSH_REQUEST_AUTH_... kinds: how
 * many of the credentials that a program wants one after the other are behind the user. Each change of the user name
 * takes the number back to 0, also a change back to a name that was given before: keys may be shown again then, and
 * what their certificates restrict holds no more.
 *
 * @return the number, 0 for other kinds and when `request` is none. Any thread. Since 0.1.
 */
uint32_t ssh_request_partial_successes(const ssh_request *request);

/**
 * The password, for SSH_REQUEST_AUTH_PASSWORD. It is wiped when the request is freed.
 *
 * @param request  the request
 * @param length   receives its length; it may hold any bytes, so compare with memcmp() and not with strcmp(). Or NULL
 * @return bytes of the request's, followed by a NUL that does not count, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_password(const ssh_request *request,
                                 size_t *length);

/**
 * The key in question, for SSH_REQUEST_HOST_KEY and the SSH_REQUEST_AUTH_KEY_... kinds.
 *
 * @return a public key, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
 */
ssh_key *ssh_request_key(const ssh_request *request);

/**
 * The signature algorithm the key was used with, or would be, for the kinds that have a key.
 *
 * @return a string of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_algorithm(const ssh_request *request);

/**
 * The submethods the client hinted at, for SSH_REQUEST_AUTH_INTERACTIVE.
 *
 * @return a string of the request's, possibly empty, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_submethods(const ssh_request *request);

/**
 * The title to show above the prompts, for SSH_REQUEST_PROMPTS. Control characters are escaped.
 *
 * @return a string of the request's, possibly empty, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_title(const ssh_request *request);

/**
 * The instructions to show above the prompts, for SSH_REQUEST_PROMPTS. Control characters except newlines are
 * escaped.
 *
 * @return a string of the request's, possibly empty, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_instructions(const ssh_request *request);

/**
 * How many prompts there are, for SSH_REQUEST_PROMPTS. May be 0: then show the title and instructions.
 *
 * @return the number. Any thread. Since 0.1.
 */
size_t ssh_request_prompt_count(const ssh_request *request);

/**
 * One prompt, for SSH_REQUEST_PROMPTS. Control characters are escaped.
 *
 * @param request  the request
 * @param index    which one, from 0
 * @param echo     receives whether what is typed may be seen; or NULL
 * @return a string of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_prompt(const ssh_request *request, size_t index, bool *echo);

/**
 * How many answers there are, for SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS: as many as there were prompts.
 *
 * @return the number. Any thread. Since 0.1.
 */
size_t ssh_request_answer_count(const ssh_request *request);

/**
 * One answer of the user's, for SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS. Wiped when the request is freed.
 *
 * @param request  the request
 * @param index    which one, from 0
 * @param length   receives its length; it may hold any bytes. Or NULL
 * @return bytes of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_answer(const ssh_request *request,
                               size_t index,
                               size_t *length);

/**
 * The kind of channel the peer wants, such as "session" or "direct-tcpip", for SSH_REQUEST_CHANNEL_OPEN and
 * SSH_REQUEST_CONNECT.
 *
 * @return a string of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_channel_kind(const ssh_request *request);

/**
 * Where to connect to, for SSH_REQUEST_CONNECT; where to listen, for SSH_REQUEST_LISTEN and
 * SSH_REQUEST_CANCEL_LISTEN. For UNIX sockets the path, with port 0. The path is what the client said: it need not be
 * absolute, nor lead to where you would like it to.
 *
 * @param request  the request
 * @param port     receives the port; or NULL
 * @return a string of the request's, or NULL for other kinds. Any thread. Since 0.1.
 */
const char *ssh_request_destination(const ssh_request *request,
                                    uint16_t *port);

/**
 * Where the connection that a channel carries came from, as the peer tells it, for SSH_REQUEST_CONNECT with TCP.
 *
 * @param request  the request
 * @param port     receives the port; or NULL
 * @return a string of the request's, or NULL for other kinds of channel. Any thread. Since 0.1.
 */
const char *ssh_request_origin(const ssh_request *request,
                               uint16_t *port);

/**
 * The command to run, for SSH_REQUEST_EXEC.
 *
 * @param request  the request
 * @param length   receives its length; it may hold any bytes. Or NULL
 * @return bytes of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_command(const ssh_request *request, size_t *length);

/**
 * The name in question: of the subsystem, the environment variable, the signal (without SIG), the key file, the host as
 * known hosts have it (SSH_REQUEST_HOST_KEY, where those were asked), or of the request itself for
 * SSH_REQUEST_CHANNEL_REQUEST, SSH_REQUEST_GLOBAL_REQUEST and the SSH_REQUEST_..._LISTEN kinds.
 *
 * @return a string of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_name(const ssh_request *request);

/**
 * The value of the environment variable, for SSH_REQUEST_ENV; the cookie in hexadecimal, an even number of
 * digits, for SSH_REQUEST_X11.
 *
 * @param request  the request
 * @param length   receives its length; it may hold any bytes. Or NULL
 * @return bytes of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_value(const ssh_request *request,
                              size_t *length);

/**
 * The rest of the message as it came, for SSH_REQUEST_CHANNEL_OPEN, SSH_REQUEST_CHANNEL_REQUEST and
 * SSH_REQUEST_GLOBAL_REQUEST.
 *
 * @param request  the request
 * @param length   receives its length; or NULL
 * @return bytes of the request's, or NULL. Any thread. Since 0.1.
 */
const void *ssh_request_data(const ssh_request *request, size_t *length);

/**
 * Whether the peer waits for an answer, for requests on channels and global requests. Answer in any case.
 *
 * @return false also when `request` is none. Any thread. Since 0.1.
 */
bool ssh_request_wants_reply(const ssh_request *request);

/**
 * The terminal's type, such as "xterm-256color", for SSH_REQUEST_PTY.
 *
 * @return a string of the request's, or NULL. Any thread. Since 0.1.
 */
const char *ssh_request_term(const ssh_request *request);

/**
 * The terminal's size, for SSH_REQUEST_PTY and SSH_REQUEST_WINDOW_CHANGE. The numbers are the peer's and may
 * be absurd. Each output may be NULL.
 *
 * @param request       the request
 * @param columns       receives the width in characters
 * @param rows          receives the height in characters
 * @param width_pixels  receives the width in pixels, 0 when not known
 * @param height_pixels receives the height in pixels, 0 when not known
 * @return SSH_OK, SSH_ERR_STATE for other kinds, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_terminal_size(const ssh_request *request,
                                     uint32_t *columns,
                                     uint32_t *rows,
                                     uint32_t *width_pixels,
                                     uint32_t *height_pixels);

/**
 * The terminal's modes in the encoding of RFC 4254 section 8, for SSH_REQUEST_PTY.
 *
 * @param request  the request
 * @param length   receives its length; or NULL
 * @return bytes of the request's, or NULL. Any thread. Since 0.1.
 */
const void *ssh_request_terminal_modes(const ssh_request *request, size_t *length);

/**
 * How long the break shall last, for SSH_REQUEST_BREAK.
 *
 * @return milliseconds, 0 for the usual. Any thread. Since 0.1.
 */
uint32_t ssh_request_break_length_ms(const ssh_request *request);

/**
 * How many keys of a sort there are, for SSH_REQUEST_HOST_KEYS.
 *
 * @param request  the request
 * @param sort     SSH_HOST_KEYS_NEW, ...
 * @return the number, 0 for other kinds of request and unknown sorts. Any thread. Since 0.1.
 */
size_t ssh_request_host_key_count(const ssh_request *request, int32_t sort);

/**
 * One of the keys, for SSH_REQUEST_HOST_KEYS.
 *
 * @param request  the request
 * @param sort     SSH_HOST_KEYS_NEW, ...
 * @param index    which one, from 0
 * @return a public key, freed with ssh_key_free(), or NULL when there is none. Any thread. Since 0.1.
 */
ssh_key *ssh_request_host_key(const ssh_request *request,
                              int32_t sort,
                              size_t index);

/**
 * Client: waits until nothing more is to come of the host keys that the server has told of so far
 * (SSH_REQUEST_HOST_KEYS): they are compared with the known ones, the new ones are proven, and the question about them has
 * its answer. Returns at once where it has told of none. For a program that wants to have asked before it goes on, such as
 * one that is about to give the terminal to a session.
 *
 * OpenSSH's server tells of its keys right behind the word that the user is in, so they have been told by the time that it
 * has answered anything, such as ssh_transport_global_request() or the opening of a channel.
 *
 * @param transport   the transport, not from a callback of its own, on whose end this would wait
 * @param timeout_ms  milliseconds to wait at most; SSH_TIMEOUT_DEFAULT is forever
 * @return SSH_OK, SSH_AGAIN when timeout_ms is 0 and there is something to come, SSH_ERR_TIMEOUT, SSH_ERR_CANCELLED, what
 *         ended the session, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_wait_host_keys(ssh_transport *transport,
                                        int32_t timeout_ms);

/**
 * Says yes: the host key is good, the user is in, the channel may open, the request is granted.
 *
 * @param request  a request that has no answer yet, of any kind but SSH_REQUEST_AUTH_INTERACTIVE, which is
 *                 answered with ssh_request_ask(), and SSH_REQUEST_LISTEN on port 0, which is answered with
 *                 ssh_request_accept_port()
 * @return SSH_OK, SSH_ERR_STATE when it has its answer, the cause when its session is over, SSH_ERR_BAD_HANDLE. For
 *         SSH_REQUEST_HOST_KEYS, which writes files: SSH_ERR_IO, SSH_ERR_TIMEOUT when others hold their lock.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_request_accept(ssh_request *request);

/**
 * Says no.
 *
 * @param request  a request that has no answer yet
 * @return SSH_OK, SSH_ERR_STATE when it has its answer, the cause when its session is over, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_request_refuse(ssh_request *request);

/**
 * Says that these credentials are good and that more are wanted, for the SSH_REQUEST_AUTH_... kinds. What was good is
 * good for this user only, and only until the client gives another user name: ssh_request_partial_successes() says how
 * much is. A count outside the library is wrong even if it is kept by ssh_request_username(): the client may give another
 * name in between and come back, of which the program need not hear.
 *
 * @param request  a request that has no answer yet
 * @param methods  the methods that may continue, separated by commas, such as "keyboard-interactive"
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_accept_partial(ssh_request *request,
                                      const char *methods);

/**
 * Says no, and which methods this user may try, for the SSH_REQUEST_AUTH_... kinds. ssh_request_refuse() says
 * those set with ssh_server_set_auth_methods(). They hold for this user from now on.
 *
 * @param request  a request that has no answer yet
 * @param methods  the methods that may continue, separated by commas
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_refuse_with_methods(ssh_request *request,
                                           const char *methods);

/**
 * Says which methods this user may try, for SSH_REQUEST_AUTH_METHODS. What is not among them is refused without a
 * question; only `none` is always asked about.
 *
 * @param request  a request that has no answer yet
 * @param methods  the methods, separated by commas, such as "publickey,password"; NULL or "" for none at all
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_accept_methods(ssh_request *request,
                                      const char *methods);

/**
 * Shows the user a text (RFC 4252 section 5.4), for the SSH_REQUEST_AUTH_... kinds, before the answer; several are
 * shown in their order. What all users shall see: ssh_server_set_banner().
 *
 * @param request  a request that has no answer yet; it stays so
 * @param text     the text with its newlines, at most 32,768 bytes
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, the cause when its session is over, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_request_send_banner(ssh_request *request,
                                   const char *text);

/**
 * Puts prompts to the user, for SSH_REQUEST_AUTH_INTERACTIVE and SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS. The
 * answers come as a new request of kind SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS.
 *
 * @param request       a request that has no answer yet
 * @param title         a title to show, at most 4096 bytes, or NULL
 * @param instructions  a text to show, at most 65536 bytes, or NULL
 * @param prompts       `count` strings of at most 8192 bytes each
 * @param echo          `count` times whether what is typed may be seen, or NULL for never
 * @param count         how many prompts, 0 to 256
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_ask(ssh_request *request,
                           const char *title,
                           const char *instructions,
                           const char *const *prompts,
                           const bool *echo,
                           size_t count);

/**
 * Answers prompts, for SSH_REQUEST_PROMPTS, SSH_REQUEST_PASSWORD and SSH_REQUEST_PASSPHRASE.
 *
 * @param request  a request that has no answer yet
 * @param answers  `count` C strings, copied; the copies are wiped after use
 * @param count    how many; it must be ssh_request_prompt_count()
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_answer_prompts(ssh_request *request,
                                      const char *const *answers,
                                      size_t count);

/**
 * Notes the answer to one prompt, for the kinds of ssh_request_answer_prompts(); ssh_request_accept() then sends them all. Prompts
 * without a note are answered with nothing.
 *
 * @param request  a request that has no answer yet
 * @param index    which prompt, from 0
 * @param answer   the answer, any bytes, copied; the copy is wiped after use
 * @param length   its length in bytes
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_set_answer(ssh_request *request,
                                  size_t index,
                                  const char *answer,
                                  size_t length);

/**
 * Accepts a channel and takes it, for SSH_REQUEST_CHANNEL_OPEN and SSH_REQUEST_CONNECT: it does not go to ssh_transport_accept().
 *
 * @param request  a request that has no answer yet
 * @param error    receives the detail, or NULL: SSH_ERR_STATE, SSH_ERR_CLOSED
 * @return a channel, freed with ssh_channel_free(), or NULL. Any thread. Since 0.1.
 */
ssh_channel *ssh_request_accept_channel(ssh_request *request,
                                        ssh_error **error);

/**
 * Refuses a channel and says why, for SSH_REQUEST_CHANNEL_OPEN and SSH_REQUEST_CONNECT.
 *
 * @param request  a request that has no answer yet
 * @param reason   1 administratively prohibited, 2 connect failed, 3 unknown channel type, 4 resource shortage
 * @param text     a text for the peer's user, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_refuse_channel(ssh_request *request,
                                      uint32_t reason,
                                      const char *text);

/**
 * Grants a global request with data in the reply, for SSH_REQUEST_GLOBAL_REQUEST.
 *
 * @param request  a request that has no answer yet
 * @param data     the data, copied
 * @param length   how many bytes
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_accept_with_data(ssh_request *request, const void *data, size_t length);

/**
 * Grants listening on a port, for SSH_REQUEST_LISTEN with a TCP address.
 *
 * @param request  a request that has no answer yet
 * @param port     the port that is listened on: the one asked for, or any but 0 where that is 0
 * @return SSH_OK, SSH_ERR_STATE also when the port does not fit, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_request_accept_port(ssh_request *request,
                                   uint16_t port);

/**
 * Sets who answers the questions of transports that ssh_connect_config() makes, jump hosts included: SSH_REQUEST_HOST_KEY
 * for the key of a host that is not known, when StrictHostKeyChecking is `ask`; SSH_REQUEST_PASSPHRASE,
 * SSH_REQUEST_PASSWORD and SSH_REQUEST_PROMPTS. One function may do for all of the last three, for all of them have
 * prompts. With BatchMode nobody is asked, and without a callback the answer is no. The callbacks stay with the transports.
 *
 * @param config    the configuration
 * @param kind      which kind, or SSH_REQUEST_ANY for all that have none of their own
 * @param callback  answers, as for ssh_transport_set_callback(), or NULL for nobody
 * @param userdata  passed to the callback
 * @param destroy   ends userdata's life once it is replaced and configuration and transports are gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE, and then destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_config_set_callback(ssh_config *config,
                                   int32_t kind,
                                   ssh_request_callback callback,
                                   void *userdata,
                                   ssh_destroy_callback destroy);

/**
 * Sets who makes the connections that ProxyCommand leads to. Without anybody ssh_connect_config() runs the command with
 * the shell that the environment variable SHELL names, as ssh does, its complaints on the program's standard error.
 *
 * @param config    the configuration
 * @param callback  makes a connection, or NULL for nobody
 * @param userdata  passed to the callback
 * @param destroy   ends userdata's life once it is replaced or the configuration is gone, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE, and then destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_config_set_proxy_callback(ssh_config *config,
                                         ssh_config_proxy_callback callback,
                                         void *userdata,
                                         ssh_destroy_callback destroy);

/**
 * Connects to a destination and logs in, as ssh does with the same configuration: through the jump hosts of ProxyJump, each
 * a session within the one before, or through ProxyCommand; with its algorithms, Compression, RekeyLimit, ServerAlive...,
 * AddressFamily, BindAddress, ConnectTimeout and ConnectionAttempts; with its known hosts and StrictHostKeyChecking, where
 * a new key is written to the first file of UserKnownHostsFile once it is accepted, and where a changed one is let pass no
 * password is sent and nothing forwarded (the calls for that fail with SSH_ERR_HOSTKEY); and with keys, prompts and passwords, in
 * the order of PreferredAuthentications. What is to be done on the connection (RemoteCommand, LocalForward, SendEnv, ...)
 * is the program's matter: ssh_config_resolve() tells, and ssh_config_host_request_agent_forward() does what ForwardAgent
 * says.
 *
 * Keys are tried as by ssh, each once, under the names that PubkeyAcceptedAlgorithms leaves: certificates of
 * CertificateFile; the keys of the agent (IdentityAgent, or SSH_AUTH_SOCK), those that IdentityFile names before the others,
 * and those alone with IdentitiesOnly; then the keys of files, each followed by the certificate beside it. A file with a
 * public key names one of the agent's. The passphrase of a file is asked for when the server accepts its key, where the key
 * can be shown without; AddKeysToAgent then gives it to the agent, and with `ask` the program is asked before by a request
 * of kind SSH_REQUEST_PROMPTS, which the answer "yes" agrees to.
 *
 * @param config       the configuration
 * @param destination  as for ssh_config_resolve()
 * @param timeout_ms   milliseconds for all of it, questions to a person included; SSH_TIMEOUT_DEFAULT gives each step its
 *                     own timeout and a person all the time they need
 * @param error        receives the detail, or NULL: SSH_ERR_CONFIG, SSH_ERR_RESOLVE, SSH_ERR_IO, SSH_ERR_TIMEOUT,
 *                     SSH_ERR_HOSTKEY, SSH_ERR_AUTH with what was tried and what was not and why, SSH_ERR_CHANNEL when a
 *                     jump host cannot reach the next, SSH_ERR_LIMIT for more than 16 jump hosts, ...
 * @return a transport with a user, freed with ssh_transport_free(), which ends those below it too, or NULL. Any thread, but
 *         not inside a callback of a transport that it goes through. Since 0.1.
 */
ssh_transport *ssh_connect_config(const ssh_config *config,
                                  const char *destination,
                                  int32_t timeout_ms,
                                  ssh_error **error);

/**
 * Does for a session what ForwardAgent says: asks the server to let its programs use the user's agent, as
 * ssh_channel_request_agent_forward() does. Like ssh, it asks nothing and succeeds where nothing is to be lent: ForwardAgent
 * is `no`, no agent answers at the socket, or a changed host key was let pass because StrictHostKeyChecking is `no`.
 *
 * @param host        what was resolved for the destination
 * @param channel     a session channel of the transport, before its shell or command is started
 * @param timeout_ms  milliseconds to wait for the answer; SSH_TIMEOUT_DEFAULT is the channel timeout
 * @param error       receives the detail, or NULL: SSH_ERR_DENIED when the server refuses, after which the session can be
 *                    used all the same, SSH_ERR_TIMEOUT, ...
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_config_host_request_agent_forward(const ssh_config_host *host,
                                                 ssh_channel *channel,
                                                 int32_t timeout_ms,
                                                 ssh_error **error);

/**
 * Makes a server that refuses everything.
 *
 * @return a server, freed with ssh_server_free(), or NULL when memory is short. Any thread. Since 0.1.
 */
ssh_server *ssh_server_new(void);

/**
 * Frees the handle. Transports that were started with the server keep what they need of it.
 *
 * @param server  the server; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_server_free(ssh_server *server);

/**
 * Sets who receives the questions of one kind, for all transports of the server. A callback set on the
 * transport itself goes first.
 *
 * @param server    the server
 * @param kind      SSH_REQUEST_AUTH_PASSWORD, ...; SSH_REQUEST_ANY for every kind without a callback of its own
 * @param callback  receives the requests, or NULL: then they are refused
 * @param userdata  passed to the callback, from the threads of all its transports, also at once
 * @param destroy   ends userdata's life once it is replaced or the server and its transports are gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_server_set_callback(ssh_server *server,
                                   int32_t kind,
                                   ssh_request_callback callback,
                                   void *userdata,
                                   ssh_destroy_callback destroy);

/**
 * Has questions without a callback wait for ssh_transport_next_request(), instead of being refused.
 *
 * @param server   the server
 * @param enabled  whether they wait
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_pull_requests(ssh_server *server, bool enabled);

/**
 * Adds a host key for every transport started from now on. One key of each kind is used; the last added wins.
 *
 * @param server  the server
 * @param key     a private key
 * @return SSH_OK, SSH_ERR_INVALID_ARG for a public key, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_add_key(ssh_server *server,
                              const ssh_key *key);

/**
 * Adds a key that clients are told of beside the host keys, for every transport started from now on, and that is used for
 * nothing else: the host key to come. Clients that keep what they are told (ssh with UpdateHostKeys, this library with
 * SSH_REQUEST_HOST_KEYS) know it by the day on which it becomes a host key, and forget the old one the first time that
 * they are told no longer of that.
 *
 * @param server  the server
 * @param key     a private key; up to 32 of them
 * @return SSH_OK, SSH_ERR_INVALID_ARG for a public key or one too many, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_add_next_key(ssh_server *server,
                                   const ssh_key *key);

/**
 * Sets whether clients are told of all host keys once their user is in ("hostkeys-00@openssh.com"), as sshd does. They
 * are, unless it is turned off here. Certificates are not told of.
 *
 * @param server   the server
 * @param enabled  whether they are, from now on, by transports that start
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_tell_host_keys(ssh_server *server,
                                         bool enabled);

/**
 * Loads groups for Diffie-Hellman group exchange (RFC 4419), for every transport started from now on. Without a file
 * the groups of RFC 3526 are used. Groups below 2,048 bits, and what is no tested safe prime, are passed over.
 *
 * @param server  the server
 * @param path    a file in the format of moduli(5), at most 4 MiB; NULL for /etc/ssh/moduli, then
 *                /usr/local/etc/moduli
 * @param error   receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_INVALID_ARG when there is no usable group in it
 * @return SSH_OK, or as `error` says; then everything stays as it was. Any thread. Since 0.1.
 */
ssh_status ssh_server_load_moduli(ssh_server *server,
                                  const char *path,
                                  ssh_error **error);

/**
 * Sets the methods that clients are told they may try. Without this, those whose kinds have a callback:
 * "publickey", "password", "keyboard-interactive".
 *
 * @param server   the server
 * @param methods  names separated by commas, or NULL to go back to that
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_auth_methods(ssh_server *server,
                                       const char *methods);

/**
 * Sets a text that is shown to users before they authenticate.
 *
 * @param server  the server
 * @param text    the text with its newlines, or NULL for none
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_banner(ssh_server *server, const char *text);

/**
 * Sets how much a client may try before it is disconnected.
 *
 * @param server          the server
 * @param max_failures    failed attempts, 1 to 100; 6 at first
 * @param login_grace_ms  milliseconds from the start until the user is in; 120,000 at first, 0 for no limit
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_auth_limits(ssh_server *server,
                                      uint32_t max_failures,
                                      uint32_t login_grace_ms);

/**
 * Copies algorithms into the server, for transports started from now on whose own options were not touched.
 *
 * @param server   the server
 * @param options  the options, copied
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_security_options(ssh_server *server,
                                           const ssh_security_options *options);

/**
 * The same private key, shown in a certificate from now on: to a server when it logs a user in
 * (ssh_transport_auth_publickey()), to clients where it is a server's (ssh_server_add_key(),
 * ssh_transport_add_server_key(); there it is shown alone, too, to clients that do not want certificates).
 *
 * @param key          a private key
 * @param certificate  a signed certificate about it
 * @param error        receives the detail, or NULL: SSH_ERR_INVALID_ARG for a public key, SSH_ERR_STATE for a draft, or
 *                     when the certificate is about another key
 * @return a key, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
 */
ssh_key *ssh_key_with_certificate(const ssh_key *key,
                                  const ssh_certificate *certificate,
                                  ssh_error **error);

/**
 * The certificate that a key is shown in.
 *
 * @return a certificate, freed with ssh_certificate_free(), or NULL where there is none. Any thread. Since 0.1.
 */
ssh_certificate *ssh_key_certificate(const ssh_key *key);

/**
 * The certificate that a key was shown in: for SSH_REQUEST_AUTH_KEY_ASKED and SSH_REQUEST_AUTH_KEY_PROVEN one that was
 * found to hold for the user, signed by an authority of ssh_server_add_user_authority(), unless
 * ssh_server_set_ask_certificates() lets others get here too. For SSH_REQUEST_HOST_KEY nobody has looked at it.
 *
 * @return a certificate, freed with ssh_certificate_free(), or NULL where there is none. Any thread. Since 0.1.
 */
ssh_certificate *ssh_request_certificate(const ssh_request *request);

/**
 * What a security key attests about its signature, for SSH_REQUEST_AUTH_KEY_PROVEN.
 *
 * @return SSH_SECURITY_KEY_PRESENT, SSH_SECURITY_KEY_VERIFIED; 0 for other keys and requests. Any thread. Since 0.1.
 */
uint32_t ssh_request_security_key_flags(const ssh_request *request);

/**
 * What the client asked for, where a certificate forces a command: the command, the name of the subsystem, or nothing
 * for a shell. Programs know it as SSH_ORIGINAL_COMMAND.
 *
 * @param request  a request of kind SSH_REQUEST_EXEC or SSH_REQUEST_SUBSYSTEM
 * @param length   receives the length in bytes, or NULL
 * @return bytes of the request's with a NUL behind them, or NULL where nothing is forced. Any thread. Since 0.1.
 */
const char *ssh_request_original_command(const ssh_request *request,
                                         size_t *length);

/**
 * Has a server trust an authority: certificates that it has signed let the users in that they name, at the time and from
 * the places that they name. Which user a certificate is for is checked here; whether there is such a user is for
 * SSH_REQUEST_AUTH_KEY_PROVEN to say, as for plain keys. What a certificate does not permit ("permit-pty" and the others) is
 * refused without asking, and a command that it forces takes the place of whatever the user asked for. Certificates that do
 * not count are refused, and the reason is logged.
 *
 * @param server     the server
 * @param authority  the key of the authority; its public half is enough
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_add_user_authority(ssh_server *server,
                                         const ssh_key *authority);

/**
 * Sets of which names a certificate must have one to let a user in. At first that is the name of the user.
 *
 * @param server      the server
 * @param user        the user
 * @param principals  the names; none at all lets no certificate in
 * @param count       how many, at most 4096
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_user_principals(ssh_server *server,
                                          const char *user,
                                          const char *const *principals,
                                          size_t count);

/**
 * Sets whether certificates of authorities that the server does not know are put to the program, in the requests
 * SSH_REQUEST_AUTH_KEY_ASKED and SSH_REQUEST_AUTH_KEY_PROVEN: then nobody has looked at them, and
 * ssh_authorized_keys_answer() is to, for lines with "cert-authority". At first they let nobody in, without asking.
 *
 * Nothing else lets such a certificate in: ssh_request_accept() and ssh_request_accept_partial() are taken for a refusal,
 * because nobody would enforce then what it forbids.
 *
 * @param server   the server
 * @param enabled  whether they are, from now on, by transports that start
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_ask_certificates(ssh_server *server,
                                           bool enabled);

/**
 * Sets whether security keys must attest that somebody has touched them, as they must at first. Without it, who answers
 * SSH_REQUEST_AUTH_KEY_PROVEN looks at ssh_request_security_key_flags().
 *
 * @param server    the server
 * @param required  whether they must
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_touch_required(ssh_server *server,
                                         bool required);

/**
 * Reads a list from memory. One that is not understood in full is refused, for what is not understood may be what is
 * revoked. Signatures of lists are passed over.
 *
 * @param data    the bytes
 * @param length  how many, at most 64 MiB
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED, SSH_ERR_KEY_UNSUPPORTED
 * @return a list, freed with ssh_revocations_free(), or NULL. Any thread. Since 0.1.
 */
ssh_revocations *ssh_revocations_load(const void *data,
                                      size_t length,
                                      ssh_error **error);

/**
 * Reads a list from a file, as ssh_revocations_load() does from memory.
 *
 * @param path   the file, a regular one of at most 64 MiB
 * @param error  receives the detail, or NULL: as for ssh_revocations_load(), and SSH_ERR_IO
 * @return a list, freed with ssh_revocations_free(), or NULL. Any thread. Since 0.1.
 */
ssh_revocations *ssh_revocations_load_file(const char *path, ssh_error **error);

/**
 * Frees a list. Servers that use it keep it.
 *
 * @param revocations  the list; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_revocations_free(ssh_revocations *revocations);

/**
 * The number that whoever made the list gave it; 0 for plain files, and for what is no list.
 *
 * Any thread. Since 0.1.
 */
uint64_t ssh_revocations_version(const ssh_revocations *revocations);

/**
 * What whoever made the list calls it, safe to show.
 *
 * @return a string, possibly empty, freed with ssh_memory_free(), or NULL for what is no list. Any thread. Since 0.1.
 */
char *ssh_revocations_comment(const ssh_revocations *revocations);

/**
 * Whether a key is revoked.
 *
 * @param revocations  the list
 * @param key          the key; its public half is enough
 * @return SSH_OK when it is not, SSH_ERR_REVOKED when it is, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_revocations_check_key(const ssh_revocations *revocations,
                                     const ssh_key *key);

/**
 * Whether a certificate is revoked: it, the key that it is about, or that of its authority.
 *
 * @param revocations  the list
 * @param certificate  a signed certificate
 * @return SSH_OK when it is not, SSH_ERR_REVOKED when it is, SSH_ERR_STATE for a draft, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_revocations_check_certificate(const ssh_revocations *revocations,
                                             const ssh_certificate *certificate);

/**
 * Has a server refuse keys and certificates that are revoked, without asking, and log it. Transports take the list as it
 * is when they start.
 *
 * @param server       the server
 * @param revocations  the list, or NULL for none: look at what ssh_revocations_load() gave you first, or a file that cannot
 *                     be read revokes nothing
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_server_set_revocations(ssh_server *server,
                                      const ssh_revocations *revocations);

/**
 * Has a client refuse host keys and certificates that are revoked, before anything or anybody else is asked about them, an
 * expected key and ssh_transport_set_insecure_accept_any_host_key() included: the session ends with SSH_ERR_HOSTKEY. Such
 * keys are not learnt either when the server tells of them (SSH_REQUEST_HOST_KEYS). This is RevokedHostKeys of ssh_config.
 *
 * @param transport    a transport that is not started
 * @param revocations  the list, or NULL for none: look at what ssh_revocations_load() gave you first, or a file that cannot
 *                     be read revokes nothing
 * @return SSH_OK, SSH_ERR_STATE once it is started, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_revoked_host_keys(ssh_transport *transport,
                                               const ssh_revocations *revocations);

/**
 * Reads authorized keys from memory.
 *
 * @param data    the text
 * @param length  its length in bytes, at most 4 MiB
 * @param error   receives the detail, or NULL: SSH_ERR_KEY_MALFORMED when it is too long
 * @return authorized keys, freed with ssh_authorized_keys_free(), or NULL. Any thread. Since 0.1.
 */
ssh_authorized_keys *ssh_authorized_keys_load(const void *data, size_t length, ssh_error **error);

/**
 * Reads authorized keys from a file. Whose file it is and who may write it is for the program to see to, as
 * sshd's StrictModes does.
 *
 * @param path   the file, a regular one of at most 4 MiB
 * @param error  receives the detail, or NULL: SSH_ERR_IO, SSH_ERR_KEY_MALFORMED
 * @return authorized keys, freed with ssh_authorized_keys_free(), or NULL. Any thread. Since 0.1.
 */
ssh_authorized_keys *ssh_authorized_keys_load_file(const char *path,
                                                   ssh_error **error);

/**
 * Frees authorized keys.
 *
 * @param keys  the authorized keys; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_authorized_keys_free(ssh_authorized_keys *keys);

/**
 * What was passed over, and why: "line 3: an unknown option", one a line.
 *
 * @return a string, possibly empty, freed with ssh_memory_free(), or NULL. Any thread. Since 0.1.
 */
char *ssh_authorized_keys_warnings(const ssh_authorized_keys *keys);

/**
 * How many lines are understood. Any thread. Since 0.1.
 */
size_t ssh_authorized_keys_count(const ssh_authorized_keys *keys);

/**
 * Lets a user in by the first line that has the key and whose options do not keep them from it, or refuses. For
 * SSH_REQUEST_AUTH_KEY_ASKED and SSH_REQUEST_AUTH_KEY_PROVEN. A key that is shown in a certificate is let in by a line with
 * "cert-authority" whose key has signed it, and for which it is good: its kind, its time, its principals (one of
 * "principals", or else the user's name), its addresses. Such certificates get here only with
 * ssh_server_set_ask_certificates(), or where the authority is one of ssh_server_add_user_authority() too; then the
 * server has checked them already, against its own principals, and the line is a further restriction.
 *
 * Enforced here are "from" and "expiry-time", "principals" and "cert-authority", "no-touch-required" and
 * "verify-required" (with a plain key nobody is verified, and the line does not count). Enforced while the user is in: a
 * forced "command" takes the place of whatever is asked for; terminals, agents, displays and forwarding are refused without
 * asking where the line says so, by "restrict", the "no-" options, "permitopen" and "permitlisten". "environment",
 * "tunnel" and "user-rc" are for the program: ask for them with the index.
 *
 * @param keys       the authorized keys
 * @param request    the request, which is answered; it is still to be freed
 * @param host_name  the name that belongs to the client's address, for "from", or NULL. Best one that was looked up both ways
 * @param index      receives the index of the line, or NULL
 * @param error      receives why nobody was let in, or NULL: SSH_ERR_AUTH
 * @return SSH_OK, SSH_ERR_AUTH when the answer was no, SSH_ERR_INVALID_ARG for another kind of request, SSH_ERR_STATE for one
 *         that was answered, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_authorized_keys_answer(const ssh_authorized_keys *keys,
                                      ssh_request *request,
                                      const char *host_name,
                                      size_t *index,
                                      ssh_error **error);

/**
 * The number of a line in its file, from 1; 0 where there is none. Any thread. Since 0.1.
 *
 * @param keys   the authorized keys
 * @param index  which line, from 0
 */
uint64_t ssh_authorized_keys_line(const ssh_authorized_keys *keys, size_t index);

/**
 * The key of a line.
 *
 * @param keys   the authorized keys
 * @param index  which line, from 0
 * @return a public key with the comment of the line, freed with ssh_key_free(), or NULL. Any thread. Since 0.1.
 */
ssh_key *ssh_authorized_keys_key(const ssh_authorized_keys *keys,
                                 size_t index);

/**
 * What the options of a line leave: SSH_PERMIT_PTY, ...
 *
 * @param keys   the authorized keys
 * @param index  which line, from 0
 * @return bits, 0 where there is no such line. Any thread. Since 0.1.
 */
uint32_t ssh_authorized_keys_permits(const ssh_authorized_keys *keys, size_t index);

/**
 * Whether a line has any options.
 *
 * @param keys   the authorized keys
 * @param index  which line, from 0
 * @return false also where there is no such line. Any thread. Since 0.1.
 */
bool ssh_authorized_keys_has_options(const ssh_authorized_keys *keys, size_t index);

/**
 * The text of an option of a line: "command", "from", "principals" or "tunnel".
 *
 * @param keys   the authorized keys
 * @param index  which line, from 0
 * @param name   the option
 * @return a string, freed with ssh_memory_free(), or NULL where the line does not have it. Any thread. Since 0.1.
 */
char *ssh_authorized_keys_option(const ssh_authorized_keys *keys,
                                 size_t index,
                                 const char *name);

/**
 * A variable that a line sets in the environment of what runs ("environment"). Whether users may set any is for the program
 * to decide.
 *
 * @param keys      the authorized keys
 * @param index     which line, from 0
 * @param variable  which variable, from 0
 * @return NAME=value, freed with ssh_memory_free(), or NULL where there is none. Any thread. Since 0.1.
 */
char *ssh_authorized_keys_environment(const ssh_authorized_keys *keys,
                                      size_t index,
                                      size_t variable);

/**
 * Sets who serves a subsystem, for every transport started with the server from now on. A handler set on the
 * transport itself goes first.
 *
 * With a handler, requests for the subsystem are granted; a callback for SSH_REQUEST_SUBSYSTEM is asked before, if
 * there is one, and the handler runs when it accepts. At most 64 handlers run at once for one transport, and 1,024
 * in the process: further requests are refused, and ssh_request_accept() then returns SSH_ERR_LIMIT. A channel that
 * a handler serves does not come out of ssh_transport_accept() any more.
 *
 * @param server    the server
 * @param name      the subsystem's name, 1 to 256 bytes
 * @param handler   serves it, or NULL: then the callback for SSH_REQUEST_SUBSYSTEM alone decides
 * @param userdata  passed to the handler, from several threads at once
 * @param destroy   ends userdata's life once it is replaced or the server and its transports are gone, and no
 *                  handler runs; or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_server_set_subsystem_handler(ssh_server *server,
                                            const char *name,
                                            ssh_subsystem_callback handler,
                                            void *userdata,
                                            ssh_destroy_callback destroy);

/**
 * Sets who serves a subsystem on one transport, before or after its start; see ssh_server_set_subsystem_handler().
 *
 * @param transport  a server transport
 * @param name       the subsystem's name, 1 to 256 bytes
 * @param handler    serves it, or NULL: then the callback for SSH_REQUEST_SUBSYSTEM alone decides
 * @param userdata   passed to the handler, from several threads at once
 * @param destroy    ends userdata's life once it is replaced or the transport is gone, and no handler runs; or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_transport_set_subsystem_handler(ssh_transport *transport,
                                               const char *name,
                                               ssh_subsystem_callback handler,
                                               void *userdata,
                                               ssh_destroy_callback destroy);

/**
 * Makes a listener that listens nowhere yet.
 *
 * @return a listener, freed with ssh_listener_free(), or NULL when memory is short. Any thread. Since 0.1.
 */
ssh_listener *ssh_listener_new(void);

/**
 * Listens at an address, or at one more, and takes connections from then on. Set limits before.
 *
 * @param listener    the listener
 * @param address     an IP address, "localhost", "" for all, or the path of a UNIX socket, which begins with "/". Names are
 *                    not looked up. The file of a socket can be used by its owner only, must not exist before, and is
 *                    removed in the end
 * @param port        the port, 0 for a UNIX socket; 0 has the system choose one
 * @param bound_port  receives the port that is listened on; or NULL
 * @param error       receives the detail, or NULL: SSH_ERR_IO when the address is taken, SSH_ERR_INVALID_ARG also for
 *                    more than 64 places, SSH_ERR_CLOSED when it was stopped
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_listener_bind(ssh_listener *listener,
                             const char *address,
                             uint16_t port,
                             uint16_t *bound_port,
                             ssh_error **error);

/**
 * Takes the connections of a socket that listens already, as a supervisor of services hands it over.
 *
 * @param listener  the listener
 * @param fd        a stream socket that listens. On success it belongs to the listener, which makes it non-blocking and
 *                  closes it; on failure it stays the caller's
 * @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG when it is no such socket or one place too many,
 *                  SSH_ERR_IO, SSH_ERR_CLOSED when the listener was stopped
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_listener_add_fd(ssh_listener *listener,
                               int32_t fd,
                               ssh_error **error);

/**
 * Takes the next connection that was let in. Those that nobody takes count as unauthenticated.
 *
 * @param listener    the listener
 * @param timeout_ms  milliseconds to wait at most; 0 looks and does not wait, SSH_TIMEOUT_DEFAULT is
 *                    SSH_TIMEOUT_FOREVER
 * @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CLOSED when it was stopped and there are no
 *                    more, SSH_ERR_CANCELLED; set to NULL when timeout_ms is 0 and there is none
 * @return a transport that is not started, freed with ssh_transport_free(), or NULL. Any thread. Since 0.1.
 */
ssh_transport *ssh_listener_accept(ssh_listener *listener,
                                   int32_t timeout_ms,
                                   ssh_error **error);

/**
 * An event that is set while connections wait for ssh_listener_accept(), and once the listener was stopped, for poll
 * loops: when ssh_event_fd() is readable, accept with timeout 0 until there is none.
 *
 * @param listener  the listener
 * @return a handle of the listener's event, freed with ssh_event_free(), or NULL. Any thread. Since 0.1.
 */
ssh_event *ssh_listener_accept_event(ssh_listener *listener);

/**
 * Sets who gets the connections that are let in, those that wait already first.
 *
 * @param listener  the listener
 * @param callback  gets the transports, or NULL: then they come out of ssh_listener_accept()
 * @param userdata  passed to the callback
 * @param destroy   ends userdata's life once it is replaced or the listener is freed, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_listener_set_callback(ssh_listener *listener,
                                     ssh_listener_callback callback,
                                     void *userdata,
                                     ssh_destroy_callback destroy);

/**
 * Wakes the calls of ssh_listener_accept() that wait now, with SSH_ERR_CANCELLED. Later calls are not touched.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_listener_cancel(ssh_listener *listener);

/**
 * Listens nowhere any more. Connections that were let in before may still be taken, and transports go on.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_listener_stop(ssh_listener *listener);

/**
 * Whether connections are taken: from the first address or socket on until ssh_listener_stop().
 *
 * @return false also when `listener` is none. Any thread. Since 0.1.
 */
bool ssh_listener_is_listening(const ssh_listener *listener);

/**
 * Stops, closes the connections that nobody has taken, and frees the handle. Calls of ssh_listener_accept() in other
 * threads return with SSH_ERR_CLOSED. Transports that were taken go on.
 *
 * @param listener  the listener; NULL is fine
 *
 * Any thread, also inside its callback; does not wait. Since 0.1.
 */
void ssh_listener_free(ssh_listener *listener);

/**
 * Bounds the connections that are not logged in. Up to `start` all are let in; from there on some are refused by chance,
 * so that a flood does not take every place: `rate_percent` of a hundred at first, evenly more up to all of them at `full`.
 *
 * @param listener      the listener
 * @param start         256 at first
 * @param rate_percent  0 to 100; 30 at first
 * @param full          most of them, at least 1 and at least `start`; 512 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; holds for connections to come. Since 0.1.
 */
ssh_status ssh_listener_set_max_unauthenticated(ssh_listener *listener,
                                                uint32_t start,
                                                uint32_t rate_percent,
                                                uint32_t full);

/**
 * Bounds the connections of one source that are not logged in, and says what a source is: addresses that have so many
 * leading bits in common.
 *
 * @param listener   the listener
 * @param max        most of them; 64 at first, 0 for no bound but that in all
 * @param ipv4_bits  0 to 32; 32 at first
 * @param ipv6_bits  0 to 128; 64 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; holds for connections to come. Since 0.1.
 */
ssh_status ssh_listener_set_max_per_source(ssh_listener *listener,
                                           uint32_t max,
                                           uint32_t ipv4_bits,
                                           uint32_t ipv6_bits);

/**
 * Sets what a source is penalized with for each connection that comes to nothing. Penalties add up and run off with the
 * time; ssh_listener_set_penalty_bounds() says when they have an effect. Those that this side ends cost nothing.
 *
 * @param listener    the listener
 * @param kind        SSH_PENALTY_NO_AUTH, ...
 * @param penalty_ms  milliseconds, 0 for none
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_listener_set_penalty(ssh_listener *listener,
                                    int32_t kind,
                                    uint32_t penalty_ms);

/**
 * Says when penalties have an effect. Once those of a source add up to `least_ms`, its connections are refused until they
 * have run off.
 *
 * @param listener  the listener
 * @param least_ms  milliseconds; 15,000 at first
 * @param most_ms   milliseconds that they never add up to more than; 600,000 at first
 * @param sources   most sources that are remembered; 65,536 at first. Of more, those are forgotten whose penalties run off
 *                  first; 0 turns penalties off
 * @return SSH_OK, SSH_ERR_INVALID_ARG when the most is less than the least, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_listener_set_penalty_bounds(ssh_listener *listener,
                                           uint32_t least_ms,
                                           uint32_t most_ms,
                                           uint32_t sources);

/**
 * Has a network count in all only: no bound for each source, no penalties. For monitoring, and for proxies that bring many
 * people from one address.
 *
 * @param listener  the listener
 * @param network   an address, or one with the number of leading bits that count, such as "192.0.2.0/24"; up to 256 of them
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread; holds for connections to come. Since 0.1.
 */
ssh_status ssh_listener_add_exempt(ssh_listener *listener,
                                   const char *network);

/**
 * Tells what has happened so far, or how things are now.
 *
 * @param listener  the listener
 * @param kind      SSH_LISTENER_ACCEPTED, ...
 * @return the number; 0 also when `listener` is none or the kind is unknown. Any thread. Since 0.1.
 */
uint64_t ssh_listener_counter(const ssh_listener *listener, int32_t kind);

/**
 * Opens a directory to be served. It stays the same one when it is renamed.
 *
 * @param path   the directory, in any encoding
 * @param error  receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_IO
 * @return a server, freed with ssh_sftp_server_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_server *ssh_sftp_server_new_directory(const char *path, ssh_error **error);

/**
 * Makes a server of files that the program makes up: what clients want done comes as ssh_sftp_operation to the
 * callbacks of ssh_sftp_server_set_callback(). ssh_request_accept_sftp() serves a channel with it.
 *
 * @param error  receives the detail, or NULL
 * @return a server without callbacks, which refuses everything, freed with ssh_sftp_server_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_sftp_server *ssh_sftp_server_new_virtual(ssh_error **error);

/**
 * Frees the handle. Channels that are served go on.
 *
 * @param server  the server; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_sftp_server_free(ssh_sftp_server *server);

/**
 * Whether everything that would change something is refused. It is not at first.
 *
 * @param server     the server
 * @param read_only  whether to refuse
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_server_set_read_only(ssh_sftp_server *server, bool read_only);

/**
 * Sets mode bits that new files and directories do not get, beside those of the process's umask. For directories; files
 * that the program makes up have the modes it gives them.
 *
 * @param server  the server
 * @param umask   0 to 0777; 0 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_server_set_umask(ssh_sftp_server *server,
                                     uint32_t umask);

/**
 * Sets how many files and directories one client may have open: of a directory on all channels of its transport together, of
 * files that the program makes up on each. Those of a directory take half of the process's descriptors at most, of all clients
 * together.
 *
 * @param server   the server
 * @param handles  1 to 65,536; 256 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_server_set_max_handles(ssh_sftp_server *server,
                                           uint32_t handles);

/**
 * Sets how many operations of one channel may wait for their answers, on a server of ssh_sftp_server_new_virtual(). Then
 * the channel is not read from until there is one.
 *
 * @param server      the server
 * @param operations  1 to 1,024; 64 at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for a server of a directory, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_server_set_max_operations(ssh_sftp_server *server,
                                              uint32_t operations);

/**
 * Sets where clients begin, as they see it.
 *
 * @param server  the server
 * @param path    a path below the directory, such as "/incoming"; "/" at first
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_server_set_home(ssh_sftp_server *server, const char *path);

/**
 * Accepts a SSH_REQUEST_SUBSYSTEM, whatever name it has, and serves SFTP on its channel. The library does the
 * work on threads of its own; an idle session has none. When the client is done, the channel is closed. It is the
 * session's: it does not come out of ssh_transport_accept(), and nobody else may read from it or write to it. A program
 * that has a handle of it, from ssh_request_accept_channel() or ssh_request_channel(), frees that some time; before
 * ssh_channel_is_closed() that ends the session.
 *
 * @param request  the request, answered by this call
 * @param server   what to serve
 * @param error    receives the detail, or NULL: SSH_ERR_STATE for other kinds and answered requests, SSH_ERR_LIMIT where 32
 *                 channels of the transport are served already and the request was refused, SSH_ERR_CLOSED,
 *                 SSH_ERR_BAD_HANDLE
 * @return SSH_OK, or as `error` says. Any thread. Since 0.1.
 */
ssh_status ssh_request_accept_sftp(ssh_request *request,
                                   ssh_sftp_server *server,
                                   ssh_error **error);

/**
 * Sets who carries out the operations of one kind, for channels that are served from now on. Kinds without a callback are
 * refused as not supported, and extensions among them are not announced.
 *
 * @param server    a server of ssh_sftp_server_new_virtual()
 * @param kind      SSH_SFTP_OP_OPEN, ...; SSH_SFTP_OP_ANY for kinds without a callback of their own
 * @param callback  receives the operations, or NULL
 * @param userdata  passed to the callback, from the threads of all channels, also at once
 * @param destroy   ends userdata's life once it is replaced or the server and its channels are gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_STATE for a server of a directory, SSH_ERR_BAD_HANDLE; on failure destroy is
 *         not called. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_server_set_callback(ssh_sftp_server *server,
                                        int32_t kind,
                                        ssh_sftp_callback callback,
                                        void *userdata,
                                        ssh_destroy_callback destroy);

/**
 * Frees an operation. One without an answer has failed.
 *
 * @param operation  the operation; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_sftp_operation_free(ssh_sftp_operation *operation);

/**
 * What kind of operation it is.
 *
 * @return SSH_SFTP_OP_OPEN or another; 0 when `operation` is none. Any thread. Since 0.1.
 */
int32_t ssh_sftp_operation_kind(const ssh_sftp_operation *operation);

/**
 * The channel it came on.
 *
 * @return the channel's one handle, as of ssh_request_channel(); freeing it ends the session. NULL once the transport is
 *         freed. Any thread. Since 0.1.
 */
ssh_channel *ssh_sftp_operation_channel(const ssh_sftp_operation *operation);

/**
 * The path it is about, for the kinds with one.
 *
 * @param operation  the operation
 * @param length     receives its length in bytes; or NULL
 * @return bytes of the operation's, ended by a NUL that does not count, or NULL. Any thread. Since 0.1.
 */
const char *ssh_sftp_operation_path(const ssh_sftp_operation *operation,
                                    size_t *length);

/**
 * The further path, for SSH_SFTP_OP_RENAME, SSH_SFTP_OP_POSIX_RENAME and SSH_SFTP_OP_HARDLINK.
 *
 * @param operation  the operation
 * @param length     receives its length in bytes; or NULL
 * @return bytes of the operation's, ended by a NUL that does not count, or NULL. Any thread. Since 0.1.
 */
const char *ssh_sftp_operation_new_path(const ssh_sftp_operation *operation,
                                        size_t *length);

/**
 * What the link shall say, for SSH_SFTP_OP_SYMLINK: any bytes, as the client sent them.
 *
 * @param operation  the operation
 * @param length     receives their number; or NULL
 * @return bytes of the operation's, ended by a NUL that does not count, or NULL. Any thread. Since 0.1.
 */
const char *ssh_sftp_operation_target(const ssh_sftp_operation *operation,
                                      size_t *length);

/**
 * The file or directory it is about, for the kinds with an open one.
 *
 * @return what was given to ssh_sftp_operation_accept_file(), or NULL. Any thread. Since 0.1.
 */
void *ssh_sftp_operation_file(const ssh_sftp_operation *operation);

/**
 * How to open, for SSH_SFTP_OP_OPEN.
 *
 * @return SSH_SFTP_READ, SSH_SFTP_WRITE and so on, added up; other bits are the client's. Any thread. Since 0.1.
 */
uint32_t ssh_sftp_operation_flags(const ssh_sftp_operation *operation);

/**
 * Where in the file, for SSH_SFTP_OP_READ and SSH_SFTP_OP_WRITE. It is the client's number, up to 2^64 - 1.
 *
 * @return the offset in bytes. Any thread. Since 0.1.
 */
uint64_t ssh_sftp_operation_offset(const ssh_sftp_operation *operation);

/**
 * How many bytes, for SSH_SFTP_OP_READ and SSH_SFTP_OP_WRITE.
 *
 * @return bytes, 1 to 261,120 for SSH_SFTP_OP_READ. Any thread. Since 0.1.
 */
size_t ssh_sftp_operation_length(const ssh_sftp_operation *operation);

/**
 * What to write, for SSH_SFTP_OP_WRITE.
 *
 * @param operation  the operation
 * @param length     receives how many bytes; or NULL
 * @return bytes of the operation's, or NULL. Any thread. Since 0.1.
 */
const void *ssh_sftp_operation_data(const ssh_sftp_operation *operation, size_t *length);

/**
 * What to set, or to give a new file or directory, for SSH_SFTP_OP_OPEN, SSH_SFTP_OP_MKDIR and the
 * SSH_SFTP_OP_...SETSTAT kinds.
 *
 * @return attributes, of which any may be missing, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_attributes *ssh_sftp_operation_attributes(const ssh_sftp_operation *operation);

/**
 * Says that it is done, for the kinds whose answer is nothing else, and for SSH_SFTP_OP_READDIR after
 * ssh_sftp_operation_add_name().
 *
 * @param operation  an operation that has no answer yet
 * @return SSH_OK, SSH_ERR_STATE when it has its answer or its kind wants another one, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept(ssh_sftp_operation *operation);

/**
 * Says that the file or directory is open, for SSH_SFTP_OP_OPEN and SSH_SFTP_OP_OPENDIR.
 *
 * @param operation  an operation that has no answer yet
 * @param file       what leads the program to it; comes back in each operation with it, the last of which is
 *                   SSH_SFTP_OP_CLOSE
 * @return as ssh_sftp_operation_accept(); on failure no SSH_SFTP_OP_CLOSE comes. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept_file(ssh_sftp_operation *operation,
                                          void *file);

/**
 * Gives what was read, for SSH_SFTP_OP_READ.
 *
 * @param operation  an operation that has no answer yet
 * @param data       the bytes, copied
 * @param length     how many, at most ssh_sftp_operation_length(); fewer are fine, 0 is the end of the file
 * @return as ssh_sftp_operation_accept(), and SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept_data(ssh_sftp_operation *operation,
                                          const void *data,
                                          size_t length);

/**
 * Room to read into, for SSH_SFTP_OP_READ: saves a copy. Then ssh_sftp_operation_accept_buffer().
 *
 * @param operation  an operation that has no answer yet
 * @return ssh_sftp_operation_length() bytes of the operation's, the same each time, which nobody else touches until it is
 *         answered or freed; or NULL. Any thread. Since 0.1.
 */
void *ssh_sftp_operation_buffer(ssh_sftp_operation *operation);

/**
 * Gives what was read into ssh_sftp_operation_buffer().
 *
 * @param operation  an operation that has no answer yet
 * @param length     how many bytes of the buffer, from its beginning; 0 is the end of the file
 * @return as ssh_sftp_operation_accept_data(). Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept_buffer(ssh_sftp_operation *operation, size_t length);

/**
 * Gives what is known, for SSH_SFTP_OP_STAT, SSH_SFTP_OP_LSTAT and SSH_SFTP_OP_FSTAT. Clients go by the type among the
 * permissions, as in 0100644 for a file and 040755 for a directory.
 *
 * @param operation   an operation that has no answer yet
 * @param attributes  the attributes, copied
 * @return as ssh_sftp_operation_accept(). Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept_attributes(ssh_sftp_operation *operation,
                                                const ssh_sftp_attributes *attributes);

/**
 * Gives a path, for SSH_SFTP_OP_REALPATH and SSH_SFTP_OP_READLINK.
 *
 * @param operation  an operation that has no answer yet
 * @param path       any bytes, copied
 * @param length     how many, at most 4,096
 * @return as ssh_sftp_operation_accept(), and SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept_path(ssh_sftp_operation *operation,
                                          const char *path,
                                          size_t length);

/**
 * Adds an entry of the directory to the answer to SSH_SFTP_OP_READDIR. "." and ".." may be among them.
 *
 * @param operation   an operation that has no answer yet
 * @param name        the name without the directory, any bytes but NUL and "/", copied
 * @param length      how many bytes, 1 to 4,096
 * @param attributes  what is known about it, copied; without the type among the permissions (0100644, 040755) clients show
 *                    it oddly and leave it out when they copy directories. Or NULL
 * @return SSH_OK; SSH_AGAIN when the answer is full: give this entry in that to the next SSH_SFTP_OP_READDIR;
 *         SSH_ERR_INVALID_ARG, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_add_name(ssh_sftp_operation *operation,
                                       const char *name,
                                       size_t length,
                                       const ssh_sftp_attributes *attributes);

/**
 * Gives the state of a file system, for SSH_SFTP_OP_STATVFS and SSH_SFTP_OP_FSTATVFS.
 *
 * @param operation  an operation that has no answer yet
 * @param values     the values, in the order of SSH_SFTP_VFS_BLOCK_BYTES and the others
 * @param count      SSH_SFTP_VFS_COUNT
 * @return as ssh_sftp_operation_accept(), and SSH_ERR_INVALID_ARG. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_accept_statvfs(ssh_sftp_operation *operation,
                                             const uint64_t *values,
                                             size_t count);

/**
 * Says that it was not done.
 *
 * @param operation  an operation that has no answer yet
 * @param status     why: SSH_SFTP_STATUS_NO_SUCH_FILE, SSH_SFTP_STATUS_PERMISSION_DENIED, SSH_SFTP_STATUS_FAILURE, ...
 * @param text       the same for a person, at most 1,024 bytes; NULL for the usual words
 * @return SSH_OK, SSH_ERR_INVALID_ARG for a status that is no failure, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_refuse(ssh_sftp_operation *operation,
                                     uint32_t status,
                                     const char *text);

/**
 * The same, in the words of the operating system.
 *
 * @param operation  an operation that has no answer yet
 * @param number     a value of errno, such as ENOENT
 * @return SSH_OK, SSH_ERR_INVALID_ARG for a number that is none, SSH_ERR_STATE, SSH_ERR_BAD_HANDLE.
 *
 * Any thread. Since 0.1.
 */
ssh_status ssh_sftp_operation_refuse_errno(ssh_sftp_operation *operation, int32_t number);

/**
 * Starts SFTP on a session channel of its own.
 *
 * @param transport   a client transport that is authenticated
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is one minute
 * @param error       receives the detail, or NULL: SSH_ERR_CHANNEL, SSH_ERR_DENIED when the server has no SFTP,
 *                    SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return a session, freed with ssh_sftp_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp *ssh_transport_open_sftp_client(ssh_transport *transport,
                                         int32_t timeout_ms,
                                         ssh_error **error);

/**
 * Starts SFTP on a channel at whose other end an SFTP server runs already, for example by
 * ssh_channel_request_subsystem() or ssh_channel_request_exec().
 *
 * @param channel     the channel. The session reads and writes it from now on; the program must not, but may free
 *                    the handle
 * @param timeout_ms  milliseconds until the version must be agreed on
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return a session, freed with ssh_sftp_free(), or NULL; then the channel is closed. Any thread. Since 0.1.
 */
ssh_sftp *ssh_sftp_new_channel(ssh_channel *channel,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Ends the session and closes its channel. Calls under way, also on its files and directories, return with
 * SSH_ERR_CLOSED. Does not wait for the network.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_close(ssh_sftp *sftp);

/**
 * Frees the handle. Calls under way on it return with SSH_ERR_CLOSED. The session ends when its files and
 * directories are freed, too.
 *
 * @param sftp  the session; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_sftp_free(ssh_sftp *sftp);

/**
 * Whether the server has announced an extension, such as "posix-rename@openssh.com".
 *
 * @param sftp  the session
 * @param name  the extension's name
 * @return false also when `sftp` is none. Any thread. Since 0.1.
 */
bool ssh_sftp_has_extension(const ssh_sftp *sftp, const char *name);

/**
 * The limits that the server has told (`limits@openssh.com`). The library keeps to them by itself.
 *
 * @param sftp          the session
 * @param packet_bytes  receives the longest packet in bytes, or NULL; each is 0 where the server told none
 * @param read_bytes    receives the longest read, or NULL
 * @param write_bytes   receives the longest write, or NULL
 * @param open_handles  receives how many files and directories may be open, or NULL
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_limits(const ssh_sftp *sftp,
                           uint64_t *packet_bytes,
                           uint64_t *read_bytes,
                           uint64_t *write_bytes,
                           uint64_t *open_handles);

/**
 * Sets how many bytes may be asked for ahead of a reader, or written and not confirmed by the server, for each file
 * opened from now on. Less is used until the link turns out to need it: what is written and not confirmed grows only while the
 * server confirms as quickly as the link lets it. At first 16 MiB, which keeps a link of 1 Gbit/s and 100 ms busy.
 *
 * @param sftp   the session
 * @param bytes  at least 1
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_set_window(ssh_sftp *sftp,
                               uint64_t bytes);

/**
 * Removes a file or symbolic link.
 *
 * @param sftp        the session
 * @param file        its path
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_remove(ssh_sftp *sftp,
                           const char *file,
                           int32_t timeout_ms,
                           ssh_error **error);

/**
 * Makes a directory.
 *
 * @param sftp        the session
 * @param directory   its path
 * @param permissions  its mode bits, such as 0755, of which the server may take some away
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_mkdir(ssh_sftp *sftp,
                          const char *directory,
                          uint32_t permissions,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Removes an empty directory.
 *
 * @param sftp        the session
 * @param directory   its path
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_rmdir(ssh_sftp *sftp,
                          const char *directory,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Renames a file or directory. Fails, with most servers, where the new name exists.
 *
 * @param sftp        the session
 * @param from        the path it has
 * @param to          the path it gets
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_rename(ssh_sftp *sftp,
                           const char *from,
                           const char *to,
                           int32_t timeout_ms,
                           ssh_error **error);

/**
 * Renames a file or directory and replaces what has the new name, at once. Needs posix-rename@openssh.com.
 *
 * @param sftp        the session
 * @param from        the path it has
 * @param to          the path it gets
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_posix_rename(ssh_sftp *sftp,
                                 const char *from,
                                 const char *to,
                                 int32_t timeout_ms,
                                 ssh_error **error);

/**
 * Gives a file a further name. Needs hardlink@openssh.com.
 *
 * @param sftp        the session
 * @param from        the path it has
 * @param to          its further path
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_hardlink(ssh_sftp *sftp,
                             const char *from,
                             const char *to,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * Makes a symbolic link.
 *
 * @param sftp        the session
 * @param target      what the link says; need not exist
 * @param link        the path of the link
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_symlink(ssh_sftp *sftp,
                            const char *target,
                            const char *link,
                            int32_t timeout_ms,
                            ssh_error **error);

/**
 * Sets the attributes that are given, symbolic links followed.
 *
 * @param sftp        the session
 * @param file        the path
 * @param attributes  what to set
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_setstat(ssh_sftp *sftp,
                            const char *file,
                            const ssh_sftp_attributes *attributes,
                            int32_t timeout_ms,
                            ssh_error **error);

/**
 * Sets the attributes that are given, of a symbolic link itself. Needs lsetstat@openssh.com.
 *
 * @param sftp        the session
 * @param file        the path
 * @param attributes  what to set
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_lsetstat(ssh_sftp *sftp,
                             const char *file,
                             const ssh_sftp_attributes *attributes,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * Sets the mode bits of a file.
 *
 * @param sftp        the session
 * @param file        the path
 * @param permissions  the bits
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_chmod(ssh_sftp *sftp,
                          const char *file,
                          uint32_t permissions,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Sets user and group of a file.
 *
 * @param sftp        the session
 * @param file        the path
 * @param user        the user's number
 * @param group       the group's number
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_chown(ssh_sftp *sftp,
                          const char *file,
                          uint32_t user,
                          uint32_t group,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Sets the times of the last reading and writing of a file.
 *
 * @param sftp        the session
 * @param file        the path
 * @param accessed    seconds since 1970
 * @param modified    seconds since 1970
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_utime(ssh_sftp *sftp,
                          const char *file,
                          uint32_t accessed,
                          uint32_t modified,
                          int32_t timeout_ms,
                          ssh_error **error);

/**
 * Cuts a file, or lengthens it with zeros.
 *
 * @param sftp        the session
 * @param file        the path
 * @param size        its new size in bytes
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_truncate(ssh_sftp *sftp,
                             const char *file,
                             uint64_t size,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * Attributes of a file, symbolic links followed.
 *
 * @param sftp        the session
 * @param file        the path
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_attributes *ssh_sftp_stat(ssh_sftp *sftp,
                                   const char *file,
                                   int32_t timeout_ms,
                                   ssh_error **error);

/**
 * Attributes of a file, of a symbolic link itself.
 *
 * @param sftp        the session
 * @param file        the path
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_attributes *ssh_sftp_lstat(ssh_sftp *sftp,
                                    const char *file,
                                    int32_t timeout_ms,
                                    ssh_error **error);

/**
 * What a symbolic link says.
 *
 * @param sftp        the session
 * @param link        the path of the link
 * @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
 * @param length      receives its length in bytes, or NULL
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_readlink(ssh_sftp *sftp,
                             const char *link,
                             void **result,
                             size_t *length,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * The absolute path of a path, without symbolic links; of "." the directory that relative paths begin in.
 *
 * @param sftp        the session
 * @param file        the path
 * @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
 * @param length      receives its length in bytes, or NULL
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_realpath(ssh_sftp *sftp,
                             const char *file,
                             void **result,
                             size_t *length,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * As ssh_sftp_realpath(), and "~" and "~user" are known. Needs expand-path@openssh.com.
 *
 * @param sftp        the session
 * @param file        the path
 * @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
 * @param length      receives its length in bytes, or NULL
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_expand_path(ssh_sftp *sftp,
                                const char *file,
                                void **result,
                                size_t *length,
                                int32_t timeout_ms,
                                ssh_error **error);

/**
 * The home directory of a user. Needs home-directory.
 *
 * @param sftp        the session
 * @param user        the user's name, "" for the one who is logged in; OpenSSH 9.2 has none for ""
 * @param result      receives the path, any bytes with a NUL behind them, freed with ssh_memory_free()
 * @param length      receives its length in bytes, or NULL
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_home_directory(ssh_sftp *sftp,
                                   const char *user,
                                   void **result,
                                   size_t *length,
                                   int32_t timeout_ms,
                                   ssh_error **error);

/**
 * The state of the file system that holds a path. Needs statvfs@openssh.com.
 *
 * @param sftp        the session
 * @param file        the path
 * @param values      receives the values, in the order of SSH_SFTP_VFS_BLOCK_BYTES and the others
 * @param count       how many there is room for; SSH_SFTP_VFS_COUNT for all
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_statvfs(ssh_sftp *sftp,
                            const char *file,
                            uint64_t *values,
                            size_t count,
                            int32_t timeout_ms,
                            ssh_error **error);

/**
 * Names of users and groups by their numbers. Needs users-groups-by-id@openssh.com.
 *
 * @param sftp        the session
 * @param users       numbers of users
 * @param user_count  how many, at most 4,096
 * @param groups      numbers of groups
 * @param group_count  how many, at most 4,096
 * @param names       receives the names, first of the users, then of the groups, each ended by a NUL and empty where there is none; freed with ssh_memory_free()
 * @param length      receives the bytes in `names`, or NULL
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_users_groups_by_id(ssh_sftp *sftp,
                                       const uint32_t *users,
                                       size_t user_count,
                                       const uint32_t *groups,
                                       size_t group_count,
                                       void **names,
                                       size_t *length,
                                       int32_t timeout_ms,
                                       ssh_error **error);

/**
 * Attributes with nothing in them, to be filled with setters.
 *
 * @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_attributes *ssh_sftp_attributes_new(void);

/**
 * Frees attributes and the strings asked of them.
 *
 * @param attributes  the attributes; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_sftp_attributes_free(ssh_sftp_attributes *attributes);

/**
 * The name of a directory's entry, any bytes, ended by a NUL that does not count.
 *
 * @param attributes  the attributes
 * @param length      receives the length in bytes, or NULL
 * @return a string of the attributes', or NULL when they are not of an entry. Any thread. Since 0.1.
 */
const char *ssh_sftp_attributes_name(const ssh_sftp_attributes *attributes,
                                     size_t *length);

/**
 * The line that the server has made of a directory's entry for a person, like those of `ls -l`. Any bytes: make them
 * safe before a terminal gets them.
 *
 * @param attributes  the attributes
 * @param length      receives the length in bytes, or NULL
 * @return a string of the attributes', or NULL when they are not of an entry. Any thread. Since 0.1.
 */
const char *ssh_sftp_attributes_long_name(const ssh_sftp_attributes *attributes,
                                          size_t *length);

/**
 * The type, which is part of the permissions.
 *
 * @return SSH_SFTP_TYPE_REGULAR or another; SSH_SFTP_TYPE_UNKNOWN also when `attributes` are none. Any thread.
 * Since 0.1.
 */
int32_t ssh_sftp_attributes_type(const ssh_sftp_attributes *attributes);

/**
 * The size in bytes.
 *
 * @param attributes  the attributes
 * @param size        receives the size
 * @return SSH_OK, SSH_EOF when it is not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_size(const ssh_sftp_attributes *attributes, uint64_t *size);

/**
 * Type and mode bits, as in POSIX's st_mode.
 *
 * @param attributes   the attributes
 * @param permissions  receives the bits
 * @return SSH_OK, SSH_EOF when they are not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_permissions(const ssh_sftp_attributes *attributes,
                                           uint32_t *permissions);

/**
 * The numbers of user and group.
 *
 * @param attributes  the attributes
 * @param user        receives the user's number, or NULL
 * @param group       receives the group's number, or NULL
 * @return SSH_OK, SSH_EOF when they are not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_owner(const ssh_sftp_attributes *attributes,
                                     uint32_t *user,
                                     uint32_t *group);

/**
 * When the file was last read and last written, in seconds since 1970.
 *
 * @param attributes  the attributes
 * @param accessed    receives the time of the last reading, or NULL
 * @param modified    receives the time of the last writing, or NULL
 * @return SSH_OK, SSH_EOF when they are not among them, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_times(const ssh_sftp_attributes *attributes,
                                     uint32_t *accessed,
                                     uint32_t *modified);

/**
 * Puts a size among the attributes. When a client sets it, the file is cut or lengthened.
 *
 * @param attributes  the attributes
 * @param size        bytes
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_set_size(ssh_sftp_attributes *attributes, uint64_t size);

/**
 * Puts type and mode bits among the attributes, as in POSIX's st_mode: what is set on a file is the mode, what a server
 * tells of one includes the type, such as 0100644 or 040755.
 *
 * @param attributes   the attributes
 * @param permissions  type and mode
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_set_permissions(ssh_sftp_attributes *attributes,
                                               uint32_t permissions);

/**
 * Puts the numbers of user and group among the attributes.
 *
 * @param attributes  the attributes
 * @param user        the number of the user
 * @param group       that of the group
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_set_owner(ssh_sftp_attributes *attributes,
                                         uint32_t user,
                                         uint32_t group);

/**
 * Puts the times of the last reading and writing among the attributes, in seconds since 1970.
 *
 * @param attributes  the attributes
 * @param accessed    when it was read
 * @param modified    when it was written
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_attributes_set_times(ssh_sftp_attributes *attributes,
                                         uint32_t accessed,
                                         uint32_t modified);

/**
 * Opens a directory to list it.
 *
 * @param sftp        the session
 * @param directory   its path
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return a directory, freed with ssh_sftp_dir_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_dir *ssh_sftp_opendir(ssh_sftp *sftp,
                               const char *directory,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Reads the next entry. "." and ".." come as the server sends them, the order is the server's.
 *
 * @param dir         the directory
 * @param entry       receives the entry's attributes and name, freed with ssh_sftp_attributes_free(); NULL whenever
 *                    the result is not SSH_OK. The name is the server's: before it is used as a local path it must
 *                    be checked for "/", "." and ".."
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK, SSH_EOF after the last one, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_dir_read(ssh_sftp_dir *dir,
                             ssh_sftp_attributes **entry,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * Closes the directory; the handle stays, to be freed. Does nothing when it is closed.
 *
 * @param dir         the directory
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_dir_close(ssh_sftp_dir *dir, int32_t timeout_ms, ssh_error **error);

/**
 * Frees the handle, and closes the directory if it is not closed, without waiting for the answer.
 *
 * @param dir  the directory; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_sftp_dir_free(ssh_sftp_dir *dir);

/**
 * Opens a file.
 *
 * @param sftp        the session
 * @param file        its path
 * @param flags       SSH_SFTP_READ and the others, or'ed
 * @param attributes  for a new file, such as its permissions; NULL for none
 * @param timeout_ms  milliseconds to wait for the answer
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return a file, closed with ssh_sftp_file_close() and freed with ssh_sftp_file_free(), or NULL. Any thread.
 * Since 0.1.
 */
ssh_sftp_file *ssh_sftp_open(ssh_sftp *sftp,
                             const char *file,
                             uint32_t flags,
                             const ssh_sftp_attributes *attributes,
                             int32_t timeout_ms,
                             ssh_error **error);

/**
 * Reads at the position.
 *
 * @param file        the file
 * @param buffer      where to put it
 * @param capacity    the size of the buffer in bytes; 0 is fine and reads nothing
 * @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
 * @param timeout_ms  milliseconds to wait for the first byte
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK, SSH_EOF at the end of the file, or a failure, after which the call may be made again. Any thread.
 * Since 0.1.
 */
ssh_status ssh_sftp_file_read(ssh_sftp_file *file,
                              void *buffer,
                              size_t capacity,
                              size_t *done,
                              int32_t timeout_ms,
                              ssh_error **error);

/**
 * Reads at a place of its own; the position stays. Reads all that is asked for unless the file ends before.
 *
 * @param file        the file
 * @param offset      where, in bytes from the beginning
 * @param buffer      where to put it
 * @param capacity    the size of the buffer in bytes
 * @param done        receives how many bytes were read; 0 whenever the result is not SSH_OK
 * @param timeout_ms  milliseconds for all of it; what came in time is given out
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK, SSH_EOF when the file ends before `offset`, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_pread(ssh_sftp_file *file,
                               uint64_t offset,
                               void *buffer,
                               size_t capacity,
                               size_t *done,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Writes at the position. Returns once the bytes are taken; they are sent and confirmed in the background.
 *
 * @param file        the file
 * @param data        what to write, copied
 * @param length      how many bytes
 * @param done        receives how many bytes were taken, which is all unless time ran out; 0 whenever the result is
 *                    not SSH_OK. Or NULL
 * @param timeout_ms  milliseconds to wait for room
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, also for an earlier write, then nothing of `data`
 *                    was taken and ssh_sftp_file_tell() says where the file ends well; SSH_ERR_TIMEOUT, what ended
 *                    the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_write(ssh_sftp_file *file,
                               const void *data,
                               size_t length,
                               size_t *done,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Writes at a place of its own and waits until the server has confirmed it; the position stays.
 *
 * @param file        the file
 * @param offset      where, in bytes from the beginning
 * @param data        what to write
 * @param length      how many bytes
 * @param done        receives how many bytes are in the file, from the first on without a gap; less than `length`
 *                    when the server refused the rest, for whose cause ask again with it. Or NULL
 * @param timeout_ms  milliseconds for all of it
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_pwrite(ssh_sftp_file *file,
                                uint64_t offset,
                                const void *data,
                                size_t length,
                                size_t *done,
                                int32_t timeout_ms,
                                ssh_error **error);

/**
 * Moves the position. Reading ahead begins anew there; beyond the end of the file is fine.
 *
 * @param file        the file
 * @param distance    how far in bytes, may be negative
 * @param origin      SSH_SFTP_SEEK_START, SSH_SFTP_SEEK_CURRENT or SSH_SFTP_SEEK_END
 * @param position    receives the new position, or NULL
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_seek(ssh_sftp_file *file,
                              int64_t distance,
                              int32_t origin,
                              uint64_t *position,
                              int32_t timeout_ms,
                              ssh_error **error);

/**
 * The position.
 *
 * @param file        the file
 * @param position    receives it, in bytes from the beginning
 * @param timeout_ms  milliseconds to wait for other calls on the file
 * @param error       receives the detail, or NULL
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_tell(ssh_sftp_file *file,
                              uint64_t *position,
                              int32_t timeout_ms,
                              ssh_error **error);

/**
 * Sends everything written and waits until the server has confirmed it.
 *
 * @param file        the file
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_flush(ssh_sftp_file *file,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * As ssh_sftp_file_flush(), and has the server put the file on disk. Needs fsync@openssh.com.
 *
 * @param file        the file
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_fsync(ssh_sftp_file *file,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * The attributes of an open file.
 *
 * @param file        the file
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return attributes, freed with ssh_sftp_attributes_free(), or NULL. Any thread. Since 0.1.
 */
ssh_sftp_attributes *ssh_sftp_file_stat(ssh_sftp_file *file,
                                        int32_t timeout_ms,
                                        ssh_error **error);

/**
 * Sets the attributes that are given.
 *
 * @param file        the file
 * @param attributes  what to set
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_setstat(ssh_sftp_file *file,
                                 const ssh_sftp_attributes *attributes,
                                 int32_t timeout_ms,
                                 ssh_error **error);

/**
 * Cuts the file, or lengthens it with zeros.
 *
 * @param file        the file
 * @param size        its new size in bytes
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_truncate(ssh_sftp_file *file,
                                  uint64_t size,
                                  int32_t timeout_ms,
                                  ssh_error **error);

/**
 * Sets the mode bits of the file.
 *
 * @param file        the file
 * @param permissions  the bits
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_chmod(ssh_sftp_file *file,
                               uint32_t permissions,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Sets user and group of the file.
 *
 * @param file        the file
 * @param user        the user's number
 * @param group       the group's number
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_chown(ssh_sftp_file *file,
                               uint32_t user,
                               uint32_t group,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Sets the times of the last reading and writing of the file.
 *
 * @param file        the file
 * @param accessed    seconds since 1970
 * @param modified    seconds since 1970
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_utime(ssh_sftp_file *file,
                               uint32_t accessed,
                               uint32_t modified,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * The state of the file system that holds the file. Needs fstatvfs@openssh.com.
 *
 * @param file        the file
 * @param values      receives the values, as in ssh_sftp_statvfs()
 * @param count       how many there is room for
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_statvfs(ssh_sftp_file *file,
                                 uint64_t *values,
                                 size_t count,
                                 int32_t timeout_ms,
                                 ssh_error **error);

/**
 * Has the server copy bytes from another file into this one. The positions stay. Needs copy-data.
 *
 * @param file        the file
 * @param offset      where to put them, in bytes from the beginning
 * @param from        the file to read, of the same session
 * @param from_offset  where to read
 * @param length      how many bytes; 0 for all up to the end
 * @param timeout_ms  milliseconds to wait
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_copy_data(ssh_sftp_file *file,
                                   uint64_t offset,
                                   ssh_sftp_file *from,
                                   uint64_t from_offset,
                                   uint64_t length,
                                   int32_t timeout_ms,
                                   ssh_error **error);

/**
 * Sends what was written, waits until it is confirmed, and closes the file; the handle stays, to be freed. Does
 * nothing when it is closed.
 *
 * @param file        the file
 * @param timeout_ms  milliseconds for all of it
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, also for an earlier write; SSH_ERR_TIMEOUT, what ended
 *                    the session
 * @return SSH_OK when everything written is in the file, or a failure; the file is closed in any case, unless another
 *         call on it did not end in time. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_file_close(ssh_sftp_file *file,
                               int32_t timeout_ms,
                               ssh_error **error);

/**
 * Frees the handle, and closes the file if it is not closed, without waiting: whether the last writes went well is
 * then not known. Calls under way on it return with SSH_ERR_CLOSED.
 *
 * @param file  the file; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_sftp_file_free(ssh_sftp_file *file);

/**
 * Downloads a file, or a directory.
 *
 * The local file is written in place from its beginning: after a failure it holds the first part of the remote one, without
 * holes, and SSH_SFTP_RESUME goes on from there. To replace a file at once, download to another name and rename. A file
 * that grows or shrinks meanwhile is copied as far as reading it goes. Of a directory nothing is written outside the
 * local one, whatever names the server sends: names that are no file names end the transfer, and local symbolic links
 * below it are not followed. Up to 64 of its files of at most 32 KiB are under way at once, fewer where the server cannot
 * have so many open; after a failure those are empty, begun or whole.
 *
 * @param sftp        the session
 * @param remote      what to download
 * @param local       the local path to write: the file itself, or the directory, which is made if need be
 * @param flags       SSH_SFTP_RESUME and the others, or'ed
 * @param progress    is told how far it has come, or NULL
 * @param userdata    passed to the callbacks
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
 *                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_get(ssh_sftp *sftp,
                        const char *remote,
                        const char *local,
                        uint32_t flags,
                        ssh_sftp_progress_callback progress,
                        void *userdata,
                        int32_t timeout_ms,
                        ssh_error **error);

/**
 * Downloads a file to an open descriptor, from its position on. With SSH_SFTP_RESUME, goes on at the end of what is there.
 *
 * @param sftp        the session
 * @param remote      what to download
 * @param fd          where to write; it stays open and is the program's
 * @param flags       SSH_SFTP_RESUME, SSH_SFTP_PRESERVE
 * @param progress    is told how far it has come, or NULL
 * @param userdata    passed to the callbacks
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
 *                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_get_fd(ssh_sftp *sftp,
                           const char *remote,
                           int32_t fd,
                           uint32_t flags,
                           ssh_sftp_progress_callback progress,
                           void *userdata,
                           int32_t timeout_ms,
                           ssh_error **error);

/**
 * Downloads a file to a callback.
 *
 * @param sftp        the session
 * @param remote      what to download
 * @param offset      where to begin, in bytes from the beginning
 * @param sink        takes the bytes, in order
 * @param flags       0
 * @param progress    is told how far it has come, or NULL
 * @param userdata    passed to the callbacks
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_CALLBACK when the sink
 *                    failed, SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_get_callback(ssh_sftp *sftp,
                                 const char *remote,
                                 uint64_t offset,
                                 ssh_sftp_sink_callback sink,
                                 uint32_t flags,
                                 ssh_sftp_progress_callback progress,
                                 void *userdata,
                                 int32_t timeout_ms,
                                 ssh_error **error);

/**
 * Uploads a file, or a directory.
 *
 * The remote file is written in place from its beginning: after a failure it holds the first part of the local one, without
 * holes, and SSH_SFTP_RESUME goes on from there. To replace a file at once, upload to another name and use
 * ssh_sftp_posix_rename(). A file that grows or shrinks meanwhile is copied as far as reading it goes. Of a directory's
 * files of at most 32 KiB up to 64 are under way at once, as for ssh_sftp_get().
 *
 * @param sftp        the session
 * @param local       the local path of what to upload
 * @param remote      the path to write: the file itself, or the directory, which is made if need be
 * @param flags       SSH_SFTP_RESUME and the others, or'ed
 * @param progress    is told how far it has come, or NULL
 * @param userdata    passed to the callbacks
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
 *                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_put(ssh_sftp *sftp,
                        const char *local,
                        const char *remote,
                        uint32_t flags,
                        ssh_sftp_progress_callback progress,
                        void *userdata,
                        int32_t timeout_ms,
                        ssh_error **error);

/**
 * Uploads from an open descriptor, from its position on. With SSH_SFTP_RESUME, from where the remote file ends.
 *
 * @param sftp        the session
 * @param fd          what to read; it stays open and is the program's
 * @param remote      the path to write
 * @param flags       SSH_SFTP_RESUME, SSH_SFTP_PRESERVE
 * @param progress    is told how far it has come, or NULL
 * @param userdata    passed to the callbacks
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_IO for the local side,
 *                    SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_put_fd(ssh_sftp *sftp,
                           int32_t fd,
                           const char *remote,
                           uint32_t flags,
                           ssh_sftp_progress_callback progress,
                           void *userdata,
                           int32_t timeout_ms,
                           ssh_error **error);

/**
 * Uploads what a callback gives.
 *
 * @param sftp        the session
 * @param source      gives the bytes, in order
 * @param total       how many are to be expected, for the progress; UINT64_MAX when it is not known
 * @param remote      the path to write
 * @param flags       SSH_SFTP_RESUME, when the source begins where the remote file ends; else 0
 * @param progress    is told how far it has come, or NULL
 * @param userdata    passed to the callbacks
 * @param timeout_ms  milliseconds for all of it; SSH_TIMEOUT_DEFAULT is as long as it takes
 * @param error       receives the detail, or NULL: SSH_ERR_SFTP, SSH_ERR_CALLBACK when the source
 *                    failed, SSH_ERR_CANCELLED, SSH_ERR_TIMEOUT, what ended the session
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_sftp_put_callback(ssh_sftp *sftp,
                                 ssh_sftp_source_callback source,
                                 uint64_t total,
                                 const char *remote,
                                 uint32_t flags,
                                 ssh_sftp_progress_callback progress,
                                 void *userdata,
                                 int32_t timeout_ms,
                                 ssh_error **error);

/**
 * Makes an empty message.
 *
 * @return a message, freed with ssh_message_free(), or NULL when memory is short.
 *
 * Any thread. Since 0.1.
 */
ssh_message *ssh_message_new(void);

/**
 * Makes a message of bytes that are there already.
 *
 * @param data    the bytes, copied
 * @param length  how many; at most 262144
 * @return a message, freed with ssh_message_free(), or NULL.
 *
 * Any thread. Since 0.1.
 */
ssh_message *ssh_message_new_bytes(const void *data, size_t length);

/**
 * Frees a message and wipes it.
 *
 * @param message  the message; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_message_free(ssh_message *message);

/**
 * The message number: the first byte.
 *
 * @return 1 to 255; 0 when the message is empty or none. Any thread. Since 0.1.
 */
uint8_t ssh_message_number(const ssh_message *message);

/**
 * The sequence number of the packet in which the message came; what SSH_MSG_UNIMPLEMENTED has to name.
 *
 * @return the number; 0 for a message that was made here, or none. Any thread. Since 0.1.
 */
uint32_t ssh_message_sequence(const ssh_message *message);

/**
 * Copies all bytes out.
 *
 * @param message  the message
 * @param data     receives the bytes, freed with ssh_memory_free(); may be NULL
 * @param length   receives how many
 * @return SSH_OK, SSH_ERR_RESOURCE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_bytes(const ssh_message *message, void **data, size_t *length);

/**
 * Copies out the bytes before the position.
 *
 * @param message  the message
 * @param data     receives the bytes, freed with ssh_memory_free(); may be NULL
 * @param length   receives how many
 * @return SSH_OK, SSH_ERR_RESOURCE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_so_far(const ssh_message *message, void **data, size_t *length);

/**
 * Copies out the bytes from the position on, which stays where it is.
 *
 * @param message  the message
 * @param data     receives the bytes, freed with ssh_memory_free(); may be NULL
 * @param length   receives how many
 * @return SSH_OK, SSH_ERR_RESOURCE, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_remainder(const ssh_message *message, void **data, size_t *length);

/**
 * Takes the position back to the first byte.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_rewind(ssh_message *message);

/**
 * Adds one byte, such as the message number.
 *
 * @param message  the message
 * @param value    the byte
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_byte(ssh_message *message, uint8_t value);

/**
 * Adds bytes as they are, without a length.
 *
 * @param message  the message
 * @param data     the bytes, copied
 * @param length   how many
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_bytes(ssh_message *message,
                                 const void *data,
                                 size_t length);

/**
 * Adds a boolean.
 *
 * @param message  the message
 * @param value    the boolean
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_boolean(ssh_message *message, bool value);

/**
 * Adds a uint32.
 *
 * @param message  the message
 * @param value    the number
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_int(ssh_message *message, uint32_t value);

/**
 * Adds a uint64.
 *
 * @param message  the message
 * @param value    the number
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_int64(ssh_message *message, uint64_t value);

/**
 * Adds an mpint that is not negative.
 *
 * @param message    the message
 * @param magnitude  its bytes, most significant first; leading zero bytes do not count
 * @param length     how many
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_mpint(ssh_message *message,
                                 const void *magnitude,
                                 size_t length);

/**
 * Adds a string: its length and its bytes.
 *
 * @param message  the message
 * @param data     the bytes, copied
 * @param length   how many
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_string(ssh_message *message,
                                  const void *data,
                                  size_t length);

/**
 * Adds a name-list.
 *
 * @param message  the message
 * @param names    names separated by commas; "" is the empty list
 * @return SSH_OK, SSH_ERR_LIMIT past 256 KiB, SSH_ERR_INVALID_ARG for an empty name or one that is not printable
 *         ASCII, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_add_list(ssh_message *message,
                                const char *names);

/**
 * Reads one byte.
 *
 * @param message  the message
 * @param value    receives it
 * @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_byte(ssh_message *message, uint8_t *value);

/**
 * Reads bytes as they are, without a length.
 *
 * @param message  the message
 * @param data     where to put them
 * @param length   how many
 * @return SSH_OK, SSH_ERR_PROTOCOL when there are fewer, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread.
 *         Since 0.1.
 */
ssh_status ssh_message_get_bytes(ssh_message *message,
                                 void *data,
                                 size_t length);

/**
 * Reads a boolean; any byte but 0 is true.
 *
 * @param message  the message
 * @param value    receives it
 * @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_boolean(ssh_message *message, bool *value);

/**
 * Reads a uint32.
 *
 * @param message  the message
 * @param value    receives it
 * @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_int(ssh_message *message, uint32_t *value);

/**
 * Reads a uint64.
 *
 * @param message  the message
 * @param value    receives it
 * @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_int64(ssh_message *message, uint64_t *value);

/**
 * Reads an mpint that is not negative.
 *
 * @param message    the message
 * @param magnitude  receives its bytes, most significant first, without leading zero bytes; freed with
 *                   ssh_memory_free(); may be NULL
 * @param length     receives how many; 0 for the number 0
 * @return SSH_OK, SSH_ERR_PROTOCOL also for a negative number, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_mpint(ssh_message *message,
                                 void **magnitude,
                                 size_t *length);

/**
 * Reads a string of any bytes.
 *
 * @param message  the message
 * @param data     receives its bytes with a NUL behind them that does not count, freed with ssh_memory_free(); may be
 *                 NULL
 * @param length   receives how many
 * @return SSH_OK, SSH_ERR_PROTOCOL, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_message_get_string(ssh_message *message,
                                  void **data,
                                  size_t *length);

/**
 * Reads a string that is text.
 *
 * @param message  the message
 * @return the text, UTF-8, freed with ssh_memory_free(); NULL when there is no string here, or one that is not UTF-8
 *         or holds a NUL, and when `message` is none. Any thread. Since 0.1.
 */
char *ssh_message_get_text(ssh_message *message);

/**
 * Reads a name-list.
 *
 * @param message  the message
 * @return names separated by commas, "" for the empty list, freed with ssh_memory_free(); NULL when there is no
 *         name-list here, and when `message` is none. Any thread. Since 0.1.
 */
char *ssh_message_get_list(ssh_message *message);

/**
 * Makes a packetizer over a connected stream socket.
 *
 * @param fd     the socket, which belongs to the packetizer from now on and is made non-blocking; on failure it stays
 *               the caller's
 * @param error  receives the detail, or NULL: SSH_ERR_INVALID_ARG, SSH_ERR_IO
 * @return a packetizer, freed with ssh_packetizer_free(), or NULL. Any thread. Since 0.1.
 */
ssh_packetizer *ssh_packetizer_new(int32_t fd,
                                   ssh_error **error);

/**
 * Makes a packetizer over functions of the program's. They are called on the threads that call the packetizer, and
 * asked to wait a second at most each time; otherwise as for ssh_transport_new_stream().
 *
 * @param read      reads
 * @param write     writes
 * @param close     ends the stream, called by ssh_packetizer_close() or ssh_packetizer_free(); or NULL
 * @param userdata  passed to all of them
 * @param destroy   ends userdata's life, or NULL
 * @param error     receives the detail, or NULL: SSH_ERR_INVALID_ARG
 * @return a packetizer, freed with ssh_packetizer_free(), or NULL; then none of the functions is ever called.
 *
 * Any thread. Since 0.1.
 */
ssh_packetizer *ssh_packetizer_new_stream(ssh_stream_read_callback read,
                                          ssh_stream_write_callback write,
                                          ssh_stream_close_callback close,
                                          void *userdata,
                                          ssh_destroy_callback destroy,
                                          ssh_error **error);

/**
 * Frees a packetizer and closes its stream. Calls that wait on it return with SSH_ERR_CLOSED.
 *
 * @param packetizer  the packetizer; NULL is fine
 *
 * Any thread. Since 0.1.
 */
void ssh_packetizer_free(ssh_packetizer *packetizer);

/**
 * Ends the stream in both directions. Calls that wait return with SSH_ERR_CLOSED, as do all later ones.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_close(ssh_packetizer *packetizer);

/**
 * Reads bytes as they are, before packets begin, until the buffer is full or the stream ends.
 *
 * @param packetizer   the packetizer
 * @param buffer       where to put them
 * @param length       how many
 * @param check_rekey  whether to fail with SSH_ERR_NEED_REKEY, as ssh_packetizer_read_message() does, when nothing was
 *                     read yet
 * @param timeout_ms   milliseconds for all of them
 * @param count        receives how many bytes are in the buffer now, also when the call fails
 * @param error        receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_STATE when a packet has begun to arrive,
 *                     SSH_ERR_CONN_LOST, SSH_ERR_CLOSED
 * @return SSH_OK when the buffer is full, SSH_EOF when the stream has ended before, or a failure. Any thread.
 *         Since 0.1.
 */
ssh_status ssh_packetizer_read_all(ssh_packetizer *packetizer,
                                   void *buffer,
                                   size_t length,
                                   bool check_rekey,
                                   int32_t timeout_ms,
                                   size_t *count,
                                   ssh_error **error);

/**
 * Reads a line, before packets begin. What comes behind it is kept for the next call.
 *
 * @param packetizer  the packetizer
 * @param timeout_ms  milliseconds for the whole line
 * @param line        receives the line without its CR LF or LF, freed with ssh_memory_free(); it may hold any byte
 * @param length      receives how many bytes
 * @param error       receives the detail, or NULL: SSH_ERR_LIMIT past 8192 bytes, SSH_ERR_TIMEOUT, SSH_ERR_STATE
 *                    when a packet has begun to arrive, SSH_ERR_CONN_LOST in the middle of a line, SSH_ERR_CLOSED
 * @return SSH_OK, SSH_EOF when the stream has ended, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_readline(ssh_packetizer *packetizer,
                                   int32_t timeout_ms,
                                   void **line,
                                   size_t *length,
                                   ssh_error **error);

/**
 * Writes bytes as they are, such as the identification line with its CR LF.
 *
 * @param packetizer  the packetizer
 * @param data        the bytes
 * @param length      how many
 * @param timeout_ms  milliseconds for all of them
 * @param count       receives how many were written, also when the call fails; or NULL
 * @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_CONN_LOST, SSH_ERR_CLOSED
 * @return SSH_OK or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_write_all(ssh_packetizer *packetizer,
                                    const void *data,
                                    size_t length,
                                    int32_t timeout_ms,
                                    size_t *count,
                                    ssh_error **error);

/**
 * Reads a packet, checks it and hands out its payload.
 *
 * When a limit was reached and no packet has begun to arrive, the call fails with SSH_ERR_NEED_REKEY, once: send a
 * KEXINIT and go on reading. A packet that fails a check (SSH_ERR_MAC, SSH_ERR_PROTOCOL) ends reading for good. A
 * packet that has come in part when the time is over is read on by the next call.
 *
 * @param packetizer  the packetizer
 * @param timeout_ms  milliseconds for the whole packet
 * @param received    receives the payload, freed with ssh_message_free()
 * @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, SSH_ERR_NEED_REKEY, SSH_ERR_MAC,
 *                    SSH_ERR_PROTOCOL, SSH_ERR_CONN_LOST in the middle of a packet, SSH_ERR_CLOSED
 * @return SSH_OK, SSH_EOF when the stream has ended, or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_read_message(ssh_packetizer *packetizer,
                                       int32_t timeout_ms,
                                       ssh_message **received,
                                       ssh_error **error);

/**
 * Sends a message as a packet, sealed with the present cipher.
 *
 * @param packetizer  the packetizer
 * @param payload     the message, which stays the caller's; of 1 byte to 255 KiB
 * @param timeout_ms  milliseconds for what is left of the packet before and for this one
 * @param error       receives the detail, or NULL: SSH_ERR_TIMEOUT, and then nothing of the message was taken;
 *                    SSH_ERR_INVALID_ARG, SSH_ERR_CONN_LOST, SSH_ERR_CLOSED
 * @return SSH_OK; SSH_AGAIN when the message was taken but has not left in full, which the next call or
 *         ssh_packetizer_flush() sees to; or a failure. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_send_message(ssh_packetizer *packetizer,
                                       const ssh_message *payload,
                                       int32_t timeout_ms,
                                       ssh_error **error);

/**
 * Writes what is left of the last packet.
 *
 * @param packetizer  the packetizer
 * @param timeout_ms  milliseconds until it must have left
 * @return SSH_OK, SSH_AGAIN when it has not and timeout_ms is 0, SSH_ERR_TIMEOUT, SSH_ERR_CONN_LOST, SSH_ERR_CLOSED,
 *         SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_flush(ssh_packetizer *packetizer,
                                int32_t timeout_ms);

/**
 * How many bytes of key material a cipher and a MAC take, each to be derived as in RFC 4253 section 7.2.
 *
 * @param cipher   the cipher's name in KEXINIT
 * @param mac      the MAC's name, encrypt-then-MAC included; NULL or "" for a cipher that brings its own
 * @param iv       receives the bytes of the initial IV; 0 for chacha20-poly1305@openssh.com
 * @param key      receives the bytes of the encryption key
 * @param mac_key  receives the bytes of the integrity key; 0 where there is no MAC
 * @return SSH_OK, SSH_ERR_INVALID_ARG for an unknown name or two that do not belong together. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_key_lengths(const char *cipher,
                                      const char *mac,
                                      size_t *iv,
                                      size_t *key,
                                      size_t *mac_key);

/**
 * Opens every packet after the last one read with these keys. To be called after SSH_MSG_NEWKEYS was read.
 *
 * Block size, MAC length and the order of encryption and MAC follow from the names. All lengths must be those of
 * ssh_packetizer_key_lengths().
 *
 * @param packetizer      the packetizer
 * @param cipher          the cipher's name in KEXINIT, those for old gear included
 * @param key             the encryption key
 * @param key_length      its bytes
 * @param iv              the initial IV; NULL where there is none
 * @param iv_length       its bytes
 * @param mac             the MAC's name; NULL or "" for a cipher that brings its own
 * @param mac_key         the integrity key; NULL where there is none
 * @param mac_key_length  its bytes
 * @param reset_sequence  whether the sequence number starts again at 0, as in strict key exchange
 * @param error           receives the detail, or NULL: SSH_ERR_INVALID_ARG; SSH_ERR_STATE while another call reads,
 *                        or when a packet under the old keys has begun to arrive
 * @return SSH_OK or a failure, after which the old keys hold. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_set_inbound_cipher(ssh_packetizer *packetizer,
                                             const char *cipher,
                                             const void *key,
                                             size_t key_length,
                                             const void *iv,
                                             size_t iv_length,
                                             const char *mac,
                                             const void *mac_key,
                                             size_t mac_key_length,
                                             bool reset_sequence,
                                             ssh_error **error);

/**
 * Seals every packet from the next one on with these keys. To be called after SSH_MSG_NEWKEYS was sent.
 *
 * @param packetizer      the packetizer
 * @param cipher          the cipher's name in KEXINIT, those for old gear included
 * @param key             the encryption key
 * @param key_length      its bytes
 * @param iv              the initial IV; NULL where there is none
 * @param iv_length       its bytes
 * @param mac             the MAC's name; NULL or "" for a cipher that brings its own
 * @param mac_key         the integrity key; NULL where there is none
 * @param mac_key_length  its bytes
 * @param reset_sequence  whether the sequence number starts again at 0, as in strict key exchange
 * @param error           receives the detail, or NULL: SSH_ERR_INVALID_ARG; SSH_ERR_STATE while another call writes
 * @return SSH_OK or a failure, after which the old keys hold. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_set_outbound_cipher(ssh_packetizer *packetizer,
                                              const char *cipher,
                                              const void *key,
                                              size_t key_length,
                                              const void *iv,
                                              size_t iv_length,
                                              const char *mac,
                                              const void *mac_key,
                                              size_t mac_key_length,
                                              bool reset_sequence,
                                              ssh_error **error);

/**
 * Whether new keys should be negotiated: a limit was reached in either direction, and not both have got new keys
 * since.
 *
 * @return false also when `packetizer` is none. Any thread. Since 0.1.
 */
bool ssh_packetizer_need_rekey(const ssh_packetizer *packetizer);

/**
 * Sets after how much under one set of keys new ones are needed, in either direction.
 *
 * @param packetizer  the packetizer
 * @param bytes       so many bytes; 0 for the default of 1 GiB
 * @param packets     so many packets; 0 for the default of 2^31. After 2^32 nothing is sealed or opened any more
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_set_rekey_limits(ssh_packetizer *packetizer,
                                           uint64_t bytes,
                                           uint64_t packets);

/**
 * Starts the timer of the handshake. Once it has run out, calls that read or write fail with SSH_ERR_TIMEOUT; those that
 * wait already when it is started hear of it within a second.
 *
 * @param packetizer  the packetizer
 * @param timeout_ms  milliseconds, or SSH_TIMEOUT_FOREVER
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_start_handshake(ssh_packetizer *packetizer,
                                          int32_t timeout_ms);

/**
 * Whether the handshake was started and not completed in time.
 *
 * @return false when it was never started or is complete, and when `packetizer` is none. Any thread. Since 0.1.
 */
bool ssh_packetizer_handshake_timed_out(const ssh_packetizer *packetizer);

/**
 * The handshake is over: its timer stops.
 *
 * @return SSH_OK, SSH_ERR_BAD_HANDLE. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_complete_handshake(ssh_packetizer *packetizer);

/**
 * Has a function called each time nothing was read or written for the interval. As there is no thread, that happens
 * while a call waits.
 *
 * @param packetizer   the packetizer
 * @param interval_ms  milliseconds; 0 turns it off
 * @param callback     is called, or NULL to turn it off
 * @param userdata     passed to the callback
 * @param destroy      ends userdata's life once it is replaced or the packetizer is gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_set_keepalive(ssh_packetizer *packetizer,
                                        int32_t interval_ms,
                                        ssh_packetizer_keepalive_callback callback,
                                        void *userdata,
                                        ssh_destroy_callback destroy);

/**
 * Sets where the log goes: at SSH_LOG_DEBUG a line for each packet, in hexadecimal and without what may hold a
 * password. Lines come on the thread that sends or reads the packet.
 *
 * @param packetizer  the packetizer
 * @param callback    receives the lines, or NULL to go back to the process's callback
 * @param level       the most detailed level to pass on, SSH_LOG_NONE to SSH_LOG_DEBUG
 * @param userdata    passed to the callback
 * @param destroy     ends userdata's life once it is replaced or the packetizer is gone, or NULL
 * @return SSH_OK, SSH_ERR_INVALID_ARG, SSH_ERR_BAD_HANDLE; on failure destroy is not called. Any thread. Since 0.1.
 */
ssh_status ssh_packetizer_set_log(ssh_packetizer *packetizer,
                                  ssh_log_callback callback,
                                  int32_t level,
                                  void *userdata,
                                  ssh_destroy_callback destroy);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SSHWIRE_H */


