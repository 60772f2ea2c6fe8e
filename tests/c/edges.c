/* Data at the edges of what a program may pass, and the edges of the library's life: buffers that end where memory ends,
 * lengths that cannot be, text that is none; a process that ends with live sessions, the library closed, and loaded twice. */
#include "pair.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WAIT_MS (20000 * (int)slow())

/* --- data (case X10) -------------------------------------------------------------------------------- */

/* So many bytes right in front of memory that may not be touched. */
static char *at_the_end(size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (length + page - 1) / page;
    char *all = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(all != MAP_FAILED);
    CHECK(mprotect(all + pages * page, page, PROT_NONE) == 0);
    return all + pages * page - length;
}

static char *copied_to_the_end(const void *data, size_t length)
{
    return memcpy(at_the_end(length), data, length);
}

static void buffers_without_an_end(void)
{
    pair p;
    ssh_error *error = NULL;
    ssh_channel *there;
    size_t done = 0;
    pair_make(&p);
    pair_start(&p);
    char *password = copied_to_the_end("open sesame", 11);
    CHECK_OK(ssh_transport_auth_password(p.client, "alice", password, 11, false, NULL, WAIT_MS, &error), error);
    ssh_channel *channel = pair_session(&p, &there);
    const size_t sizes[] = {1, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *sent = at_the_end(sizes[i]), *received = at_the_end(sizes[i]);
        memset(sent, (int)('a' + i), sizes[i]);
        CHECK_STATUS(ssh_channel_write_all(channel, sent, sizes[i], NULL, WAIT_MS), SSH_OK);
        for (size_t got = 0; got < sizes[i]; got += done)
            CHECK_STATUS(ssh_channel_read(there, received + got, sizes[i] - got, &done, WAIT_MS), SSH_OK);
        CHECK(memcmp(sent, received, sizes[i]) == 0);
    }
    const char line[] = "data: no NUL behind it";
    char *data = copied_to_the_end(line, sizeof line - 1);
    void *signature = NULL;
    size_t length = 0;
    CHECK_STATUS(ssh_key_sign(p.host_key, NULL, data, sizeof line - 1, &signature, &length, &error), SSH_OK);
    char *moved = copied_to_the_end(signature, length);
    CHECK_STATUS(ssh_key_verify(p.host_key, "ssh-ed25519", line, sizeof line - 1, moved, length), SSH_OK);
    ssh_memory_free(signature);
    char *text = NULL;
    CHECK((text = ssh_key_private_text(p.host_key, SSH_KEY_FORMAT_OPENSSH, NULL, &error)) != NULL);
    char *file = copied_to_the_end(text, strlen(text));
    ssh_key *again = ssh_key_load(file, strlen(text), NULL, &error);
    CHECK(again != NULL && ssh_key_equals(again, p.host_key));
    ssh_key_free(again);
    /* Whatever is cut off, nothing behind the end is looked at. */
    for (size_t cut = 1; cut < strlen(text); cut += 7) {
        char *part = copied_to_the_end(text, strlen(text) - cut);
        ssh_key *none = ssh_key_load(part, strlen(text) - cut, NULL, NULL);
        ssh_key_free(none);
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        munmap((void *)((uintptr_t)part / page * page), 2 * page);
    }
    ssh_memory_free(text);

    /* Lengths that no memory has. */
    CHECK_STATUS(ssh_channel_write(channel, "x", SIZE_MAX, &done, 0), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_channel_read(channel, &done, SIZE_MAX, &length, 0), SSH_ERR_INVALID_ARG);
    CHECK_STATUS(ssh_key_verify(p.host_key, "ssh-ed25519", "x", SIZE_MAX, "x", 1), SSH_ERR_INVALID_ARG);
    CHECK(ssh_key_load("x", SIZE_MAX, NULL, NULL) == NULL);
    ssh_channel_free(channel);
    ssh_channel_free(there);
    pair_free(&p);
}

/* Sees a password with a NUL in it as a whole, and a name that is no UTF-8 not at all. */
static void text_that_is_none(void)
{
    pair p;
    ssh_error *error = NULL;
    pair_make(&p);
    pair_start(&p);
    CHECK_STATUS(ssh_transport_auth_password(p.client, "\xff\xfe", "x", 1, false, NULL, WAIT_MS, &error),
                 SSH_ERR_INVALID_ARG);
    ssh_error_free(error);
    const char longer[] = "open sesame\0and more";
    CHECK_STATUS(ssh_transport_auth_password(p.client, "alice", longer, sizeof longer, false, NULL, WAIT_MS, &error),
                 SSH_ERR_AUTH);
    ssh_error_free(error);
    CHECK_OK(ssh_transport_auth_password(p.client, "alice", longer, 11, false, NULL, WAIT_MS, &error), error);
    ssh_channel *channel = ssh_transport_open_session(p.client, WAIT_MS, &error);
    CHECK(channel != NULL);
    /* A command is bytes to the other side's shell, and goes there as it is. */
    CHECK_OK(ssh_channel_request_exec(channel, "\xc0\xaf", WAIT_MS, &error), error);
    ssh_channel_free(channel);
    pair_free(&p);
}

