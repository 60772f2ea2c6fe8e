/* Messages and the packetizer, over a pair of sockets and over functions. */
#include "check.h"


static ssh_message *text_message(uint8_t number, const char *text)
{
    ssh_message *message = ssh_message_new();
    CHECK_STATUS(ssh_message_add_byte(message, number), SSH_OK);
    CHECK_STATUS(ssh_message_add_string(message, text, strlen(text)), SSH_OK);
    return message;
}

static void fields(void)
{
    ssh_message *message = ssh_message_new();
    uint8_t byte = 9, raw[3];
    bool flag = false;
    uint32_t small = 9;
    uint64_t large = 9;
    void *data = NULL;
    size_t length = 9;
    CHECK(ssh_message_number(message) == 0);
    CHECK_STATUS(ssh_message_get_byte(message, &byte), SSH_ERR_PROTOCOL);
    CHECK(byte == 0);
    CHECK_STATUS(ssh_message_add_byte(message, 20), SSH_OK);
    CHECK_STATUS(ssh_message_add_bytes(message, "abc", 3), SSH_OK);
    CHECK_STATUS(ssh_message_add_boolean(message, true), SSH_OK);
    CHECK_STATUS(ssh_message_add_int(message, 0x01020304), SSH_OK);
    CHECK_STATUS(ssh_message_add_int64(message, UINT64_MAX), SSH_OK);
    CHECK_STATUS(ssh_message_add_mpint(message, "\0\x80", 2), SSH_OK);
    CHECK_STATUS(ssh_message_add_string(message, "x\0y", 3), SSH_OK);
    CHECK_STATUS(ssh_message_add_string(message, "text", 4), SSH_OK);
    CHECK_STATUS(ssh_message_add_list(message, "one,two"), SSH_OK);
    CHECK_STATUS(ssh_message_add_list(message, ""), SSH_OK);
    CHECK_STATUS(ssh_message_add_list(message, "one,,two"), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_message_add_bytes(message, NULL, 1), SSH_ERR_INVALID_ARG);

    CHECK(ssh_message_number(message) == 20 && ssh_message_sequence(message) == 0);
    for (int round = 0; round < 2; round++) {
        CHECK_STATUS(ssh_message_get_byte(message, &byte), SSH_OK);
        CHECK_STATUS(ssh_message_get_bytes(message, raw, 3), SSH_OK);
        CHECK(byte == 20 && memcmp(raw, "abc", 3) == 0);
        CHECK_STATUS(ssh_message_get_boolean(message, &flag), SSH_OK);
        CHECK_STATUS(ssh_message_get_int(message, &small), SSH_OK);
        CHECK_STATUS(ssh_message_get_int64(message, &large), SSH_OK);
        CHECK(flag && small == 0x01020304 && large == UINT64_MAX);
        CHECK_STATUS(ssh_message_get_mpint(message, &data, &length), SSH_OK);
        CHECK(length == 1 && *(uint8_t *)data == 0x80);
        ssh_memory_free(data);
        /* Text may hold no NUL; the position stays. */
        CHECK(ssh_message_get_text(message) == NULL);
        CHECK_STATUS(ssh_message_get_string(message, &data, &length), SSH_OK);
        CHECK(length == 3 && memcmp(data, "x\0y", 3) == 0);
        ssh_memory_free(data);
        CHECK(takes(ssh_message_get_text(message), "text"));
        CHECK(takes(ssh_message_get_list(message), "one,two"));
        CHECK_STATUS(ssh_message_get_so_far(message, NULL, &length), SSH_OK);
        CHECK(length == 1 + 3 + 1 + 4 + 8 + 6 + 7 + 8 + 11);
        CHECK_STATUS(ssh_message_get_remainder(message, &data, &length), SSH_OK);
        CHECK(length == 4 && memcmp(data, "\0\0\0\0", 4) == 0);
        ssh_memory_free(data);
        CHECK(takes(ssh_message_get_list(message), ""));
        CHECK_STATUS(ssh_message_get_int(message, &small), SSH_ERR_PROTOCOL);
        CHECK_STATUS(ssh_message_rewind(message), SSH_OK);
    }
    CHECK_STATUS(ssh_message_bytes(message, &data, &length), SSH_OK);
    ssh_message *copy = ssh_message_new_bytes(data, length);
    CHECK(copy != NULL && ssh_message_number(copy) == 20);
    ssh_memory_free(data);
    ssh_message_free(copy);
    ssh_message_free(message);
    CHECK_STATUS(ssh_message_rewind(message), SSH_ERR_BAD_HANDLE);
}

