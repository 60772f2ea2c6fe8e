# frozen_string_literal: true

module SSHWire
  # The log of all transports that have none of their own (Transport#log).
  module Log
    LEVELS = { none: 0, error: 1, warning: 2, info: 3, debug: 4 }.freeze

    CALLBACK = Callback.function(:void, :int32, :string, :string, :size_t) do |level, channel, line, token|
      Callback[token]&.call(LEVELS.key(level), Text.copy(channel), Text.copy(line))
    end
    private_constant :CALLBACK

    @targets = {}

    class << self
      # The C function, and the level as a number.
      def callback
        CALLBACK
      end

      def level(name)
        LEVELS.fetch(name) { raise ArgumentError, "no such level: #{name.inspect}" }
      end

      def start(level, block)
        Callback.check_fork
        token = Callback.register(block, @targets)
        Error.check(ABI.ssh_set_log_callback(CALLBACK, level(level), token, Callback::DESTROY))
      rescue StandardError
        Callback.unregister(token) if token
        raise
      end

      def stop
        ABI.ssh_set_log_callback(nil, 0, 0, nil)
      end
    end
  end

  # Has the block receive the lines of log up to a level (:error, :warning, :info, :debug): level, log channel, text. On
  # threads of their own, one line after another for each transport. Without a block, nobody.
  def self.log(level = :info, &block)
    block ? Log.start(level, block) : Log.stop
    nil
  end
end
