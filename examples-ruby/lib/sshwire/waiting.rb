# frozen_string_literal: true

module SSHWire
  # How long to wait, and how to wait so that Ruby can end it.
  #
  # FFI gives up Ruby's lock while a function runs that is declared `blocking`, but has no way to wake it: neither a
  # signal nor Thread#kill would get through before it returns. So what may take long is done in one of three ways:
  #
  # * reading and writing of channels does not wait in C at all; Ruby waits for a descriptor (event.rb);
  # * a call that may be made again after its time is over is made in slices (Waiting.sliced);
  # * every other one is made by a thread of its own, and the caller waits for that (Waiting.aside).
  module Waiting
    # Seconds that a sliced call waits at most before Ruby may have its way.
    SLICE = 0.1

    module_function

    # Seconds as milliseconds for C: nil waits as long as it takes, :default as long as the function's comment says.
    def milliseconds(timeout)
      return ABI::FOREVER if timeout.nil?
      return ABI::DEFAULT if timeout == :default
      raise ArgumentError, "a timeout cannot be negative" if timeout.negative?

      [(timeout * 1000).ceil, 0x7fffffff].min
    end

    # When a timeout that begins now is over; nil for never.
    def deadline(timeout)
      raise ArgumentError, "a timeout cannot be negative" if timeout&.negative?

      timeout && (now + timeout)
    end

    # Seconds until then, nil for ever, never below 0.
    def left(deadline)
      deadline && [deadline - now, 0].max
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    # Calls the block with milliseconds until its status is neither SSH_ERR_TIMEOUT nor SSH_AGAIN, or the time is over.
    def sliced(timeout)
      ending = deadline(timeout)
      loop do
        left = left(ending)
        began = now
        status = yield milliseconds(left ? [left, SLICE].min : SLICE)
        return status unless [ABI::TIMEOUT, ABI::AGAIN].include?(status)
        return status if (left && left <= SLICE) || (status == ABI::TIMEOUT && early?(began))
      end
    end

    # Whether a slice has not been waited for. A timeout that comes so early is what ended the session: the peer does not
    # answer, and never will.
    def early?(began)
      now - began < SLICE / 2
    end

    # The same for a block that raises TimeoutError.
    def sliced_call(timeout)
      ending = deadline(timeout)
      loop do
        left = left(ending)
        began = now
        return yield milliseconds(left ? [left, SLICE].min : SLICE)
      rescue TimeoutError
        raise if (left && left <= SLICE) || early?(began)
      end
    end

    # Has a thread of its own run the block, and gives what that returns or raises. When the caller is interrupted, the
    # call goes on until its own time is over, and `dispose` gets what comes of it.
    def aside(dispose = nil)
      lock = Mutex.new
      waiting = true
      result = failure = nil
      thread = Thread.new do
        value = yield
        lock.synchronize { waiting ? result = value : dispose&.call(value) }
      rescue Exception => e # of every kind: it is the caller's, not this thread's
        failure = e
      end
      thread.name = "SSHWire call"
      thread.join
      if failure
        failure.set_backtrace(caller) # not that of a thread that is nobody's business
        raise failure
      end
      value = result
      result = nil
      value
    ensure
      lock&.synchronize do
        waiting = false
        dispose.call(result) if dispose && result
      end
    end
  end
end
