# frozen_string_literal: true

# A server that greets: it lets in whoever holds one key and answers every command.
#
#   ruby server.rb PORT 'ssh-ed25519 AAAA...'     a port of 127.0.0.1, and the public key of who may in

require_relative "lib/sshwire"

abort "usage: server.rb PORT PUBLIC-KEY-LINE" unless ARGV.size == 2

host_key = SSHWire::Key.generate
friend = SSHWire::Key.parse(ARGV[1])
server = SSHWire::Server.new(host_key)
# Only once the client has proven that it holds the key.
server.on(:auth_key_proven) { |request| request.accept if request.key == friend }
server.on(:channel_open) { |request| request.accept_channel if request.channel_kind == "session" }
server.on(:exec) do |request|
  channel = request.channel
  command = request.command
  request.accept
  channel.puts "You said: #{command}"
  channel.exit_status(0)
  channel.free # and closed with that
end

listener = SSHWire::Listener.new
listener.bind("127.0.0.1", Integer(ARGV[0]))
$stdout.puts host_key.line
$stdout.flush
listener.serve(server)
