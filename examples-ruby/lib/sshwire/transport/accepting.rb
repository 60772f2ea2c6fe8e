# frozen_string_literal: true

module SSHWire
  class Transport
    # A thread that waits for the next channel. Whoever asks first gets it; when that one is interrupted, the next one.
    # It does not know the transport, which could not be collected while it waits.
    class Accepting
      def initialize(transport)
        @lock = Mutex.new
        @came = ConditionVariable.new
        @done = false
        Thread.new { accept(transport) }.name = "SSHWire accept"
      end

      # The channel, nil when it has not come in that time, or another has taken it. The block is called once it is taken.
      def take(timeout)
        @lock.synchronize do
          @came.wait(@lock, timeout) unless @done
          return unless @done

          yield
          channel, @channel = @channel, nil
          failure, @failure = @failure, nil
          raise failure if failure

          channel
        end
      end

      private

      def accept(transport)
        channel = Channel.own(Error.call(:ssh_transport_accept, transport, ABI::FOREVER))
      rescue Error => e
        failure = e
      ensure
        @lock.synchronize do
          @channel = channel
          @failure = failure
          @done = true
          @came.broadcast
        end
      end
    end
    private_constant :Accepting
  end
end
