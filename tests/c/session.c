/* One whole session: host key, every way to authenticate, commands, data both ways, exit, keepalive, rekey. */
#include "pair.h"

#define MEGABYTE (1024 * 1024)

/* --- authentication ----------------------------------------------------------------------------- */

static ssh_key *user_key;
static atomic_int asked, proven;

static void key_asked(ssh_request *request, void *userdata)
{
    (void)userdata;
    atomic_fetch_add(&asked, 1);
    ssh_request_accept(request);
    ssh_request_free(request);
}

static void key_proven(ssh_request *request, void *userdata)
{
    (void)userdata;
    ssh_key *key = ssh_request_key(request);
    atomic_fetch_add(&proven, 1);
    CHECK(strcmp(ssh_request_algorithm(request), "ssh-ed25519") == 0);
    CHECK(!ssh_key_is_private(key));
    if (ssh_key_equals(key, user_key))
        ssh_request_accept_partial(request, "keyboard-interactive");
    else
        ssh_request_refuse(request);
    ssh_key_free(key);
    ssh_request_free(request);
}

static void interactive(ssh_request *request, void *userdata)
{
    const char *prompts[] = {"Code: ", "Colour: "};
    const bool echo[] = {false, true};
    (void)userdata;
    CHECK(strcmp(ssh_request_submethods(request), "pam") == 0);
    CHECK_STATUS(ssh_request_accept(request), SSH_ERR_STATE);
    /* More than a client must be able to read: not sent, and the question stays open. */
    char *long_text = calloc(1, 65538);
    CHECK(long_text != NULL);
    memset(long_text, 'x', 65537);
    CHECK_STATUS(ssh_request_ask(request, NULL, long_text, prompts, echo, 2), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_request_ask(request, long_text, NULL, prompts, echo, 2), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_request_ask(request, NULL, NULL, (const char *[]){long_text}, NULL, 1), SSH_ERR_INVALID_ARG);
    free(long_text);
    CHECK_STATUS(ssh_request_ask(request, "Login", "Two questions.\r\n", prompts, echo, 2), SSH_OK);
    CHECK_STATUS(ssh_request_ask(request, "Login", NULL, prompts, echo, 2), SSH_ERR_STATE);
    ssh_request_free(request);
}

static void interactive_answers(ssh_request *request, void *userdata)
{
    size_t length = 0;
    (void)userdata;
    CHECK(ssh_request_answer_count(request) == 2);
    CHECK(ssh_request_answer(request, 2, &length) == NULL && length == 0);
    const char *code = ssh_request_answer(request, 0, &length);
    if (length == 4 && memcmp(code, "1234", 4) == 0 &&
        strcmp(ssh_request_answer(request, 1, NULL), "blue") == 0)
        ssh_request_accept(request);
    else
        ssh_request_refuse(request);
    ssh_request_free(request);
}

/* Answers prompts later, on another thread than that of the callback. */
static void *answer_later(void *argument)
{
    ssh_request *request = argument;
    bool echo = true;
    usleep(20000);
    CHECK(strcmp(ssh_request_title(request), "Login") == 0);
    CHECK(strcmp(ssh_request_instructions(request), "Two questions.\n") == 0);
    CHECK(ssh_request_prompt_count(request) == 2);
    CHECK(strcmp(ssh_request_prompt(request, 0, &echo), "Code: ") == 0 && !echo);
    CHECK(strcmp(ssh_request_prompt(request, 1, &echo), "Colour: ") == 0 && echo);
    CHECK(ssh_request_prompt(request, 2, &echo) == NULL);
    const char *one[] = {"1234"};
    CHECK_STATUS(ssh_request_answer_prompts(request, one, 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_request_set_answer(request, 0, "1234", 4), SSH_OK);
    CHECK_STATUS(ssh_request_set_answer(request, 1, "blue", 4), SSH_OK);
    CHECK_STATUS(ssh_request_set_answer(request, 2, "x", 1), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    ssh_request_free(request);
    return NULL;
}

static void prompts(ssh_request *request, void *userdata)
{
    CHECK(pthread_create(userdata, NULL, answer_later, request) == 0);
}

static void authentication(void)
{
    pair p;
    ssh_error *error = NULL;
    pthread_t answering;
    pair_make(&p);
    user_key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    ssh_key *other = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_ASKED, key_asked, NULL, NULL);
    ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, key_proven, NULL, NULL);
    ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_INTERACTIVE, interactive, NULL, NULL);
    ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS, interactive_answers, NULL,
                            NULL);
    CHECK_STATUS(ssh_server_set_banner(p.server, "Welcome\r\nto \x1b[31mnothing\n"), SSH_OK);
    ssh_transport_set_callback(p.client, SSH_REQUEST_PROMPTS, prompts, &answering, NULL);
    CHECK_STATUS(ssh_transport_auth_status(p.client, NULL), SSH_AGAIN);
    pair_start(&p);

    CHECK_STATUS(ssh_transport_auth_none(p.client, "alice", NULL, 20000, &error), SSH_ERR_AUTH);
    CHECK(strstr(ssh_error_auth_methods(error), "publickey") != NULL);
    CHECK(strstr(ssh_error_auth_methods(error), "keyboard-interactive") != NULL);
    ssh_error_free(error);
    CHECK(takes(ssh_transport_auth_banner(p.client), "Welcome\nto \\u{1b}[31mnothing\n"));
    CHECK_STATUS(ssh_transport_auth_password(p.client, "alice", "wrong", 5, true, NULL, -2, &error),
                 SSH_ERR_AUTH);
    ssh_error_free(error);
    CHECK(ssh_transport_get_username(p.client) == NULL);
    CHECK_STATUS(ssh_transport_auth_publickey(p.client, "alice", other, NULL, -2, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_publickey(p.client, "alice", user_key, NULL, -2, &error),
                 SSH_PARTIAL);
    CHECK(takes(ssh_transport_auth_methods(p.client), "keyboard-interactive"));
    CHECK(!ssh_transport_is_authenticated(p.client));

    /* The last step by event. */
    ssh_event *done = ssh_event_new();
    CHECK_OK(ssh_transport_auth_interactive(p.client, "alice", "pam", done, -2, &error), error);
    CHECK_STATUS(ssh_event_wait(done, 20000), SSH_OK);
    CHECK_OK(ssh_transport_auth_status(p.client, &error), error);
    CHECK_STATUS(ssh_transport_auth_status(p.client, NULL), SSH_OK);
    ssh_event_free(done);
    pthread_join(answering, NULL);

    CHECK(ssh_transport_is_authenticated(p.client));
    CHECK(takes(ssh_transport_get_username(p.client), "alice"));
    CHECK(takes(ssh_transport_get_username(p.server_transport), "alice"));
    CHECK(atomic_load(&proven) >= 2);
    ssh_key_free(other);
    ssh_key_free(user_key);
    pair_free(&p);
}

