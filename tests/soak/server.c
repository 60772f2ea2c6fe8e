/*
 * server HOST_KEY ROOT: the server of the soak test. It lets in who holds any key or knows the password, serves ROOT by SFTP,
 * forwards to and from the loopback interface, and does the commands that the clients ask for itself, so that its own
 * memory, descriptors and threads are all there is to count. It listens twice: through the library's listener, and with a
 * socket of its own, over which it can break connections off on demand.
 *
 * SOAK_LEAK in the environment: bytes that it loses for each connection, to see that the test notices.
 */
#include "soak.h"

#define CODES 1000

struct connection {
    ssh_transport *transport;
    struct connection *next;
    /* A second descriptor of the socket, or -1. */
    int socket;
};

struct task {
    ssh_channel *channel;
    uint64_t zeros;
    bool echoes;
};

static ssh_server *server;
static ssh_sftp_server *files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *connections; /* under `lock` */
static atomic_size_t open_now, ended, tasks, leak;
static size_t causes[CODES]; /* of the main thread */

/* --- commands ---------------------------------------------------------------------------------------- */

static bool send_zeros(ssh_channel *channel, uint64_t left)
{
    static const char zeros[BUFFER_SIZE];
    while (left > 0) {
        size_t part = left < sizeof zeros ? (size_t)left : sizeof zeros;
        if (ssh_channel_write_all(channel, zeros, part, NULL, LIMIT_MS) != SSH_OK)
            return false;
        left -= part;
    }
    return true;
}

static bool send_back(ssh_channel *channel)
{
    char *buffer = soak_memory(BUFFER_SIZE);
    size_t length;
    ssh_status status;
    while ((status = ssh_channel_read(channel, buffer, BUFFER_SIZE, &length, LIMIT_MS)) == SSH_OK)
        if (ssh_channel_write_all(channel, buffer, length, NULL, LIMIT_MS) != SSH_OK)
            break;
    free(buffer);
    return status == SSH_EOF;
}

static void finish(ssh_channel *channel, uint32_t status)
{
    ssh_channel_send_exit_status(channel, status);
    ssh_channel_send_eof(channel);
    ssh_channel_free(channel);
}

static void *perform(void *argument)
{
    struct task *task = argument;
    if (task->echoes ? send_back(task->channel) : send_zeros(task->channel, task->zeros))
        finish(task->channel, 0);
    else
        ssh_channel_free(task->channel);
    free(task);
    atomic_fetch_sub(&tasks, 1);
    return NULL;
}

static void start_task(struct task wanted)
{
    struct task *task = soak_memory(sizeof *task);
    *task = wanted;
    atomic_fetch_add(&tasks, 1);
    soak_thread(perform, task);
}

static void on_exec(ssh_request *request, void *unused)
{
    (void)unused;
    size_t length = 0;
    const char *command = ssh_request_command(request, &length);
    struct task task = {.channel = ssh_request_channel(request)};
    if (command == NULL || task.channel == NULL || ssh_request_accept(request) != SSH_OK) {
        ssh_channel_free(task.channel);
    } else if (strcmp(command, "cat") == 0) {
        task.echoes = true;
        start_task(task);
    } else if (strncmp(command, "head -c ", 8) == 0) {
        task.zeros = strtoull(command + 8, NULL, 10);
        start_task(task);
    } else if (strncmp(command, "exit ", 5) == 0) {
        finish(task.channel, (uint32_t)strtoul(command + 5, NULL, 10));
    } else if (strcmp(command, "abort") == 0) {
        ssh_transport *transport = ssh_request_transport(request);
        pthread_mutex_lock(&lock);
        for (struct connection *one = connections; one != NULL; one = one->next)
            if (one->transport == transport && one->socket >= 0)
                soak_cut(one->socket);
        pthread_mutex_unlock(&lock);
        ssh_channel_free(task.channel);
    } else {
        finish(task.channel, 127);
    }
    ssh_request_free(request);
}

/* --- questions --------------------------------------------------------------------------------------- */

static void accept_it(ssh_request *request, void *unused)
{
    (void)unused;
    ssh_request_accept(request);
    ssh_request_free(request);
}

