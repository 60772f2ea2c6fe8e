/* Keys whose signatures are made by the program or an agent: by themselves, for users, for hosts. */
#include "pair.h"

/* A key that is somewhere else, and what happens when it is asked. */
struct elsewhere {
    ssh_key *key;
    ssh_transport *calls;
    atomic_int asked, destroyed;
    ssh_status status;
    size_t length; /* what is said to be there, 0 for the truth */
};

static ssh_status sign(const char *algorithm, const void *data, size_t length, void *signature, size_t capacity,
                       size_t *signature_length, void *userdata)
{
    struct elsewhere *away = userdata;
    void *made = NULL;
    atomic_fetch_add(&away->asked, 1);
    CHECK(capacity >= 4096);
    if (away->status != SSH_OK)
        return away->status;
    /* No lock is held, so this returns. */
    if (away->calls != NULL) {
        char *said = ssh_transport_describe(away->calls);
        CHECK(said != NULL);
        ssh_memory_free(said);
    }
    CHECK_STATUS(ssh_key_sign(away->key, algorithm, data, length, &made, signature_length, NULL), SSH_OK);
    memcpy(signature, made, *signature_length);
    ssh_memory_free(made);
    if (away->length != 0)
        *signature_length = away->length;
    return SSH_OK;
}

static void destroy(void *userdata)
{
    atomic_fetch_add(&((struct elsewhere *)userdata)->destroyed, 1);
}

static ssh_key *over(struct elsewhere *away)
{
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_new_signer(away->key, sign, away, destroy, &error);
    CHECK(key != NULL && error == NULL);
    return key;
}

static void by_themselves(void)
{
    static const int32_t kinds[] = {SSH_KEY_ED25519, SSH_KEY_ECDSA_P256, SSH_KEY_ECDSA_P384, SSH_KEY_ECDSA_P521,
                                    SSH_KEY_RSA};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ssh_error *error = NULL;
        struct elsewhere away = {.key = ssh_key_generate(kinds[i], 0, "away", &error)};
        ssh_key *key = over(&away);
        void *signature = NULL;
        size_t length = 0;
        CHECK(ssh_key_is_private(key) && ssh_key_equals(key, away.key) && takes(ssh_key_comment(key), "away"));
        CHECK_OK(ssh_key_sign(key, NULL, "data", 4, &signature, &length, &error), error);
        const char *algorithm = kinds[i] == SSH_KEY_RSA ? "rsa-sha2-512" : ssh_key_type(key);
        CHECK_STATUS(ssh_key_verify(away.key, algorithm, "data", 4, signature, length), SSH_OK);
        ssh_memory_free(signature);
        /* What is not there cannot be written. */
        CHECK(ssh_key_private_text(key, SSH_KEY_FORMAT_OPENSSH, NULL, &error) == NULL);
        CHECK_STATUS(ssh_error_code(error), SSH_ERR_KEY_UNSUPPORTED);
        ssh_error_free(error);
        CHECK(ssh_key_private_text(key, SSH_KEY_FORMAT_PKCS8, NULL, &error) == NULL);
        CHECK_STATUS(ssh_error_code(error), SSH_ERR_KEY_UNSUPPORTED);
        ssh_error_free(error);
        ssh_key_free(key);
        CHECK(atomic_load(&away.asked) == 1 && atomic_load(&away.destroyed) == 1);
        ssh_key_free(away.key);
    }
}

