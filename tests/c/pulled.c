/* A login without a callback on either side: every question of authentication is pulled, and what waits has an event:
 * channels to accept, global requests, new keys. */
#include "pair.h"

#define WAIT_MS (20000 * (int)slow())

/* What the server was asked, in order. */
typedef struct log {
    pthread_mutex_t lock;
    char text[4096];
} log_;

static void note(log_ *log, const char *what, const char *more)
{
    pthread_mutex_lock(&log->lock);
    size_t used = strlen(log->text);
    snprintf(log->text + used, sizeof log->text - used, "%s%s%s\n", what, *more != '\0' ? " " : "", more);
    pthread_mutex_unlock(&log->lock);
}

static void answer_server(ssh_request *request, log_ *log)
{
    const char *user = ssh_request_username(request);
    size_t length = 0;
    switch (ssh_request_kind(request)) {
    case SSH_REQUEST_AUTH_METHODS:
        note(log, "methods", user);
        CHECK_STATUS(ssh_request_send_banner(request, "Only on weekdays.\n"), SSH_OK);
        CHECK_STATUS(ssh_request_accept_partial(request, "password"), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_refuse_with_methods(request, "password"), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_accept_methods(request, "a b"), SSH_ERR_INVALID_ARG);
        if (strcmp(user, "nobody") == 0)
            CHECK_STATUS(ssh_request_accept_methods(request, NULL), SSH_OK);
        else if (strcmp(user, "alice") == 0)
            CHECK_STATUS(ssh_request_accept_methods(request, "publickey,password,keyboard-interactive"), SSH_OK);
        else
            CHECK_STATUS(ssh_request_accept(request), SSH_OK);
        CHECK_STATUS(ssh_request_send_banner(request, "Too late.\n"), SSH_ERR_STATE);
        break;
    case SSH_REQUEST_AUTH_NONE:
        note(log, "none", user);
        CHECK_STATUS(ssh_request_accept_methods(request, "password"), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_refuse(request), SSH_OK);
        break;
    case SSH_REQUEST_AUTH_PASSWORD:
        note(log, "password", ssh_request_password(request, &length));
        CHECK(length == 6);
        CHECK_STATUS(ssh_request_refuse_with_methods(request, "publickey,keyboard-interactive"), SSH_OK);
        break;
    case SSH_REQUEST_AUTH_KEY_ASKED:
        note(log, "asked", ssh_request_algorithm(request));
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
        break;
    case SSH_REQUEST_AUTH_KEY_PROVEN:
        note(log, "proven", ssh_request_algorithm(request));
        CHECK_STATUS(ssh_request_accept_partial(request, "keyboard-interactive"), SSH_OK);
        break;
    case SSH_REQUEST_AUTH_INTERACTIVE: {
        const char *prompts[] = {"Number: ", "Word: "};
        const bool echo[] = {true, false};
        note(log, "interactive", ssh_request_submethods(request));
        CHECK_STATUS(ssh_request_accept(request), SSH_ERR_STATE);
        CHECK_STATUS(ssh_request_ask(request, "Questions", "Two of them", prompts, echo, 2), SSH_OK);
        break;
    }
    case SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS:
        CHECK(ssh_request_answer_count(request) == 2);
        note(log, ssh_request_answer(request, 0, NULL), ssh_request_answer(request, 1, NULL));
        CHECK(ssh_request_answer(request, 2, NULL) == NULL);
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
        break;
    case SSH_REQUEST_GLOBAL_REQUEST:
        note(log, "global", ssh_request_name(request));
        if (strcmp(ssh_request_name(request), "no@example.org") == 0)
            CHECK_STATUS(ssh_request_refuse(request), SSH_OK);
        else if (strcmp(ssh_request_name(request), "late@example.org") == 0)
            /* The transport is closed meanwhile, before or after this. */
            ssh_request_accept(request);
        else
            CHECK_STATUS(ssh_request_accept_with_data(request, "\0data", 5), SSH_OK);
        break;
    default:
        note(log, "open", "");
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    }
    ssh_request_free(request);
}

typedef struct side {
    ssh_transport *transport;
    log_ *log;
} side;

static void *serves(void *argument)
{
    side *s = argument;
    ssh_request *request;
    while ((request = ssh_transport_next_request(s->transport, WAIT_MS, NULL)) != NULL)
        answer_server(request, s->log);
    return NULL;
}