static void on_password(ssh_request *request, void *unused)
{
    (void)unused;
    size_t length = 0;
    const char *password = ssh_request_password(request, &length);
    if (password != NULL && length == strlen(PASSWORD) && memcmp(password, PASSWORD, length) == 0)
        ssh_request_accept(request);
    else
        ssh_request_refuse(request);
    ssh_request_free(request);
}

static void on_channel(ssh_request *request, void *unused)
{
    (void)unused;
    const char *kind = ssh_request_channel_kind(request);
    /* Not ssh_request_accept_channel(): what it gives is to be freed, also when no command comes or SFTP takes it over. */
    if (kind != NULL && strcmp(kind, "session") == 0)
        ssh_request_accept(request);
    ssh_request_free(request);
}

static void on_forward(ssh_request *request, void *unused)
{
    (void)unused;
    const char *where = ssh_request_destination(request, NULL);
    if (where != NULL && (strcmp(where, "127.0.0.1") == 0 || strcmp(where, "localhost") == 0))
        ssh_request_serve(request, NULL);
    ssh_request_free(request);
}

static void on_subsystem(ssh_request *request, void *unused)
{
    (void)unused;
    const char *name = ssh_request_name(request);
    if (name != NULL && strcmp(name, "sftp") == 0)
        ssh_request_accept_sftp(request, files, NULL);
    ssh_request_free(request);
}

static void make_server(const char *key_path, const char *root)
{
    static const struct {
        int32_t kind;
        void (*answer)(ssh_request *request, void *userdata);
    } answers[] = {{SSH_REQUEST_AUTH_KEY_ASKED, accept_it}, {SSH_REQUEST_AUTH_KEY_PROVEN, accept_it},
                   {SSH_REQUEST_AUTH_PASSWORD, on_password}, {SSH_REQUEST_CHANNEL_OPEN, on_channel},
                   {SSH_REQUEST_EXEC, on_exec},              {SSH_REQUEST_SUBSYSTEM, on_subsystem},
                   {SSH_REQUEST_CONNECT, on_forward},        {SSH_REQUEST_LISTEN, on_forward}};
    ssh_error *error = NULL;
    ssh_key *key = ssh_key_load_file(key_path, NULL, &error);
    server = ssh_server_new();
    files = ssh_sftp_server_new_directory(root, &error);
    if (key == NULL || server == NULL || files == NULL)
        soak_fail("server", error);
    bool good = ssh_server_add_key(server, key) == SSH_OK;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        good = good && ssh_server_set_callback(server, answers[i].kind, answers[i].answer, NULL, NULL) == SSH_OK;
    if (!good)
        soak_fail("server", NULL);
    ssh_key_free(key);
}

/* --- connections ------------------------------------------------------------------------------------- */

static void begin(ssh_transport *transport, int fd, ssh_event *started)
{
    struct connection *one = soak_memory(sizeof *one);
    *one = (struct connection){.transport = transport, .socket = fd};
    atomic_fetch_add(&open_now, 1);
    /* It may be over already: then it has an error like any other that has ended. One that is not started is not alive. */
    ssh_transport_start_server(transport, server, started, LIMIT_MS, NULL);
    pthread_mutex_lock(&lock);
    one->next = connections;
    connections = one;
    pthread_mutex_unlock(&lock);
    if (atomic_load(&leak) > 0) {
        /* Kept in a variable that the compiler may not do without. */
        static void *volatile lost;
        lost = soak_memory(atomic_load(&leak));
        memset(lost, 1, atomic_load(&leak));
    }
}

static void on_connection(ssh_listener *listener, ssh_transport *transport, void *started)
{
    (void)listener;
    begin(transport, -1, started);
}

struct raw {
    int listener;
    ssh_event *started;
};