/* --- host keys ---------------------------------------------------------------------------------- */

static void refuse_host_key(ssh_request *request, void *userdata)
{
    ssh_key *key = ssh_request_key(request);
    CHECK(ssh_request_kind(request) == SSH_REQUEST_HOST_KEY);
    CHECK(ssh_request_transport(request) == *(ssh_transport **)userdata);
    CHECK(ssh_key_kind(key) == SSH_KEY_ED25519);
    ssh_key_free(key);
    ssh_request_free(request); /* unanswered: refused */
}

static void host_keys(void)
{
    ssh_error *error = NULL;
    for (int way = 0; way < 4; way++) {
        pair p;
        pair_make(&p);
        ssh_event *started = ssh_event_new();
        ssh_transport_start_server(p.server_transport, p.server, started, 20000, NULL);
        ssh_key *other = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
        switch (way) {
        case 0: /* another key is expected */
            CHECK(ssh_transport_get_remote_server_key(p.client, &error) == NULL);
            CHECK(ssh_error_code(error) == SSH_ERR_STATE);
            ssh_error_free(error);
            ssh_transport_set_expected_host_key(p.client, other);
            CHECK_STATUS(ssh_transport_start_client(p.client, NULL, 20000, &error), SSH_ERR_HOSTKEY);
            CHECK(takes(ssh_key_fingerprint(other), ssh_error_expected_fingerprint(error)));
            CHECK(takes(ssh_key_fingerprint(p.host_key), ssh_error_found_fingerprint(error)));
            ssh_error_free(error);
            CHECK(!ssh_transport_is_active(p.client));
            break;
        case 1: /* the program refuses it */
            ssh_transport_set_callback(p.client, SSH_REQUEST_HOST_KEY, refuse_host_key, &p.client, NULL);
            CHECK_STATUS(ssh_transport_start_client(p.client, NULL, 20000, NULL), SSH_ERR_HOSTKEY);
            break;
        case 2: /* nobody says anything, and then the program does */
            CHECK_OK(ssh_transport_start_client(p.client, NULL, 20000, &error), error);
            CHECK_STATUS(ssh_transport_auth_password(p.client, "alice", "open sesame", 11, true, NULL, 20000,
                                                     &error),
                         SSH_ERR_HOSTKEY);
            ssh_error_free(error);
            ssh_key *shown = ssh_transport_get_remote_server_key(p.client, NULL);
            CHECK(ssh_key_equals(shown, p.host_key));
            ssh_key_free(shown);
            CHECK_STATUS(ssh_transport_accept_host_key(p.client), SSH_OK);
            CHECK_OK(ssh_transport_auth_password(p.client, "alice", "open sesame", 11, true, NULL, 20000,
                                                 &error),
                     error);
            CHECK(ssh_transport_get_server_key(p.client) == NULL);
            shown = ssh_transport_get_server_key(p.server_transport);
            CHECK(ssh_key_equals(shown, p.host_key) && !ssh_key_is_private(shown));
            ssh_key_free(shown);
            break;
        case 3: /* in one call */
            CHECK_OK(ssh_transport_connect(p.client, p.host_key, "alice", "open sesame", NULL, 20000,
                                           &error),
                     error);
            CHECK_STATUS(ssh_transport_connect(p.client, NULL, "alice", NULL, NULL, 20000, &error),
                         SSH_ERR_STATE);
            ssh_error_free(error);
            CHECK_STATUS(ssh_transport_set_insecure_accept_any_host_key(p.client), SSH_ERR_STATE);
            break;
        }
        CHECK_STATUS(ssh_event_wait(started, 20000), SSH_OK);
        ssh_event_free(started);
        ssh_key_free(other);
        pair_free(&p);
    }
}

