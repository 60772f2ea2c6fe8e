/* System calls that fail. A whole session in a process of its own, in which the nth call of a kind fails, for each n: it
 * succeeds or says what happened, nothing hangs, spins, crashes or is left open, and the next session in the same process
 * works.
 *
 *     faults                              some errors of each call, by turns
 *     faults all [STRIDE [FIRST [NAME]]]  each error of each call, for every STRIDEth n that is reached, behind the first
 *                                         FIRST; only of the call NAME
 *
 * Who makes the calls fail is the kernel, by seccomp's user notification: the library makes some of its calls without the C
 * library (rustix), so one that is preloaded would not see them, and another build of it would not be the one that is used.
 */
#include "whole.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { MS = 10000, MOST_ERRORS = 8, NOT_REACHED = 77, LEFT_OUT = 78, ANY = -1, SPARE_THREADS = 4, CPU_MS = 3000 };

/* Instead of an error: one byte is read or written and no more, by this call, or by all from this one on. */
enum { SHORT = 100000, SHORT_FROM_HERE };

/* Calls that the library makes, and errors that the kernel may give for them. Not reading and writing of eventfds, which
 * the kernel never refuses to those who do not wait, unless there is nothing to tell. */
typedef struct call {
    const char *name;
    int number;
    /* Only calls of which this argument has this value in these bits: others cannot fail so. */
    struct {
        int argument;
        unsigned bits, value;
    } only;
    int bound; /* the last n that is tried, unless all are */
    int times; /* how many calls in a row fail */
    int errors[MOST_ERRORS];
} call;

#define EVERY {ANY, 0, 0}
#define ONLY(argument, value) {argument, 0xffffffff, (unsigned)(value)}

static const call calls[] = {
    {"recvfrom", SYS_recvfrom, EVERY, 20, 1, {EINTR, EAGAIN, ECONNRESET, ENOMEM, ETIMEDOUT, SHORT, SHORT_FROM_HERE}},
    {"sendto", SYS_sendto, EVERY, 20, 1, {EINTR, EAGAIN, ECONNRESET, ENOBUFS, ENOMEM, EPIPE, SHORT, SHORT_FROM_HERE}},
    {"epoll_pwait", SYS_epoll_pwait, EVERY, 10, 1, {EINTR, ENOMEM}},
    {"ppoll", SYS_ppoll, EVERY, 10, 1, {EINTR, ENOMEM}},
    {"epoll_create1", SYS_epoll_create1, EVERY, 8, 1, {EMFILE, ENFILE, ENOMEM}},
    {"epoll_ctl", SYS_epoll_ctl, ONLY(1, EPOLL_CTL_ADD), 12, 1, {ENOMEM, ENOSPC}},
    {"epoll_ctl, again", SYS_epoll_ctl, ONLY(1, EPOLL_CTL_MOD), 8, 1, {ENOMEM}},
    {"eventfd2", SYS_eventfd2, EVERY, 12, 1, {EMFILE, ENFILE, ENOMEM}},
    {"getrandom", SYS_getrandom, EVERY, 12, 1, {EINTR, SHORT}},
    {"fcntl", SYS_fcntl, ONLY(1, F_DUPFD_CLOEXEC), 12, 1, {EMFILE, ENOMEM}},
    {"setsockopt", SYS_setsockopt, EVERY, 8, 1, {ENOBUFS, ENOMEM}},
    {"getsockopt", SYS_getsockopt, EVERY, 8, 1, {ENOBUFS}},
    {"getpeername", SYS_getpeername, EVERY, 8, 1, {ENOBUFS}},
    {"shutdown", SYS_shutdown, EVERY, 8, 1, {ENOTCONN}},
    {"close", SYS_close, EVERY, 20, 1, {EINTR, EIO, ENOSPC}},
    {"openat", SYS_openat, EVERY, 8, 1, {EMFILE, ENFILE, EINTR, ENOMEM}},
    {"openat2", SYS_openat2, EVERY, 8, 1, {EMFILE, ENFILE, EINTR, ENOMEM}},
    {"fstat", SYS_fstat, EVERY, 8, 1, {ENOMEM}},
    {"ftruncate", SYS_ftruncate, EVERY, 8, 1, {EINTR, ENOSPC}},
    {"pread64", SYS_pread64, EVERY, 8, 1, {EINTR, EIO, ENOMEM, SHORT, SHORT_FROM_HERE}},
    {"pwrite64", SYS_pwrite64, EVERY, 8, 1, {EINTR, ENOSPC, EIO, SHORT, SHORT_FROM_HERE}},
    /* Threads: none to be had, once and for a while, and no stack for one. */
    {"clone3", SYS_clone3, EVERY, 8, 1, {EAGAIN, ENOMEM}},
    {"clone3, often", SYS_clone3, EVERY, 8, 5, {EAGAIN}},
    {"mmap of stacks", SYS_mmap, {3, MAP_STACK, MAP_STACK}, 8, 1, {ENOMEM}},
};

