# frozen_string_literal: true

module SSHWire
  class Transport
    # The algorithms of this transport, to be read and, until it is started, changed.
    def security_options
      SecurityOptions.own(ABI.ssh_transport_security_options(@handle)) || raise(Error.for(ABI::BAD_HANDLE))
    end

    def security_options=(options)
      check(:ssh_transport_set_security_options, options.to_handle)
    end

    # Sets what calls with `timeout: :default` and the session itself use: :handshake, :rekey, :auth, :channel.
    def set_timeout(kind, seconds)
      check(:ssh_transport_set_timeout, TIMEOUTS.fetch(kind), Waiting.milliseconds(seconds))
      self
    end

    # Asks the peer after so many seconds of silence whether it is there, and ends the session after so many questions
    # without an answer (0 for never). The block hears of each: seconds or nil, and how many were missed in a row.
    def keepalive(interval, max_missed: 3, &block)
      give(block, :ssh_transport_set_keepalive, Waiting.milliseconds(interval), max_missed, KEEPALIVE)
      self
    end

    # Whether to compress. Before the start.
    def compression=(enabled)
      check(:ssh_transport_use_compression, enabled)
    end

    # When new keys are negotiated: after so many bytes, packets, seconds; 0 keeps the default. Before the start.
    def limit_keys(bytes: 0, packets: 0, seconds: 0)
      check(:ssh_transport_set_rekey_limits, bytes, packets, seconds)
      self
    end

    # Negotiates new keys now.
    def renegotiate_keys(timeout: :default)
      call_aside(:ssh_transport_renegotiate_keys, Waiting.milliseconds(timeout))
      self
    end

    # How far the receive window of one channel may grow. Before the start.
    def window_cap=(bytes)
      check(:ssh_transport_set_window_cap, bytes)
    end

    # How many channels may be open at once. Before the start.
    def channel_limit=(channels)
      check(:ssh_transport_set_channel_limit, channels)
    end

    # Whether to refuse peers that do not know strict key exchange. Before the start.
    def strict_kex=(required)
      check(:ssh_transport_require_strict_kex, required)
    end

    # Sends a packet that the peer ignores.
    def send_ignore(length = 0)
      check(:ssh_transport_send_ignore, length)
      self
    end

    # Whether the process may exit while the transport is alive. Ruby ends all transports at exit in any case; this is
    # for programs that embed it.
    def daemon?
      ABI.ssh_transport_is_daemon(@handle)
    end

    def daemon=(daemon)
      check(:ssh_transport_set_daemon, daemon)
    end

    # Has the block receive the log of this transport, as SSHWire.log does for all. Without a block, that of all does.
    def log(level = :info, &block)
      give(block, :ssh_transport_set_log_callback, Log.callback, between: [Log.level(level)])
      self
    end

    def log_channel
      text!(:ssh_transport_get_log_channel)
    end

    def log_channel=(name)
      check(:ssh_transport_set_log_channel, name)
    end

    # Whether to log every packet in hexadecimal, at the level :debug.
    def hexdump?
      ABI.ssh_transport_get_hexdump(@handle)
    end

    def hexdump=(enabled)
      check(:ssh_transport_set_hexdump, enabled)
    end
  end
end