/* --- channels ----------------------------------------------------------------------------------- */

typedef struct transfer {
    ssh_channel *channel;
    unsigned char first;
} transfer;

static void *write_megabytes(void *argument)
{
    transfer *t = argument;
    unsigned char *data = malloc(MEGABYTE);
    for (size_t i = 0; i < MEGABYTE; i++)
        data[i] = (unsigned char)(t->first + i * 7 + i / 251);
    size_t done = 0;
    for (int i = 0; i < 8; i++) {
        CHECK_STATUS(ssh_channel_write_all(t->channel, data, MEGABYTE, &done, 30000), SSH_OK);
        CHECK(done == MEGABYTE);
    }
    CHECK_STATUS(ssh_channel_send_eof(t->channel), SSH_OK);
    CHECK_STATUS(ssh_channel_send_eof(t->channel), SSH_OK);
    CHECK_STATUS(ssh_channel_write(t->channel, "x", 1, &done, 1000), SSH_ERR_CLOSED);
    CHECK(done == 0);
    free(data);
    return NULL;
}

static void *read_megabytes(void *argument)
{
    transfer *t = argument;
    unsigned char buffer[30000];
    size_t total = 0, got = 0;
    ssh_status status;
    while ((status = ssh_channel_read(t->channel, buffer, sizeof buffer, &got, 30000)) == SSH_OK) {
        for (size_t i = 0; i < got; i++) {
            size_t at = (total + i) % MEGABYTE;
            CHECK(buffer[i] == (unsigned char)(t->first + at * 7 + at / 251));
        }
        total += got;
    }
    CHECK_STATUS(status, SSH_EOF);
    CHECK(total == 8 * MEGABYTE);
    CHECK(got == 0);
    return NULL;
}

static void data_both_ways(pair *p)
{
    ssh_channel *server_side, *channel = pair_session(p, &server_side);
    transfer up = {channel, 1}, up_end = {server_side, 1};
    transfer down = {server_side, 2}, down_end = {channel, 2};
    pthread_t threads[4];
    ssh_error *error = NULL;
    pthread_create(&threads[0], NULL, write_megabytes, &up);
    pthread_create(&threads[1], NULL, write_megabytes, &down);
    pthread_create(&threads[2], NULL, read_megabytes, &up_end);
    pthread_create(&threads[3], NULL, read_megabytes, &down_end);
    /* New keys in the middle of it, from both sides. */
    CHECK_OK(ssh_transport_renegotiate_keys(p->client, 20000, &error), error);
    CHECK_OK(ssh_transport_renegotiate_keys(p->server_transport, 20000, &error), error);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ssh_channel_free(server_side);
    ssh_channel_free(channel);
}

static atomic_int kinds_seen;
static ssh_channel *asked_about;