/* Lengths of a hostile peer lead nowhere, and a message has an end. */
static void hostile_fields(void)
{
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'}, negative[] = {0, 0, 0, 1, 0x80};
    static char block[200000];
    void *data = NULL;
    size_t length = 9;
    ssh_message *message = ssh_message_new_bytes(huge, sizeof huge);
    CHECK_STATUS(ssh_message_get_string(message, &data, &length), SSH_ERR_PROTOCOL);
    CHECK(data == NULL && length == 0);
    CHECK(ssh_message_get_list(message) == NULL && ssh_message_get_text(message) == NULL);
    ssh_message_free(message);
    message = ssh_message_new_bytes(negative, sizeof negative);
    CHECK_STATUS(ssh_message_get_mpint(message, &data, &length), SSH_ERR_PROTOCOL);
    ssh_message_free(message);
    message = ssh_message_new();
    CHECK_STATUS(ssh_message_add_bytes(message, block, sizeof block), SSH_OK);
    CHECK_STATUS(ssh_message_add_bytes(message, block, sizeof block), SSH_ERR_LIMIT);
    CHECK(ssh_message_new_bytes(block, (size_t)1 << 40) == NULL);
    ssh_message_free(message);
}

typedef struct ends {
    ssh_packetizer *left, *right;
} ends;

static ends connected(void)
{
    int fds[2];
    ends made;
    ssh_error *error = NULL;
    sockets(fds);
    made.left = ssh_packetizer_new(fds[0], &error);
    made.right = ssh_packetizer_new(fds[1], &error);
    CHECK(made.left != NULL && made.right != NULL);
    return made;
}

static void ends_free(ends both)
{
    ssh_packetizer_free(both.left);
    ssh_packetizer_free(both.right);
}

/* One message each way. */
static void exchange(ends both, const char *text)
{
    ssh_error *error = NULL;
    ssh_packetizer *from[2] = {both.left, both.right};
    for (int i = 0; i < 2; i++) {
        ssh_message *message = text_message(80, text), *received = NULL;
        CHECK_OK(ssh_packetizer_send_message(from[i], message, 5000, &error), error);
        ssh_message_free(message);
        CHECK_OK(ssh_packetizer_read_message(from[1 - i], 5000, &received, &error), error);
        uint8_t number;
        CHECK_STATUS(ssh_message_get_byte(received, &number), SSH_OK);
        CHECK(number == 80 && takes(ssh_message_get_text(received), text));
        ssh_message_free(received);
    }
}

static void set_keys(ends both, const char *cipher, const char *mac, uint8_t fill, bool reset)
{
    ssh_error *error = NULL;
    uint8_t bytes[3][64];
    size_t iv, key, mac_key;
    CHECK_STATUS(ssh_packetizer_key_lengths(cipher, mac, &iv, &key, &mac_key), SSH_OK);
    CHECK(key >= 16 && key <= 64 && iv <= 16 && mac_key <= 64);
    memset(bytes, fill, sizeof bytes);
    ssh_packetizer *all[2] = {both.left, both.right};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(ssh_packetizer_set_outbound_cipher(all[i], cipher, bytes[0], key, bytes[1], iv, mac, bytes[2],
                                                    mac_key, reset, &error),
                 error);
        CHECK_OK(ssh_packetizer_set_inbound_cipher(all[i], cipher, bytes[0], key, bytes[1], iv, mac, bytes[2],
                                                   mac_key, reset, &error),
                 error);
    }
}

