# frozen_string_literal: true

module SSHWire
  # Accepts the connections of a server, and turns away who is too many or has been penalized. docs/limits.md has the
  # defaults of the limits, which hold for connections that come later.
  #
  #   listener = SSHWire::Listener.new
  #   listener.bind("0.0.0.0", 2222)
  #   listener.serve(server)
  class Listener < Handle
    noun "listener"

    # What a source is penalized for.
    PENALTIES = { no_auth: 1, auth_failed: 2, grace_exceeded: 3, protocol: 4 }.freeze
    # What is counted, so far; the last three are how many there are now.
    COUNTERS = { accepted: 1, refused_total: 2, refused_per_source: 3, refused_penalty: 4, shortages: 5,
                 unauthenticated: 6, waiting: 7, penalized: 8 }.freeze

    def initialize
      Callback.check_fork
      hold(ABI.ssh_listener_new)
    end

    # Listens at an IP address, "localhost", "" for all, or the /path of a UNIX socket. Returns the port.
    def bind(address, port = 0)
      bound = FFI::MemoryPointer.new(:uint16)
      call(:ssh_listener_bind, Text.own(address), port, bound)
      bound.read_uint16
    end

    # Takes over a socket that listens, which is closed on this side.
    def add_socket(socket)
      copy = socket.dup
      copy.autoclose = false
      begin
        call(:ssh_listener_add_fd, copy.fileno)
      rescue Error
        copy.close
        raise
      end
      socket.close
      self
    end

    # The next connection, as a Transport that is not started. Ends with Closed after `stop`.
    def accept(timeout: nil)
      handle = Waiting.sliced_call(timeout) { |milliseconds| call(:ssh_listener_accept, milliseconds) }
      Transport.own(handle) || raise(Error.for(ABI::TIMEOUT))
    end

    # Serves who comes, until `stop` or `free` in another thread. A connection that fails ends nothing else.
    def serve(server)
      loop do
        transport = accept
        begin
          server.serve_transport(transport)
        rescue Error => e
          SSHWire.report(e)
        end
      end
    rescue Closed
      self
    end

    # Bounds connections that are not logged in; from `start` on some are refused by chance.
    def limit_unauthenticated(full = 512, start: 256, rate_percent: 30)
      check(:ssh_listener_set_max_unauthenticated, start, rate_percent, full)
      self
    end

    # The same for each source, a network of so many bits; 0 for no bound.
    def limit_source(count = 64, ipv4_bits: 32, ipv6_bits: 64)
      check(:ssh_listener_set_max_per_source, count, ipv4_bits, ipv6_bits)
      self
    end

    # What a connection that came to nothing (PENALTIES) costs its source, in seconds.
    def set_penalty(kind, seconds)
      check(:ssh_listener_set_penalty, PENALTIES.fetch(kind), Waiting.milliseconds(seconds))
      self
    end

    # From how many seconds on a source is refused, up to how many they add up, and for how many sources; 0 sources turn
    # penalties off.
    def limit_penalties(least: 15, most: 600, sources: 65_536)
      check(:ssh_listener_set_penalty_bounds, Waiting.milliseconds(least), Waiting.milliseconds(most), sources)
      self
    end

    # Holds nothing against an address or a network such as "192.0.2.0/24".
    def exempt(network)
      check(:ssh_listener_add_exempt, Text.own(network))
      self
    end

    # Everything that it counts (COUNTERS).
    def counters
      COUNTERS.transform_values { |kind| ABI.ssh_listener_counter(@handle, kind) }
    end

    # Listens no longer; what was let in before may still be accepted.
    def stop
      check(:ssh_listener_stop)
      self
    end

    def listening?
      ABI.ssh_listener_is_listening(@handle)
    end
  end
end