static void badly(void)
{
    static const struct {
        ssh_status status;
        size_t length;
        ssh_status expected;
    } cases[] = {
        {SSH_ERR_DENIED, 0, SSH_ERR_DENIED}, {-99999, 0, SSH_ERR_SIGNATURE}, {7, 0, SSH_ERR_SIGNATURE},
        {SSH_OK, 100000, SSH_ERR_CALLBACK},  {SSH_OK, 20, SSH_ERR_SIGNATURE},
    };
    ssh_error *error = NULL;
    struct elsewhere away = {.key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error)};
    ssh_key *key = over(&away);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *signature = NULL;
        size_t length = 0;
        away.status = cases[i].status;
        away.length = cases[i].length;
        CHECK_STATUS(ssh_key_sign(key, NULL, "data", 4, &signature, &length, &error), cases[i].expected);
        CHECK(signature == NULL && length == 0);
        ssh_error_free(error);
    }
    CHECK(ssh_key_new_signer(away.key, NULL, &away, destroy, &error) == NULL);
    CHECK_STATUS(ssh_error_code(error), SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    ssh_key_free(key);
    CHECK(atomic_load(&away.destroyed) == 1);
    ssh_key_free(away.key);
}

static void users_and_hosts(void)
{
    ssh_error *error = NULL;
    pair p;
    pair_make(&p);
    struct elsewhere user = {.key = ssh_key_generate(SSH_KEY_RSA, 2048, NULL, &error), .calls = p.client};
    struct elsewhere host = {.key = ssh_key_generate(SSH_KEY_ED25519, 0, NULL, &error), .calls = p.server_transport};
    ssh_key *user_key = over(&user), *host_key = over(&host);
    CHECK_STATUS(ssh_server_add_key(p.server, host_key), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_PROVEN, pair_accept, NULL, NULL), SSH_OK);
    CHECK_STATUS(ssh_server_set_callback(p.server, SSH_REQUEST_AUTH_KEY_ASKED, pair_accept, NULL, NULL), SSH_OK);
    ssh_key_free(p.host_key);
    p.host_key = ssh_key_public(host_key);
    pair_start(&p);
    CHECK(atomic_load(&host.asked) == 1);
    /* One that fails, then by name among those that are tried. */
    user.status = SSH_ERR_DENIED;
    CHECK_STATUS(ssh_transport_auth_publickey(p.client, "alice", user_key, NULL, 20000, &error), SSH_ERR_DENIED);
    ssh_error_free(error);
    user.status = SSH_OK;
    const ssh_key *keys[] = {user_key};
    ssh_event *event = ssh_event_new();
    CHECK_OK(ssh_transport_auth_agent(p.client, "alice", NULL, keys, 1, SSH_AUTH_AGENT_FIRST, 0, event, 20000, &error),
             error);
    CHECK_STATUS(ssh_event_wait(event, 20000), SSH_OK);
    CHECK_OK(ssh_transport_auth_status(p.client, &error), error);
    ssh_event_free(event);
    CHECK(ssh_transport_is_authenticated(p.client));
    CHECK_OK(ssh_transport_renegotiate_keys(p.client, 20000, &error), error);
    CHECK(atomic_load(&host.asked) == 2);
    ssh_key_free(user_key);
    ssh_key_free(host_key);
    pair_free(&p);
    wait_for(&user.destroyed, 1);
    wait_for(&host.destroyed, 1);
    ssh_key_free(user.key);
    ssh_key_free(host.key);
}

static void nothing_to_try(void)
{
    ssh_error *error = NULL;
    pair p;
    pair_make(&p);
    CHECK_STATUS(ssh_transport_auth_agent(p.client, "alice", NULL, NULL, 0, 0, 0, NULL, 1000, NULL), SSH_ERR_STATE);
    pair_start(&p);
    CHECK_STATUS(ssh_transport_auth_agent(p.client, "alice", NULL, NULL, 0, 0, 0, NULL, 1000, &error), SSH_ERR_AUTH);
    CHECK(strstr(ssh_error_message(error), "no key") != NULL);
    ssh_error_free(error);
    CHECK_STATUS(ssh_transport_auth_agent(p.client, "alice", NULL, NULL, 0, 7, 0, NULL, 1000, NULL), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_transport_auth_agent(p.client, "alice", NULL, NULL, 5, 0, 0, NULL, 1000, NULL), SSH_ERR_INVALID_ARG);
    pair_free(&p);
}

int main(void)
{
    watchdog(120);
    by_themselves();
    badly();
    users_and_hosts();
    nothing_to_try();
    puts("signers: ok");
    return 0;
}