/* --- life (case X12) -------------------------------------------------------------------------------- */

/* A program that ends while sessions are alive and calls wait in other threads. */
static void *waits(void *channel)
{
    char byte;
    size_t done;
    ssh_channel_read(channel, &byte, 1, &done, SSH_TIMEOUT_FOREVER);
    return NULL;
}

static void ends_with_live_sessions(bool returns)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        static pair p[4];
        ssh_channel *there;
        pthread_t thread;
        for (size_t i = 0; i < 4; i++) {
            pair_make(&p[i]);
            pair_login(&p[i]);
            CHECK(pthread_create(&thread, NULL, waits, pair_session(&p[i], &there)) == 0);
        }
        if (returns)
            exit(0);
        quick_exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void many_lives(void)
{
    for (int i = 0; i < 200; i++) {
        pair p;
        pair_make(&p);
        if (i % 10 == 0)
            pair_login(&p);
        pair_free(&p);
    }
}

/* The file of the library that this program runs with. */
static const char *library(void)
{
    static char path[PATH_MAX];
    Dl_info info;
    void *self = dlsym(RTLD_DEFAULT, "ssh_version_number");
    CHECK(self != NULL && dladdr(self, &info) != 0);
    CHECK(realpath(info.dli_fname, path) != NULL);
    return path;
}

static void copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    static char buffer[1 << 16];
    ssize_t got;
    CHECK(in >= 0 && out >= 0);
    while ((got = read(in, buffer, sizeof buffer)) > 0)
        CHECK(write(out, buffer, (size_t)got) == got);
    CHECK(got == 0 && close(in) == 0 && close(out) == 0);
}

/* A second copy has threads, handles and transports of its own; handles of one are none to the other. It stays in the process
 * when it is closed, for its threads do. */
static void two_copies(void)
{
    char folder[] = "/tmp/sshwire-edges-XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/copy.so", folder);
    copy(library(), path);
    void *other = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (other == NULL)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(other != NULL);
    unlink(path);
    rmdir(folder);
    ssh_transport *(*other_new)(int32_t, ssh_error **) = NULL;
    ssh_status (*other_start)(ssh_transport *, ssh_event *, int32_t, ssh_error **) = NULL;
    void (*other_free)(ssh_transport *) = NULL;
    void (*other_error_free)(ssh_error *) = NULL;
    *(void **)&other_new = dlsym(other, "ssh_transport_new");
    *(void **)&other_start = dlsym(other, "ssh_transport_start_client");
    *(void **)&other_free = dlsym(other, "ssh_transport_free");
    *(void **)&other_error_free = dlsym(other, "ssh_error_free");
    CHECK(other_new != NULL && other_start != NULL && other_free != NULL && other_error_free != NULL);
    CHECK(dlsym(other, "ssh_transport_new") != dlsym(RTLD_DEFAULT, "ssh_transport_new"));
    int fds[2];
    sockets(fds);
    ssh_error *error = NULL;
    ssh_transport *theirs = other_new(fds[0], &error), *ours = ssh_transport_new(fds[1], &error);
    CHECK(theirs != NULL && ours != NULL);
    /* Two clients have nothing to say to each other; that each hears the other's first line is enough. */
    CHECK_STATUS(ssh_transport_start_client(ours, NULL, 300, &error), SSH_ERR_TIMEOUT);
    ssh_error_free(error);
    error = NULL;
    CHECK(other_start(theirs, NULL, 300, &error) < 0);
    other_error_free(error);
    CHECK(!ssh_transport_is_active(theirs));
    other_free(theirs);
    ssh_transport_free(ours);
    CHECK(dlclose(other) == 0);
    many_lives();
    pair p;
    pair_make(&p);
    pair_login(&p);
    pair_free(&p);
}

int main(void)
{
    watchdog(120);
    ends_with_live_sessions(true);
    ends_with_live_sessions(false);
    buffers_without_an_end();
    text_that_is_none();
    many_lives();
    two_copies();
    puts("edges: ok");
    return 0;
}
