# frozen_string_literal: true

module SSHWire
  class Transport
    # What a transport runs over when that is not a descriptor. C calls `read` and `write` from one thread each.
    class Stream
      # More is not asked for at a time.
      PIECE = 262_144

      CALLBACKS = [
        Callback.function(:int32, :pointer, :size_t, :int32, :size_t, otherwise: ABI::CALLBACK) do |memory, length, time, token|
          Callback[token]&.read(memory, [length, PIECE].min, time / 1000.0) || ABI::CLOSED
        end,
        Callback.function(:int32, :pointer, :size_t, :int32, :size_t, otherwise: ABI::CALLBACK) do |memory, length, time, token|
          Callback[token]&.write(memory.read_bytes([length, PIECE].min), time / 1000.0) || ABI::CLOSED
        end,
        Callback.function(:void, :size_t) { |token| Callback[token]&.close }
      ].freeze
      private_constant :PIECE

      def initialize(thing)
        @thing = thing
      end

      def read(memory, length, timeout)
        data = attempt(timeout) { @thing.read_nonblock(length, exception: false) }
        return data if data.is_a?(Integer)
        return 0 if data.nil?
        raise ArgumentError, "more was read than asked for" if data.bytesize > length

        memory.put_bytes(0, data)
        data.bytesize
      end

      def write(data, timeout)
        attempt(timeout) { @thing.write_nonblock(data, exception: false) }
      end

      def close
        @thing.close
      rescue IOError
        nil
      end

      private

      # Tries what does not wait, once more when there is something to try for.
      def attempt(timeout)
        2.times do
          case result = yield
          when :wait_readable then IO.select([@thing], nil, nil, timeout) || break
          when :wait_writable then IO.select(nil, [@thing], nil, timeout) || break
          else return result
          end
        end
        ABI::TIMEOUT
      rescue EOFError
        0
      rescue IOError, SystemCallError
        ABI::CONN_LOST
      end
    end
    private_constant :Stream
  end
end
