# frozen_string_literal: true

module SSHWire
  # A forwarding: a place that is listened on, here or on the server, and the connections that came in there. The library
  # carries them on threads of its own. Transport#forward_local and its like make them.
  class Forward < Handle
    noun "forward"

    Counters = Struct.new(:connections, :active, :failed, :sent, :received)

    class << self
      private :new
    end

    # The address that is listened on as it was given, or the path.
    def address
      Text.copy(ABI.ssh_forward_address(@handle))
    end

    # The port that is listened on, also where it was chosen.
    def port
      ABI.ssh_forward_port(@handle)
    end

    # Connections carried so far, active ones, failed ones; bytes to and from the server.
    def counters
      values = Array.new(5) { FFI::MemoryPointer.new(:uint64) }
      check(:ssh_forward_counters, *values)
      Counters.new(*values.map(&:read_uint64))
    end

    def max_connections=(count)
      check(:ssh_forward_set_max_connections, count)
    end

    # Takes no new connections any more; those that there are go on.
    def stop
      check(:ssh_forward_stop)
      self
    end

    def listening?
      ABI.ssh_forward_is_listening(@handle)
    end
  end
end
