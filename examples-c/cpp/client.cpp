/* Runs a command on another machine: what the client of the README does, with every failure told.
 *
 *     client HOST:PORT 'ssh-ed25519 AAAA...' USER PRIVATE-KEY-FILE COMMAND
 */
#include "sshwire.hpp"

#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 6) {
        std::cerr << "usage: client HOST:PORT HOST-KEY-LINE USER PRIVATE-KEY-FILE COMMAND\n";
        return 2;
    }
    try {
        using namespace std::chrono_literals;
        auto transport = sshwire::transport::connect(argv[1], 10s);
        transport.expect_host_key(sshwire::key::from_line(argv[2]));
        transport.start_client();
        if (!transport.auth_publickey(argv[3], sshwire::key::load_file(argv[4]))) {
            std::cerr << "the key is good, and the server wants more: " << transport.auth_methods() << '\n';
            return 255;
        }
        auto done = transport.run(argv[5]);
        std::cout << done.output << std::flush;
        std::cerr << done.error_output;
        if (!done.end.signal.empty()) std::cerr << "ended by SIG" << done.end.signal << '\n';
        return static_cast<int>(done.end.status.value_or(255));
    } catch (const sshwire::error &failure) {
        std::cerr << failure.name() << ": " << failure.what() << '\n';
        return 255;
    }
}
