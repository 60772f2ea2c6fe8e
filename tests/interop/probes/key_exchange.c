/*
 * key_exchange PORT USER KEY: for each line of input, "CIPHER MAC", speaks SSH with a server on this machine packet by
 * packet: identification, a whole key exchange, the user's login, new keys, and a question under those. A MAC of "-"
 * is for ciphers that bring their own. Prints "ok LINE" for each, and ends with a word on standard error otherwise.
 *
 * Big numbers and hashes are libgcrypt's: nothing of the key exchange is this library's but packets and messages.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gcrypt.h>
#include <sshwire.h>

#define TIMEOUT_MS 20000
#define HASH_BYTES 32
#define CLIENT_VERSION "SSH-2.0-packets"

/* The 2048-bit prime of RFC 3526; its generator is 2. */
static const char prime_digits[] =
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF";

enum { DISCONNECT = 1, IGNORE = 2, DEBUG = 4, SERVICE_REQUEST = 5, SERVICE_ACCEPT = 6, EXT_INFO = 7, KEXINIT = 20,
       NEWKEYS = 21, KEXDH_INIT = 30, KEXDH_REPLY = 31, USERAUTH_REQUEST = 50, USERAUTH_SUCCESS = 52,
       USERAUTH_BANNER = 53, GLOBAL_REQUEST = 80, REQUEST_FAILURE = 82 };

struct session {
    ssh_packetizer *packets;
    const char *cipher, *mac;
    char *server_version;
    uint8_t id[HASH_BYTES];
    bool keyed;
};

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "key_exchange: line %d: %s\n", __LINE__, #condition);                                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static ssh_message *begin(uint8_t number)
{
    ssh_message *message = ssh_message_new();
    MUST(ssh_message_add_byte(message, number) == SSH_OK);
    return message;
}

static void add_text(ssh_message *message, const char *text)
{
    MUST(ssh_message_add_string(message, text, strlen(text)) == SSH_OK);
}

static void add_whole(ssh_message *to, const ssh_message *from)
{
    void *data;
    size_t length;
    MUST(ssh_message_bytes(from, &data, &length) == SSH_OK);
    MUST(ssh_message_add_string(to, data, length) == SSH_OK);
    ssh_memory_free(data);
}

static void say(struct session *session, ssh_message *message)
{
    MUST(ssh_packetizer_send_message(session->packets, message, TIMEOUT_MS, NULL) == SSH_OK);
    ssh_message_free(message);
}

/* The next message of this number; what a server may say at any time is passed over. */
static ssh_message *hear(struct session *session, uint8_t wanted)
{
    for (;;) {
        ssh_message *message = NULL;
        ssh_error *error = NULL;
        ssh_status status = ssh_packetizer_read_message(session->packets, TIMEOUT_MS, &message, &error);
        if (status != SSH_OK) {
            fprintf(stderr, "key_exchange: %s with %s, waiting for %u: %s\n", session->cipher, session->mac, wanted,
                    status == SSH_EOF ? "the end" : ssh_error_message(error));
            exit(1);
        }
        uint8_t number = 0;
        MUST(ssh_message_get_byte(message, &number) == SSH_OK);
        if (number == wanted)
            return message;
        MUST(number == IGNORE || number == DEBUG || number == EXT_INFO || number == USERAUTH_BANNER ||
             number == GLOBAL_REQUEST);
        ssh_message_free(message);
    }
}

static ssh_message *our_kexinit(const struct session *session)
{
    uint8_t cookie[16];
    gcry_randomize(cookie, sizeof cookie, GCRY_STRONG_RANDOM);
    ssh_message *message = begin(KEXINIT);
    ssh_message_add_bytes(message, cookie, sizeof cookie);
    ssh_message_add_list(message, session->keyed ? "diffie-hellman-group14-sha256"
                                                 : "diffie-hellman-group14-sha256,kex-strict-c-v00@openssh.com");
    ssh_message_add_list(message, "ssh-ed25519");
    for (int i = 0; i < 2; i++)
        ssh_message_add_list(message, session->cipher);
    for (int i = 0; i < 2; i++)
        ssh_message_add_list(message, session->mac != NULL ? session->mac : "hmac-sha2-256");
    for (int i = 0; i < 2; i++)
        ssh_message_add_list(message, "none");
    for (int i = 0; i < 2; i++)
        ssh_message_add_list(message, "");
    ssh_message_add_boolean(message, false);
    MUST(ssh_message_add_int(message, 0) == SSH_OK);
    return message;
}

static void add_number(ssh_message *message, gcry_mpi_t number)
{
    unsigned char *bytes;
    size_t length;
    MUST(gcry_mpi_aprint(GCRYMPI_FMT_USG, &bytes, &length, number) == 0);
    MUST(ssh_message_add_mpint(message, bytes, length) == SSH_OK);
    gcry_free(bytes);
}

