/* Servers and transports. Part of sshwire.hpp. */
#ifndef SSHWIRE_TRANSPORT_HPP
#define SSHWIRE_TRANSPORT_HPP

#include "request.hpp"

#include <future>

namespace sshwire {

/** Host keys and callbacks that any number of transports share. It refuses what no callback accepts. */
class server {
public:
    server() : handle_(detail::made(ssh_server_new())) {}

    void add_key(const key &host_key) { detail::check(ssh_server_add_key(get(), host_key.get())); }
    /** Who answers questions of a kind: SSH_REQUEST_AUTH_PASSWORD, ... Several threads may call at once. */
    void on(std::int32_t kind, on_request answer)
    {
        detail::give(std::move(answer), [&](void *userdata, ssh_destroy_callback end) {
            return ssh_server_set_callback(get(), kind, detail::sshwire_cpp_request, userdata, end);
        });
    }
    void on_subsystem_named(const std::string &name, on_subsystem serve)
    {
        detail::give(std::move(serve), [&](void *userdata, ssh_destroy_callback end) {
            return ssh_server_set_subsystem_handler(get(), detail::c_string(name), detail::sshwire_cpp_subsystem, userdata, end);
        });
    }
    void set_auth_methods(const std::string &methods)
    {
        detail::check(ssh_server_set_auth_methods(get(), detail::c_string(methods)));
    }
    void set_banner(const std::string &text) { detail::check(ssh_server_set_banner(get(), detail::c_string(text))); }

    ssh_server *get() const noexcept { return handle_.get(); }
    ssh_server *release() noexcept { return handle_.release(); }

private:
    detail::owned<ssh_server, ssh_server_free> handle_;
};

class transport {
public:
    explicit transport(ssh_transport *handle) noexcept : handle_(handle) {}

    /** "host:port", "host" or "[::1]:22"; all the addresses of a name are tried. */
    static transport connect(const std::string &address, timeout time = standard)
    {
        return transport(detail::call(ssh_transport_new_address, detail::c_string(address), detail::count(time)));
    }
    /** Takes a connected socket over, unless it throws. */
    static transport from_fd(int fd) { return transport(detail::call(ssh_transport_new, fd)); }
    static transport from_channel(channel_ref &over) { return transport(detail::call(ssh_transport_new_channel, over.get())); }
    static transport from_stream(std::unique_ptr<stream> over)
    {
        auto kept = std::make_unique<std::unique_ptr<stream>>(std::move(over));
        transport made(detail::call(ssh_transport_new_stream, detail::sshwire_cpp_read, detail::sshwire_cpp_write,
                                    detail::sshwire_cpp_close, static_cast<void *>(kept.get()),
                                    detail::destroy<std::unique_ptr<stream>>));
        kept.release();
        return made;
    }

    void expect_host_key(const key &host_key)
    {
        detail::check(ssh_transport_set_expected_host_key(get(), host_key.get()));
    }
    void insecure_accept_any_host_key() { detail::check(ssh_transport_set_insecure_accept_any_host_key(get())); }
    void start_client(timeout time = standard)
    {
        detail::call(ssh_transport_start_client, get(), static_cast<ssh_event *>(nullptr), detail::count(time));
    }
    void start_server(server &with, timeout time = standard)
    {
        detail::call(ssh_transport_start_server, get(), with.get(), static_cast<ssh_event *>(nullptr), detail::count(time));
    }
    /** Returns at once; the event is set when keys are exchanged or the session is over. */
    void start_client(event &done, timeout time = standard)
    {
        detail::call(ssh_transport_start_client, get(), done.get(), detail::count(time));
    }
    void start_server(server &with, event &done, timeout time = standard)
    {
        detail::call(ssh_transport_start_server, get(), with.get(), done.get(), detail::count(time));
    }

    /* Each gives true when the user is in, false when more is wanted (auth_methods()), and throws when refused. */
    bool auth_none(const std::string &user, timeout time = standard) { return authenticate(ssh_transport_auth_none, time, user); }
    bool auth_password(const std::string &user, std::string_view password, timeout time = standard)
    {
        return authenticate(ssh_transport_auth_password, time, user, password.data(), password.size(), true);
    }
    bool auth_publickey(const std::string &user, const key &with, timeout time = standard)
    {
        return authenticate(ssh_transport_auth_publickey, time, user, static_cast<const ssh_key *>(with.get()));
    }
    /** Prompts come as SSH_REQUEST_PROMPTS. */
    bool auth_interactive(const std::string &user, timeout time = standard)
    {
        return authenticate(ssh_transport_auth_interactive, time, user, static_cast<const char *>(nullptr));
    }
    std::string auth_methods() const { return detail::taken(ssh_transport_auth_methods(get())); }

