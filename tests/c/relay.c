/* A session whose bytes pass through a relay, which cuts, resets, delays, crumbles or stalls them at a chosen place: a
 * handshake, a login, a command with data both ways, a file written over SFTP. Whatever the place, the client's call that
 * is under way succeeds or says what happened, never later than it must, and nothing is left behind.
 *
 *     relay                        the end of each piece that a side writes, a byte before and after it, and some by chance
 *     relay all [STRIDE [FIRST]]   every STRIDEth place from FIRST on, and each end of a piece
 */
#include "whole.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

enum { STALL_MS = 700, CRUMBS_BYTES = 64, MAX_ENDS = 400 };

/* --- the relay ----------------------------------------------------------------------------------- */

typedef enum action { CARRY, CUT, RESET, PAUSE, CRUMBLE, STALL } action;
static const char *const action_names[] = {"carry", "cut", "reset", "pause", "crumble", "stall"};

/* Direction 0 is from the client to the server. */
typedef struct relay {
    int ends[2]; /* the relay's end of the client's connection, and of the server's */
    action action;
    int direction;
    long place;
    long carried[2];
    long pieces[2][MAX_ENDS]; /* where pieces ended */
    int piece_count[2];
    bool done;
    atomic_int stop;
} relay;

static void give(int fd, const char *data, ssize_t length, ssize_t piece)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, (size_t)(piece < length ? piece : length), MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* nobody takes it any more */
        data += sent;
        length -= sent;
    }
}

