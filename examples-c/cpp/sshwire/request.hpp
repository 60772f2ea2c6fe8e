/* Questions, and the functions of the program that C calls. Part of sshwire.hpp. */
#ifndef SSHWIRE_REQUEST_HPP
#define SSHWIRE_REQUEST_HPP

#include "channel.hpp"
#include "key.hpp"

#include <functional>

namespace sshwire {

/** Whatever the library asks. One that ends without an answer is refused; it may be kept and answered later. */
class request {
public:
    explicit request(ssh_request *handle) noexcept : handle_(handle) {}

    std::int32_t kind() const noexcept { return ssh_request_kind(get()); }
    /* Views live as long as the request. */
    std::string_view username() const noexcept { return detail::view(ssh_request_username(get())); }
    /** How many times accept_partial() counts for this user; a change of the user name begins anew. */
    std::uint32_t partial_successes() const noexcept { return ssh_request_partial_successes(get()); }
    std::string_view password() const noexcept { return bytes(ssh_request_password); }
    std::string_view command() const noexcept { return bytes(ssh_request_command); }
    std::string_view value() const noexcept { return bytes(ssh_request_value); }
    std::string_view name() const noexcept { return detail::view(ssh_request_name(get())); }
    std::string_view algorithm() const noexcept { return detail::view(ssh_request_algorithm(get())); }
    std::string_view channel_kind() const noexcept { return detail::view(ssh_request_channel_kind(get())); }
    std::string_view term() const noexcept { return detail::view(ssh_request_term(get())); }
    key offered_key() const { return key(detail::made(ssh_request_key(get()))); }
    /** The channel the question is about; whoever accepted it owns it. */
    channel_ref on_channel() const noexcept { return channel_ref(ssh_request_channel(get())); }

    std::size_t prompt_count() const noexcept { return ssh_request_prompt_count(get()); }
    std::string_view prompt(std::size_t index) const noexcept
    {
        return detail::view(ssh_request_prompt(get(), index, nullptr));
    }
    std::string_view answer(std::size_t index) const noexcept
    {
        std::size_t length = 0;
        const char *start = ssh_request_answer(get(), index, &length);
        return std::string_view(start, start ? length : 0);
    }

    void accept() { detail::check(ssh_request_accept(get())); }
    void refuse() { detail::check(ssh_request_refuse(get())); }
    /** Good, and more is wanted: the methods that may follow. */
    void accept_partial(const std::string &methods)
    {
        detail::check(ssh_request_accept_partial(get(), detail::c_string(methods)));
    }
    channel accept_channel() { return channel(detail::call(ssh_request_accept_channel, get())); }
    void ask(const std::string &title, const std::vector<std::string> &prompts)
    {
        std::vector<const char *> texts;
        for (const std::string &prompt : prompts) texts.push_back(detail::c_string(prompt));
        detail::check(ssh_request_ask(get(), detail::c_string(title), nullptr, texts.data(), nullptr, texts.size()));
    }
    void set_answer(std::size_t index, std::string_view text)
    {
        detail::check(ssh_request_set_answer(get(), index, text.data(), text.size()));
    }

    ssh_request *get() const noexcept { return handle_.get(); }
    ssh_request *release() noexcept { return handle_.release(); }

private:
    template <class Ask> std::string_view bytes(Ask question) const noexcept
    {
        std::size_t length = 0;
        const char *start = question(get(), &length);
        return std::string_view(start, start ? length : 0);
    }

    detail::owned<ssh_request, ssh_request_free> handle_;
};

using on_request = std::function<void(request)>;
/** Gives the exit status; the channel ends when it returns. */
using on_subsystem = std::function<std::uint32_t(channel_ref, std::string_view name)>;
using on_keepalive = std::function<void(std::optional<std::chrono::microseconds> round_trip, std::uint32_t missed)>;
using on_log = std::function<void(std::int32_t level, std::string_view channel, std::string_view message)>;

/** A stream of the program's, to run a transport over; see ssh_stream_read_callback and the others in sshwire.h. */
class stream {
public:
    virtual ~stream() = default;
    /** How many bytes, at least 1; 0 at the end; an SSH_ERR_..., of which SSH_ERR_TIMEOUT means "call again". */
    virtual std::int32_t read(void *buffer, std::size_t capacity, timeout time) = 0;
    virtual std::int32_t write(const void *data, std::size_t length, timeout time) = 0;
    virtual void close() = 0;
};

/* The functions that C calls. Nothing may leave them but by return. */
namespace detail {
extern "C" {
inline void sshwire_cpp_request(ssh_request *handle, void *userdata) noexcept
{
    request question(handle); /* freed, and so refused, if it is not answered */
    try {
        (*static_cast<on_request *>(userdata))(std::move(question));
    } catch (...) {
    }
}
inline std::int32_t sshwire_cpp_subsystem(ssh_channel *handle, const char *name, void *userdata) noexcept
{
    try {
        return static_cast<std::int32_t>((*static_cast<on_subsystem *>(userdata))(channel_ref(handle), view(name)));
    } catch (...) {
        return -1;
    }
}
inline void sshwire_cpp_keepalive(ssh_transport *, std::int64_t round_trip_us, std::uint32_t missed, void *userdata) noexcept
{
    try {
        std::optional<std::chrono::microseconds> round_trip;
        if (round_trip_us >= 0) round_trip.emplace(round_trip_us);
        (*static_cast<on_keepalive *>(userdata))(round_trip, missed);
    } catch (...) {
    }
}
inline void sshwire_cpp_log(std::int32_t level, const char *channel, const char *message, void *userdata) noexcept
{
    try {
        (*static_cast<on_log *>(userdata))(level, view(channel), view(message));
    } catch (...) {
    }
}
inline std::int32_t sshwire_cpp_read(void *buffer, std::size_t capacity, std::int32_t time, void *userdata) noexcept
{
    try {
        return (*static_cast<std::unique_ptr<stream> *>(userdata))->read(buffer, capacity, timeout(time));
    } catch (...) {
        return SSH_ERR_CALLBACK;
    }
}
inline std::int32_t sshwire_cpp_write(const void *data, std::size_t length, std::int32_t time, void *userdata) noexcept
{
    try {
        return (*static_cast<std::unique_ptr<stream> *>(userdata))->write(data, length, timeout(time));
    } catch (...) {
        return SSH_ERR_CALLBACK;
    }
}
inline void sshwire_cpp_close(void *userdata) noexcept
{
    try {
        (*static_cast<std::unique_ptr<stream> *>(userdata))->close();
    } catch (...) {
    }
}
}
} // namespace detail

} // namespace sshwire

#endif
