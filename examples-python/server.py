"""A server that greets: it lets in whoever holds one key and answers every command.

    python3 server.py PORT 'ssh-ed25519 AAAA...'      a port of 127.0.0.1, and the public key of who may in
"""

import sys

import sshwire
from sshwire import Kind


def make_server(host_key, friend):
    server = sshwire.Server(host_key)

    @server.on(Kind.AUTH_KEY_PROVEN)  # only once the client has proven that it holds the key
    def let_in(request):
        if request.key == friend:
            request.accept()

    @server.on(Kind.CHANNEL_OPEN)
    def open_session(request):
        if request.channel_kind == "session":
            request.accept()

    @server.on(Kind.EXEC)
    def run(request):
        with request.channel as channel:
            command = request.command
            request.accept()
            channel.write(f"You said: {command}\n".encode("utf-8", "surrogateescape"))
            channel.exit(0)

    return server


def main(port, friend):
    host_key = sshwire.Key.generate()
    server = make_server(host_key, sshwire.Key.from_line(friend))
    with sshwire.Listener() as listener:
        listener.bind("127.0.0.1", int(port))
        print(host_key.line(), flush=True)
        listener.serve(server)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
