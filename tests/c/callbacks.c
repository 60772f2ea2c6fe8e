/* What callbacks may do: end their own transport, replace themselves, open channels, keep a question for ever. No
 * deadlock, every destroy function exactly once. Case X3; accept() inside a callback is in handles.c. */
#include "pair.h"

#define WAIT_MS 20000

static atomic_int ran, answered;

/* Each use of a callback has a hook of its own, which says when its life ended. */
typedef struct hook {
    pair *p;
    atomic_int destroyed;
    atomic_int running;
} hook;

static void destroy(void *userdata)
{
    hook *h = userdata;
    CHECK(atomic_load(&h->running) == 0);
    atomic_fetch_add(&h->destroyed, 1);
}

static void once(hook *h)
{
    wait_for(&h->destroyed, 1);
    usleep(20000);
    CHECK(atomic_load(&h->destroyed) == 1);
}

static ssh_status open_status(ssh_transport *transport, int32_t timeout_ms)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(transport, timeout_ms, &error);
    ssh_status status = channel != NULL ? SSH_OK : ssh_error_code(error);
    ssh_channel_free(channel);
    ssh_error_free(error);
    return status;
}

/* What an answer gives once the session is over: SSH_ERR_STATE, or what ended the session. */
static bool too_late(ssh_status status)
{
    return -status / 100 == SSH_CLASS_ENDED;
}

/* --- replacing and removing oneself ----------------------------------------------------------------- */

static hook second;

static void replaces_itself(ssh_request *request, void *userdata)
{
    hook *h = userdata;
    atomic_fetch_add(&h->running, 1);
    CHECK_STATUS(ssh_transport_set_callback(h->p->server_transport, SSH_REQUEST_CHANNEL_OPEN, pair_accept, &second,
                                            destroy),
                 SSH_OK);
    CHECK(atomic_load(&h->destroyed) == 0); /* userdata is in use */
    ssh_request_accept(request);
    ssh_request_free(request);
    usleep(10000);
    CHECK(atomic_load(&h->destroyed) == 0);
    atomic_fetch_sub(&h->running, 1);
}

static void replacing(void)
{
    pair p;
    hook first = {.p = &p};
    second.p = &p;
    pair_make(&p);
    pair_login(&p);
    CHECK_STATUS(ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, replaces_itself, &first,
                                            destroy),
                 SSH_OK);
    CHECK_STATUS(open_status(p.client, WAIT_MS), SSH_OK);
    once(&first);
    CHECK_STATUS(open_status(p.client, WAIT_MS), SSH_OK);
    CHECK(atomic_load(&second.destroyed) == 0);
    CHECK_STATUS(ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, NULL, NULL, NULL), SSH_OK);
    once(&second);
    pair_free(&p);
    once(&first);
    once(&second);
}

/* --- calls that wait, from inside ------------------------------------------------------------------- */

static void opens_another(ssh_request *request, void *userdata)
{
    pair *p = userdata;
    ssh_error *error = NULL;
    /* The client refuses it: no callback of this transport is needed for that. */
    ssh_channel *channel = ssh_transport_open_channel(p->server_transport, "test@example.org", NULL, 0, NULL, 0,
                                                      WAIT_MS, &error);
    CHECK(channel == NULL);
    CHECK(ssh_error_code(error) == SSH_ERR_CHANNEL || ssh_error_code(error) == SSH_ERR_WOULD_DEADLOCK);
    ssh_error_free(error);
    error = NULL;
    ssh_status status = ssh_transport_renegotiate_keys(p->server_transport, WAIT_MS, &error);
    CHECK(status == SSH_OK || status == SSH_ERR_WOULD_DEADLOCK);
    ssh_error_free(error);
    ssh_request_accept(request);
    ssh_request_free(request);
    atomic_fetch_add(&ran, 1);
}

static void waiting(void)
{
    pair p;
    pair_make(&p);
    pair_login(&p);
    atomic_store(&ran, 0);
    CHECK_STATUS(ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, opens_another, &p, NULL),
                 SSH_OK);
    long start = milliseconds();
    CHECK_STATUS(open_status(p.client, WAIT_MS), SSH_OK);
    CHECK(milliseconds() - start < 5000L * slow());
    wait_for(&ran, 1);
    pair_free(&p);
}

/* In the middle of the handshake the session cannot do anything else yet, and says so. */
static void on_host_key(ssh_request *request, void *userdata)
{
    pair *p = userdata;
    ssh_error *error = NULL;
    ssh_status status = open_status(p->client, 1000);
    CHECK(status == SSH_ERR_STATE || status == SSH_ERR_WOULD_DEADLOCK);
    status = ssh_transport_auth_password(p->client, "alice", "open sesame", 11, false, NULL, 1000, &error);
    CHECK(status < 0);
    ssh_error_free(error);
    CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    ssh_request_free(request);
    atomic_fetch_add(&ran, 1);
}