static void digest(uint8_t out[HASH_BYTES], const ssh_message *message)
{
    void *data;
    size_t length;
    MUST(ssh_message_bytes(message, &data, &length) == SSH_OK);
    gcry_md_hash_buffer(GCRY_MD_SHA256, out, data, length);
    ssh_memory_free(data);
}

/* RFC 4253 section 7.2. */
static void derive(uint8_t *key, size_t length, gcry_mpi_t secret, const uint8_t *hash, char letter, const uint8_t *id)
{
    uint8_t made[2 * HASH_BYTES];
    MUST(length <= sizeof made);
    for (size_t have = 0; have < length; have += HASH_BYTES) {
        ssh_message *input = ssh_message_new();
        add_number(input, secret);
        ssh_message_add_bytes(input, hash, HASH_BYTES);
        if (have == 0) {
            ssh_message_add_byte(input, (uint8_t)letter);
            ssh_message_add_bytes(input, id, HASH_BYTES);
        } else {
            ssh_message_add_bytes(input, made, have);
        }
        digest(made + have, input);
        ssh_message_free(input);
    }
    memcpy(key, made, length);
}

static void install(struct session *session, bool outbound, gcry_mpi_t secret, const uint8_t *hash)
{
    uint8_t iv[64], key[64], mac_key[64];
    size_t iv_length, key_length, mac_length;
    const char *letters = outbound ? "ACE" : "BDF";
    ssh_error *error = NULL;
    MUST(ssh_packetizer_key_lengths(session->cipher, session->mac, &iv_length, &key_length, &mac_length) == SSH_OK);
    derive(iv, iv_length, secret, hash, letters[0], session->id);
    derive(key, key_length, secret, hash, letters[1], session->id);
    derive(mac_key, mac_length, secret, hash, letters[2], session->id);
    ssh_status (*set)(ssh_packetizer *, const char *, const void *, size_t, const void *, size_t, const char *,
                      const void *, size_t, bool, ssh_error **) =
        outbound ? ssh_packetizer_set_outbound_cipher : ssh_packetizer_set_inbound_cipher;
    MUST(set(session->packets, session->cipher, key, key_length, iv, iv_length, session->mac, mac_key, mac_length, true,
             &error) == SSH_OK);
}

/* Checks that the host has signed the exchange hash. */
static void check_host(const void *blob, size_t blob_length, const void *signature, size_t signature_length,
                       const uint8_t *hash)
{
    ssh_key *key = ssh_key_from_blob(blob, blob_length, NULL);
    MUST(key != NULL);
    MUST(ssh_key_verify(key, "ssh-ed25519", hash, HASH_BYTES, signature, signature_length) == SSH_OK);
    ssh_key_free(key);
}

static void exchange_keys(struct session *session)
{
    gcry_mpi_t prime, ours, public, theirs, secret;
    void *blob, *value, *signature;
    size_t blob_length, value_length, signature_length;
    uint8_t hash[HASH_BYTES];
    MUST(gcry_mpi_scan(&prime, GCRYMPI_FMT_HEX, prime_digits, 0, NULL) == 0);
    ours = gcry_mpi_new(512);
    gcry_mpi_randomize(ours, 512, GCRY_STRONG_RANDOM);
    public = gcry_mpi_new(2048);
    secret = gcry_mpi_new(2048);
    gcry_mpi_t two = gcry_mpi_set_ui(NULL, 2);
    gcry_mpi_powm(public, two, ours, prime);

    ssh_message *local = our_kexinit(session);
    MUST(ssh_packetizer_send_message(session->packets, local, TIMEOUT_MS, NULL) == SSH_OK);
    ssh_message *peer = hear(session, KEXINIT);
    ssh_message *init = begin(KEXDH_INIT);
    add_number(init, public);
    say(session, init);
    ssh_message *reply = hear(session, KEXDH_REPLY);
    MUST(ssh_message_get_string(reply, &blob, &blob_length) == SSH_OK);
    MUST(ssh_message_get_mpint(reply, &value, &value_length) == SSH_OK);
    MUST(ssh_message_get_string(reply, &signature, &signature_length) == SSH_OK);
    MUST(gcry_mpi_scan(&theirs, GCRYMPI_FMT_USG, value, value_length, NULL) == 0);
    gcry_mpi_powm(secret, theirs, ours, prime);

    ssh_message *input = ssh_message_new();
    add_text(input, CLIENT_VERSION);
    add_text(input, session->server_version);
    add_whole(input, local);
    add_whole(input, peer);
    ssh_message_add_string(input, blob, blob_length);
    add_number(input, public);
    ssh_message_add_mpint(input, value, value_length);
    add_number(input, secret);
    digest(hash, input);
    check_host(blob, blob_length, signature, signature_length, hash);
    if (!session->keyed)
        memcpy(session->id, hash, HASH_BYTES);

    say(session, begin(NEWKEYS));
    install(session, true, secret, hash);
    ssh_message_free(hear(session, NEWKEYS));
    install(session, false, secret, hash);
    session->keyed = true;

    ssh_message_free(input);
    ssh_message_free(reply);
    ssh_message_free(peer);
    ssh_message_free(local);
    ssh_memory_free(blob);
    ssh_memory_free(value);
    ssh_memory_free(signature);
    gcry_mpi_t numbers[] = {prime, ours, public, theirs, secret, two};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        gcry_mpi_release(numbers[i]);
}

