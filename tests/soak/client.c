/*
 * client KEY HOST_KEY ECHO_PORT WORKERS PLACE...: the client of the soak test. Each worker makes one connection after
 * another to its place and does a few things on each. A place is PORT,USER,FILES,WORDS, where WORDS are of these letters:
 *
 *   p   it knows the password       a   it breaks the connection off when `abort` is asked for
 *   m   its sessions are killed from outside
 *
 * Workers are dealt out to the places in turn. SOAK_PAUSE_MS is how long one rests at most between two things; the time is
 * diced. SOAK_NAME begins the names of its files. Every 3 s it prints a line of figures in JSON. Now and then all workers pause
 * with their connections open; when all do, "calm" is 1 in some lines: what is held then does not depend on how fast the
 * machine is. It ends when its standard input does, with 1 when something went wrong that was not meant to.
 */
#include "client.h"

#define MAX_PLACES 16
#define MAX_WORKERS 1000
/* How long the workers work between two pauses, and how long a pause lasts once it is calm: some lines of figures. */
#define BUSY_MS 20000
#define CALM_MS 10000

const char *client_name = "file-";
uint16_t echo_port;
unsigned char *noise;
atomic_size_t moved, key_exchanges, cuts, planned, unplanned;
atomic_bool stopping;

static struct place places[MAX_PLACES];
static uint32_t pause_ms = 8000;
static ssh_key *user_key, *host_key;
static atomic_size_t open_now, rounds, acts, lasted, waiting;
static atomic_bool calming;
/* Of what took the longest: its milliseconds times ACTS, and which of the acts it was. */
static atomic_size_t longest;

/* --- failures and noise ------------------------------------------------------------------------------ */

bool failed(struct worker *worker, const char *what, ssh_status status, ssh_error *error)
{
    if (error != NULL)
        status = ssh_error_code(error);
    if (worker->cut || worker->place->is_mortal) {
        atomic_fetch_add(&planned, 1);
    } else {
        atomic_fetch_add(&unplanned, 1);
        fprintf(stderr, "worker %u, port %u: %s: %s%s%s\n", worker->number, worker->place->port, what,
                ssh_status_name(status), error == NULL ? "" : ": ", error == NULL ? "" : ssh_error_message(error));
    }
    ssh_error_free(error);
    return false;
}

bool wrong(struct worker *worker, const char *what)
{
    /* A connection that is killed brings fewer bytes and no status. */
    bool meant = worker->cut || worker->place->is_mortal;
    atomic_fetch_add(meant ? &planned : &unplanned, 1);
    if (!meant)
        fprintf(stderr, "worker %u, port %u: %s\n", worker->number, worker->place->port, what);
    return false;
}

void noise_copy(void *buffer, uint64_t at, size_t length)
{
    for (size_t done = 0; done < length;) {
        size_t from = (size_t)((at + done) % NOISE_SIZE), piece = NOISE_SIZE - from;
        if (piece > length - done)
            piece = length - done;
        memcpy((char *)buffer + done, noise + from, piece);
        done += piece;
    }
}

bool noise_is(const void *bytes, uint64_t at, size_t length)
{
    for (size_t done = 0; done < length;) {
        size_t from = (size_t)((at + done) % NOISE_SIZE), piece = NOISE_SIZE - from;
        if (piece > length - done)
            piece = length - done;
        if (memcmp((const char *)bytes + done, noise + from, piece) != 0)
            return false;
        done += piece;
    }
    return true;
}

/* --- connections ------------------------------------------------------------------------------------- */

static bool log_in(struct worker *worker, ssh_transport *transport)
{
    ssh_error *error = NULL;
    const char *user = worker->place->user;
    ssh_status status = ssh_transport_start_client(transport, NULL, LIMIT_MS, &error);
    if (status != SSH_OK)
        return failed(worker, "key exchange", status, error);
    if (worker->place->knows_password && dice(&worker->state, 10) == 0) {
        status = ssh_transport_auth_password(transport, user, "wrong", 5, false, NULL, LIMIT_MS, &error);
        if (status != SSH_ERR_AUTH)
            return failed(worker, "wrong password", status, error);
        ssh_error_free(error);
        error = NULL;
    }
    if (worker->place->knows_password && dice(&worker->state, 2) == 0)
        status = ssh_transport_auth_password(transport, user, PASSWORD, strlen(PASSWORD), false, NULL, LIMIT_MS, &error);
    else
        status = ssh_transport_auth_publickey(transport, user, user_key, NULL, LIMIT_MS, &error);
    return status == SSH_OK || failed(worker, "log in", status, error);
}

