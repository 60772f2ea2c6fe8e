# frozen_string_literal: true

module SSHWire
  # One SSH connection over one stream, as client or as server.
  class Transport < Handle
    include Callback::Owner

    noun "transport"

    TIMEOUTS = { handshake: 1, rekey: 2, auth: 3, channel: 4 }.freeze
    ALGORITHMS = { kex: 1, host_key: 2, cipher_sent: 3, cipher_received: 4, mac_sent: 5, mac_received: 6,
                   compression_sent: 7, compression_received: 8 }.freeze
    STATISTICS = %i[packets_sent bytes_sent packets_received bytes_received key_exchanges round_trip_us window_stalls
                    channels].freeze

    KEEPALIVE = Callback.function(:void, :size_t, :int64, :uint32, :size_t) do |_, round_trip_us, missed, token|
      Callback[token]&.call(round_trip_us.negative? ? nil : round_trip_us / 1e6, missed)
    end
    BANNER = Callback.function(:void, :size_t, :string, :size_t) do |_, words, token|
      Callback[token]&.call(Text.copy(words))
    end
    FORWARDED = Callback.function(:void, :size_t, :string, :uint16, :string, :uint16, :size_t) do |*arguments|
      handle, origin, origin_port, address, port, token = arguments
      channel = Channel.own(handle)
      block = Callback[token]
      block ? block.call(channel, [Text.copy(origin), origin_port], [Text.copy(address), port]) : channel.free
    end
    KNOWN = Known.new
    private_constant :KEEPALIVE, :BANNER, :FORWARDED, :KNOWN

    class << self
      # A transport over a new TCP connection; all addresses of the host are tried.
      def connect(address, timeout: 30)
        address = Text.own(address)
        milliseconds = Waiting.milliseconds(timeout)
        Callback.check_fork
        own(Waiting.aside(ABI.method(:ssh_transport_free)) do
          Error.call(:ssh_transport_new_address, address, milliseconds)
        end)
      end

      # A transport over a channel of another one, a session within a session; or over anything that reads and writes
      # like a socket without waiting (read_nonblock, write_nonblock, to_io, close), such as an OpenSSL::SSL::SSLSocket.
      def over(thing)
        Callback.check_fork
        return own(Error.call(:ssh_transport_new_channel, thing.to_handle)) if thing.is_a?(Channel)

        targets = {}
        token = Callback.register(Stream.new(thing), targets)
        transport = own(Error.call(:ssh_transport_new_stream, *Stream::CALLBACKS, token, Callback::DESTROY))
        transport.instance_variable_set(:@targets, targets)
        transport
      end

      # The object of a handle, if there is one.
      def known(handle)
        KNOWN[handle] unless handle.zero?
      end
    end

    # A transport over a connected stream socket, which belongs to it from now on.
    def initialize(socket)
      Callback.check_fork
      copy = socket.dup
      copy.autoclose = false
      begin
        handle = Error.call(:ssh_transport_new, copy.fileno)
      rescue Error
        copy.close
        raise
      end
      hold(handle)
      owned
      socket.close
    end

    # Begins the session as client. The server's key has then proven itself; whether it is the right one is decided by
    # expect_host_key, on(:host_key), or accept_host_key.
    def start_client(timeout: :default)
      call_aside(:ssh_transport_start_client, 0, Waiting.milliseconds(timeout))
      self
    end

    # Begins the session as server, with the answers of a Server. `wait: false` does not wait for the keys to be
    # exchanged.
    def start_server(server, timeout: :default, wait: true)
      @server = server # its blocks are needed as long as the session is
      milliseconds = Waiting.milliseconds(timeout)
      return call_aside(:ssh_transport_start_server, server.to_handle, 0, milliseconds) && self if wait

      @started = Event.new
      call(:ssh_transport_start_server, server.to_handle, @started.to_handle, milliseconds)
      self
    end

    # Has the block answer questions of one kind, before the server's blocks. See Server#on.
    def on(kind, &block)
      give(block, :ssh_transport_set_callback, Request.number(kind), Request::CALLBACK)
      self
    end

    # Has the block serve a subsystem on this transport alone. See Server#subsystem.
    def subsystem(name, &block)
      give(block, :ssh_transport_set_subsystem_handler, Text.own(name), Server::SUBSYSTEM)
      self
    end

    # Has questions without a block wait for next_request.
    def pull_requests(enabled: true)
      check(:ssh_transport_pull_requests, enabled)
      self
    end

    # The next question that waits.
    def next_request(timeout: nil)
      await(Request, :ssh_transport_next_request, :ssh_transport_request_event, timeout)
    end

    # The next channel that the peer has opened.
    def accept(timeout: nil)
      await(Channel, :ssh_transport_accept, :ssh_transport_accept_event, timeout)
    end

    # Keeps a channel until it is closed.
    def keep(channel)
      @kept = [*@kept&.reject(&:closed?), channel]
    end

    # Adds a host key for the server role.
    def add_server_key(key)
      check(:ssh_transport_add_server_key, Key.private_of(key).to_handle)
      self
    end

    # The host key that was negotiated: as server our own, as client the server's.
    def server_key
      Key.own(ABI.ssh_transport_get_server_key(@handle)) || Key.own(call(:ssh_transport_get_remote_server_key))
    end

    # Says which host key the server must have: a key, or its line.
    def expect_host_key(key)
      check(:ssh_transport_set_expected_host_key, key ? Key.public_of(key).to_handle : 0)
      self
    end

    # Has known hosts decide about the server's key, before the start: under this name, or the one of Transport.connect.
    # Where they know nothing of the host the question is the program's: on(:host_key), or accept_host_key.
    def use_known_hosts(known_hosts, host: nil, port: 22)
      call(:ssh_transport_set_known_hosts, known_hosts ? known_hosts.to_handle : 0, host, port)
      self
    end

    # What they have said (KnownHosts::Verdict); nil while they have not.
    def known_hosts_verdict
      KnownHosts::Verdict.of { |*out| check(:ssh_transport_known_hosts_verdict, *out) }
    rescue Error => e
      e.code == ABI::STATE ? nil : raise
    end

    # Accepts the host key that the server has shown, after the program has checked it (server_key).
    def accept_host_key
      check(:ssh_transport_accept_host_key)
      self
    end

    # Refuses the host keys and certificates of Revocations, whoever else would take them; nil for none.
    def revoked_host_keys=(revocations)
      check(:ssh_transport_set_revoked_host_keys, revocations ? revocations.to_handle : 0)
    end

    # INSECURE: accepts every host key, so that whoever sits in between can read and change everything.
    def insecure_accept_any_host_key
      check(:ssh_transport_set_insecure_accept_any_host_key)
      self
    end

    # Closes the session with a goodbye to the peer, which has a second to leave.
    def close
      check(:ssh_transport_close)
      nil
    end

    # Closes without waiting for the goodbye to leave.
    def stop
      check(:ssh_transport_stop_thread)
      nil
    end

    # Gives the transport to the block; closes it in good order and frees it afterwards.
    def use
      yield self
    ensure
      ABI.ssh_transport_close(@handle)
      free
    end

    # Ends every call that waits for this transport in C, with Cancelled. The session goes on.
    def cancel
      check(:ssh_transport_cancel)
      self
    end

    # After a fork: drops this process's copy, without a word to the peer, and frees the object.
    def atfork
      check(:ssh_transport_atfork)
      Handle.forget(@handle)
      nil
    end

    # Whether the session has ended within that time.
    def join(timeout: nil)
      status = Waiting.sliced(timeout) { |milliseconds| ABI.ssh_transport_join(@handle, milliseconds) }
      return false if [ABI::AGAIN, ABI::TIMEOUT].include?(status)

      Error.check(status).zero?
    end

    def alive?
      ABI.ssh_transport_is_alive(@handle)
    end

    def active?
      ABI.ssh_transport_is_active(@handle)
    end

    def authenticated?
      ABI.ssh_transport_is_authenticated(@handle)
    end

    # What ended the session; nil while it goes on.
    def error
      Error.take(ABI.ssh_transport_error(@handle))
    end

    # The user that is authenticated, in either role.
    def username
      text(:ssh_transport_get_username)
    end

    # Host and port of the other side.
    def peer
      port = FFI::MemoryPointer.new(:uint16)
      [text!(:ssh_transport_getpeername, port), port.read_uint16]
    end

    def name
      text!(:ssh_transport_get_name)
    end

    def name=(name)
      check(:ssh_transport_set_name, name)
    end

    def to_s
      text(:ssh_transport_describe) || "freed transport"
    end

    def inspect
      "#<#{self.class} #{self}>"
    end

    # An algorithm that was agreed on (ALGORITHMS), nil before.
    def algorithm(which)
      text(:ssh_transport_get_algorithm, ALGORITHMS.fetch(which))
    end

    # What was carried, by name (STATISTICS).
    def statistics
      values = FFI::MemoryPointer.new(:uint64, STATISTICS.size)
      check(:ssh_transport_statistics, values, STATISTICS.size)
      STATISTICS.zip(values.read_array_of_uint64(STATISTICS.size)).to_h
    end

    private

    # Takes what comes, waiting for the event that tells of it.
    def await(kind, function, event, timeout)
      ending = Waiting.deadline(timeout)
      event = Event.own(ABI.public_send(event, @handle))
      loop do
        thing = kind.own(call(function, 0))
        return thing if thing

        left = Waiting.left(ending)
        raise Error.for(ABI::TIMEOUT) if left&.zero?

        event.wait(timeout: left)
      end
    ensure
      event&.free
    end

    def owned
      KNOWN[@handle] = self
    end
  end
end

require_relative "transport/auth"
require_relative "transport/channels"
require_relative "transport/settings"
require_relative "transport/stream"