static void *answers_client(void *argument)
{
    side *s = argument;
    ssh_request *request;
    while ((request = ssh_transport_next_request(s->transport, WAIT_MS, NULL)) != NULL) {
        if (ssh_request_kind(request) == SSH_REQUEST_HOST_KEY) {
            ssh_key *key = ssh_request_key(request);
            char *print = ssh_key_fingerprint(key);
            note(s->log, "host key", print);
            ssh_memory_free(print);
            ssh_key_free(key);
            CHECK_STATUS(ssh_request_accept(request), SSH_OK);
        } else {
            bool echo = false;
            const char *text;
            CHECK(ssh_request_kind(request) == SSH_REQUEST_PROMPTS);
            note(s->log, ssh_request_title(request), ssh_request_instructions(request));
            CHECK(ssh_request_prompt_count(request) == 2);
            text = ssh_request_prompt(request, 0, &echo);
            note(s->log, text, echo ? "seen" : "hidden");
            text = ssh_request_prompt(request, 1, &echo);
            note(s->log, text, echo ? "seen" : "hidden");
            CHECK_STATUS(ssh_request_set_answer(request, 0, "42", 2), SSH_OK);
            CHECK_STATUS(ssh_request_set_answer(request, 1, "sesame", 6), SSH_OK);
            CHECK_STATUS(ssh_request_accept(request), SSH_OK);
        }
        ssh_request_free(request);
    }
    return NULL;
}

static void every_channel_has_its_event(ssh_transport *client, ssh_transport *server)
{
    ssh_error *error = NULL;
    ssh_event *waiting = ssh_transport_accept_event(server);
    CHECK(waiting != NULL && !ssh_event_is_set(waiting));
    ssh_channel *opened[3];
    for (int i = 0; i < 3; i++)
        CHECK((opened[i] = ssh_transport_open_session(client, WAIT_MS, &error)) != NULL);
    CHECK_STATUS(ssh_event_wait(waiting, WAIT_MS), SSH_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(ssh_event_is_set(waiting));
        ssh_channel *accepted = ssh_transport_accept(server, 0, &error);
        CHECK(accepted != NULL);
        ssh_channel_free(accepted);
        ssh_channel_free(opened[i]);
    }
    CHECK(!ssh_event_is_set(waiting));
    CHECK(ssh_transport_accept(server, 0, &error) == NULL && error == NULL);
    /* An event that is made later knows what came before. */
    ssh_event_free(waiting);
    ssh_channel *channel = ssh_transport_open_session(client, WAIT_MS, &error);
    waiting = ssh_transport_accept_event(server);
    CHECK_STATUS(ssh_event_wait(waiting, WAIT_MS), SSH_OK);
    ssh_channel_free(ssh_transport_accept(server, 0, &error));
    CHECK(!ssh_event_is_set(waiting));
    ssh_channel_free(channel);
    ssh_event_free(waiting);
}

static ssh_status settled(ssh_transport *transport, ssh_event *event, void **data, size_t *length)
{
    CHECK_STATUS(ssh_event_wait(event, WAIT_MS), SSH_OK);
    ssh_event_free(event);
    return ssh_transport_global_request_status(transport, data, length, NULL);
}

static void requests_are_begun(ssh_transport *client)
{
    ssh_error *error = NULL;
    ssh_event *first = ssh_event_new(), *second = ssh_event_new();
    void *data = client;
    size_t length = 99;
    CHECK_STATUS(ssh_transport_global_request_status(client, &data, &length, NULL), SSH_ERR_STATE);
    CHECK(data == NULL && length == 0);
    CHECK_STATUS(ssh_transport_begin_global_request(client, "a,b", NULL, 0, first, NULL), SSH_ERR_INVALID_ARG);
    CHECK_OK(ssh_transport_begin_global_request(client, "yes@example.org", "x", 1, first, &error), error);
    CHECK_OK(ssh_transport_begin_global_request(client, "no@example.org", NULL, 0, second, &error), error);
    CHECK_OK(ssh_transport_begin_global_request(client, "yes@example.org", NULL, 0, NULL, &error), error);
    CHECK_STATUS(settled(client, first, &data, &length), SSH_OK);
    CHECK(length == 5 && memcmp(data, "\0data", 5) == 0);
    ssh_memory_free(data);
    CHECK_STATUS(settled(client, second, NULL, NULL), SSH_ERR_DENIED);
    long until = milliseconds() + WAIT_MS;
    ssh_status status;
    while ((status = ssh_transport_global_request_status(client, NULL, NULL, NULL)) == SSH_AGAIN &&
           milliseconds() < until)
        usleep(1000);
    CHECK_STATUS(status, SSH_OK);
    CHECK_STATUS(ssh_transport_global_request_status(client, NULL, NULL, NULL), SSH_ERR_STATE);
}

