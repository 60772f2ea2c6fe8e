/* The functions that the library calls; each hands on to the one of callback.go. */
#include "callback.h"
#include "_cgo_export.h"

static void on_destroy(void *userdata)
{
    goDestroy((uintptr_t)userdata);
}

static void on_request(ssh_request *request, void *userdata)
{
    goRequest(request, (uintptr_t)userdata);
}

static int32_t on_subsystem(ssh_channel *channel, const char *name, void *userdata)
{
    return goSubsystem(channel, (char *)name, (uintptr_t)userdata);
}

static void on_keepalive(ssh_transport *transport, int64_t round_trip_us, uint32_t missed, void *userdata)
{
    (void)transport;
    goKeepalive(round_trip_us, missed, (uintptr_t)userdata);
}

static void on_log(int32_t level, const char *channel, const char *message, void *userdata)
{
    goLog(level, (char *)channel, (char *)message, (uintptr_t)userdata);
}

static void on_forward(ssh_channel *channel, const char *origin, uint16_t origin_port, const char *address, uint16_t port,
                       void *userdata)
{
    (void)origin, (void)origin_port, (void)address, (void)port; /* the channel knows them, too */
    goForward(channel, (uintptr_t)userdata);
}

static bool on_progress(void *userdata, const char *file, uint64_t done, uint64_t total, uint64_t files, uint64_t skipped)
{
    return goProgress((uintptr_t)userdata, (char *)file, done, total, files, skipped);
}

static int32_t on_read(void *buffer, size_t capacity, int32_t timeout_ms, void *userdata)
{
    (void)timeout_ms; /* see carried() */
    return goStreamRead(buffer, capacity, (uintptr_t)userdata);
}

static int32_t on_write(const void *data, size_t length, int32_t timeout_ms, void *userdata)
{
    (void)timeout_ms;
    return goStreamWrite((void *)data, length, (uintptr_t)userdata);
}

static void on_close(void *userdata)
{
    goStreamClose((uintptr_t)userdata);
}

static void on_channel_gone(void *userdata)
{
    goChannelGone((uintptr_t)userdata);
}

ssh_status go_server_set_callback(ssh_server *server, int32_t kind, uintptr_t function)
{
    return ssh_server_set_callback(server, kind, on_request, (void *)function, on_destroy);
}

ssh_status go_server_set_subsystem_handler(ssh_server *server, const char *name, uintptr_t function)
{
    return ssh_server_set_subsystem_handler(server, name, on_subsystem, (void *)function, on_destroy);
}

ssh_status go_transport_set_callback(ssh_transport *transport, int32_t kind, uintptr_t function)
{
    return ssh_transport_set_callback(transport, kind, on_request, (void *)function, on_destroy);
}

ssh_status go_transport_set_keepalive(ssh_transport *transport, int32_t interval_ms, uint32_t max_missed, uintptr_t function)
{
    return ssh_transport_set_keepalive(transport, interval_ms, max_missed, on_keepalive, (void *)function, on_destroy);
}

ssh_status go_set_log_callback(int32_t level, uintptr_t function)
{
    return ssh_set_log_callback(on_log, level, (void *)function, on_destroy);
}

ssh_transport *go_transport_new_stream(uintptr_t conn, ssh_error **error)
{
    return ssh_transport_new_stream(on_read, on_write, on_close, (void *)conn, on_destroy, error);
}

ssh_status go_transport_request_port_forward(ssh_transport *transport, const char *address, uint16_t port, uintptr_t function,
                                             int32_t timeout_ms, uint16_t *bound_port, ssh_error **error)
{
    return ssh_transport_request_port_forward(transport, address, port, on_forward, (void *)function, on_destroy, timeout_ms,
                                              bound_port, error);
}

/* The handle is its own userdata: no two channels ever have the same one. */
ssh_status go_channel_watch(ssh_channel *channel)
{
    return ssh_channel_set_userdata(channel, channel, on_channel_gone);
}

ssh_status go_sftp_get(ssh_sftp *sftp, const char *remote, const char *local, uint32_t flags, uintptr_t progress,
                       int32_t timeout_ms, ssh_error **error)
{
    return ssh_sftp_get(sftp, remote, local, flags, on_progress, (void *)progress, timeout_ms, error);
}

ssh_status go_sftp_put(ssh_sftp *sftp, const char *local, const char *remote, uint32_t flags, uintptr_t progress,
                       int32_t timeout_ms, ssh_error **error)
{
    return ssh_sftp_put(sftp, local, remote, flags, on_progress, (void *)progress, timeout_ms, error);
}