static void suites(void)
{
    static const char *const all[][2] = {
        {"aes128-gcm@openssh.com", NULL}, {"aes256-gcm@openssh.com", ""}, {"chacha20-poly1305@openssh.com", NULL},
        {"aes128-ctr", "hmac-sha2-256"}, {"aes256-ctr", "hmac-sha2-512-etm@openssh.com"},
        {"aes128-cbc", "hmac-sha1"}, {"3des-cbc", "hmac-sha2-256-etm@openssh.com"},
    };
    ends both = connected();
    exchange(both, "in the clear");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        set_keys(both, all[i][0], all[i][1], (uint8_t)i, i % 2 == 0);
        exchange(both, all[i][0]);
        exchange(both, "");
    }
    ends_free(both);
    size_t length = 9;
    CHECK_STATUS(ssh_packetizer_key_lengths("aes128-ctr", NULL, &length, NULL, NULL), SSH_ERR_INVALID_ARG);
    CHECK(length == 0);
    CHECK_STATUS(ssh_packetizer_key_lengths("aes128-gcm@openssh.com", "hmac-sha1", NULL, NULL, NULL),
                 SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_packetizer_key_lengths("rot13", NULL, NULL, NULL, NULL), SSH_ERR_INVALID_ARG);
}

/* Keys of other lengths are refused, and the old ones hold. */
static void wrong_keys(void)
{
    ends both = connected();
    ssh_error *error = NULL;
    CHECK_STATUS(ssh_packetizer_set_outbound_cipher(both.left, "aes128-ctr", "short", 5, NULL, 0, "hmac-sha2-256",
                                                    NULL, 0, false, &error),
                 SSH_ERR_INVALID_ARG);
    CHECK(strstr(ssh_error_message(error), "16 bytes of key") != NULL);
    ssh_error_free(error);
    exchange(both, "still in the clear");
    /* Another key at the other end: the packet is refused, and reading is over. */
    uint8_t zeros[32] = {0};
    CHECK_STATUS(ssh_packetizer_set_outbound_cipher(both.left, "aes128-gcm@openssh.com", zeros, 16, zeros, 12, NULL,
                                                    NULL, 0, false, NULL),
                 SSH_OK);
    CHECK_STATUS(ssh_packetizer_set_inbound_cipher(both.right, "aes128-gcm@openssh.com", "0123456789abcdef", 16,
                                                   zeros, 12, NULL, NULL, 0, false, NULL),
                 SSH_OK);
    ssh_message *message = text_message(80, "lost"), *received = NULL;
    CHECK_STATUS(ssh_packetizer_send_message(both.left, message, 5000, NULL), SSH_OK);
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_ERR_MAC);
    CHECK_STATUS(ssh_packetizer_send_message(both.left, message, 5000, NULL), SSH_OK);
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_ERR_MAC);
    CHECK(received == NULL);
    ssh_message_free(message);
    message = ssh_message_new();
    CHECK_STATUS(ssh_packetizer_send_message(both.left, message, 0, NULL), SSH_ERR_INVALID_ARG);
    ssh_message_free(message);
    ends_free(both);
}

static void rekeying(void)
{
    ends both = connected();
    ssh_message *received = NULL;
    set_keys(both, "aes128-ctr", "hmac-sha2-256", 1, false);
    CHECK(!ssh_packetizer_need_rekey(both.left));
    CHECK_STATUS(ssh_packetizer_set_rekey_limits(both.left, 0, 3), SSH_OK);
    exchange(both, "one");
    exchange(both, "two");
    CHECK(!ssh_packetizer_need_rekey(both.left));
    exchange(both, "three");
    CHECK(ssh_packetizer_need_rekey(both.left) && !ssh_packetizer_need_rekey(both.right));
    /* Said once; then reading goes on, for the new keys come that way. */
    CHECK_STATUS(ssh_packetizer_read_message(both.left, 0, &received, NULL), SSH_ERR_NEED_REKEY);
    CHECK_STATUS(ssh_packetizer_read_message(both.left, 0, &received, NULL), SSH_ERR_TIMEOUT);
    exchange(both, "four");
    CHECK(ssh_packetizer_need_rekey(both.left));
    set_keys(both, "aes256-ctr", "hmac-sha2-256", 2, false);
    CHECK(!ssh_packetizer_need_rekey(both.left));
    exchange(both, "five");
    ends_free(both);
}

