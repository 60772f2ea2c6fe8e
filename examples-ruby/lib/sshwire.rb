# frozen_string_literal: true

require "ffi"

# SSH-2, client and server, over libsshwire.
#
#   SSHWire.connect("example.org", user: "alice", key: "id_ed25519", host_key: "ssh-ed25519 AAAA...") do |ssh|
#     puts ssh.run("uname -a").stdout
#   end
#
# Objects may be used from any thread. Each frees itself when it is collected; `free`, or the end of a block where one
# can be given, does it at once. A failure is an SSHWire::Error with the status of the C function and the details there
# are. Timeouts are seconds, nil waits for as long as it takes. Every wait can be ended by Thread#kill, Thread#raise,
# Timeout.timeout and signals.
#
# Blocks that answer the library's questions run on threads of their own. What they raise or throw is reported
# (SSHWire.report) and refuses what was asked.
module SSHWire
  # The version of these files. The library's is SSHWire.library_version.
  VERSION = "0.1.0"
end

require_relative "sshwire/abi"
require_relative "sshwire/error"
require_relative "sshwire/waiting"
require_relative "sshwire/handle"
require_relative "sshwire/callback"
require_relative "sshwire/event"
require_relative "sshwire/log"
require_relative "sshwire/key"
require_relative "sshwire/certificate"
require_relative "sshwire/authorized_keys"
require_relative "sshwire/agent"
require_relative "sshwire/known_hosts"
require_relative "sshwire/security_options"
require_relative "sshwire/stream"
require_relative "sshwire/channel"
require_relative "sshwire/forward"
require_relative "sshwire/request"
require_relative "sshwire/server"
require_relative "sshwire/sftp"
require_relative "sshwire/transport"
require_relative "sshwire/listener"
require_relative "sshwire/config"

# What does not belong to an object.
module SSHWire
  # A session ready for use: connects, checks the host key, authenticates.
  #
  # address:: "host", "host:port", "[v6]:port"
  # key::     an SSHWire::Key, or the path of a private key
  # host_key:: the key that the server must have, an SSHWire::Key or its line
  # known_hosts:: in its place, the KnownHosts that the server must be among
  #
  # Without either there is no session. Programs that ask somebody make a Transport and set Transport#on(:host_key).
  #
  # With a block, gives it the transport, closes that afterwards and returns what the block does.
  def self.connect(address, user:, host_key: nil, known_hosts: nil, key: nil, password: nil, timeout: 30, &block)
    raise ArgumentError, "host_key or known_hosts is needed" unless host_key || known_hosts

    transport = Transport.connect(address, timeout: timeout)
    begin
      transport.expect_host_key(host_key) if host_key
      transport.use_known_hosts(known_hosts) if known_hosts
      transport.start_client(timeout: timeout)
      transport.authenticate(user, key: key, password: password, timeout: timeout)
    rescue Exception
      transport.free
      raise
    end
    block ? transport.use(&block) : transport
  end

  # A session ready for use, as ssh would make it: `SSHWire.connect_config("alias") { |ssh| ... }`.
  #
  # config::  a Config; without one the files of ssh hold
  # ask::     called with whatever a person has to be asked (Request): about the key of a host that is not known,
  #           passphrases and passwords
  #
  # With a block, as connect.
  def self.connect_config(destination, config: Config.default, ask: nil, timeout: :default, &block)
    config.on(:any, &ask) if ask
    config.connect(destination, timeout: timeout, &block)
  end

  # The version of the library that was loaded, such as "0.1.0"; as a number 0xMMmmpp, to compare.
  def self.library_version
    ABI.ssh_version_string
  end

  def self.library_version_number
    ABI.ssh_version_number
  end

  # Bytes of a peer's, such as names of files and the data of channels, made safe to show on a terminal.
  def self.printable(bytes)
    Text.take(ABI.ssh_text_printable(Text.bytes(bytes), bytes.bytesize))
  end

  # How many threads the library uses for all sockets; to be set before the first transport.
  def self.io_threads=(count)
    Error.check(ABI.ssh_set_io_threads(count))
  end
end
