/* Events and channels. Part of sshwire.hpp. */
#ifndef SSHWIRE_CHANNEL_HPP
#define SSHWIRE_CHANNEL_HPP

#include "error.hpp"

#include <optional>
#include <vector>

namespace sshwire {

class channel_ref;

class event {
public:
    event() : handle_(detail::made(ssh_event_new())) {}
    explicit event(ssh_event *handle) noexcept : handle_(handle) {}

    /** Whether it was set in time. */
    bool wait(timeout time = forever)
    {
        ssh_status status = ssh_event_wait(get(), detail::count(time));
        return status != SSH_AGAIN && status != SSH_ERR_TIMEOUT && detail::check(status) == SSH_OK;
    }
    bool is_set() const noexcept { return ssh_event_is_set(get()); }
    void set() { detail::check(ssh_event_set(get())); }
    void reset() { detail::check(ssh_event_reset(get())); }
    /** A descriptor for poll(), readable while the event is set; it stays the event's. */
    int fd() const { return detail::check(ssh_event_fd(get())); }
    /** The next of the channels that have set it since they were taken last; empty when none is left. */
    std::optional<channel_ref> take_channel() noexcept;

    ssh_event *get() const noexcept { return handle_.get(); }
    ssh_event *release() noexcept { return handle_.release(); }

private:
    detail::owned<ssh_event, ssh_event_free> handle_;
};

/** How a command ended: by itself with a status, by a signal, or nobody knows (both empty). */
struct exit {
    std::optional<std::uint32_t> status;
    std::string signal;
};

/** What the functions of a channel are, whoever owns it. */
class channel_ref {
public:
    explicit channel_ref(ssh_channel *handle) noexcept : handle_(handle) {}

    /** How many bytes; 0 at the end of the stream. Waits for at least one. */
    std::size_t read(void *buffer, std::size_t capacity, timeout time = standard)
    {
        return read_with(ssh_channel_read, buffer, capacity, time);
    }
    std::size_t read_stderr(void *buffer, std::size_t capacity, timeout time = standard)
    {
        return read_with(ssh_channel_read_stderr, buffer, capacity, time);
    }
    /** Everything up to the end of the stream. */
    std::string read_all(timeout each = standard) { return all_with(ssh_channel_read, each); }
    std::string read_all_stderr(timeout each = standard) { return all_with(ssh_channel_read_stderr, each); }
    /** Everything, or it throws. */
    void write(std::string_view data, timeout time = standard)
    {
        detail::check(ssh_channel_write_all(get(), data.data(), data.size(), nullptr, detail::count(time)));
    }
    void write_stderr(std::string_view data, timeout time = standard)
    {
        detail::check(ssh_channel_write_all_stderr(get(), data.data(), data.size(), nullptr, detail::count(time)));
    }
    void combine_stderr(bool combine = true) { detail::check(ssh_channel_set_combine_stderr(get(), combine)); }
    void set_timeout(timeout time) { detail::check(ssh_channel_set_timeout(get(), detail::count(time))); }
    void set_event(event &set, std::uint32_t mask) { detail::check(ssh_channel_set_event(get(), set.get(), mask)); }
    void send_eof() { detail::check(ssh_channel_send_eof(get())); }
    void close() { detail::check(ssh_channel_close(get())); }
    bool is_closed() const noexcept { return ssh_channel_is_closed(get()); }

    void pty(const std::string &term, std::uint32_t columns, std::uint32_t rows, timeout time = standard)
    {
        detail::call(ssh_channel_request_pty, get(), detail::c_string(term), columns, rows, 0u, 0u,
                     static_cast<const void *>(nullptr), std::size_t{0}, detail::count(time));
    }
    void shell(timeout time = standard) { detail::call(ssh_channel_request_shell, get(), detail::count(time)); }
    void exec(const std::string &command, timeout time = standard)
    {
        detail::call(ssh_channel_request_exec, get(), detail::c_string(command), detail::count(time));
    }
    void subsystem(const std::string &name, timeout time = standard)
    {
        detail::call(ssh_channel_request_subsystem, get(), detail::c_string(name), detail::count(time));
    }
    void env(const std::string &name, const std::string &value)
    {
        detail::check(ssh_channel_request_env(get(), detail::c_string(name), detail::c_string(value)));
    }
    void signal(const std::string &name) { detail::check(ssh_channel_signal(get(), detail::c_string(name))); }
    void window_change(std::uint32_t columns, std::uint32_t rows)
    {
        detail::check(ssh_channel_window_change(get(), columns, rows, 0, 0));
    }
    void send_exit_status(std::uint32_t status) { detail::check(ssh_channel_send_exit_status(get(), status)); }
    struct exit wait_exit(timeout time = forever)
    {
        struct exit end;
        std::int32_t kind = SSH_EXIT_NONE;
        std::uint32_t status = 0;
        if (detail::check(ssh_channel_wait_exit(get(), detail::count(time), &kind, &status)) == SSH_AGAIN)
            throw error(SSH_ERR_TIMEOUT);
        if (kind == SSH_EXIT_STATUS) end.status = status;
        if (kind == SSH_EXIT_SIGNAL) end.signal = detail::taken(ssh_channel_exit_signal(get()));
        return end;
    }

    ssh_channel *get() const noexcept { return handle_; }

protected:
    ssh_channel *handle_;

private:
    template <class Read> std::size_t read_with(Read from, void *buffer, std::size_t capacity, timeout time)
    {
        std::size_t done = 0;
        ssh_status status = detail::check(from(get(), buffer, capacity, &done, detail::count(time)));
        if (status == SSH_AGAIN) throw error(SSH_ERR_TIMEOUT);
        return status == SSH_EOF ? 0 : done;
    }
    template <class Read> std::string all_with(Read from, timeout each)
    {
        std::string all;
        std::vector<char> piece(32768);
        while (std::size_t length = read_with(from, piece.data(), piece.size(), each)) all.append(piece.data(), length);
        return all;
    }
};

inline std::optional<channel_ref> event::take_channel() noexcept
{
    ssh_channel *taken = ssh_event_take_channel(get());
    return taken == nullptr ? std::nullopt : std::optional(channel_ref(taken));
}

/** A channel that ends with the object. */
class channel : public channel_ref {
public:
    explicit channel(ssh_channel *handle) noexcept : channel_ref(handle) {}
    channel(channel &&other) noexcept : channel_ref(other.release()) {}
    channel &operator=(channel &&other) noexcept
    {
        if (this != &other) {
            ssh_channel_free(handle_);
            handle_ = other.release();
        }
        return *this;
    }
    ~channel() { ssh_channel_free(handle_); }

    ssh_channel *release() noexcept { return std::exchange(handle_, nullptr); }
};

} // namespace sshwire

#endif