static void lines(void)
{
    ends both = connected();
    ssh_error *error = NULL;
    void *line = NULL;
    char buffer[8];
    size_t length = 9, count = 9;
    ssh_message *received = NULL;
    static char endless[9000];
    CHECK_OK(ssh_packetizer_write_all(both.left, "SSH-2.0-x\r\nhello\nrest", 21, 5000, &count, &error), error);
    CHECK(count == 21);
    CHECK_OK(ssh_packetizer_readline(both.right, 5000, &line, &length, &error), error);
    CHECK(length == 9 && takes(line, "SSH-2.0-x"));
    CHECK_OK(ssh_packetizer_readline(both.right, 5000, &line, &length, &error), error);
    CHECK(takes(line, "hello"));
    CHECK_STATUS(ssh_packetizer_read_all(both.right, buffer, 2, false, 5000, &count, NULL), SSH_OK);
    CHECK(count == 2 && memcmp(buffer, "re", 2) == 0);
    /* What is there is handed out, also when the rest does not come in time. */
    CHECK_STATUS(ssh_packetizer_read_all(both.right, buffer, 8, false, 50, &count, NULL), SSH_ERR_TIMEOUT);
    CHECK(count == 2 && memcmp(buffer, "st", 2) == 0);
    CHECK_STATUS(ssh_packetizer_readline(both.right, 0, &line, &length, NULL), SSH_ERR_TIMEOUT);
    CHECK(line == NULL && length == 0);
    /* A packet that has begun is no text. */
    CHECK_OK(ssh_packetizer_write_all(both.left, "\0\0\0\x0c", 4, 5000, NULL, &error), error);
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 50, &received, NULL), SSH_ERR_TIMEOUT);
    CHECK_STATUS(ssh_packetizer_readline(both.right, 0, &line, &length, NULL), SSH_ERR_STATE);
    CHECK_STATUS(ssh_packetizer_set_inbound_cipher(both.right, "aes128-gcm@openssh.com", endless, 16, endless, 12,
                                                   NULL, NULL, 0, false, NULL),
                 SSH_ERR_STATE);
    CHECK_STATUS(ssh_packetizer_close(both.left), SSH_OK);
    CHECK_STATUS(ssh_packetizer_write_all(both.left, "x", 1, 0, &count, NULL), SSH_ERR_CLOSED);
    /* The end in the middle of a packet is no good end. */
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_ERR_CONN_LOST);
    ends_free(both);

    both = connected();
    memset(endless, 'x', sizeof endless);
    CHECK_OK(ssh_packetizer_write_all(both.left, endless, sizeof endless, 5000, NULL, &error), error);
    CHECK_STATUS(ssh_packetizer_readline(both.right, 5000, &line, &length, NULL), SSH_ERR_LIMIT);
    ssh_packetizer_free(both.left);
    static char all[9000];
    CHECK_STATUS(ssh_packetizer_read_all(both.right, all, sizeof all, false, 5000, &count, NULL), SSH_OK);
    CHECK_STATUS(ssh_packetizer_read_all(both.right, all, 1, false, 5000, &count, NULL), SSH_EOF);
    CHECK_STATUS(ssh_packetizer_readline(both.right, 5000, &line, &length, NULL), SSH_EOF);
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_EOF);
    ssh_packetizer_free(both.right);
}

static void *read_too_long(void *packetizer)
{
    ssh_message *received = NULL;
    CHECK_STATUS(ssh_packetizer_read_message(packetizer, -1, &received, NULL), SSH_ERR_TIMEOUT);
    return NULL;
}

/* The timer is also for calls that wait when it is started. */
static void handshake_of_another_thread(void)
{
    ends both = connected();
    pthread_t reader;
    long until = milliseconds() + 30000;
    CHECK(pthread_create(&reader, NULL, read_too_long, both.left) == 0);
    usleep(100000);
    CHECK_STATUS(ssh_packetizer_start_handshake(both.left, 10), SSH_OK);
    CHECK(pthread_join(reader, NULL) == 0 && milliseconds() < until);
    ends_free(both);
}

