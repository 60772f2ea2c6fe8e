/* A login in two steps: what one user has shown counts for no other, and for the same one only without another between. */
#include "pair.h"

/* The numbers of partial successes that came with the questions, one digit each. */
static char counts[64];
static atomic_int asked;

static uint32_t count(ssh_request *request)
{
    uint32_t behind = ssh_request_partial_successes(request);
    CHECK(behind < 10);
    counts[atomic_fetch_add(&asked, 1)] = (char)('0' + behind);
    return behind;
}

/* Any two keys. */
static void key_proven(ssh_request *request, void *userdata)
{
    (void)userdata;
    if (count(request) == 0)
        CHECK_STATUS(ssh_request_accept_partial(request, "publickey,password"), SSH_OK);
    else
        CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    ssh_request_free(request);
}

static void refused(ssh_request *request, void *userdata)
{
    (void)userdata;
    count(request);
    CHECK_STATUS(ssh_request_refuse(request), SSH_OK);
    ssh_request_free(request);
}

/* A question that is not about a login. */
static void opened(ssh_request *request, void *userdata)
{
    (void)userdata;
    CHECK(ssh_request_partial_successes(request) == 0);
    CHECK_STATUS(ssh_request_accept(request), SSH_OK);
    ssh_request_free(request);
}

int main(void)
{
    pair p;
    watchdog(120);
    pair_make(&p);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_ASKED, pair_accept, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, key_proven, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_PASSWORD, refused, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_CHANNEL_OPEN, opened, NULL, NULL), SSH_OK);
    ssh_key *one = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL), *two = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, NULL);
    CHECK(one != NULL && two != NULL);
    pair_start(&p);
#define KEY(user, key) ssh_transport_auth_publickey(p.client, user, key, NULL, PAIR_MS, NULL)
#define PASSWORD(user) ssh_transport_auth_password(p.client, user, "any", 3, false, NULL, PAIR_MS, NULL)
    CHECK_STATUS(PASSWORD("alice"), SSH_ERR_AUTH);
    CHECK_STATUS(KEY("alice", one), SSH_PARTIAL);
    CHECK_STATUS(PASSWORD("alice"), SSH_ERR_AUTH);
    /* The server's program need not hear of the other user: `none` has no callback. */
    CHECK_STATUS(ssh_transport_auth_none(p.client, "bob", NULL, PAIR_MS, NULL), SSH_ERR_AUTH);
    CHECK_STATUS(KEY("alice", one), SSH_PARTIAL);
    /* One key is not two. */
    CHECK_STATUS(KEY("alice", one), SSH_ERR_AUTH);
    CHECK_STATUS(KEY("bob", one), SSH_PARTIAL);
    CHECK_STATUS(PASSWORD("alice"), SSH_ERR_AUTH);
    CHECK_STATUS(KEY("alice", one), SSH_PARTIAL);
    CHECK_STATUS(KEY("alice", two), SSH_OK);
    CHECK(strcmp(counts, "00100001") == 0);
    ssh_channel *channel = ssh_transport_open_session(p.client, PAIR_MS, NULL);
    CHECK(channel != NULL);
    ssh_channel_free(channel);
    ssh_key_free(one);
    ssh_key_free(two);
    pair_free(&p);
    puts("steps: ok");
    return 0;
}