/* One callback for every request on channels, as a language binding would have it. */
static void any(ssh_request *request, void *userdata)
{
    int32_t kind = ssh_request_kind(request);
    uint32_t columns = 1, rows = 1, width = 1, height = 1;
    size_t length = 0;
    (void)userdata;
    if (kind == SSH_REQUEST_PTY) {
        CHECK(strcmp(ssh_request_term(request), "xterm") == 0);
        CHECK_STATUS(ssh_request_terminal_size(request, &columns, &rows, &width, &height), SSH_OK);
        CHECK(columns == 80 && rows == 24 && width == 0 && height == 0);
        const unsigned char *modes = ssh_request_terminal_modes(request, &length);
        CHECK(length == 6 && modes[0] == 53 && modes[4] == 1 && modes[5] == 0);
        CHECK(ssh_request_wants_reply(request));
    } else if (kind == SSH_REQUEST_ENV) {
        CHECK(strcmp(ssh_request_name(request), "LANG") == 0);
        CHECK(strcmp(ssh_request_value(request, &length), "C.UTF-8") == 0 && length == 7);
    } else if (kind == SSH_REQUEST_SHELL) {
        CHECK(ssh_request_command(request, &length) == NULL && length == 0);
        CHECK_STATUS(ssh_request_terminal_size(request, &columns, NULL, NULL, NULL), SSH_ERR_STATE);
    } else if (kind == SSH_REQUEST_WINDOW_CHANGE) {
        CHECK_STATUS(ssh_request_terminal_size(request, &columns, &rows, NULL, NULL), SSH_OK);
        CHECK(columns == 132 && rows == 50);
    } else if (kind == SSH_REQUEST_SIGNAL) {
        CHECK(strcmp(ssh_request_name(request), "INT") == 0);
    } else if (kind == SSH_REQUEST_BREAK) {
        CHECK(ssh_request_break_length_ms(request) == 700);
    } else if (kind == SSH_REQUEST_CHANNEL_REQUEST) {
        CHECK(strcmp(ssh_request_name(request), "ours@example.org") == 0);
        CHECK(memcmp(ssh_request_data(request, &length), "\1\2", 2) == 0 && length == 2);
    } else if (kind == SSH_REQUEST_GLOBAL_REQUEST) {
        CHECK(strcmp(ssh_request_name(request), "question@example.org") == 0);
        CHECK(ssh_request_channel(request) == NULL);
        CHECK_STATUS(ssh_request_accept_with_data(request, "forty-two", 9), SSH_OK);
    } else {
        CHECK(!"another kind");
    }
    if (kind != SSH_REQUEST_GLOBAL_REQUEST) {
        /* Always the same handle. */
        ssh_channel *channel = ssh_request_channel(request);
        CHECK(channel != NULL && channel == ssh_request_channel(request));
        CHECK(asked_about == NULL || asked_about == channel);
        asked_about = channel;
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
        CHECK_STATUS(ssh_request_refuse(request), SSH_ERR_STATE);
    }
    ssh_request_free(request);
    atomic_fetch_add(&kinds_seen, 1);
}

static void requests(pair *p)
{
    ssh_error *error = NULL;
    const unsigned char modes[] = {53, 0, 0, 0, 1, 0};
    CHECK_STATUS(ssh_transport_set_callback(p->server_transport, SSH_REQUEST_ANY, any, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_transport_set_callback(p->server_transport, SSH_REQUEST_CHANNEL_OPEN, pair_accept, NULL,
                                            NULL),
                 SSH_OK);
    ssh_channel *channel = ssh_transport_open_session(p->client, -2, &error);
    CHECK(channel != NULL);
    CHECK_STATUS(ssh_channel_request_env(channel, "LANG", "C.UTF-8"), SSH_OK);
    CHECK_OK(ssh_channel_request_pty(channel, "xterm", 80, 24, 0, 0, modes, sizeof modes, -2, &error),
             error);
    CHECK_OK(ssh_channel_request_shell(channel, -2, &error), error);
    CHECK_STATUS(ssh_channel_window_change(channel, 132, 50, 0, 0), SSH_OK);
    CHECK_STATUS(ssh_channel_signal(channel, "INT"), SSH_OK);
    CHECK_STATUS(ssh_channel_signal(channel, "SIGINT"), SSH_ERR_INVALID_ARG);
    CHECK_OK(ssh_channel_break(channel, 700, -2, &error), error);
    CHECK_OK(ssh_channel_request(channel, "ours@example.org", "\1\2", 2, true, -2, &error), error);
    wait_for(&kinds_seen, 7);
    ssh_channel *server_side = ssh_transport_accept(p->server_transport, 20000, &error);
    CHECK(server_side == asked_about);
    CHECK(ssh_channel_transport(server_side) == p->server_transport);
    CHECK(ssh_channel_transport(channel) == p->client);

    void *reply = NULL;
    size_t length = 0;
    CHECK_OK(ssh_transport_global_request(p->client, "question@example.org", "?", 1, true, -2, &reply,
                                          &length, &error),
             error);
    CHECK(length == 9 && memcmp(reply, "forty-two", 9) == 0);
    ssh_memory_free(reply);
    /* A client answers none. */
    CHECK_STATUS(ssh_transport_global_request(p->server_transport, "question@example.org", NULL, 0, true,
                                              -2, &reply, &length, &error),
                 SSH_ERR_DENIED);
    CHECK(reply == NULL && length == 0);
    ssh_error_free(error);

    /* stderr, apart and then combined; the end. */
    char buffer[64];
    size_t got = 0;
    CHECK_STATUS(ssh_channel_write_all(server_side, "out", 3, NULL, -2), SSH_OK);
    CHECK_STATUS(ssh_channel_write_all_stderr(server_side, "err", 3, NULL, -2), SSH_OK);
    CHECK_STATUS(ssh_channel_read_stderr(channel, buffer, sizeof buffer, &got, 20000), SSH_OK);
    CHECK(got == 3 && memcmp(buffer, "err", 3) == 0);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20000), SSH_OK);
    CHECK(got == 3 && memcmp(buffer, "out", 3) == 0);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 0), SSH_AGAIN);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20), SSH_ERR_TIMEOUT);
    CHECK_STATUS(ssh_channel_set_timeout(channel, 10), SSH_OK);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, SSH_TIMEOUT_DEFAULT), SSH_ERR_TIMEOUT);
    CHECK(ssh_channel_get_timeout(channel) == 10);
    CHECK_STATUS(ssh_channel_set_combine_stderr(channel, true), SSH_OK);
    CHECK_STATUS(ssh_channel_write_stderr(server_side, "more", 4, &got, -2), SSH_OK);
    CHECK(got == 4);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20000), SSH_OK);
    CHECK(got == 4 && memcmp(buffer, "more", 4) == 0);

    int32_t kind = 99;
    uint32_t status = 99;
    CHECK_STATUS(ssh_channel_wait_exit(channel, 0, &kind, &status), SSH_AGAIN);
    CHECK(kind == SSH_EXIT_NONE && status == 0);
    CHECK_STATUS(ssh_channel_send_exit_signal(server_side, "KILL", true, "no memory"), SSH_OK);
    CHECK_STATUS(ssh_channel_close(server_side), SSH_OK);
    CHECK_STATUS(ssh_channel_wait_exit(channel, 20000, &kind, &status), SSH_OK);
    CHECK(kind == SSH_EXIT_SIGNAL && status == 0);
    CHECK(takes(ssh_channel_exit_signal(channel), "KILL"));
    CHECK(takes(ssh_channel_exit_message(channel), "no memory"));
    CHECK(ssh_channel_exit_core_dumped(channel));
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20000), SSH_EOF);
    ssh_channel_free(channel);
    ssh_channel_free(server_side);
    CHECK_STATUS(ssh_transport_set_callback(p->server_transport, SSH_REQUEST_ANY, NULL, NULL, NULL), SSH_OK);
}