static void handshake(void)
{
    ends both = connected();
    ssh_message *received = NULL, *message = text_message(80, "x");
    CHECK(!ssh_packetizer_handshake_timed_out(both.left));
    CHECK_STATUS(ssh_packetizer_start_handshake(both.left, 60), SSH_OK);
    CHECK_STATUS(ssh_packetizer_read_message(both.left, -1, &received, NULL), SSH_ERR_TIMEOUT);
    CHECK(ssh_packetizer_handshake_timed_out(both.left));
    CHECK_STATUS(ssh_packetizer_send_message(both.left, message, -1, NULL), SSH_ERR_TIMEOUT);
    /* Also where there is something to read, or the other end could go on as long as it likes. */
    CHECK_STATUS(ssh_packetizer_send_message(both.right, message, -1, NULL), SSH_OK);
    CHECK_STATUS(ssh_packetizer_read_message(both.left, -1, &received, NULL), SSH_ERR_TIMEOUT);
    CHECK_STATUS(ssh_packetizer_complete_handshake(both.left), SSH_OK);
    CHECK(!ssh_packetizer_handshake_timed_out(both.left));
    CHECK_STATUS(ssh_packetizer_read_message(both.left, -1, &received, NULL), SSH_OK);
    ssh_message_free(received);
    exchange(both, "after it");
    ssh_message_free(message);
    ends_free(both);
}

/* What is not taken by the other end waits, and nothing is taken behind it. */
static void full(void)
{
    ends both = connected();
    static char block[100000];
    ssh_message *message = ssh_message_new(), *received = NULL;
    CHECK_STATUS(ssh_message_add_byte(message, 94), SSH_OK);
    CHECK_STATUS(ssh_message_add_bytes(message, block, sizeof block), SSH_OK);
    int sent = 0;
    ssh_status status;
    while ((status = ssh_packetizer_send_message(both.left, message, 50, NULL)) == SSH_OK)
        sent++;
    CHECK(status == SSH_AGAIN);
    CHECK_STATUS(ssh_packetizer_send_message(both.left, message, 0, NULL), SSH_ERR_TIMEOUT);
    CHECK_STATUS(ssh_packetizer_flush(both.left, 0), SSH_AGAIN);
    /* What will not come any more is no "not yet". */
    CHECK_STATUS(ssh_packetizer_start_handshake(both.left, 0), SSH_OK);
    CHECK_STATUS(ssh_packetizer_flush(both.left, 0), SSH_ERR_TIMEOUT);
    CHECK_STATUS(ssh_packetizer_complete_handshake(both.left), SSH_OK);
    for (int i = 0; i < sent; i++) {
        CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_OK);
        CHECK(ssh_message_number(received) == 94 && ssh_message_sequence(received) == (uint32_t)i);
        ssh_message_free(received);
    }
    CHECK_STATUS(ssh_packetizer_flush(both.left, 5000), SSH_OK);
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_OK);
    ssh_message_free(received);
    CHECK_STATUS(ssh_packetizer_read_message(both.right, 0, &received, NULL), SSH_ERR_TIMEOUT);
    ssh_message_free(message);
    ends_free(both);
}

static atomic_int idle_calls, idle_gone, log_lines;
static ssh_packetizer *idle_packetizer;

static void idle(void *userdata)
{
    ssh_message *received = NULL;
    CHECK(userdata == &idle_gone);
    /* The call that waits is this one's caller. */
    CHECK_STATUS(ssh_packetizer_read_message(idle_packetizer, -1, &received, NULL), SSH_ERR_WOULD_DEADLOCK);
    ssh_message *message = text_message(2, "are you there");
    CHECK_STATUS(ssh_packetizer_send_message(idle_packetizer, message, 5000, NULL), SSH_OK);
    ssh_message_free(message);
    atomic_fetch_add(&idle_calls, 1);
}

static void idle_destroy(void *userdata)
{
    atomic_fetch_add((atomic_int *)userdata, 1);
}

static void line_of_log(int32_t level, const char *channel, const char *text, void *userdata)
{
    (void)userdata;
    CHECK(level == SSH_LOG_DEBUG && strcmp(channel, "sshwire.packetizer") == 0);
    CHECK(strstr(text, "SSH_MSG_IGNORE") != NULL);
    atomic_fetch_add(&log_lines, 1);
}

