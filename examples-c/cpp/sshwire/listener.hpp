/* Where a server's connections come in. Part of sshwire.hpp. */
#ifndef SSHWIRE_LISTENER_HPP
#define SSHWIRE_LISTENER_HPP

#include "transport.hpp"

namespace sshwire {

/** Gets a connection that was let in. One after the other, so it starts the transport with an event and does not wait. */
using on_connection = std::function<void(transport)>;

namespace detail {
extern "C" {
inline void sshwire_cpp_connection(ssh_listener *, ssh_transport *handle, void *userdata) noexcept
{
    transport came(handle); /* freed, and so closed, if nobody keeps it */
    try {
        (*static_cast<on_connection *>(userdata))(std::move(came));
    } catch (...) {
    }
}
}
} // namespace detail

/** Accepts connections, and turns away who is too many or has been penalized. Limits hold for connections to come, so they are
 * set before bind(); docs/limits.md has their defaults. */
class listener {
public:
    listener() : handle_(detail::made(ssh_listener_new())) {}

    /** Listens at an IP address, "localhost", "" for all, or the /path of a UNIX socket; gives the port. */
    std::uint16_t bind(const std::string &address, std::uint16_t port = 0)
    {
        std::uint16_t bound = 0;
        detail::call(ssh_listener_bind, get(), detail::c_string(address), port, &bound);
        return bound;
    }
    /** Takes a socket over that listens, unless it throws. */
    void add_fd(int fd) { detail::call(ssh_listener_add_fd, get(), fd); }

    /** The next connection, or none in that time; throws SSH_ERR_CLOSED after stop(). It is not started. */
    std::optional<transport> accept(timeout time = forever)
    {
        try {
            ssh_transport *next = detail::call(ssh_listener_accept, get(), detail::count(time));
            return next ? std::optional<transport>(transport(next)) : std::nullopt;
        } catch (const error &failure) {
            if (failure.code() == SSH_ERR_TIMEOUT) return std::nullopt;
            throw;
        }
    }
    /** Set while connections wait, and once it was stopped. */
    event accept_event() { return event(detail::made(ssh_listener_accept_event(get()))); }
    /** Who gets the connections, in the place of accept(). */
    void on_accept(on_connection take)
    {
        detail::give(std::move(take), [&](void *userdata, ssh_destroy_callback end) {
            return ssh_listener_set_callback(get(), detail::sshwire_cpp_connection, userdata, end);
        });
    }
    /** Starts each with a server and keeps it until it ends. Returns once stop() was called, in another thread. */
    void serve(server &with)
    {
        std::vector<transport> transports;
        event started; /* nobody waits for it: the callbacks do the rest */
        for (;;) {
            std::optional<transport> next;
            try {
                next = accept();
            } catch (const error &failure) {
                if (failure.code() == SSH_ERR_CLOSED) return;
                throw;
            }
            try {
                next->start_server(with, started);
                transports.push_back(std::move(*next));
            } catch (const error &) {
                /* It is gone already; others come. */
            }
            for (auto it = transports.begin(); it != transports.end();)
                it = it->join(timeout(0)) ? transports.erase(it) : it + 1;
        }
    }

    void set_max_unauthenticated(std::uint32_t start, std::uint32_t rate_percent, std::uint32_t full)
    {
        detail::check(ssh_listener_set_max_unauthenticated(get(), start, rate_percent, full));
    }
    void set_max_per_source(std::uint32_t most, std::uint32_t ipv4_bits = 32, std::uint32_t ipv6_bits = 64)
    {
        detail::check(ssh_listener_set_max_per_source(get(), most, ipv4_bits, ipv6_bits));
    }
    /** What a connection that came to nothing costs its source: SSH_PENALTY_NO_AUTH, ... */
    void set_penalty(std::int32_t kind, timeout penalty)
    {
        detail::check(ssh_listener_set_penalty(get(), kind, milliseconds(penalty)));
    }
    void set_penalty_bounds(timeout least, timeout most, std::uint32_t sources)
    {
        detail::check(ssh_listener_set_penalty_bounds(get(), milliseconds(least), milliseconds(most), sources));
    }
    void add_exempt(const std::string &network) { detail::check(ssh_listener_add_exempt(get(), detail::c_string(network))); }
    /** SSH_LISTENER_ACCEPTED, ... */
    std::uint64_t counter(std::int32_t kind) const noexcept { return ssh_listener_counter(get(), kind); }
    bool is_listening() const noexcept { return ssh_listener_is_listening(get()); }
    void cancel() { detail::check(ssh_listener_cancel(get())); }
    /** Listens no longer; what was let in before may still be accepted. */
    void stop() { detail::check(ssh_listener_stop(get())); }

    ssh_listener *get() const noexcept { return handle_.get(); }
    ssh_listener *release() noexcept { return handle_.release(); }

private:
    static std::uint32_t milliseconds(timeout time)
    {
        if (time.count() < 0 || time.count() > UINT32_MAX) throw error(SSH_ERR_INVALID_ARG);
        return static_cast<std::uint32_t>(time.count());
    }

    detail::owned<ssh_listener, ssh_listener_free> handle_;
};

} // namespace sshwire

#endif