/* One event of many channels, which tells whom to look at. */
static void taken_from_an_event(pair *p)
{
    enum { COUNT = 5, REMOVED = 3, FREED = 4 };
    ssh_channel *channels[COUNT], *server_sides[COUNT];
    ssh_event *event = ssh_event_new(), *other = ssh_event_new();
    char byte;
    size_t got;
    for (int i = 0; i < COUNT; i++) {
        channels[i] = pair_session(p, &server_sides[i]);
        CHECK_STATUS(ssh_channel_set_event(channels[i], event, SSH_CHANNEL_READABLE), SSH_OK);
    }
    CHECK(ssh_event_take_channel(event) == NULL);
    CHECK(ssh_event_take_channel(NULL) == NULL && ssh_event_take_channel((ssh_event *)channels[0]) == NULL);
    static const int order[] = {2, 0, 2, 1};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        CHECK_STATUS(ssh_channel_write_all(server_sides[order[i]], "x", 1, NULL, -1), SSH_OK);
    /* The last to be sent comes last. */
    long until = milliseconds() + 20000;
    while (!ssh_channel_read_ready(channels[1]) && milliseconds() < until)
        usleep(1000);
    CHECK(ssh_event_is_set(event));
    CHECK(ssh_event_take_channel(event) == channels[2]);
    CHECK(ssh_event_take_channel(event) == channels[0]);
    CHECK(ssh_event_take_channel(event) == channels[1]);
    CHECK(ssh_event_take_channel(event) == NULL);
    CHECK(ssh_event_is_set(event));
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(ssh_channel_read(channels[2], &byte, 1, &got, 20000), SSH_OK);
        CHECK(got == 1 && byte == 'x');
    }
    CHECK_STATUS(ssh_event_reset(event), SSH_OK);
    CHECK_STATUS(ssh_channel_write_all(server_sides[2], "y", 1, NULL, -1), SSH_OK);
    CHECK_STATUS(ssh_event_wait(event, 20000), SSH_OK);
    CHECK(ssh_event_take_channel(event) == channels[2] && ssh_event_take_channel(event) == NULL);

    /* A condition that holds already. Then one whose event is another one, one without any, and one that is no more. */
    for (int i = 1; i < COUNT; i++)
        CHECK_STATUS(ssh_channel_set_event(channels[i], event, SSH_CHANNEL_WRITABLE), SSH_OK);
    CHECK_STATUS(ssh_channel_set_event(channels[2], other, SSH_CHANNEL_WRITABLE), SSH_OK);
    CHECK_STATUS(ssh_channel_set_event(channels[REMOVED], NULL, 0), SSH_OK);
    ssh_channel_free(channels[FREED]);
    CHECK(ssh_event_take_channel(event) == channels[1] && ssh_event_take_channel(event) == NULL);
    CHECK(ssh_event_take_channel(other) == channels[2] && ssh_event_take_channel(other) == NULL);

    /* The end of a channel is a change of whatever is waited for. */
    ssh_channel *taken;
    CHECK_STATUS(ssh_event_reset(event), SSH_OK);
    ssh_channel_free(server_sides[0]);
    do {
        CHECK_STATUS(ssh_event_wait(event, 20000), SSH_OK);
        CHECK_STATUS(ssh_event_reset(event), SSH_OK);
        while ((taken = ssh_event_take_channel(event)) != NULL && taken != channels[0])
            ;
    } while (taken == NULL);
    for (int i = 0; i < COUNT; i++) {
        if (i != 0)
            ssh_channel_free(server_sides[i]);
        if (i != FREED)
            ssh_channel_free(channels[i]);
    }
    ssh_event_free(event);
    ssh_event_free(other);
}

