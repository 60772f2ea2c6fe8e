/*
 * echo: what forwarded connections lead to. It sends back what comes, until there is no more, and tells its port first. It
 * is a process of its own so that its descriptors are not counted among the client's or the server's.
 */
#include "soak.h"

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char *buffer = soak_memory(BUFFER_SIZE);
    ssize_t got;
    while ((got = recv(fd, buffer, BUFFER_SIZE, 0)) > 0)
        for (ssize_t sent = 0, now; sent < got; sent += now)
            if ((now = send(fd, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL)) <= 0)
                goto end;
end:
    close(fd);
    free(buffer);
    return NULL;
}

static void *take(void *argument)
{
    const int *listener = argument;
    for (;;) {
        int fd = accept4(*listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            soak_thread(serve, (void *)(intptr_t)fd);
    }
    return NULL;
}

int main(void)
{
    uint16_t port;
    int listener = soak_listen(&port);
    printf("listening %u\n", port);
    fflush(stdout);
    soak_thread(take, &listener);
    while (!soak_is_over(1000))
        ;
    return 0;
}