/* What both processes see. */
typedef struct board {
    atomic_int listener, armed, reached;
    atomic_int standing; /* descriptors that stand where one was closed */
    int status;
    long cpu; /* milliseconds that the session took of processors */
    char step[32];
} board;

static board *common;

/* --- the process whose calls fail ------------------------------------------------------------------ */

/* Has the kernel ask about this call. Threads that are made from here on inherit it. */
static void watch(const call *c)
{
    int argument = c->only.argument == ANY ? 0 : c->only.argument;
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)c->number, 0, 4),
        /* The lower half of it, on machines where that comes first. */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(offsetof(struct seccomp_data, args) + 8U * (unsigned)argument)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, c->only.bits),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->only.value, 0, 1),
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

/* Time of processors, in milliseconds, that this process has used. */
static long cpu_milliseconds(void)
{
    struct timespec used;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
    return used.tv_sec * 1000L + used.tv_nsec / 1000000L;
}

/* Those that the session has opened, without what stands in the place of one that was closed, as if with an error. */
static int left_open(void)
{
    return descriptors() - atomic_load(&common->standing);
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
    int before = descriptors(), threads_before = threads();
    long cpu = cpu_milliseconds();
    atomic_store(&common->armed, 1);
    outcome o = session();
    atomic_store(&common->armed, 0);
    common->cpu = cpu_milliseconds() - cpu;
    common->status = o.status;
    snprintf(common->step, sizeof common->step, "%s", o.step);
    if (warm)
        comes_down(left_open, "descriptors", before);
    /* Whatever has happened, the next one works. */
    o = session();
    if (o.status != SSH_OK) {
        fprintf(stderr, "the session after it: %s fails with %s\n", o.step, ssh_status_name(o.status));
        exit(1);
    }
    before = left_open();
    o = session();
    if (o.status != SSH_OK) {
        fprintf(stderr, "the second session after it: %s fails with %s\n", o.step, ssh_status_name(o.status));
        exit(1);
    }
    comes_down(left_open, "descriptors", before);
    /* The pools keep a few threads for a while. */
    if (warm)
        comes_down(threads, "threads", threads_before + SPARE_THREADS);
    whole_end();
    exit(atomic_load(&common->reached) ? 0 : NOT_REACHED);
}

/* --- who decides -------------------------------------------------------------------------------------- */

/* Makes a call in the place of the other process, with one byte. What it gives goes into the answer. */
static bool shorten(const struct seccomp_notif *asked, struct seccomp_notif_resp *answer, int process)
{
    const unsigned long long *arguments = asked->data.args;
    bool random = asked->data.nr == SYS_getrandom;
    /* getrandom(buffer, length, flags), the others (descriptor, buffer, length, …). */
    unsigned long long there = arguments[random ? 0 : 1], length = arguments[random ? 1 : 2];
    if (length < 2)
        return false;
    int fd = random ? -1 : (int)syscall(SYS_pidfd_getfd, process, (int)arguments[0], 0);
    if (fd < 0 && !random)
        return false;
    unsigned char byte = 0;
    struct iovec here = {&byte, 1}, remote = {(void *)(uintptr_t)there, 1};
    pid_t thread = (pid_t)asked->pid;
    ssize_t done = -1;
    switch (asked->data.nr) {
    case SYS_recvfrom:
        done = recv(fd, &byte, 1, (int)arguments[3] | MSG_DONTWAIT);
        break;
    case SYS_pread64:
        done = pread(fd, &byte, 1, (off_t)arguments[3]);
        break;
    case SYS_getrandom:
        done = getrandom(&byte, 1, 0);
        break;
    default:
        CHECK(process_vm_readv(thread, &here, 1, &remote, 1, 0) == 1);
        done = asked->data.nr == SYS_sendto ? send(fd, &byte, 1, (int)arguments[3] | MSG_DONTWAIT)
                                            : pwrite(fd, &byte, 1, (off_t)arguments[3]);
    }
    int error = errno;
    bool reads = asked->data.nr != SYS_sendto && asked->data.nr != SYS_pwrite64;
    if (done > 0 && reads)
        CHECK(process_vm_writev(thread, &here, 1, &remote, 1, 0) == 1);
    if (fd >= 0)
        close(fd);
    answer->flags = 0;
    answer->val = done < 0 ? 0 : done;
    answer->error = done < 0 ? -error : 0;
    return true;
}