static void events(pair *p)
{
    ssh_channel *server_side, *channel = pair_session(p, &server_side);
    ssh_event *event = ssh_event_new();
    char buffer[8];
    size_t got;
    CHECK_STATUS(ssh_channel_set_event(channel, event, SSH_CHANNEL_READABLE | SSH_CHANNEL_EOF), SSH_OK);
    CHECK(!ssh_event_is_set(event) && !ssh_channel_read_ready(channel));
    CHECK(ssh_channel_write_ready(channel));
    CHECK(ssh_channel_conditions(channel) == SSH_CHANNEL_WRITABLE);
    CHECK_STATUS(ssh_channel_write_all(server_side, "hello", 5, NULL, -1), SSH_OK);
    CHECK_STATUS(ssh_event_wait(event, 20000), SSH_OK);
    CHECK(ssh_channel_read_ready(channel) && !ssh_channel_read_stderr_ready(channel));
    CHECK_STATUS(ssh_event_reset(event), SSH_OK);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 0), SSH_OK);
    CHECK(got == 5);
    CHECK_STATUS(ssh_channel_send_exit_status(server_side, 7), SSH_OK);
    CHECK_STATUS(ssh_channel_send_eof(server_side), SSH_OK);
    CHECK_STATUS(ssh_event_wait(event, 20000), SSH_OK);
    CHECK(ssh_channel_conditions(channel) & SSH_CHANNEL_EOF);
    int32_t kind;
    uint32_t status;
    CHECK_STATUS(ssh_channel_wait_exit(channel, 20000, &kind, &status), SSH_OK);
    CHECK(kind == SSH_EXIT_STATUS && status == 7);
    CHECK(ssh_channel_exit_signal(channel) == NULL);
    CHECK_STATUS(ssh_channel_set_event(channel, NULL, 0), SSH_OK);
    ssh_event_free(event);
    ssh_channel_free(server_side);
    long until = milliseconds() + 20000;
    while (!ssh_channel_is_closed(channel) && milliseconds() < until)
        usleep(1000);
    CHECK(ssh_channel_is_closed(channel));
    ssh_channel_free(channel);
}

static atomic_int round_trips;

static void keepalive(ssh_transport *transport, int64_t round_trip_us, uint32_t missed, void *userdata)
{
    CHECK(transport == userdata);
    /* On a busy machine a reply may come late, and is then told of as missed first. */
    CHECK(round_trip_us >= 0 ? missed == 0 : round_trip_us == -1 && missed > 0);
    if (round_trip_us >= 0)
        atomic_fetch_add(&round_trips, 1);
}

static void refuse_channel(ssh_request *request, void *userdata)
{
    (void)userdata;
    CHECK(strcmp(ssh_request_channel_kind(request), "direct-tcpip") == 0);
    uint16_t port = 0;
    CHECK(strcmp(ssh_request_destination(request, &port), "target") == 0 && port == 80);
    CHECK(strcmp(ssh_request_origin(request, &port), "here") == 0 && port == 99);
    CHECK_STATUS(ssh_request_refuse_channel(request, 2, "nobody listens"), SSH_OK);
    ssh_request_free(request);
}

