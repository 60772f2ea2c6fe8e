/* A server that greets: it lets in whoever holds one key and answers every command.
 *
 *     server PORT 'ssh-ed25519 AAAA...'      a port of 127.0.0.1, and the public key of who may in
 */
#include "sshwire.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <iostream>
#include <vector>

static int listen_on(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 100) != 0)
        throw std::runtime_error("cannot listen");
    return listener;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        std::cerr << "usage: server PORT PUBLIC-KEY-LINE\n";
        return 2;
    }
    try {
        sshwire::server server;
        sshwire::key host_key = sshwire::key::generate();
        sshwire::key friend_key = sshwire::key::from_line(argv[2]);
        server.add_key(host_key);
        /* Only once the client has proven that it holds the key. */
        server.on(SSH_REQUEST_AUTH_KEY_PROVEN, [&friend_key](sshwire::request question) {
            if (question.offered_key() == friend_key) question.accept();
        });
        server.on(SSH_REQUEST_CHANNEL_OPEN, [](sshwire::request question) {
            if (question.channel_kind() == "session") question.accept();
        });
        server.on(SSH_REQUEST_EXEC, [](sshwire::request question) {
            std::string command(question.command());
            question.accept();
            /* Nobody else takes the channel, so it is ours: closed and freed at the end of the block. */
            sshwire::channel channel(question.on_channel().get());
            channel.write("You said: " + command + "\n");
            channel.send_exit_status(0);
        });
        int listener = listen_on(static_cast<std::uint16_t>(std::stoi(argv[1])));
        std::cout << host_key.line() << std::endl;

        std::vector<sshwire::transport> transports;
        for (int fd; (fd = accept(listener, nullptr, nullptr)) >= 0;) {
            auto transport = sshwire::transport::from_fd(fd);
            sshwire::event done; /* nobody waits for it: the callbacks do the rest */
            transport.start_server(server, done);
            transports.push_back(std::move(transport));
            for (auto it = transports.begin(); it != transports.end();)
                it = it->join(std::chrono::milliseconds(0)) ? transports.erase(it) : it + 1;
        }
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
}
