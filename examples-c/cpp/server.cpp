/* A server that greets: it lets in whoever holds one key and answers every command.
 *
 *     server PORT 'ssh-ed25519 AAAA...'      a port of 127.0.0.1, and the public key of who may in
 */
#include "sshwire.hpp"

#include <iostream>

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
        sshwire::listener listener;
        listener.bind("127.0.0.1", static_cast<std::uint16_t>(std::stoi(argv[1])));
        std::cout << host_key.line() << std::endl;
        listener.serve(server);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << '\n';
        return 1;
    }
}
