#define _GNU_SOURCE
#include "forwards.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../xauth.h"
#include "logging.h"

#define MOST_FORWARDS 256

struct forward {
    ssh_forward *handle;
    char kind;
    char *described;
};

struct place {
    const char *host; /* NULL: GatewayPorts decides; or SOCKS, for a target */
    uint16_t port;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by the lock. */
static struct forward forwards[MOST_FORWARDS];
static size_t count;
/* Whether programs of the session may open channels to this side. */
static bool offers;
/* Nobody knows whose the host key is. Set before the session begins. */
static bool is_withheld;

static void describe(char *text, size_t room, const char *host, uint16_t port)
{
    if (host[0] == '/')
        snprintf(text, room, "%s", host);
    else
        snprintf(text, room, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", *host != '\0' ? host : "*", port);
}

static void keep(ssh_forward *handle, char kind, const char *from, const char *to)
{
    char *described = NULL;
    if (asprintf(&described, "%s %s -> %s", kind == 'R' ? "there" : "here", from, to) < 0)
        described = NULL;
    pthread_mutex_lock(&lock);
    if (count < MOST_FORWARDS) {
        forwards[count++] = (struct forward){handle, kind, described};
        handle = NULL;
        described = NULL;
    }
    pthread_mutex_unlock(&lock);
    ssh_forward_free(handle);
    free(described);
}

char *forwards_permitted(const ssh_config_host *host)
{
    const char *place;
    char *all = strdup("");
    for (size_t i = 0; all != NULL && (place = ssh_config_host_get(host, "PermitRemoteOpen", i)) != NULL; i++) {
        char *longer = NULL;
        if (asprintf(&longer, "%s %s", all, place) < 0)
            longer = NULL;
        free(all);
        all = longer;
    }
    return all;
}

static ssh_forward *begin_remote_dynamic(ssh_transport *transport, const ssh_config_host *host, struct place listen,
                                         ssh_error **error)
{
    char *permitted = forwards_permitted(host);
    ssh_forward *handle =
        ssh_forward_remote_dynamic(transport, listen.host, listen.port, permitted, SSH_TIMEOUT_DEFAULT, error);
    free(permitted);
    return handle;
}

static bool begin(ssh_transport *transport, const ssh_config_host *host, char kind, struct place listen,
                  struct place target)
{
    ssh_error *error = NULL;
    ssh_forward *handle;
    char from[400], to[400] = "wherever SOCKS says";
    if (target.host != NULL)
        describe(to, sizeof to, target.host, target.port);
    if (kind == 'L')
        handle = ssh_forward_local(transport, listen.host, listen.port, target.host, target.port, &error);
    else if (kind == 'D')
        handle = ssh_forward_dynamic(transport, listen.host, listen.port, &error);
    else if (target.host == NULL)
        handle = begin_remote_dynamic(transport, host, listen, &error);
    else
        handle = ssh_forward_remote(transport, listen.host, listen.port, target.host, target.port, SSH_TIMEOUT_DEFAULT,
                                    &error);
    describe(from, sizeof from, listen.host, handle != NULL ? ssh_forward_port(handle) : listen.port);
    if (handle == NULL) {
        note(LEVEL_ERROR, "%s %s cannot be forwarded to %s: %s", kind == 'R' ? "there" : "here", from, to,
             ssh_error_message(error));
        ssh_error_free(error);
        return false;
    }
    if (kind == 'R' && listen.port == 0 && listen.host[0] != '/')
        note(LEVEL_INFO, "Allocated port %u for remote forward to %s", ssh_forward_port(handle), to);
    note(LEVEL_VERBOSE, "forwarding %s %s -> %s", kind == 'R' ? "there" : "here", from, to);
    keep(handle, kind, from, to);
    return true;
}

/* Where a forwarding listens, as the library and servers have it: the empty address stands for all. */
static const char *place_to_listen(const ssh_config_host *host, char kind, const char *address)
{
    if (address == NULL)
        return kind != 'R' && ssh_config_host_is_yes(host, "GatewayPorts") ? "" : "localhost";
    return strcmp(address, "*") == 0 ? "" : address;
}

static bool begin_kind(ssh_transport *transport, const ssh_config_host *host, int32_t kind, char letter)
{
    struct place listen, target;
    bool good = true;
    for (size_t i = 0; ssh_config_host_forward(host, kind, i, &listen.host, &listen.port, &target.host, &target.port) ==
                       SSH_OK;
         i++) {
        listen.host = place_to_listen(host, letter, listen.host);
        if (letter != 'R' && listen.host[0] == '/' && ssh_config_host_is_yes(host, "StreamLocalBindUnlink"))
            unlink(listen.host);
        good = begin(transport, host, letter, listen, target) && good;
    }
    return good;
}

static const char no_ports[] = "Port forwarding is disabled to avoid man-in-the-middle attacks.";

static bool wants_ports(const ssh_config_host *host)
{
    static const int32_t kinds[] = {SSH_CONFIG_FORWARD_LOCAL, SSH_CONFIG_FORWARD_DYNAMIC, SSH_CONFIG_FORWARD_REMOTE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (ssh_config_host_forward(host, kinds[i], 0, NULL, NULL, NULL, NULL) == SSH_OK)
            return true;
    return false;
}

static bool wants_agent(const ssh_config_host *host)
{
    const char *forwarded = ssh_config_host_get(host, "ForwardAgent", 0);
    return forwarded != NULL && strcmp(forwarded, "no") != 0;
}

bool forwards_withhold(const ssh_config_host *host)
{
    bool agent = wants_agent(host), display = ssh_config_host_is_yes(host, "ForwardX11"), ports = wants_ports(host);
    is_withheld = true;
    if (agent)
        note(LEVEL_ERROR, "Agent forwarding is disabled to avoid man-in-the-middle attacks.");
    if (display)
        note(LEVEL_ERROR, "X11 forwarding is disabled to avoid man-in-the-middle attacks.");
    if (ports)
        note(LEVEL_ERROR, "%s", no_ports);
    /* For ssh it is the same when a password could have been sent and was not. */
    return agent || display || ports || ssh_config_host_is_yes(host, "PasswordAuthentication") ||
           ssh_config_host_is_yes(host, "KbdInteractiveAuthentication");
}

bool forwards_begin(ssh_transport *transport, const ssh_config_host *host)
{
    if (is_withheld) {
        /* The library would refuse, too, with more words. */
        note(LEVEL_ERROR, "%s", no_ports);
        return false;
    }
    bool good = begin_kind(transport, host, SSH_CONFIG_FORWARD_LOCAL, 'L');
    good = begin_kind(transport, host, SSH_CONFIG_FORWARD_DYNAMIC, 'D') && good;
    return begin_kind(transport, host, SSH_CONFIG_FORWARD_REMOTE, 'R') && good;
}

/*
 * The agent and the display
 */

static void offer_agent(ssh_channel *channel, const ssh_config_host *host)
{
    ssh_error *error = NULL;
    if (!wants_agent(host))
        return;
    if (ssh_config_host_request_agent_forward(host, channel, SSH_TIMEOUT_DEFAULT, &error) == SSH_OK)
        offers = true;
    else
        note(LEVEL_VERBOSE, "the agent is not forwarded: %s", ssh_error_message(error));
    ssh_error_free(error);
}

static void offer_display(ssh_channel *channel, const ssh_config_host *host)
{
    ssh_error *error = NULL;
    unsigned char cookie[256];
    const char *display = getenv("DISPLAY"), *xauth = ssh_config_host_get(host, "XAuthLocation", 0);
    size_t length;
    if (!ssh_config_host_is_yes(host, "ForwardX11"))
        return;
    if (display == NULL || *display == '\0') {
        note(LEVEL_VERBOSE, "DISPLAY is not set, so there is no display to forward");
        return;
    }
    if (xauth == NULL)
        xauth = "xauth";
    if (ssh_config_host_is_yes(host, "ForwardX11Trusted")) {
        length = read_cookie(xauth, display, cookie, sizeof cookie);
        if (length == 0)
            note(LEVEL_INFO, "Warning: No xauth data; using fake authentication data for X11 forwarding.");
    } else {
        unsigned seconds = (unsigned)ssh_config_host_number(host, "ForwardX11Timeout", 1200);
        length = untrusted_cookie(xauth, display, seconds, cookie, sizeof cookie);
        if (length == 0) {
            note(LEVEL_INFO, "Warning: untrusted X11 forwarding setup failed: xauth key data not generated (-Y asks for "
                             "a trusted one)");
            return;
        }
    }
    const char *dot = strrchr(display, '.');
    uint32_t screen = dot != NULL && strchr(dot, ':') == NULL ? (uint32_t)strtoul(dot + 1, NULL, 10) : 0;
    if (ssh_channel_request_x11(channel, display, length > 0 ? cookie : NULL, length, screen, false,
                                SSH_TIMEOUT_DEFAULT, NULL, &error) == SSH_OK)
        offers = true;
    else
        note(LEVEL_INFO, "X11 forwarding request failed: %s", ssh_error_message(error));
    ssh_error_free(error);
}

void forwards_offer(ssh_channel *channel, const ssh_config_host *host)
{
    if (is_withheld)
        return;
    offer_display(channel, host);
    offer_agent(channel, host);
}

/*
 * What becomes of them
 */

static bool are_active(ssh_transport *transport)
{
    uint64_t active = 0, figures[SSH_STATISTIC_COUNT] = {0};
    bool any = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++)
        if (ssh_forward_counters(forwards[i].handle, NULL, &active, NULL, NULL, NULL) == SSH_OK && active > 0)
            any = true;
    pthread_mutex_unlock(&lock);
    if (offers && ssh_transport_statistics(transport, figures, SSH_STATISTIC_COUNT) == SSH_OK)
        any = any || figures[SSH_STATISTIC_CHANNELS] > 0;
    return any;
}

void forwards_wait(ssh_transport *transport)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000000L};
    bool told = false;
    while (ssh_transport_is_active(transport) && are_active(transport)) {
        if (!told)
            note(LEVEL_VERBOSE, "waiting for connections that are forwarded to end");
        told = true;
        nanosleep(&pause, NULL);
    }
}

