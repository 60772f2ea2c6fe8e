# frozen_string_literal: true

module SSHWire
  class SFTP < Handle
    # One download or upload. A thread of its own makes the call in C; the block runs in the thread that wants it, so that
    # it may raise, throw, break and take its time. However it is left, the transfer ends.
    class Transfer
      FLAGS = { resume: 1, preserve: 2, recursive: 4, follow: 8 }.freeze
      # Seconds that a transfer which was given up has to end.
      LINGER = 1

      # The remote path of the file under way, how many of its bytes are there, its size or nil, files finished before,
      # and entries that were left out.
      Progress = Struct.new(:file, :done, :total, :files, :skipped)

      UNKNOWN = (1 << 64) - 1
      CALLBACK = Callback.function(:bool, :size_t, :string, :uint64, :uint64, :uint64, :uint64,
                                   otherwise: false) do |token, file, done, total, files, skipped|
        total = nil if total == UNKNOWN
        Callback[token]&.call(Progress.new(Text.copy(file), done, total, files, skipped)) == true
      end
      private_constant :LINGER, :UNKNOWN, :CALLBACK

      class << self
        def flags(**options)
          options.sum { |name, wanted| wanted ? FLAGS.fetch(name) { raise ArgumentError, "unknown option #{name}" } : 0 }
        end

        def run(sftp, function, arguments, timeout, block)
          new(block).run(sftp, function, arguments, Waiting.milliseconds(timeout))
        end

        private :new
      end

      def initialize(block)
        @block = block
        @reports = Queue.new
        @answers = Queue.new
        @given_up = false
        @targets = {}
      end

      def run(sftp, function, arguments, milliseconds)
        token = Callback.register(method(:report), @targets)
        thread = Thread.new do
          Error.call(function, sftp, *arguments, CALLBACK, token, milliseconds)
        rescue Error => e
          e
        ensure
          Callback.unregister(token)
          @reports << nil
        end
        thread.name = "SSHWire transfer"
        answer
        ended = thread.value
        return unless ended.is_a?(Error)

        ended.set_backtrace(caller)
        raise ended
      ensure
        give_up(thread)
      end

      private

      # In the thread that is in C.
      def report(progress)
        return !@given_up if @block.nil? || @given_up

        @reports << progress
        @answers.pop
      end

      # In the thread that waits.
      def answer
        while (progress = @reports.pop)
          @block.call(progress)
          @answers << true
        end
      end

      def give_up(thread)
        @given_up = true
        @answers << false
        thread&.join(LINGER)
      end
    end
  end
end