    void on(std::int32_t kind, on_request answer)
    {
        detail::give(std::move(answer), [&](void *userdata, ssh_destroy_callback end) {
            return ssh_transport_set_callback(get(), kind, detail::sshwire_cpp_request, userdata, end);
        });
    }
    void set_keepalive(timeout interval, std::uint32_t max_missed, on_keepalive heard)
    {
        detail::give(std::move(heard), [&](void *userdata, ssh_destroy_callback end) {
            return ssh_transport_set_keepalive(get(), detail::count(interval), max_missed, detail::sshwire_cpp_keepalive,
                                               userdata, end);
        });
    }

    channel open_session(timeout time = standard)
    {
        return channel(detail::call(ssh_transport_open_session, get(), detail::count(time)));
    }
    /** A connection that the server makes for us ("direct-tcpip"). */
    channel open_tcp(const std::string &host, std::uint16_t port, timeout time = standard)
    {
        return channel(detail::call(ssh_transport_open_channel, get(), "direct-tcpip", detail::c_string(host), port,
                                    "127.0.0.1", std::uint16_t{0}, detail::count(time)));
    }
    /** The next channel that the peer opened, or none in that time. */
    std::optional<channel> accept(timeout time = forever)
    {
        try {
            ssh_channel *next = detail::call(ssh_transport_accept, get(), detail::count(time));
            return next ? std::optional<channel>(channel(next)) : std::nullopt;
        } catch (const error &failure) {
            if (failure.code() == SSH_ERR_TIMEOUT && is_active()) return std::nullopt;
            throw;
        }
    }

    struct completed {
        std::string output, error_output;
        struct exit end;
    };
    /** Runs a command to its end and collects what it says. For unbounded output read the channel oneself. */
    completed run(const std::string &command, std::string_view input = {}, timeout each = forever)
    {
        channel with = open_session();
        with.exec(command);
        /* All three at once, for each side may wait for the other to read. Whichever fails ends the others. */
        auto ending = [&with](auto work) {
            try {
                return work();
            } catch (...) {
                with.close();
                throw;
            }
        };
        auto feed = std::async(std::launch::async, [&] {
            ending([&] {
                try {
                    with.write(input, each);
                    with.send_eof();
                } catch (const error &failure) {
                    /* A command may end without reading its input. */
                    if (failure.code() != SSH_ERR_CLOSED || !is_active()) throw;
                }
            });
        });
        auto errors = std::async(std::launch::async, [&] { return ending([&] { return with.read_all_stderr(each); }); });
        completed done;
        done.output = ending([&] { return with.read_all(each); });
        done.error_output = errors.get();
        done.end = ending([&] { return with.wait_exit(each); });
        feed.get();
        return done;
    }

    void renegotiate_keys(timeout time = standard) { detail::call(ssh_transport_renegotiate_keys, get(), detail::count(time)); }
    bool is_active() const noexcept { return ssh_transport_is_active(get()); }
    bool is_authenticated() const noexcept { return ssh_transport_is_authenticated(get()); }
    std::string username() const { return detail::taken(ssh_transport_get_username(get())); }
    std::string describe() const { return detail::taken(ssh_transport_describe(get())); }
    key remote_server_key() const { return key(detail::call(ssh_transport_get_remote_server_key, get())); }
    /** What ended the session. */
    std::optional<error> cause() const
    {
        ssh_error *failure = ssh_transport_error(get());
        return failure ? std::optional<error>(error(failure)) : std::nullopt;
    }
    void cancel() { detail::check(ssh_transport_cancel(get())); }
    void close() { detail::check(ssh_transport_close(get())); }
    /** Whether it ended in that time. */
    bool join(timeout time = forever)
    {
        ssh_status status = ssh_transport_join(get(), detail::count(time));
        return status != SSH_AGAIN && status != SSH_ERR_TIMEOUT && detail::check(status) == SSH_OK;
    }
    /** In the child of a fork: leaves the session to the parent. */
    void atfork() { detail::check(ssh_transport_atfork(handle_.release())); }

    ssh_transport *get() const noexcept { return handle_.get(); }
    ssh_transport *release() noexcept { return handle_.release(); }

private:
    template <class Method, class... Arguments>
    bool authenticate(Method method, timeout time, const std::string &user, Arguments... arguments)
    {
        return detail::call(method, get(), detail::c_string(user), arguments..., static_cast<ssh_event *>(nullptr),
                            detail::count(time)) == SSH_OK;
    }

    detail::owned<ssh_transport, ssh_transport_free> handle_;
};

/** Where the log of all transports goes that have no log of their own. */
inline void set_log(std::int32_t level, on_log line)
{
    detail::give(std::move(line), [&](void *userdata, ssh_destroy_callback end) {
        return ssh_set_log_callback(detail::sshwire_cpp_log, level, userdata, end);
    });
}

} // namespace sshwire

#endif