void forwards_show(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        uint64_t connections = 0, active = 0, failed = 0;
        ssh_forward_counters(forwards[i].handle, &connections, &active, &failed, NULL, NULL);
        note(LEVEL_FATAL, "  %s: %" PRIu64 " open, %" PRIu64 " in all, %" PRIu64 " failed", forwards[i].described,
             active, connections, failed);
    }
    pthread_mutex_unlock(&lock);
}

bool forwards_end_one(const ssh_config_host *host, char kind)
{
    struct place listen;
    char from[400], beginning[420];
    bool found = false;
    if (ssh_config_host_forward(host, SSH_CONFIG_FORWARD_DYNAMIC, 0, &listen.host, &listen.port, NULL, NULL) != SSH_OK)
        return false;
    describe(from, sizeof from, place_to_listen(host, kind, listen.host), listen.port);
    snprintf(beginning, sizeof beginning, "%s %s -> ", kind == 'R' ? "there" : "here", from);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && !found; i++)
        /* Connections that are open stay, so the handle does too. */
        found = forwards[i].kind == kind && ssh_forward_is_listening(forwards[i].handle) &&
                forwards[i].described != NULL && strncmp(forwards[i].described, beginning, strlen(beginning)) == 0 &&
                ssh_forward_stop(forwards[i].handle) == SSH_OK;
    pthread_mutex_unlock(&lock);
    return found;
}

void forwards_end(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        ssh_forward_free(forwards[i].handle);
        free(forwards[i].described);
    }
    count = 0;
    pthread_mutex_unlock(&lock);
}