static void keepalive(void)
{
    ends both = connected();
    ssh_message *received = NULL;
    idle_packetizer = both.left;
    CHECK_STATUS(ssh_packetizer_set_log(both.left, line_of_log, SSH_LOG_DEBUG, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_packetizer_set_keepalive(both.left, 20, idle, &idle_gone, idle_destroy), SSH_OK);
    CHECK_STATUS(ssh_packetizer_set_keepalive(both.left, -1, idle, &idle_gone, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_packetizer_read_message(both.left, 500, &received, NULL), SSH_ERR_TIMEOUT);
    CHECK(atomic_load(&idle_calls) > 0 && atomic_load(&log_lines) == atomic_load(&idle_calls));
    for (int i = 0; i < atomic_load(&idle_calls); i++) {
        CHECK_STATUS(ssh_packetizer_read_message(both.right, 5000, &received, NULL), SSH_OK);
        CHECK(ssh_message_number(received) == 2);
        ssh_message_free(received);
    }
    ends_free(both);
    CHECK(atomic_load(&idle_gone) == 1);
}

static void *wait_for_message(void *packetizer)
{
    ssh_message *received = NULL;
    return (void *)(intptr_t)ssh_packetizer_read_message(packetizer, -1, &received, NULL);
}

static void freed_while_waiting(void)
{
    for (int i = 0; i < 20; i++) {
        ends both = connected();
        pthread_t thread;
        void *status;
        CHECK(pthread_create(&thread, NULL, wait_for_message, both.left) == 0);
        usleep(i * 1000);
        ssh_packetizer_free(both.left);
        CHECK(pthread_join(thread, &status) == 0);
        ssh_status got = (ssh_status)(intptr_t)status;
        CHECK(got == SSH_ERR_CLOSED || got == SSH_ERR_BAD_HANDLE);
        ssh_packetizer_free(both.right);
    }
}

/* A stream of functions: a socket behind them. */
static atomic_int closed;

static int32_t read_some(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    (void)timeout_ms;
    ssize_t count = recv(*(int *)userdata, buffer, capacity, MSG_DONTWAIT);
    return count < 0 ? SSH_ERR_TIMEOUT : (int32_t)count;
}

static int32_t write_some(const void *data, size_t length, int32_t timeout_ms, void *userdata)
{
    (void)timeout_ms;
    ssize_t count = send(*(int *)userdata, data, length < 5 ? length : 5, MSG_DONTWAIT | MSG_NOSIGNAL);
    return count < 0 ? SSH_ERR_TIMEOUT : (int32_t)count;
}

static void close_it(void *userdata)
{
    atomic_fetch_add(&closed, 1);
    shutdown(*(int *)userdata, SHUT_RDWR);
}

static void over_functions(void)
{
    int fds[2];
    ssh_error *error = NULL;
    ends both;
    sockets(fds);
    both.left = ssh_packetizer_new_stream(read_some, write_some, close_it, &fds[0], NULL, &error);
    both.right = ssh_packetizer_new(fds[1], &error);
    CHECK(both.left != NULL && both.right != NULL);
    CHECK(ssh_packetizer_new_stream(NULL, write_some, NULL, NULL, NULL, NULL) == NULL);
    set_keys(both, "chacha20-poly1305@openssh.com", NULL, 5, true);
    exchange(both, "in pieces of five bytes");
    ssh_message *received = NULL;
    CHECK_STATUS(ssh_packetizer_read_message(both.left, 30, &received, NULL), SSH_ERR_TIMEOUT);
    ends_free(both);
    CHECK(atomic_load(&closed) == 1);
    close(fds[0]);
}

int main(void)
{
    watchdog(300);
    fields();
    hostile_fields();
    suites();
    wrong_keys();
    rekeying();
    lines();
    handshake();
    handshake_of_another_thread();
    full();
    keepalive();
    freed_while_waiting();
    over_functions();
    CHECK(ssh_packetizer_new(-1, NULL) == NULL);
    ssh_packetizer_free(NULL);
    ssh_message_free(NULL);
    puts("packets: ok");
    return 0;
}
