/* Time, errors, and what all classes use to call C. Part of sshwire.hpp. */
#ifndef SSHWIRE_ERROR_HPP
#define SSHWIRE_ERROR_HPP

#include <sshwire.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sshwire {

using timeout = std::chrono::milliseconds;
/** Wait as long as it takes. */
inline constexpr timeout forever{SSH_TIMEOUT_FOREVER};
/** What was set on the object, or what the function's comment in sshwire.h says. */
inline constexpr timeout standard{SSH_TIMEOUT_DEFAULT};

/** A call failed. what() is for a person, code() for the program, the rest is the detail there is. */
class error : public std::runtime_error {
public:
    explicit error(ssh_status code) : std::runtime_error(ssh_status_name(code)), code_(code) {}
    /** Takes an error over. */
    explicit error(ssh_error *detail)
        : std::runtime_error(text(ssh_error_message(detail))), code_(ssh_error_code(detail)), detail_(detail, ssh_error_free)
    {
    }

    ssh_status code() const noexcept { return code_; }
    const char *name() const noexcept { return ssh_status_name(code_); }
    bool retryable() const noexcept { return ssh_error_is_retryable(detail_.get()); }
    int system_errno() const noexcept { return ssh_error_errno(detail_.get()); }
    std::uint32_t disconnect_reason() const noexcept { return ssh_error_disconnect_reason(detail_.get()); }
    std::uint32_t channel_reason() const noexcept { return ssh_error_channel_reason(detail_.get()); }
    std::string peer_text() const { return text(ssh_error_peer_text(detail_.get())); }
    std::string auth_methods() const { return text(ssh_error_auth_methods(detail_.get())); }
    std::string local_algorithms() const { return text(ssh_error_local_algorithms(detail_.get())); }
    std::string peer_algorithms() const { return text(ssh_error_peer_algorithms(detail_.get())); }
    std::string expected_fingerprint() const { return text(ssh_error_expected_fingerprint(detail_.get())); }
    std::string found_fingerprint() const { return text(ssh_error_found_fingerprint(detail_.get())); }

private:
    static std::string text(const char *borrowed) { return borrowed ? borrowed : ""; }

    ssh_status code_;
    std::shared_ptr<ssh_error> detail_; /* exceptions are copied, and copying must not fail */
};

namespace detail {

template <auto Free> struct freed {
    template <class T> void operator()(T *handle) const noexcept { Free(handle); }
};
template <class T, auto Free> using owned = std::unique_ptr<T, freed<Free>>;

inline ssh_status check(ssh_status status)
{
    if (status < 0) throw error(status);
    return status;
}

/* Calls a function whose last argument is an ssh_error **. */
template <class Function, class... Arguments> auto call(Function function, Arguments... arguments)
{
    ssh_error *failure = nullptr;
    auto result = function(arguments..., &failure);
    if (failure) throw error(failure);
    if constexpr (std::is_pointer_v<decltype(result)>) {
        return result;
    } else {
        return check(result);
    }
}

template <class T> T *made(T *handle)
{
    if (!handle) throw error(SSH_ERR_RESOURCE);
    return handle;
}

inline std::int32_t count(timeout time)
{
    if (time.count() > INT32_MAX) return INT32_MAX;
    return time.count() < SSH_TIMEOUT_DEFAULT ? throw error(SSH_ERR_INVALID_ARG) : static_cast<std::int32_t>(time.count());
}

/* A C string must not be cut short at a NUL that it holds. */
inline const char *c_string(const std::string &text)
{
    if (text.find('\0') != std::string::npos) throw error(SSH_ERR_INVALID_ARG);
    return text.c_str();
}

inline const char *c_string_or_null(const std::string &text) { return text.empty() ? nullptr : c_string(text); }

inline std::string taken(char *text)
{
    owned<char, ssh_memory_free> guard(text);
    return text ? std::string(text) : std::string();
}

inline std::string taken(void *memory, std::size_t length)
{
    owned<void, ssh_memory_free> guard(memory);
    return std::string(static_cast<const char *>(memory), length);
}

inline std::string_view view(const char *text) { return text ? std::string_view(text) : std::string_view(); }

template <class Function> void destroy(void *userdata) noexcept { delete static_cast<Function *>(userdata); }

/* Gives a function to C, together with its end. `set` must not keep it when it fails. */
template <class Function, class Set> void give(Function function, Set set)
{
    auto kept = std::make_unique<Function>(std::move(function));
    check(set(kept.get(), destroy<Function>));
    kept.release();
}

} // namespace detail

} // namespace sshwire

#endif
