/*
 * What the client programs share: the options that say where to and as whom, and the connection itself.
 */
#ifndef EXAMPLES_CLIENT_H
#define EXAMPLES_CLIENT_H

#include <getopt.h>

#include "common.h"

#define CLIENT_MAX 16

struct client_options {
    const char *host, *port, *user;
    const char *given_port, *given_user;  /* NULL where nothing was said about it */
    const char *identities[CLIENT_MAX];
    size_t identity_count;
    const char *host_keys[CLIENT_MAX];    /* files with one public key line */
    size_t host_key_count;
    const char *fingerprints[CLIENT_MAX]; /* SHA256:... */
    size_t fingerprint_count;
    const char *known_hosts[CLIENT_MAX];  /* files as ssh has them; the first is where new keys go */
    size_t known_hosts_count;
    const char *host_key_alias;           /* the name to look for in them, or NULL for the host */
    bool hash_known_hosts, update_host_keys;
    const char *auth;                     /* the only method to try, or NULL */
    const char *password_file, *passphrase_file, *answers_file;
    int32_t timeout_ms;
    uint64_t rekey_bytes;
    int verbosity;
    bool insecure, batch, timeout_given;
    struct algorithm_options algorithms;
};

#define CLIENT_SHORT_OPTIONS "p:l:i:vh"
enum {
    OPTION_HOST_KEY = OPTION_LAST_ALGORITHM,
    OPTION_FINGERPRINT,
    OPTION_KNOWN_HOSTS,
    OPTION_HOST_KEY_ALIAS,
    OPTION_HASH_KNOWN_HOSTS,
    OPTION_UPDATE_HOST_KEYS,
    OPTION_INSECURE,
    OPTION_AUTH,
    OPTION_PASSWORD_FILE,
    OPTION_PASSPHRASE_FILE,
    OPTION_ANSWERS_FILE,
    OPTION_TIMEOUT,
    OPTION_REKEY_BYTES,
    OPTION_BATCH,
    OPTION_LAST_CLIENT
};
#define CLIENT_LONG_OPTIONS                                                \
    {"port", required_argument, NULL, 'p'},                                \
    {"user", required_argument, NULL, 'l'},                                \
    {"identity", required_argument, NULL, 'i'},                            \
    {"verbose", no_argument, NULL, 'v'},                                   \
    {"help", no_argument, NULL, 'h'},                                      \
    {"host-key", required_argument, NULL, OPTION_HOST_KEY},                \
    {"fingerprint", required_argument, NULL, OPTION_FINGERPRINT},          \
    {"known-hosts", required_argument, NULL, OPTION_KNOWN_HOSTS},          \
    {"host-key-alias", required_argument, NULL, OPTION_HOST_KEY_ALIAS},    \
    {"hash-known-hosts", no_argument, NULL, OPTION_HASH_KNOWN_HOSTS},      \
    {"update-host-keys", no_argument, NULL, OPTION_UPDATE_HOST_KEYS},      \
    {"insecure-accept-any-host-key", no_argument, NULL, OPTION_INSECURE},  \
    {"auth", required_argument, NULL, OPTION_AUTH},                        \
    {"password-file", required_argument, NULL, OPTION_PASSWORD_FILE},      \
    {"passphrase-file", required_argument, NULL, OPTION_PASSPHRASE_FILE},  \
    {"answers-file", required_argument, NULL, OPTION_ANSWERS_FILE},        \
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},                  \
    {"rekey-bytes", required_argument, NULL, OPTION_REKEY_BYTES},          \
    {"batch", no_argument, NULL, OPTION_BATCH},                            \
    ALGORITHM_LONG_OPTIONS
#define CLIENT_HELP                                                                             \
    "  -p, --port PORT            the server's port (22)\n"                                     \
    "  -l, --user NAME            whom to log in as (your own name)\n"                          \
    "  -i, --identity FILE        a private key to log in with; may be given several times\n"   \
    "      --passphrase-file FILE the passphrase of an encrypted key\n"                         \
    "      --password-file FILE   the password, instead of being asked for it\n"                \
    "      --answers-file FILE    answers to the server's questions, one each line\n"           \
    "      --auth METHOD          only none, publickey, password or keyboard-interactive\n"     \
    "      --host-key FILE        a public key that the server may have; several times\n"       \
    "      --fingerprint SHA256:X the fingerprint of one that it may have; several times\n"     \
    "      --known-hosts FILE     where its key is looked for, and added if you say yes to it;\n"  \
    "                             several times; \"default\" stands for the files of ssh\n"        \
    "      --host-key-alias NAME  what to look for in them instead of the host\n"                \
    "      --hash-known-hosts     add hosts so that the file does not tell their names\n"         \
    "      --update-host-keys     keep there what else the server proves to have, and drop what it has no longer\n" \
    "      --insecure-accept-any-host-key\n"                                                    \
    "                             do not check who is at the other end\n"                       \
    "      --batch                never ask anything on the terminal\n"                         \
    "      --timeout SECONDS      for each step until logged in (30)\n"                         \
    "      --rekey-bytes N        new keys each N bytes in either direction\n"                  \
    "  -v, --verbose              say what happens; twice: in detail\n"                         \
    "  -h, --help\n" ALGORITHM_HELP

void client_defaults(struct client_options *options);

/* Takes one option of getopt_long(); false when it is none of the above. */
bool client_option(struct client_options *options, int option, const char *value);

/* Takes [user@]host. */
void client_target(struct client_options *options, char *target);

/* host:port for ssh_transport_new_address(); the caller frees it. */
char *client_address(const struct client_options *options);

/* Before the start: what decides about the host key. */
void client_expect_host_key(const struct client_options *options, ssh_transport *transport);

/* Ends the program unless the host key is an expected one, or somebody says yes to it. */
void client_check_host_key(const struct client_options *options, ssh_transport *transport);

/* Starts a transport that is there already, checks the host key and logs in; ends the program as below. */
void client_log_in(const struct client_options *options, ssh_transport *transport);

/* Connects, checks the host key and logs in. Ends the program with a word about the cause when that fails. */
ssh_transport *client_connect(const struct client_options *options);

#endif
