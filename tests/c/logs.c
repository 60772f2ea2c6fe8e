/* The log (case X13): callbacks that block, that are replaced while lines come, and what no line may ever hold, at the highest
 * level. */
#include "pair.h"

#define WAIT_MS (60000 * (int)slow())
#define PLANTED "pl4nted-Secret"
/* As it is shown in a dump of packets: its middle. */
#define IN_HEX "34 6e 74 65 64 2d 53 65"

static atomic_ulong lines, found;
static atomic_int ended;

/* Looks for what was planted, in any line. */
static void looks(int32_t level, const char *channel, const char *message, void *userdata)
{
    (void)level, (void)userdata;
    CHECK(channel != NULL && message != NULL);
    for (const char *at = message; *at != '\0'; at++)
        CHECK((unsigned char)*at >= ' ' && *at != 0x7f); /* nothing that a terminal obeys */
    if (strstr(message, PLANTED) != NULL || strstr(message, IN_HEX) != NULL) {
        fprintf(stderr, "logged: %s\n", message);
        atomic_fetch_add(&found, 1);
    }
    atomic_fetch_add(&lines, 1);
}

static void ends(void *userdata)
{
    (void)userdata;
    atomic_fetch_add(&ended, 1);
}

/* Answers prompts with the planted word. */
static void prompted(ssh_request *request, void *userdata)
{
    (void)userdata;
    const char *answers[] = {PLANTED};
    if (ssh_request_kind(request) == SSH_REQUEST_AUTH_INTERACTIVE)
        ssh_request_ask(request, "title", NULL, (const char *const[]){"one: "}, NULL, 1);
    else if (ssh_request_prompt_count(request) == 1)
        ssh_request_answer_prompts(request, answers, 1);
    ssh_request_free(request);
}

static void no_secret_in_any_line(void)
{
    pair p;
    ssh_error *error = NULL;
    ssh_channel *there;
    CHECK_STATUS(ssh_set_log_callback(looks, SSH_LOG_DEBUG, NULL, ends), SSH_OK);
    pair_make(&p);
    ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_INTERACTIVE, prompted, NULL, NULL);
    ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_INTERACTIVE_ANSWERS, prompted, NULL, NULL);
    ssh_transport_set_callback(p.client, SSH_REQUEST_PROMPTS, prompted, NULL, NULL);
    CHECK_STATUS(ssh_transport_set_hexdump(p.client, true), SSH_OK);
    CHECK_STATUS(ssh_transport_set_hexdump(p.server_transport, true), SSH_OK);
    pair_start(&p);
    CHECK_STATUS(ssh_transport_auth_password(p.client, "alice", PLANTED, sizeof PLANTED - 1, false, NULL, WAIT_MS, &error),
                 SSH_ERR_AUTH);
    CHECK(strstr(ssh_error_message(error), PLANTED) == NULL);
    ssh_error_free(error);
    CHECK_STATUS(ssh_transport_auth_interactive(p.client, "alice", NULL, NULL, WAIT_MS, &error), SSH_ERR_AUTH);
    CHECK(strstr(ssh_error_message(error), PLANTED) == NULL);
    ssh_error_free(error);
    CHECK_OK(ssh_transport_auth_password(p.client, "alice", "open sesame", 11, false, NULL, WAIT_MS, &error), error);
    /* From here on what goes over the wire may be shown: it was asked for, and is no secret of the library's. */
    CHECK_STATUS(ssh_transport_set_hexdump(p.client, false), SSH_OK);
    CHECK_STATUS(ssh_transport_set_hexdump(p.server_transport, false), SSH_OK);
    ssh_channel *channel = pair_session(&p, &there);
    ssh_channel_request_env(channel, "PASSWORD", PLANTED);
    CHECK_STATUS(ssh_channel_write_all(channel, PLANTED, sizeof PLANTED - 1, NULL, WAIT_MS), SSH_OK);
    CHECK_STATUS(ssh_transport_renegotiate_keys(p.client, WAIT_MS, &error), SSH_OK);
    char *key = ssh_key_private_text(p.host_key, SSH_KEY_FORMAT_OPENSSH, PLANTED, &error);
    CHECK(key != NULL && ssh_key_load(key, strlen(key), PLANTED "x", &error) == NULL);
    CHECK(strstr(ssh_error_message(error), PLANTED) == NULL);
    ssh_error_free(error);
    ssh_memory_free(key);
    ssh_channel_free(channel);
    ssh_channel_free(there);
    pair_free(&p);
    for (long until = milliseconds() + WAIT_MS; atomic_load(&lines) < 20 && milliseconds() < until;)
        usleep(1000);
    CHECK(atomic_load(&lines) >= 20 && atomic_load(&found) == 0);
    CHECK_STATUS(ssh_set_log_callback(NULL, SSH_LOG_NONE, NULL, NULL), SSH_OK);
    wait_for(&ended, 1);
}

static atomic_int blocked;

static void blocks(int32_t level, const char *channel, const char *message, void *userdata)
{
    (void)level, (void)channel, (void)message, (void)userdata;
    if (atomic_fetch_add(&blocked, 1) == 0)
        sleep(1);
}

/* Whoever takes its time over a line holds up no session, not even its own. */
static void a_line_that_blocks(void)
{
    pair p;
    atomic_store(&ended, 0);
    pair_make(&p);
    CHECK_STATUS(ssh_transport_set_log_callback(p.client, blocks, SSH_LOG_DEBUG, NULL, ends), SSH_OK);
    pair_login(&p);
    pair_free(&p);
    wait_for(&ended, 1);
    CHECK(atomic_load(&blocked) > 0);
}

static atomic_int stop, made;

static void counts(int32_t level, const char *channel, const char *message, void *userdata)
{
    (void)level, (void)channel, (void)message;
    CHECK(atomic_load((atomic_int *)userdata) == 1); /* alive */
}

static void dies(void *userdata)
{
    CHECK(atomic_exchange((atomic_int *)userdata, 0) == 1); /* once */
    atomic_fetch_add(&ended, 1);
}

static void *replaces(void *argument)
{
    (void)argument;
    static atomic_int alive[500];
    for (int at = 0; at < 500 && !atomic_load(&stop); at++) {
        atomic_store(&alive[at], 1);
        CHECK_STATUS(ssh_set_log_callback(counts, SSH_LOG_DEBUG, &alive[at], dies), SSH_OK);
        atomic_fetch_add(&made, 1);
        usleep(200);
    }
    return NULL;
}

static void replaced_while_lines_come(void)
{
    pthread_t thread;
    atomic_store(&ended, 0);
    CHECK(pthread_create(&thread, NULL, replaces, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        pair p;
        pair_make(&p);
        pair_login(&p);
        pair_free(&p);
    }
    atomic_store(&stop, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_STATUS(ssh_set_log_callback(NULL, SSH_LOG_NONE, NULL, NULL), SSH_OK);
    wait_for(&ended, atomic_load(&made));
}

int main(void)
{
    watchdog(120);
    no_secret_in_any_line();
    a_line_that_blocks();
    replaced_while_lines_come();
    puts("logs: ok");
    return 0;
}
