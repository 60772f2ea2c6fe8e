# frozen_string_literal: true

module SSHWire
  # A flag that the library or the program sets, and that others wait for.
  class Event < Handle
    noun "event"

    def initialize
      hold(ABI.ssh_event_new)
      owned
    end

    # Waits until the event is set; false when the time is over before.
    def wait(timeout: nil)
      return true if set?

      !IO.select([@io], nil, nil, timeout).nil? && set?
    rescue IOError, Errno::EBADF # it was freed meanwhile
      raise Error.for(ABI::CLOSED)
    end

    def set?
      ABI.ssh_event_is_set(@handle)
    end

    def set
      check(:ssh_event_set)
      self
    end

    def reset
      check(:ssh_event_reset)
      self
    end

    # What IO.select takes: readable while the event is set. Not to be read from or closed.
    def to_io
      @io
    end

    private

    def owned
      descriptor = ABI.ssh_event_fd(@handle)
      raise Error.new(-203, "no descriptor is left") if descriptor.negative?

      @io = IO.for_fd(descriptor, autoclose: false)
    end
  end

  # Tells any number of threads when something has changed, over one event.
  #
  # A thread remembers `count`, tries what it wants, and when that cannot be done yet waits for another count. One of the
  # waiting threads waits for the event, the others for that one. It takes the event back before it counts, so that what
  # changes later sets it again, and what has changed before is seen by everyone's next try.
  class Changes
    attr_reader :event, :count

    def initialize
      @event = Event.new
      @count = 0
      @lock = Mutex.new
      @counted = ConditionVariable.new
      @watched = false
    end

    # Waits until there is another count than this one, or the time (seconds, nil for ever) is over.
    def wait(count, timeout)
      watching = false
      @lock.synchronize do
        return unless @count == count
        return @counted.wait(@lock, timeout) if @watched

        @watched = watching = true
      end
      IO.select([@event], nil, nil, timeout)
    ensure
      count_on if watching
    end

    private

    def count_on
      @lock.synchronize do
        @watched = false
        ABI.ssh_event_reset(@event.to_handle)
        @count += 1
        @counted.broadcast
      end
    end
  end
end