static void in_the_handshake(void)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    atomic_store(&ran, 0);
    CHECK_STATUS(ssh_transport_set_callback(p.client, SSH_REQUEST_HOST_KEY, on_host_key, &p, NULL), SSH_OK);
    ssh_event *started = ssh_event_new();
    CHECK_OK(ssh_transport_start_server(p.server_transport, p.server, started, WAIT_MS, &error), error);
    CHECK_OK(ssh_transport_start_client(p.client, NULL, WAIT_MS, &error), error);
    CHECK_OK(ssh_transport_auth_password(p.client, "alice", "open sesame", 11, false, NULL, WAIT_MS, &error), error);
    /* The answer lets the session go on, so the callback may still be on its way out. */
    wait_for(&ran, 1);
    ssh_event_free(started);
    pair_free(&p);
}

/* --- ending the transport from inside --------------------------------------------------------------- */

enum { FREE, CLOSE, STOP, WAYS };
static int way;

static void ends_it(ssh_transport *transport)
{
    if (way == FREE)
        ssh_transport_free(transport);
    else if (way == CLOSE)
        CHECK_STATUS(ssh_transport_close(transport), SSH_OK);
    else
        CHECK_STATUS(ssh_transport_stop_thread(transport), SSH_OK);
    atomic_fetch_add(&ran, 1);
}

static void ends_in_request(ssh_request *request, void *userdata)
{
    hook *h = userdata;
    ends_it(h->p->server_transport);
    /* Too late: the session is over. */
    CHECK(too_late(ssh_request_accept(request)));
    ssh_request_free(request);
}

static void ends_in_banner(ssh_transport *transport, const char *text, void *userdata)
{
    (void)userdata;
    CHECK(strcmp(text, "hello\n") == 0);
    ends_it(transport);
}

static void ends_in_keepalive(ssh_transport *transport, int64_t round_trip_us, uint32_t missed, void *userdata)
{
    (void)userdata, (void)round_trip_us, (void)missed;
    if (transport != NULL && atomic_load(&ran) == 0)
        ends_it(transport);
}

static void ending(void)
{
    for (way = 0; way < WAYS; way++) {
        for (int where = 0; where < 3; where++) {
            pair p;
            hook h = {.p = &p};
            ssh_error *error = NULL;
            pair_make(&p);
            atomic_store(&ran, 0);
            if (where == 0) {
                pair_login(&p);
                CHECK_STATUS(ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, ends_in_request,
                                                        &h, destroy),
                             SSH_OK);
                ssh_status status = open_status(p.client, WAIT_MS);
                CHECK(status == SSH_ERR_DISCONNECTED || status == SSH_ERR_CONN_LOST);
            } else if (where == 1) {
                CHECK_STATUS(ssh_server_set_banner(p.server, "hello\n"), SSH_OK);
                CHECK_STATUS(ssh_transport_set_banner_callback(p.client, ends_in_banner, &h, destroy), SSH_OK);
                pair_start(&p);
                CHECK(ssh_transport_auth_none(p.client, "alice", NULL, WAIT_MS, &error) < 0);
                ssh_error_free(error);
            } else {
                pair_login(&p);
                CHECK_STATUS(ssh_transport_set_keepalive(p.client, 20, 0, ends_in_keepalive, &h, destroy), SSH_OK);
            }
            wait_for(&ran, 1);
            pair_free(&p);
            once(&h);
        }
    }
}

/* --- no answer -------------------------------------------------------------------------------------- */

static ssh_request *_Atomic kept;

static void keeps(ssh_request *request, void *userdata)
{
    (void)userdata;
    atomic_store(&kept, request);
}

static void *opens(void *argument)
{
    pair *p = argument;
    ssh_status status = open_status(p->client, WAIT_MS);
    atomic_store(&answered, 1);
    return (void *)(intptr_t)status;
}

static void no_answer(void)
{
    /* The question is freed; its transport is; the other side gives up. */
    for (int end = 0; end < 3; end++) {
        pair p;
        pthread_t opener;
        void *status;
        hook h = {.p = &p};
        pair_make(&p);
        pair_login(&p);
        atomic_store(&kept, NULL);
        atomic_store(&answered, 0);
        CHECK_STATUS(ssh_transport_set_callback(p.server_transport, SSH_REQUEST_CHANNEL_OPEN, keeps, &h, destroy),
                     SSH_OK);
        CHECK(pthread_create(&opener, NULL, opens, &p) == 0);
        while (atomic_load(&kept) == NULL)
            usleep(1000);
        usleep(50000);
        CHECK(atomic_load(&answered) == 0);
        long start = milliseconds();
        ssh_request *request = atomic_load(&kept);
        if (end == 0)
            ssh_request_free(request);
        else if (end == 1)
            ssh_transport_free(p.server_transport);
        else
            ssh_transport_free(p.client);
        CHECK(pthread_join(opener, &status) == 0);
        CHECK(milliseconds() - start < 1000L * slow());
        ssh_status wanted = end == 0 ? SSH_ERR_CHANNEL : end == 1 ? SSH_ERR_DISCONNECTED : SSH_ERR_CLOSED;
        CHECK_STATUS((ssh_status)(intptr_t)status, wanted);
        if (end == 0) {
            CHECK_STATUS(ssh_request_accept(request), SSH_ERR_BAD_HANDLE);
        } else {
            CHECK_STATUS(ssh_transport_join(end == 1 ? p.client : p.server_transport, 5000), SSH_OK);
            CHECK(too_late(ssh_request_accept(request)));
            ssh_request_free(request);
        }
        pair_free(&p);
        once(&h);
    }
}

