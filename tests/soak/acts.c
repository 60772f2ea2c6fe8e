/*
 * What a worker does on a session channel: a command, bytes both ways under new keys, bytes one way, a refusal.
 */
#include "client.h"

/* So much may be on its way at once: less than a window, so that a write never waits for a read of ours. */
#define ON_THE_WAY (512 * 1024)

ssh_channel *run(struct worker *worker, ssh_transport *transport, const char *command)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(transport, LIMIT_MS, &error);
    if (channel == NULL) {
        failed(worker, "open session", SSH_OK, error);
        return NULL;
    }
    ssh_status status = ssh_channel_request_exec(channel, command, LIMIT_MS, &error);
    if (status != SSH_OK) {
        failed(worker, "exec", status, error);
        ssh_channel_free(channel);
        return NULL;
    }
    return channel;
}

static bool expect_exit(struct worker *worker, ssh_channel *channel, uint32_t wanted)
{
    int32_t kind = SSH_EXIT_NONE;
    uint32_t code = 0;
    ssh_status status = ssh_channel_wait_exit(channel, LIMIT_MS, &kind, &code);
    if (status != SSH_OK)
        return failed(worker, "exit status", status, NULL);
    return (kind == SSH_EXIT_STATUS && code == wanted) || wrong(worker, "another exit status");
}

bool do_command(struct worker *worker, ssh_transport *transport)
{
    char command[32];
    uint32_t wanted = dice(&worker->state, 100);
    snprintf(command, sizeof command, "exit %" PRIu32, wanted);
    ssh_channel *channel = run(worker, transport, command);
    if (channel == NULL)
        return false;
    bool good = expect_exit(worker, channel, wanted);
    ssh_channel_free(channel);
    return good;
}

/* A piece of the stream to `cat`. */
static bool write_piece(struct worker *worker, ssh_channel *channel, uint64_t start, uint64_t *sent, uint64_t total)
{
    size_t piece = 1 + dice(&worker->state, BUFFER_SIZE);
    if (piece > total - *sent)
        piece = (size_t)(total - *sent);
    noise_copy(worker->buffer, start + *sent, piece);
    ssh_status status = ssh_channel_write_all(channel, worker->buffer, piece, NULL, LIMIT_MS);
    if (status != SSH_OK)
        return failed(worker, "write", status, NULL);
    *sent += piece;
    if (*sent < total)
        return true;
    status = ssh_channel_send_eof(channel);
    return status == SSH_OK || failed(worker, "eof", status, NULL);
}

/* What has come back of it; waits when nothing else is left to do. */
static bool read_piece(struct worker *worker, ssh_channel *channel, uint64_t start, uint64_t *got, uint64_t total, bool waits)
{
    size_t length = 0;
    ssh_status status = ssh_channel_read(channel, worker->buffer, BUFFER_SIZE, &length, waits ? LIMIT_MS : 0);
    if (status == SSH_AGAIN)
        return true;
    if (status != SSH_OK)
        return failed(worker, "read", status, NULL);
    if (length > total - *got || !noise_is(worker->buffer, start + *got, length))
        return wrong(worker, "other bytes came back");
    *got += length;
    atomic_fetch_add(&moved, 2 * length);
    return true;
}

static bool rekey(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    ssh_status status = ssh_transport_renegotiate_keys(transport, LIMIT_MS, &error);
    return status == SSH_OK || failed(worker, "new keys", status, error);
}

/* Sends a stream to `cat` and compares what comes back, with new keys in its midst. */
bool do_echo(struct worker *worker, ssh_transport *transport)
{
    uint64_t start = dice(&worker->state, NOISE_SIZE), sent = 0, got = 0;
    uint64_t total = 1 + dice(&worker->state, dice(&worker->state, 8) == 0 ? 4 * 1024 * 1024 : 512 * 1024);
    uint64_t rekey_at = dice(&worker->state, 2) == 0 ? total / 2 : UINT64_MAX;
    ssh_channel *channel = run(worker, transport, "cat");
    if (channel == NULL)
        return false;
    bool good = true;
    while (good && got < total) {
        bool writes = sent < total && sent - got < ON_THE_WAY;
        if (writes)
            good = write_piece(worker, channel, start, &sent, total);
        if (good && sent >= rekey_at) {
            rekey_at = UINT64_MAX;
            good = rekey(worker, transport);
        }
        good = good && read_piece(worker, channel, start, &got, total, !writes);
    }
    if (good) {
        size_t length;
        ssh_status status = ssh_channel_read(channel, worker->buffer, BUFFER_SIZE, &length, LIMIT_MS);
        good = status == SSH_EOF || (status == SSH_OK ? wrong(worker, "more came back") : failed(worker, "end", status, NULL));
    }
    good = good && expect_exit(worker, channel, 0);
    ssh_channel_free(channel);
    return good;
}

bool do_download(struct worker *worker, ssh_transport *transport)
{
    static const char zeros[BUFFER_SIZE];
    char command[64];
    uint64_t total = dice(&worker->state, 2 * 1024 * 1024), got = 0;
    size_t length;
    ssh_status status;
    snprintf(command, sizeof command, "head -c %" PRIu64 " /dev/zero", total);
    ssh_channel *channel = run(worker, transport, command);
    if (channel == NULL)
        return false;
    bool good = true;
    while ((status = ssh_channel_read(channel, worker->buffer, BUFFER_SIZE, &length, LIMIT_MS)) == SSH_OK) {
        got += length;
        if (memcmp(worker->buffer, zeros, length) != 0)
            good = wrong(worker, "other bytes");
    }
    atomic_fetch_add(&moved, got);
    if (status != SSH_EOF)
        good = failed(worker, "read", status, NULL);
    else if (got != total)
        good = wrong(worker, "another length");
    good = good && expect_exit(worker, channel, 0);
    ssh_channel_free(channel);
    return good;
}

/* What the server has to refuse, after which the connection goes on. */
bool do_refused(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    ssh_channel *channel = ssh_transport_open_session(transport, LIMIT_MS, &error);
    if (channel == NULL)
        return failed(worker, "open session", SSH_OK, error);
    ssh_status status = ssh_channel_request_subsystem(channel, "nothing-of-the-kind", LIMIT_MS, &error);
    bool good = status == SSH_ERR_DENIED;
    if (good)
        ssh_error_free(error);
    else if (status == SSH_OK)
        wrong(worker, "a subsystem that is not there");
    else
        failed(worker, "subsystem", status, error);
    ssh_channel_free(channel);
    return good;
}
