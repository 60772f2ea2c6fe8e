/* C++17 over sshwire.h: objects that free themselves, and exceptions instead of statuses.
 *
 *     sshwire::transport transport = sshwire::transport::connect("example.org:22");
 *     transport.expect_host_key(sshwire::key::from_line("ssh-ed25519 AAAA..."));
 *     transport.start_client();
 *     transport.auth_password("user", "secret");
 *     std::cout << transport.run("uname -a").output;
 *
 * Objects own one handle each and can be moved, not copied. As in C they may be used from any thread, and end in any
 * order; one that was moved from behaves as NULL does in C, and throws. get() gives the handle, for functions that have
 * no member here; release() gives it away.
 *
 * A failure is thrown as sshwire::error. What a callback throws goes no further than the callback: a question is
 * refused, a subsystem ends without an exit status, a stream ends with SSH_ERR_CALLBACK. So nothing ever passes through
 * C or Rust. A callback lives until it is replaced or its object and all who use it are gone.
 */
#ifndef SSHWIRE_HPP
#define SSHWIRE_HPP

#include "sshwire/channel.hpp"
#include "sshwire/error.hpp"
#include "sshwire/key.hpp"
#include "sshwire/listener.hpp"
#include "sshwire/request.hpp"
#include "sshwire/transport.hpp"

#endif