static void keys_are_begun(ssh_transport *client)
{
    ssh_error *error = NULL;
    CHECK_STATUS(ssh_transport_renegotiate_status(client, NULL), SSH_ERR_STATE);
    for (int i = 0; i < 3; i++) {
        ssh_event *done = ssh_event_new();
        CHECK_OK(ssh_transport_begin_renegotiate_keys(client, done, &error), error);
        CHECK_STATUS(ssh_event_wait(done, WAIT_MS), SSH_OK);
        CHECK_OK(ssh_transport_renegotiate_status(client, &error), error);
        ssh_event_free(done);
    }
}

static void all_events_tell_of_the_end(ssh_transport *client, ssh_transport *server)
{
    ssh_event *reply = ssh_event_new(), *keys = ssh_event_new();
    ssh_event *waiting = ssh_transport_accept_event(client);
    CHECK(!ssh_event_is_set(waiting));
    CHECK_STATUS(ssh_transport_begin_global_request(client, "late@example.org", NULL, 0, reply, NULL), SSH_OK);
    ssh_transport_close(server);
    CHECK_STATUS(ssh_event_wait(reply, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_event_wait(waiting, WAIT_MS), SSH_OK);
    ssh_status status;
    CHECK((status = ssh_transport_begin_renegotiate_keys(client, keys, NULL)) != SSH_OK);
    CHECK(status != SSH_ERR_STATE);
    CHECK(ssh_transport_global_request_status(client, NULL, NULL, NULL) != SSH_AGAIN);
    ssh_event_free(reply);
    ssh_event_free(keys);
    ssh_event_free(waiting);
}

int main(void)
{
    watchdog(180);
    pair p;
    ssh_error *error = NULL;
    static log_ asked = {.lock = PTHREAD_MUTEX_INITIALIZER}, shown = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pair_make(&p);
    ssh_server_free(p.server);
    p.server = ssh_server_new();
    CHECK_STATUS(ssh_server_add_key(p.server, p.host_key), SSH_OK);
    CHECK_STATUS(ssh_server_pull_requests(p.server, true), SSH_OK);
    CHECK_STATUS(ssh_transport_pull_requests(p.client, true), SSH_OK);

    side server = {p.server_transport, &asked}, client = {p.client, &shown};
    pthread_t threads[2];
    CHECK(pthread_create(&threads[0], NULL, serves, &server) == 0);
    CHECK(pthread_create(&threads[1], NULL, answers_client, &client) == 0);
    ssh_event *started = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(p.server_transport, p.server, started, WAIT_MS, &error), error);
    CHECK_OK(ssh_transport_start_client(p.client, NULL, WAIT_MS, &error), error);
    ssh_event_free(started);

    CHECK_STATUS(ssh_transport_auth_none(p.client, "nobody", NULL, WAIT_MS, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_password(p.client, "nobody", "sesame", 6, false, NULL, WAIT_MS, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_none(p.client, "alice", NULL, WAIT_MS, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_password(p.client, "alice", "sesame", 6, false, NULL, WAIT_MS, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(ssh_transport_auth_publickey(p.client, "alice", p.host_key, NULL, WAIT_MS, NULL), SSH_PARTIAL);
    CHECK_OK(ssh_transport_auth_interactive(p.client, "alice", "otp", NULL, WAIT_MS, &error), error);
    CHECK(takes(ssh_transport_auth_banner(p.client), "Only on weekdays.\nOnly on weekdays.\n"));

    every_channel_has_its_event(p.client, p.server_transport);
    requests_are_begun(p.client);
    keys_are_begun(p.client);
    all_events_tell_of_the_end(p.client, p.server_transport);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);

    static const char questions[] = "methods nobody\nnone nobody\nmethods alice\nnone alice\npassword sesame\n"
                                    "proven ssh-ed25519\ninteractive otp\n42 sesame\n";
    if (strncmp(asked.text, questions, sizeof questions - 1) != 0) {
        fprintf(stderr, "the server was asked:\n%s", asked.text);
        return 1;
    }
    char *print = ssh_key_fingerprint(p.host_key);
    char expected[256];
    snprintf(expected, sizeof expected,
             "host key %s\nQuestions Two of them\nNumber:  seen\nWord:  hidden\n", print);
    ssh_memory_free(print);
    if (strcmp(shown.text, expected) != 0) {
        fprintf(stderr, "the client was asked:\n%s", shown.text);
        return 1;
    }
    pair_free(&p);
    puts("ok");
    return 0;
}