static void part(relay *r, bool rudely)
{
    for (int i = 0; i < 2; i++) {
        struct linger now = {1, 0};
        if (rudely)
            CHECK(setsockopt(r->ends[i], SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
        close(r->ends[i]);
        r->ends[i] = -1;
    }
}

/* Does what is to be done at the place; false where nothing is carried any more. */
static bool act(relay *r)
{
    if (r->done || r->action == CARRY || r->carried[r->direction] < r->place)
        return true;
    r->done = true;
    switch (r->action) {
    case CUT:
    case RESET:
        part(r, r->action == RESET);
        return false;
    case PAUSE:
        usleep(30000);
        return true;
    case STALL:
        while (!atomic_load(&r->stop))
            usleep(20000);
        return false;
    default:
        return true;
    }
}

/* Carries what has come from one side, as far as the place. False at the end. */
static bool carry(relay *r, int from)
{
    char buffer[65536];
    size_t most = sizeof buffer;
    bool crumbles = r->done && r->action == CRUMBLE && r->carried[r->direction] < r->place + CRUMBS_BYTES;
    if (!r->done && r->action != CARRY && from == r->direction && r->place - r->carried[from] < (long)most)
        most = (size_t)(r->place - r->carried[from]);
    ssize_t got = recv(r->ends[from], buffer, most, 0);
    if (got <= 0) {
        shutdown(r->ends[!from], SHUT_WR);
        return false;
    }
    give(r->ends[!from], buffer, got, crumbles ? 1 : got);
    r->carried[from] += got;
    if (r->piece_count[from] < MAX_ENDS)
        r->pieces[from][r->piece_count[from]++] = r->carried[from];
    return true;
}

static void *relaying(void *argument)
{
    relay *r = argument;
    bool open[2] = {true, true};
    while ((open[0] || open[1]) && !atomic_load(&r->stop)) {
        if (!act(r))
            break;
        struct pollfd ready[2] = {{open[0] ? r->ends[0] : -1, POLLIN, 0}, {open[1] ? r->ends[1] : -1, POLLIN, 0}};
        if (poll(ready, 2, 100) <= 0)
            continue;
        for (int from = 0; from < 2; from++) {
            if (ready[from].revents == 0)
                continue;
            open[from] = carry(r, from);
            if (!act(r))
                goto out;
        }
    }
out:
    if (r->ends[0] >= 0)
        part(r, false);
    return NULL;
}

/* Two ends of a TCP connection. */
static void connected(int both[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    both[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(both[0] >= 0 && connect(both[0], (struct sockaddr *)&address, sizeof address) == 0);
    both[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(both[1] >= 0);
    CHECK(setsockopt(both[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
    close(listener);
}

static outcome session(relay *r)
{
    int client_ends[2], server_ends[2];
    pthread_t thread;
    connected(client_ends);
    connected(server_ends);
    r->ends[0] = client_ends[1];
    r->ends[1] = server_ends[1];
    CHECK(pthread_create(&thread, NULL, relaying, r) == 0);
    outcome o = whole_session(client_ends[0], server_ends[0], r->action == STALL ? STALL_MS : LONG_MS);
    atomic_store(&r->stop, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    return o;
}

/* --- what must hold -------------------------------------------------------------------------------- */

static long cpu_milliseconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * 1000L + used.tv_nsec / 1000000L;
}

/* A cut is noticed when it happens, and not when a call's time is over. */
static bool fits(action a, ssh_status status)
{
    switch (a) {
    case CUT:
    case RESET:
        return status == SSH_OK || status == SSH_ERR_CONN_LOST || status == SSH_ERR_IO || status == SSH_ERR_DISCONNECTED;
    case STALL:
        return status == SSH_OK || status == SSH_ERR_TIMEOUT;
    default:
        return status == SSH_OK;
    }
}

static int open_before;
static int went_well[STALL + 1], failed[STALL + 1];

static void check(action a, int direction, long place)
{
    relay r = {.action = a, .direction = direction, .place = place};
    long cpu = cpu_milliseconds();
    outcome o = session(&r);
    if (!fits(a, o.status)) {
        fprintf(stderr, "%s at byte %ld %s: %s fails with %s\n", action_names[a], place,
                direction == 0 ? "to the server" : "to the client", o.step, ssh_status_name(o.status));
        exit(1);
    }
    if (o.status == SSH_OK)
        went_well[a]++;
    else
        failed[a]++;
    /* Waiting costs nothing. The session itself does, so the bound is generous: whoever spins uses all of the time. */
    if (a == STALL && slow() == 1)
        CHECK(cpu_milliseconds() - cpu < STALL_MS / 2 + 200);
    comes_down(descriptors, "descriptors", open_before);
}

static unsigned long dice = 1;

static long roll(long sides)
{
    dice = dice * 6364136223846793005UL + 1442695040888963407UL;
    return (long)((dice >> 33) % (unsigned long)sides);
}

static void ends_of_pieces(const relay *clean)
{
    int turn = 0;
    for (int direction = 0; direction < 2; direction++)
        for (int i = 0; i < clean->piece_count[direction]; i++)
            for (int aside = -1; aside <= 1; aside++) {
                long place = clean->pieces[direction][i] + aside;
                check(turn++ % 2 == 0 ? CUT : RESET, direction, place);
            }
}

static void some_places(const relay *clean)
{
    ends_of_pieces(clean);
    for (int direction = 0; direction < 2; direction++) {
        long total = clean->carried[direction];
        for (int i = 0; i < 20; i++)
            check(i % 2 == 0 ? CUT : RESET, direction, roll(total));
        for (int i = 0; i < 6; i++) {
            check(PAUSE, direction, roll(total));
            check(CRUMBLE, direction, roll(total));
        }
        for (int i = 0; i < 4; i++)
            check(STALL, direction, roll(total));
    }
}

static void all_places(const relay *clean, long stride, long first)
{
    ends_of_pieces(clean);
    for (int direction = 0; direction < 2; direction++) {
        long turn = 0;
        for (long place = first; place <= clean->carried[direction] + 1; place += stride, turn++) {
            check(CUT, direction, place);
            check(RESET, direction, place);
            if (turn % 7 == 0) {
                check(CRUMBLE, direction, place);
                check(PAUSE, direction, place);
            }
            if (turn % 50 == 0)
                check(STALL, direction, place);
        }
    }
}

int main(int argc, char **argv)
{
    bool all = argc > 1 && strcmp(argv[1], "all") == 0;
    long stride = argc > 2 ? atol(argv[2]) : 1, first = argc > 3 ? atol(argv[3]) : 0;
    relay clean = {.action = CARRY};
    CHECK(stride > 0 && first >= 0);
    watchdog(all ? 7200 : 240);
    whole_begin();
    /* Threads and descriptors that stay are there after the first session. */
    for (int i = 0; i < 3; i++) {
        relay again = {.action = CARRY};
        CHECK(session(&again).status == SSH_OK);
    }
    usleep(200000);
    open_before = descriptors();
    int threads_before = threads();
    CHECK(session(&clean).status == SSH_OK);
    printf("%ld bytes to the server in %d pieces, %ld to the client in %d\n", clean.carried[0], clean.piece_count[0],
           clean.carried[1], clean.piece_count[1]);
    if (all)
        all_places(&clean, stride, first);
    else
        some_places(&clean);
    for (int a = CUT; a <= STALL; a++) {
        printf("%s: %d fail as they should, %d go well\n", action_names[a], failed[a], went_well[a]);
        CHECK(failed[a] + went_well[a] > 0 && (failed[a] > 0) == (a == CUT || a == RESET || a == STALL));
    }
    /* The pool may keep a few threads for a while. */
    comes_down(threads, "threads", threads_before + 4);
    whole_end();
    return 0;
}