/* A connection that is logged in, or NULL. */
static ssh_transport *arrive(struct worker *worker)
{
    static const char *const ciphers[] = {"aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr"};
    ssh_error *error = NULL;
    struct sockaddr_in address = loopback(worker->place->port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        wrong(worker, "cannot connect");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    worker->socket = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    ssh_transport *transport = ssh_transport_new(fd, &error);
    if (transport == NULL || worker->socket < 0)
        soak_fail("transport", error);
    ssh_security_options *options = ssh_transport_security_options(transport);
    ssh_security_options_set_ciphers(options, ciphers[dice(&worker->state, 3)], NULL);
    ssh_security_options_free(options);
    if (dice(&worker->state, 4) == 0)
        ssh_transport_use_compression(transport, true);
    ssh_transport_set_rekey_limits(transport, 128 * 1024 << dice(&worker->state, 4), 0, 0);
    ssh_transport_set_expected_host_key(transport, host_key);
    atomic_fetch_add(&open_now, 1);
    if (log_in(worker, transport))
        return transport;
    atomic_fetch_sub(&open_now, 1);
    ssh_transport_free(transport);
    close(worker->socket);
    return NULL;
}

/* The connection breaks while bytes are on their way in both directions: whatever waits for them has to end. */
static void break_off(struct worker *worker, ssh_transport *transport, bool by_server)
{
    size_t length;
    ssh_status status = SSH_OK;
    ssh_channel *channel = run(worker, transport, "cat");
    if (channel == NULL)
        return;
    noise_copy(worker->buffer, 0, BUFFER_SIZE);
    for (int i = 0; i < 4 && status == SSH_OK; i++)
        status = ssh_channel_write_all(channel, worker->buffer, BUFFER_SIZE, NULL, LIMIT_MS);
    if (status != SSH_OK)
        failed(worker, "write", status, NULL);
    worker->cut = true;
    atomic_fetch_add(&cuts, 1);
    ssh_channel *order = by_server ? run(worker, transport, "abort") : NULL;
    if (!by_server && dice(&worker->state, 2) == 0)
        soak_cut(worker->socket);
    else if (!by_server)
        shutdown(worker->socket, SHUT_RDWR);
    do
        status = ssh_channel_read(channel, worker->buffer, BUFFER_SIZE, &length, LIMIT_MS);
    while (status == SSH_OK);
    if (status != SSH_ERR_CONN_LOST && status != SSH_ERR_IO) {
        worker->cut = false;
        failed(worker, "a broken connection ends otherwise", status, NULL);
    }
    ssh_channel_free(order);
    ssh_channel_free(channel);
}

static void leave(struct worker *worker, ssh_transport *transport)
{
    switch (dice(&worker->state, 6)) {
    case 0:
        /* Without a word to anybody. */
        break;
    case 1:
        break_off(worker, transport, false);
        break;
    case 2:
        if (worker->place->aborts)
            break_off(worker, transport, true);
        break;
    default:
        ssh_transport_close(transport);
    }
    uint64_t figures[SSH_STATISTIC_COUNT] = {0};
    if (ssh_transport_statistics(transport, figures, SSH_STATISTIC_COUNT) == SSH_OK)
        atomic_fetch_add(&key_exchanges, figures[SSH_STATISTIC_KEY_EXCHANGES]);
    ssh_transport_free(transport);
    close(worker->socket);
    atomic_fetch_sub(&open_now, 1);
}

/* Some time without work, longer when all pause. */
static void rest(struct worker *worker)
{
    uint32_t left = dice(&worker->state, pause_ms + 1);
    for (; left > 0 && !atomic_load(&stopping); left -= left < 50 ? left : 50) {
        atomic_fetch_add(&waiting, 1);
        do
            usleep((left < 50 ? left : 50) * 1000);
        while (atomic_load(&calming) && !atomic_load(&stopping));
        atomic_fetch_sub(&waiting, 1);
    }
}

static const struct act {
    const char *name;
    bool (*done)(struct worker *worker, ssh_transport *transport);
} all_acts[] = {
    {"command", do_command},
    {"echo", do_echo},
    {"echo", do_echo},
    {"download", do_download},
    {"files", do_files},
    {"direct", do_direct},
    {"forward_local", do_forward_local},
    {"forward_remote", do_forward_remote},
    {"refused", do_refused},
};
enum { ACTS = sizeof all_acts / sizeof *all_acts };

static bool act(struct worker *worker, ssh_transport *transport)
{
    uint32_t which = dice(&worker->state, ACTS);
    uint64_t began = soak_milliseconds();
    bool good = all_acts[which].done(worker, transport);
    size_t took = (size_t)(soak_milliseconds() - began) * ACTS + which, known = atomic_load(&longest);
    while (took > known && !atomic_compare_exchange_weak(&longest, &known, took))
        ;
    atomic_fetch_add(&acts, 1);
    return good;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    worker->buffer = soak_memory(BUFFER_SIZE);
    while (!atomic_load(&stopping)) {
        worker->cut = false;
        ssh_transport *transport = arrive(worker);
        bool good = transport != NULL;
        for (uint32_t left = 1 + dice(&worker->state, 6); good && left > 0 && !atomic_load(&stopping); left--) {
            rest(worker);
            good = act(worker, transport);
        }
        if (transport != NULL)
            leave(worker, transport);
        atomic_fetch_add(&rounds, 1);
        /* A server that is gone is not asked as fast as it refuses. */
        if (transport == NULL)
            rest(worker);
    }
    free(worker->buffer);
    atomic_fetch_sub(&lasted, 1);
    return NULL;
}

/* --- the program ------------------------------------------------------------------------------------- */

static void print_figures(bool calm)
{
    /* What the allocator could give back is not held. */
    malloc_trim(0);
    printf("{\"calm\":%d,\"open\":%zu,\"rounds\":%zu,\"acts\":%zu,\"moved\":%zu,\"key_exchanges\":%zu,\"cuts\":%zu,\"planned\":%zu,"
           "\"unplanned\":%zu,\"longest\":\"%s\",\"longest_ms\":%zu,",
           calm, atomic_load(&open_now), atomic_load(&rounds), atomic_load(&acts), atomic_load(&moved),
           atomic_load(&key_exchanges), atomic_load(&cuts), atomic_load(&planned), atomic_load(&unplanned),
           all_acts[atomic_load(&longest) % ACTS].name, atomic_load(&longest) / ACTS);
    print_memory();
    printf("}\n");
    fflush(stdout);
}

static void read_place(struct place *place, char *text)
{
    char *port = strtok(text, ","), *user = strtok(NULL, ","), *files = strtok(NULL, ","), *words = strtok(NULL, ",");
    if (port == NULL || user == NULL || files == NULL || words == NULL)
        soak_fail("a place is PORT,USER,FILES,WORDS", NULL);
    *place = (struct place){.port = (uint16_t)strtoul(port, NULL, 10), .user = user, .files = files,
                            .knows_password = strchr(words, 'p') != NULL, .aborts = strchr(words, 'a') != NULL,
                            .is_mortal = strchr(words, 'm') != NULL};
}

static void make_noise(void)
{
    uint64_t state = 0x9e3779b97f4a7c15;
    noise = soak_memory(NOISE_SIZE);
    for (size_t i = 0; i < NOISE_SIZE; i++)
        noise[i] = (unsigned char)dice(&state, 256);
}

int main(int argc, char **argv)
{
    ssh_error *error = NULL;
    static struct worker workers[MAX_WORKERS];
    if (argc < 6 || argc > 5 + MAX_PLACES) {
        fprintf(stderr, "usage: client KEY HOST_KEY ECHO_PORT WORKERS PLACE...\n");
        return 64;
    }
    user_key = ssh_key_load_file(argv[1], NULL, &error);
    host_key = user_key == NULL ? NULL : ssh_key_load_public_file(argv[2], &error);
    if (host_key == NULL)
        soak_fail("keys", error);
    echo_port = (uint16_t)strtoul(argv[3], NULL, 10);
    size_t count = strtoul(argv[4], NULL, 10), place_count = (size_t)argc - 5;
    if (count > MAX_WORKERS)
        soak_fail("too many workers", NULL);
    for (size_t i = 0; i < place_count; i++)
        read_place(&places[i], argv[5 + i]);
    const char *text = getenv("SOAK_PAUSE_MS");
    if (text != NULL)
        pause_ms = (uint32_t)strtoul(text, NULL, 10);
    if (getenv("SOAK_NAME") != NULL)
        client_name = getenv("SOAK_NAME");
    make_noise();
    atomic_store(&lasted, count);
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){.number = (unsigned)i, .place = &places[i % place_count],
                                     .state = (i + 1) * 0x9e3779b97f4a7c15 + (uint64_t)getpid()};
        soak_thread(work, &workers[i]);
    }
    for (int phase = 0, calm = 0; !soak_is_over(FIGURES_MS); print_figures(calm)) {
        phase += FIGURES_MS;
        atomic_store(&calming, phase > BUSY_MS);
        /* Things that were begun come to their end first. */
        calm = phase > BUSY_MS && atomic_load(&waiting) == count;
        if (phase > BUSY_MS && !calm)
            phase = BUSY_MS;
        else if (phase > BUSY_MS + CALM_MS)
            phase = 0;
    }
    atomic_store(&stopping, true);
    for (int waited = 0; atomic_load(&lasted) > 0 && waited < 2 * LIMIT_MS; waited += 50)
        usleep(50000);
    if (atomic_load(&lasted) > 0) {
        fprintf(stderr, "%zu workers hang\n", atomic_load(&lasted));
        atomic_fetch_add(&unplanned, 1);
    }
    ssh_key_free(user_key);
    ssh_key_free(host_key);
    print_figures(false);
    free(noise);
    return atomic_load(&unplanned) > 0;
}
