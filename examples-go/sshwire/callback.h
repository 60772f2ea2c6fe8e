/* What Go hands to C and C to Go where a pointer is a number: userdata is a handle of runtime/cgo. */
#ifndef SSHWIRE_GO_CALLBACK_H
#define SSHWIRE_GO_CALLBACK_H

#include <sshwire.h>

ssh_status go_server_set_callback(ssh_server *server, int32_t kind, uintptr_t function);
ssh_status go_server_set_subsystem_handler(ssh_server *server, const char *name, uintptr_t function);
ssh_status go_transport_set_callback(ssh_transport *transport, int32_t kind, uintptr_t function);
ssh_status go_transport_set_keepalive(ssh_transport *transport, int32_t interval_ms, uint32_t max_missed, uintptr_t function);
ssh_status go_set_log_callback(int32_t level, uintptr_t function);
ssh_transport *go_transport_new_stream(uintptr_t conn, ssh_error **error);
ssh_status go_transport_request_port_forward(ssh_transport *transport, const char *address, uint16_t port, uintptr_t function,
                                             int32_t timeout_ms, uint16_t *bound_port, ssh_error **error);
ssh_status go_channel_watch(ssh_channel *channel);
ssh_status go_sftp_get(ssh_sftp *sftp, const char *remote, const char *local, uint32_t flags, uintptr_t progress,
                       int32_t timeout_ms, ssh_error **error);
ssh_status go_sftp_put(ssh_sftp *sftp, const char *local, const char *remote, uint32_t flags, uintptr_t progress,
                       int32_t timeout_ms, ssh_error **error);

#endif