static void *accept_raw(void *argument)
{
    const struct raw *raw = argument;
    for (;;) {
        int fd = accept4(raw->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            break;
        int second = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        ssh_error *error = NULL;
        ssh_transport *transport = ssh_transport_new(fd, &error);
        if (transport == NULL || second < 0)
            soak_fail("transport", error);
        begin(transport, second, raw->started);
    }
    return NULL;
}

/* Frees the transports that have ended, and notes why they did. */
static void sweep(void)
{
    struct connection *over = NULL, *one;
    pthread_mutex_lock(&lock);
    for (struct connection **place = &connections; (one = *place) != NULL;) {
        if (ssh_transport_is_alive(one->transport)) {
            place = &one->next;
        } else {
            *place = one->next;
            one->next = over;
            over = one;
        }
    }
    pthread_mutex_unlock(&lock);
    while ((one = over) != NULL) {
        over = one->next;
        ssh_error *error = ssh_transport_error(one->transport);
        ssh_status code = error == NULL ? SSH_OK : ssh_error_code(error);
        if (code <= 0 && -code < CODES)
            causes[-code]++;
        if (code == SSH_ERR_KEX || code == SSH_ERR_PROTOCOL || code == SSH_ERR_INTERNAL)
            fprintf(stderr, "a session ended with %s\n", ssh_error_message(error));
        ssh_error_free(error);
        ssh_transport_free(one->transport);
        if (one->socket >= 0)
            close(one->socket);
        free(one);
        atomic_fetch_sub(&open_now, 1);
        atomic_fetch_add(&ended, 1);
    }
}

static void print_figures(ssh_listener *listener)
{
    const char *comma = "";
    /* What the allocator could give back is not held. */
    malloc_trim(0);
    printf("{\"open\":%zu,\"ended\":%zu,\"tasks\":%zu,", atomic_load(&open_now), atomic_load(&ended), atomic_load(&tasks));
    if (listener != NULL)
        printf("\"shortages\":%" PRIu64 ",", ssh_listener_counter(listener, SSH_LISTENER_SHORTAGES));
    print_memory();
    printf(",\"causes\":{");
    for (int32_t code = 0; code < CODES; code++) {
        if (causes[code] > 0) {
            printf("%s\"%s\":%zu", comma, ssh_status_name(-code), causes[code]);
            comma = ",";
        }
    }
    printf("}}\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: server HOST_KEY ROOT\n");
        return 64;
    }
    uint16_t port = 0, raw_port = 0;
    ssh_error *error = NULL;
    ssh_event *started = ssh_event_new();
    ssh_listener *listener = ssh_listener_new();
    const char *lost = getenv("SOAK_LEAK");
    atomic_store(&leak, lost == NULL ? 0 : strtoul(lost, NULL, 10));
    make_server(argv[1], argv[2]);
    /* All come from one address, and leave as badly as they can. */
    if (listener == NULL || ssh_listener_add_exempt(listener, "127.0.0.1") != SSH_OK ||
        ssh_listener_set_callback(listener, on_connection, started, NULL) != SSH_OK ||
        ssh_listener_bind(listener, "127.0.0.1", 0, &port, &error) != SSH_OK)
        soak_fail("listener", error);
    static struct raw raw;
    raw = (struct raw){.listener = soak_listen(&raw_port), .started = started};
    pthread_t accepting;
    if (pthread_create(&accepting, NULL, accept_raw, &raw) != 0)
        soak_fail("no thread", NULL);
    printf("listening %u %u\n", port, raw_port);
    fflush(stdout);
    for (int waited = 0; !soak_is_over(500);) {
        sweep();
        waited += 500;
        if (waited >= FIGURES_MS) {
            print_figures(listener);
            waited = 0;
        }
    }
    ssh_listener_stop(listener);
    shutdown(raw.listener, SHUT_RDWR);
    pthread_join(accepting, NULL);
    close(raw.listener);
    /* The clients have left before. What a killed one has left behind ends by itself. */
    for (int waited = 0; (atomic_load(&open_now) > 0 || atomic_load(&tasks) > 0) && waited < LIMIT_MS; waited += 100) {
        usleep(100000);
        sweep();
    }
    ssh_listener_free(listener);
    ssh_server_free(server);
    ssh_sftp_server_free(files);
    ssh_event_free(started);
    print_figures(NULL);
    return 0;
}
