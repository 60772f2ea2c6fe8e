/* System calls that fail. A whole session in a process of its own, in which the nth call of a kind fails, for each n: it
 * succeeds or says what happened, nothing hangs, crashes or is left open, and the next session in the same process works.
 *
 *     faults         some errors of each call, by turns
 *     faults all     each error of each call, for every n that is reached
 *
 * Who makes the calls fail is the kernel, by seccomp's user notification: the library makes some of its calls without the C
 * library (rustix), so one that is preloaded would not see them, and another build of it would not be the one that is used.
 */
#include "whole.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MS = 10000, MOST_ERRORS = 6, NOT_REACHED = 77, LEFT_OUT = 78 };

/* Calls that the library makes, and errors that the kernel may give for them. Not reading and writing of eventfds, which
 * the kernel never refuses to those who do not wait, unless there is nothing to tell. */
typedef struct call {
    const char *name;
    int number;
    int second; /* only with this second argument, where it is not 0: others cannot fail so */
    int bound;  /* the last n that is tried, unless all are */
    int errors[MOST_ERRORS];
} call;

static const call calls[] = {
    {"recvfrom", SYS_recvfrom, 0, 20, {EINTR, EAGAIN, ECONNRESET, ENOMEM, ETIMEDOUT}},
    {"sendto", SYS_sendto, 0, 20, {EINTR, EAGAIN, ECONNRESET, ENOBUFS, ENOMEM, EPIPE}},
    {"epoll_pwait", SYS_epoll_pwait, 0, 10, {EINTR}},
    {"ppoll", SYS_ppoll, 0, 10, {EINTR}},
    {"epoll_create1", SYS_epoll_create1, 0, 8, {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", SYS_epoll_ctl, EPOLL_CTL_ADD, 12, {ENOMEM, ENOSPC}},
    {"eventfd2", SYS_eventfd2, 0, 12, {EMFILE, ENFILE, ENOMEM}},
    {"getrandom", SYS_getrandom, 0, 12, {EINTR}},
    {"fcntl", SYS_fcntl, F_DUPFD_CLOEXEC, 12, {EMFILE, ENOMEM}},
    {"setsockopt", SYS_setsockopt, 0, 8, {ENOBUFS, ENOMEM}},
    {"getsockopt", SYS_getsockopt, 0, 8, {ENOBUFS}},
    {"getpeername", SYS_getpeername, 0, 8, {ENOBUFS}},
    {"shutdown", SYS_shutdown, 0, 8, {ENOTCONN}},
    {"openat", SYS_openat, 0, 8, {EMFILE, ENFILE, EINTR, ENOMEM}},
    {"openat2", SYS_openat2, 0, 8, {EMFILE, ENFILE, EINTR, ENOMEM}},
    {"fstat", SYS_fstat, 0, 8, {ENOMEM}},
    {"ftruncate", SYS_ftruncate, 0, 8, {EINTR, ENOSPC}},
    {"pwrite64", SYS_pwrite64, 0, 8, {EINTR, ENOSPC, EIO}},
};

/* What both processes see. */
typedef struct board {
    atomic_int listener, armed, reached;
    int status;
    char step[32];
} board;

static board *common;

/* --- the process whose calls fail ------------------------------------------------------------------ */

/* Has the kernel ask about this call. Threads that are made from here on inherit it. */
static void watch(const call *c)
{
    /* A call whose second argument does not matter is taken for one that has the right one. */
    const unsigned char any = c->second == 0 ? 1 : 0;
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)c->number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)c->second, 0, !any),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0)
        _exit(LEFT_OUT);
    atomic_store(&common->listener, (int)listener + 1);
}

static outcome session(void)
{
    int ends[2];
    sockets(ends);
    return whole_session(ends[0], ends[1], MS);
}

/* `warm`: the library has its threads already when a call fails. */
static void suffer(const call *c, bool warm)
{
    watchdog(60);
    watch(c);
    whole_begin();
    if (warm)
        CHECK(session().status == SSH_OK);
    int before = descriptors();
    atomic_store(&common->armed, 1);
    outcome o = session();
    atomic_store(&common->armed, 0);
    common->status = o.status;
    snprintf(common->step, sizeof common->step, "%s", o.step);
    if (warm)
        comes_down(descriptors, "descriptors", before);
    /* Whatever has happened, the next one works. */
    o = session();
    if (o.status != SSH_OK) {
        fprintf(stderr, "the session after it: %s fails with %s\n", o.step, ssh_status_name(o.status));
        exit(1);
    }
    before = descriptors();
    CHECK(session().status == SSH_OK);
    comes_down(descriptors, "descriptors", before);
    whole_end();
    exit(atomic_load(&common->reached) ? 0 : NOT_REACHED);
}

/* --- who decides -------------------------------------------------------------------------------------- */

/* Answers the kernel until the process is over; its nth call fails. */
static int decide(pid_t child, int n, int error)
{
    int status, listener = -1, count = 0, process = (int)syscall(SYS_pidfd_open, child, 0);
    CHECK(process >= 0);
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (listener < 0 && atomic_load(&common->listener) > 0) {
            listener = (int)syscall(SYS_pidfd_getfd, process, atomic_load(&common->listener) - 1, 0);
            CHECK(listener >= 0);
        }
        struct pollfd ready[2] = {{listener, POLLIN, 0}, {process, POLLIN, 0}};
        if (poll(ready, 2, listener < 0 ? 1 : 1000) <= 0 || !(ready[0].revents & POLLIN))
            continue;
        struct seccomp_notif asked;
        struct seccomp_notif_resp answer;
        memset(&asked, 0, sizeof asked);
        memset(&answer, 0, sizeof answer);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
            continue; /* a signal has ended the call */
        answer.id = asked.id;
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        if (atomic_load(&common->armed) && ++count == n) {
            answer.flags = 0;
            answer.error = -error;
            atomic_store(&common->reached, 1);
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    close(process);
    if (listener >= 0)
        close(listener);
    return status;
}

static int went_well, failed;

/* False where there is no nth call. */
static bool check(const call *c, int n, int error, bool warm)
{
    memset(common, 0, sizeof *common);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        suffer(c, warm);
    int status = decide(child, n, error);
    if (WIFEXITED(status) && WEXITSTATUS(status) == LEFT_OUT) {
        fprintf(stderr, "LEFT OUT: this kernel or container has no seccomp user notification\n");
        exit(getenv("CI") != NULL);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_REACHED)
        return false;
    /* A timeout would be a call that nobody has woken. */
    bool precise = common->status == SSH_OK || (common->status < -200 && common->status != SSH_ERR_TIMEOUT);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !precise) {
        fprintf(stderr, "%s, call %d, %s, %s: %s gives %s; the process ends with %s %d\n", c->name, n, strerror(error),
                warm ? "warm" : "cold", common->step, ssh_status_name(common->status),
                WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        exit(1);
    }
    if (common->status == SSH_OK)
        went_well++;
    else
        failed++;
    return true;
}

static void every(const call *c, bool all, bool warm)
{
    int count = 0;
    while (count < MOST_ERRORS && c->errors[count] != 0)
        count++;
    for (int n = 1; all || n <= c->bound; n++)
        for (int i = 0; i < (all ? count : 1); i++)
            if (!check(c, n, c->errors[all ? i : n % count], warm))
                return;
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(common != MAP_FAILED);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int warm = 0; warm < 2; warm++) {
            went_well = failed = 0;
            every(&calls[i], all, warm);
            printf("%s, %s: %d sessions go well, %d fail as they should\n", calls[i].name, warm ? "warm" : "cold", went_well,
                   failed);
        }
    return 0;
}