static void the_rest(pair *p)
{
    ssh_error *error = NULL;
    ssh_transport_set_callback(p->server_transport, SSH_REQUEST_CONNECT, refuse_channel, NULL, NULL);
    CHECK(ssh_transport_open_channel(p->client, "direct-tcpip", "target", 80, "here", 99, 20000, &error) ==
          NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_CHANNEL && ssh_error_channel_reason(error) == 2);
    CHECK(strcmp(ssh_error_peer_text(error), "nobody listens") == 0);
    ssh_error_free(error);
    CHECK(ssh_transport_open_channel(p->client, "direct-tcpip", NULL, 80, "here", 99, 20000, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    CHECK(ssh_transport_accept(p->server_transport, 0, &error) == NULL && error == NULL);
    CHECK(ssh_transport_accept(p->server_transport, 20, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_TIMEOUT && ssh_error_is_retryable(error));
    ssh_error_free(error);

    CHECK_STATUS(ssh_transport_send_ignore(p->client, 0), SSH_OK);
    CHECK_STATUS(ssh_transport_send_ignore(p->client, 32768), SSH_OK);
    CHECK_STATUS(ssh_transport_send_ignore(p->client, 32769), SSH_ERR_INVALID_ARG);
    atomic_int destroyed = 0;
    CHECK_STATUS(ssh_transport_set_keepalive(p->client, 20, 0, keepalive, p->client, NULL), SSH_OK);
    long until = milliseconds() + 20000L * slow();
    while (atomic_load(&round_trips) < 2 && milliseconds() < until)
        usleep(1000);
    CHECK(atomic_load(&round_trips) >= 2);
    CHECK_STATUS(ssh_transport_set_keepalive(p->client, 0, 0, NULL, &destroyed, pair_destroy), SSH_OK);
    wait_for(&destroyed, 1);

    CHECK_STATUS(ssh_transport_set_name(p->client, "our client"), SSH_OK);
    CHECK(takes(ssh_transport_get_name(p->client), "our client"));
    CHECK_STATUS(ssh_transport_set_log_channel(p->client, "a.b"), SSH_OK);
    CHECK(takes(ssh_transport_get_log_channel(p->client), "a.b"));
    uint16_t port = 1;
    CHECK(takes(ssh_transport_getpeername(p->client, &port), "unknown") && port == 0);
    char *line = ssh_transport_describe(p->client);
    CHECK(strstr(line, "our client") != NULL && strstr(line, "alice") != NULL);
    ssh_memory_free(line);
    CHECK(ssh_transport_is_alive(p->client) && ssh_transport_is_active(p->client));
    CHECK(ssh_transport_error(p->client) == NULL);
    CHECK_STATUS(ssh_transport_join(p->client, 0), SSH_AGAIN);

    CHECK_STATUS(ssh_transport_close(p->client), SSH_OK);
    CHECK_STATUS(ssh_transport_close(p->client), SSH_OK);
    CHECK_STATUS(ssh_transport_join(p->client, 20000), SSH_OK);
    CHECK_STATUS(ssh_transport_join(p->server_transport, 20000), SSH_OK);
    CHECK(!ssh_transport_is_active(p->client) && !ssh_transport_is_alive(p->client));
    CHECK(!ssh_transport_is_authenticated(p->client));
    /* The server was told why; the cause stays, the exception is handed out once. */
    error = ssh_transport_error(p->server_transport);
    CHECK(ssh_error_code(error) == SSH_ERR_DISCONNECTED && ssh_error_disconnect_reason(error) == 11);
    ssh_error_free(error);
    error = ssh_transport_get_exception(p->server_transport);
    CHECK(error != NULL);
    ssh_error_free(error);
    CHECK(ssh_transport_get_exception(p->server_transport) == NULL);
    CHECK(ssh_transport_open_session(p->client, 20000, &error) == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_CLOSED);
    ssh_error_free(error);
}

/* --- what a session lets programs use ------------------------------------------------------------- */

/* What a session has asked for. */
static _Atomic(ssh_request *) agent_asked, display_asked;

static void keep(ssh_request *request, void *userdata)
{
    _Atomic(ssh_request *) *kept = userdata;
    CHECK(atomic_load(kept) == NULL);
    atomic_store(kept, request);
}

static void *ask_for_both(void *argument)
{
    ssh_channel_request_agent_forward(argument, NULL, PAIR_MS, NULL);
    ssh_channel_request_x11(argument, NULL, NULL, 0, 0, false, PAIR_MS, NULL, NULL);
    return NULL;
}

static ssh_request *kept(_Atomic(ssh_request *) *from)
{
    long until = milliseconds() + PAIR_MS;
    while (atomic_load(from) == NULL && milliseconds() < until)
        usleep(1000);
    CHECK(atomic_load(from) != NULL);
    return atomic_exchange(from, NULL);
}

static ssh_status serve_agent(ssh_request *request, const char *path)
{
    ssh_error *error = NULL;
    ssh_status status = ssh_request_serve_agent(request, path, &error);
    CHECK(status == SSH_OK ? error == NULL : ssh_error_code(error) == status);
    ssh_error_free(error);
    return status;
}

static ssh_status serve_display(ssh_request *request)
{
    uint16_t display = 99;
    ssh_status status = ssh_request_serve_x11(request, &display, NULL);
    CHECK((display == 0) == (status != SSH_OK));
    return status;
}

/* Each is served once, and not for a session that is over. */
static void agent_and_display(pair *p)
{
    char path[64];
    pthread_t thread;
    ssh_channel *served;
    snprintf(path, sizeof path, "/tmp/sshwire-session-%d", (int)getpid());
    CHECK_STATUS(ssh_transport_set_callback(p->server_transport, SSH_REQUEST_AGENT_FORWARD, keep, &agent_asked, NULL),
                 SSH_OK);
    CHECK_STATUS(ssh_transport_set_callback(p->server_transport, SSH_REQUEST_X11, keep, &display_asked, NULL), SSH_OK);
    for (int over = 0; over < 2; over++) {
        ssh_channel *channel = pair_session(p, &served);
        pthread_create(&thread, NULL, ask_for_both, channel);
        ssh_request *agent = kept(&agent_asked);
        if (over)
            ssh_channel_free(served);
        CHECK_STATUS(serve_display(agent), SSH_ERR_STATE);
        CHECK_STATUS(serve_agent(agent, "no/path"), SSH_ERR_INVALID_ARG);
        CHECK_STATUS(serve_agent(agent, path), over ? SSH_ERR_CLOSED : SSH_OK);
        if (!over) {
            CHECK_STATUS(serve_agent(agent, path), SSH_ERR_STATE);
            ssh_request *display = kept(&display_asked);
            CHECK_STATUS(serve_display(display), SSH_OK);
            CHECK_STATUS(serve_display(display), SSH_ERR_STATE);
            ssh_request_free(display);
            ssh_channel_free(served);
        }
        pthread_join(thread, NULL);
        ssh_request_free(agent);
        ssh_channel_free(channel);
    }
}

/* --- pulling instead of callbacks ----------------------------------------------------------------- */

static void *serve_by_pulling(void *argument)
{
    ssh_transport *transport = argument;
    ssh_error *error = NULL;
    ssh_event *waiting = ssh_transport_request_event(transport);
    int channels = 0;
    CHECK(ssh_event_fd(waiting) >= 0);
    for (;;) {
        CHECK_STATUS(ssh_event_wait(waiting, 10000), SSH_OK);
        ssh_request *request = ssh_transport_next_request(transport, 0, &error);
        if (request == NULL && error == NULL)
            continue;
        if (request == NULL)
            break;
        if (ssh_request_kind(request) == SSH_REQUEST_CHANNEL_OPEN) {
            ssh_channel *channel = ssh_request_accept_channel(request, &error);
            CHECK(channel != NULL);
            CHECK_STATUS(ssh_channel_write_all(channel, "pulled", 6, NULL, 20000), SSH_OK);
            ssh_channel_free(channel);
            channels++;
        } else {
            ssh_request_accept(request);
        }
        ssh_request_free(request);
    }
    CHECK(ssh_error_code(error) == SSH_ERR_DISCONNECTED);
    ssh_error_free(error);
    ssh_event_free(waiting);
    CHECK(channels == 1);
    return NULL;
}

static void pulling(void)
{
    int fds[2];
    ssh_error *error = NULL;
    pthread_t thread;
    sockets(fds);
    ssh_key *key = ssh_key_generate(SSH_KEY_ECDSA_P256, 0, NULL, NULL);
    ssh_transport *server = ssh_transport_new(fds[0], NULL), *client = ssh_transport_new(fds[1], NULL);
    ssh_security_options *options = ssh_transport_security_options(server);
    CHECK_OK(ssh_security_options_set_key_types(options, "+ecdsa-sha2-nistp256", &error), error);
    CHECK_STATUS(ssh_transport_add_server_key(server, key), SSH_OK);
    CHECK_STATUS(ssh_transport_pull_requests(server, true), SSH_OK);
    ssh_event *started = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(server, NULL, started, 20000, &error), error);
    CHECK_STATUS(ssh_security_options_set_kex(options, "curve25519-sha256", &error), SSH_ERR_STATE);
    ssh_error_free(error);
    ssh_security_options_free(options);
    pthread_create(&thread, NULL, serve_by_pulling, server);
    CHECK_OK(ssh_transport_connect(client, key, "bob", "any", NULL, 20000, &error), error);
    ssh_channel *channel = ssh_transport_open_session(client, 20000, &error);
    char buffer[16];
    size_t got;
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20000), SSH_OK);
    CHECK(got == 6 && memcmp(buffer, "pulled", 6) == 0);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20000), SSH_EOF);
    ssh_transport_free(client);
    CHECK_STATUS(ssh_channel_read(channel, buffer, sizeof buffer, &got, 20000), SSH_EOF);
    pthread_join(thread, NULL);
    ssh_channel_free(channel);
    ssh_transport_free(server);
    ssh_event_free(started);
    ssh_key_free(key);
}

int main(void)
{
    pair p;
    watchdog(120);
    authentication();
    host_keys();
    pair_make(&p);
    atomic_int destroyed = 0;
    CHECK_STATUS(ssh_transport_set_userdata(p.client, &destroyed, pair_destroy), SSH_OK);
    CHECK(ssh_transport_get_userdata(p.client) == &destroyed);
    pair_login(&p);
    data_both_ways(&p);
    taken_from_an_event(&p);
    events(&p);
    requests(&p);
    agent_and_display(&p);
    the_rest(&p);
    pair_free(&p);
    wait_for(&destroyed, 1);
    wait_for(&p.destroyed, 1);
    pulling();
    puts("session: ok");
    return 0;
}