/* Linux closes a descriptor also where close() fails, so it must not stay: something that nobody cares for takes its place. */
static bool close_there(int listener, const struct seccomp_notif *asked)
{
    static int nothing = -1;
    if (nothing < 0)
        nothing = memfd_create("nothing", MFD_CLOEXEC);
    CHECK(nothing >= 0);
    struct seccomp_notif_addfd instead = {.id = asked->id,
                                          .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                          .srcfd = (unsigned)nothing,
                                          .newfd = (unsigned)asked->data.args[0],
                                          .newfd_flags = O_CLOEXEC};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &instead) < 0)
        return false;
    atomic_fetch_add(&common->standing, 1);
    return true;
}

/* What the kernel shall do with the nth call. False where it shall do as always. */
static bool fail(int listener, int process, const struct seccomp_notif *asked, int error, struct seccomp_notif_resp *answer)
{
    if (error >= SHORT)
        return shorten(asked, answer, process);
    if (asked->data.nr == SYS_close && !close_there(listener, asked))
        return false;
    answer->flags = 0;
    answer->error = -error;
    return true;
}

/* Answers the kernel until the process is over; its nth call fails, and so many more. */
static int decide(pid_t child, int n, int times, int error)
{
    int status, listener = -1, count = 0, process = (int)syscall(SYS_pidfd_open, child, 0);
    int last = error == SHORT_FROM_HERE ? INT_MAX : n + times - 1;
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
        if (atomic_load(&common->armed) && ++count >= n && count <= last && fail(listener, process, &asked, error, &answer))
            atomic_store(&common->reached, 1);
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    close(process);
    if (listener >= 0)
        close(listener);
    return status;
}

static int went_well, failed, differences;

static const char *describe(int error)
{
    switch (error) {
    case SHORT:
        return "one byte";
    case SHORT_FROM_HERE:
        return "one byte at a time";
    default:
        return strerror(error);
    }
}

/* False where there is no nth call. */
static bool check(const call *c, int n, int error, bool warm)
{
    memset(common, 0, sizeof *common);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        suffer(c, warm);
    int status = decide(child, n, c->times, error);
    if (WIFEXITED(status) && WEXITSTATUS(status) == LEFT_OUT) {
        fprintf(stderr, "LEFT OUT: this kernel or container has no seccomp user notification\n");
        exit(getenv("CI") != NULL);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_REACHED)
        return false;
    /* A timeout would be a call that nobody has woken. */
    bool precise = common->status == SSH_OK || (common->status < -200 && common->status != SSH_ERR_TIMEOUT);
    bool spins = common->cpu > CPU_MS * (long)slow();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !precise || spins) {
        fprintf(stderr, "%s, call %d, %s, %s: %s gives %s, after %ld ms of CPU; the process ends with %s %d\n", c->name, n,
                describe(error), warm ? "warm" : "cold", common->step, ssh_status_name(common->status), common->cpu,
                WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        differences++;
        return true;
    }
    if (common->status == SSH_OK)
        went_well++;
    else
        failed++;
    return true;
}

/* Each `stride`th call behind the first `first` with every error; without a stride, the first few with one error each. */
static void every(const call *c, int stride, int first, bool warm)
{
    int count = 0;
    while (count < MOST_ERRORS && c->errors[count] != 0)
        count++;
    for (int n = first + 1; stride > 0 || n <= c->bound; n += stride > 0 ? stride : 1)
        for (int i = 0; i < (stride > 0 ? count : 1); i++)
            if (!check(c, n, c->errors[stride > 0 ? i : n % count], warm))
                return;
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    int stride = !all ? 0 : argc > 2 ? atoi(argv[2]) : 1;
    int first = argc > 3 ? atoi(argv[3]) : 0;
    CHECK(!all || (stride > 0 && first >= 0));
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(common != MAP_FAILED);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int warm = 0; warm < 2; warm++) {
            if (argc > 4 && strcmp(argv[4], calls[i].name) != 0)
                continue;
            went_well = failed = 0;
            every(&calls[i], stride, first, warm);
            printf("%s, %s: %d sessions go well, %d fail as they should\n", calls[i].name, warm ? "warm" : "cold", went_well,
                   failed);
        }
    return differences == 0 ? 0 : 1;
}