/* --- the log ---------------------------------------------------------------------------------------- */

static void log_line(int32_t level, const char *channel, const char *message, void *userdata)
{
    hook *h = userdata;
    (void)level;
    CHECK(channel != NULL && message != NULL);
    atomic_fetch_add(&h->running, 1);
    CHECK(strstr(message, "open sesame") == NULL);
    ssh_memory_free(ssh_transport_describe(h->p->client));
    ssh_transport_is_active(h->p->client);
    ssh_transport_send_ignore(h->p->client, 8);
    atomic_fetch_add(&ran, 1);
    atomic_fetch_sub(&h->running, 1);
}

static void logging(void)
{
    pair p;
    hook h = {.p = &p};
    pair_make(&p);
    atomic_store(&ran, 0);
    CHECK_STATUS(ssh_transport_set_log_callback(p.client, log_line, SSH_LOG_INFO, &h, destroy), SSH_OK);
    pair_login(&p);
    CHECK_STATUS(open_status(p.client, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_transport_close(p.client), SSH_OK);
    /* Lines come on a thread of their own, soon. */
    for (long until = milliseconds() + 5000L * slow(); atomic_load(&ran) == 0 && milliseconds() < until;)
        usleep(1000);
    CHECK(atomic_load(&ran) > 0);
    pair_free(&p);
    once(&h);
}

/* --- calls that fail --------------------------------------------------------------------------------- */

static void never_request(ssh_request *request, void *userdata)
{
    (void)request;
    (void)userdata;
    CHECK(false);
}

static void never_keepalive(ssh_transport *transport, int64_t round_trip_us, uint32_t missed, void *userdata)
{
    (void)transport;
    (void)round_trip_us;
    (void)missed;
    (void)userdata;
    CHECK(false);
}

static void never_log(int32_t level, const char *channel, const char *message, void *userdata)
{
    (void)level;
    (void)channel;
    (void)message;
    (void)userdata;
    CHECK(false);
}

/* The userdata of a call that fails stays the program's, also when the object ends later. */
static void failing(void)
{
    pair p;
    hook h = {.p = &p};
    pair_make(&p);
    pair_login(&p);
    CHECK_STATUS(ssh_transport_set_userdata(NULL, &h, destroy), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_channel_set_userdata(NULL, &h, destroy), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_transport_set_callback(p.client, 12345, never_request, &h, destroy), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_set_log_callback(p.client, never_log, 99, &h, destroy), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_set_log_callback(NULL, never_log, SSH_LOG_INFO, &h, destroy), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_packetizer_set_log(NULL, never_log, SSH_LOG_INFO, &h, destroy), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_packetizer_set_keepalive(NULL, 20, NULL, &h, destroy), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_transport_set_keepalive(NULL, 20, 0, never_keepalive, &h, destroy), SSH_ERR_BAD_HANDLE);
    CHECK_STATUS(ssh_transport_set_keepalive(p.client, -1, 0, NULL, &h, destroy), SSH_ERR_INVALID_ARG);

    CHECK_STATUS(ssh_transport_close(p.client), SSH_OK);
    CHECK_STATUS(ssh_transport_join(p.client, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_transport_set_keepalive(p.client, 20, 0, never_keepalive, &h, destroy), SSH_ERR_CLOSED);
    CHECK_STATUS(ssh_transport_set_keepalive(p.client, 20, 0, NULL, &h, destroy), SSH_ERR_CLOSED);
    pair_free(&p);
    usleep(20000);
    CHECK(atomic_load(&h.destroyed) == 0);

    /* The one exception. */
    CHECK_STATUS(ssh_transport_request_port_forward(NULL, "", 0, NULL, &h, destroy, 0, NULL, NULL), SSH_ERR_BAD_HANDLE);
    once(&h);
}

int main(void)
{
    watchdog(60);
    replacing();
    waiting();
    in_the_handshake();
    ending();
    no_answer();
    logging();
    failing();
    puts("callbacks: ok");
    return 0;
}
