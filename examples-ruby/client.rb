# frozen_string_literal: true

# Runs a command on another machine.
#
#   ruby client.rb HOST:PORT 'ssh-ed25519 AAAA...' USER PRIVATE-KEY-FILE COMMAND

require_relative "lib/sshwire"

abort "usage: client.rb HOST:PORT HOST-KEY-LINE USER PRIVATE-KEY-FILE COMMAND" unless ARGV.size == 5
address, host_key, user, key, command = ARGV

begin
  done = SSHWire.connect(address, user: user, key: key, host_key: host_key) { |ssh| ssh.run(command) }
rescue SSHWire::Error => e
  warn "#{e.name}: #{e.message}"
  exit 255
end
print done.stdout
$stderr.print done.stderr
warn "ended by SIG#{done.exit.signal}" if done.exit.signal
exit done.exit.status || 255
