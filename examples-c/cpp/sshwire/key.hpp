/* Keys, private and public. Part of sshwire.hpp. */
#ifndef SSHWIRE_KEY_HPP
#define SSHWIRE_KEY_HPP

#include "error.hpp"

namespace sshwire {

class key {
public:
    explicit key(ssh_key *handle) noexcept : handle_(handle) {}

    static key load(std::string_view data, const std::string &passphrase = {})
    {
        return key(detail::call(ssh_key_load, data.data(), data.size(), detail::c_string_or_null(passphrase)));
    }
    static key load_file(const std::string &path, const std::string &passphrase = {})
    {
        return key(detail::call(ssh_key_load_file, detail::c_string(path), detail::c_string_or_null(passphrase)));
    }
    static key generate(std::int32_t kind = SSH_KEY_ED25519, std::uint32_t bits = 0, const std::string &comment = {})
    {
        return key(detail::call(ssh_key_generate, kind, bits, detail::c_string(comment)));
    }
    /** "ssh-ed25519 AAAA...", as in known_hosts without its first word and in authorized_keys. */
    static key from_line(const std::string &line) { return key(detail::call(ssh_key_from_line, detail::c_string(line))); }

    /** The public half of whatever key a file holds, public or private. */
    static key load_public_file(const std::string &path)
    {
        return key(detail::call(ssh_key_load_public_file, detail::c_string(path)));
    }
    /** The key that made a signature of sign_message(); throws when it is not good. */
    static key signer(std::string_view signature, std::string_view data, const std::string &purpose)
    {
        return key(detail::call(ssh_sshsig_verify, static_cast<const void *>(signature.data()), signature.size(),
                                detail::c_string(purpose), static_cast<const void *>(data.data()), data.size()));
    }

    key public_key() const { return key(detail::made(ssh_key_public(get()))); }
    bool is_private() const noexcept { return ssh_key_is_private(get()); }
    std::string type() const { return std::string(detail::view(ssh_key_type(get()))); }
    std::uint32_t bits() const noexcept { return ssh_key_bits(get()); }
    std::string fingerprint() const { return detail::taken(ssh_key_fingerprint(get())); }
    std::string comment() const { return detail::taken(ssh_key_comment(get())); }
    std::string line() const { return detail::taken(ssh_key_public_line(get(), nullptr)); }
    std::string private_text(std::int32_t format = SSH_KEY_FORMAT_OPENSSH, const std::string &passphrase = {}) const
    {
        return detail::taken(detail::call(ssh_key_private_text, get(), format, detail::c_string_or_null(passphrase)));
    }
    /** A signature blob; without an algorithm, the best one for the key. */
    std::string sign(std::string_view data, const std::string &algorithm = {}) const
    {
        void *signature = nullptr;
        std::size_t length = 0;
        detail::call(ssh_key_sign, get(), detail::c_string_or_null(algorithm), static_cast<const void *>(data.data()),
                     data.size(), &signature, &length);
        return detail::taken(signature, length);
    }
    /** A signature as ssh-keygen -Y makes it, good for one purpose: its namespace. */
    std::string sign_message(std::string_view data, const std::string &purpose) const
    {
        return detail::taken(detail::call(ssh_sshsig_sign, get(), detail::c_string(purpose), SSH_HASH_SHA512,
                                          static_cast<const void *>(data.data()), data.size()));
    }
    std::string public_text(std::int32_t format = SSH_KEY_FORMAT_LINE) const
    {
        return detail::taken(detail::call(ssh_key_public_text, get(), format, nullptr));
    }
    bool verify(std::string_view data, std::string_view signature, const std::string &algorithm) const
    {
        ssh_status status = ssh_key_verify(get(), detail::c_string(algorithm), data.data(), data.size(), signature.data(),
                                           signature.size());
        if (status != SSH_ERR_SIGNATURE) detail::check(status);
        return status == SSH_OK;
    }
    friend bool operator==(const key &a, const key &b) noexcept { return ssh_key_equals(a.get(), b.get()); }
    friend bool operator!=(const key &a, const key &b) noexcept { return !(a == b); }

    ssh_key *get() const noexcept { return handle_.get(); }
    ssh_key *release() noexcept { return handle_.release(); }

private:
    detail::owned<ssh_key, ssh_key_free> handle_;
};

} // namespace sshwire

#endif