/* RFC 4252 section 7. */
static void log_in(struct session *session, const char *user, const ssh_key *key)
{
    void *blob, *data, *signature;
    size_t length;
    ssh_message *service = begin(SERVICE_REQUEST);
    add_text(service, "ssh-userauth");
    say(session, service);
    ssh_message_free(hear(session, SERVICE_ACCEPT));

    ssh_message *request = begin(USERAUTH_REQUEST);
    add_text(request, user);
    add_text(request, "ssh-connection");
    add_text(request, "publickey");
    ssh_message_add_boolean(request, true);
    add_text(request, "ssh-ed25519");
    MUST(ssh_key_blob(key, &blob, &length) == SSH_OK);
    ssh_message_add_string(request, blob, length);
    ssh_message *to_sign = ssh_message_new();
    ssh_message_add_string(to_sign, session->id, HASH_BYTES);
    void *whole;
    MUST(ssh_message_bytes(request, &whole, &length) == SSH_OK);
    ssh_message_add_bytes(to_sign, whole, length);
    MUST(ssh_message_bytes(to_sign, &data, &length) == SSH_OK);
    MUST(ssh_key_sign(key, "ssh-ed25519", data, length, &signature, &length, NULL) == SSH_OK);
    ssh_message_add_string(request, signature, length);
    say(session, request);
    ssh_message_free(hear(session, USERAUTH_SUCCESS));
    ssh_message_free(to_sign);
    ssh_memory_free(blob);
    ssh_memory_free(whole);
    ssh_memory_free(data);
    ssh_memory_free(signature);
}

static void question(struct session *session)
{
    ssh_message *request = begin(GLOBAL_REQUEST);
    add_text(request, "question@example.org");
    ssh_message_add_boolean(request, true);
    say(session, request);
    ssh_message_free(hear(session, REQUEST_FAILURE));
}

static void talk(struct session *session, int port, const char *user, const ssh_key *key)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    session->packets = ssh_packetizer_new(fd, NULL);
    MUST(session->packets != NULL);
    MUST(ssh_packetizer_start_handshake(session->packets, TIMEOUT_MS) == SSH_OK);
    MUST(ssh_packetizer_write_all(session->packets, CLIENT_VERSION "\r\n", strlen(CLIENT_VERSION) + 2, TIMEOUT_MS, NULL,
                                  NULL) == SSH_OK);
    void *line;
    size_t length;
    MUST(ssh_packetizer_readline(session->packets, TIMEOUT_MS, &line, &length, NULL) == SSH_OK);
    session->server_version = line;
    exchange_keys(session);
    MUST(ssh_packetizer_complete_handshake(session->packets) == SSH_OK);
    log_in(session, user, key);
    question(session);
    /* Enough was sent, says the limit; new keys make it forget that. */
    MUST(ssh_packetizer_set_rekey_limits(session->packets, 0, 1) == SSH_OK);
    ssh_message *nothing = begin(IGNORE);
    add_text(nothing, "");
    say(session, nothing);
    MUST(ssh_packetizer_need_rekey(session->packets));
    MUST(ssh_packetizer_set_rekey_limits(session->packets, 0, 0) == SSH_OK);
    ssh_message *none = NULL;
    MUST(ssh_packetizer_read_message(session->packets, 0, &none, NULL) == SSH_ERR_NEED_REKEY);
    exchange_keys(session);
    MUST(!ssh_packetizer_need_rekey(session->packets));
    question(session);
    ssh_packetizer_free(session->packets);
    ssh_memory_free(session->server_version);
}

int main(int argc, char **argv)
{
    char line[512];
    if (argc != 4 || gcry_check_version(NULL) == NULL)
        return 2;
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    ssh_key *key = ssh_key_load_file(argv[3], NULL, NULL);
    MUST(key != NULL);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *mac = strchr(line, ' ');
        MUST(mac != NULL);
        *mac++ = '\0';
        struct session session = {.cipher = line, .mac = strcmp(mac, "-") != 0 ? mac : NULL};
        talk(&session, atoi(argv[1]), argv[2], key);
        printf("ok %s %s\n", line, mac);
        fflush(stdout);
    }
    ssh_key_free(key);
    return 0;
}
