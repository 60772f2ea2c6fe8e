# frozen_string_literal: true

module SSHWire
  # Owns one object of the library's, and frees it once: when `free` is called, at the end of a `use`, when the Ruby
  # object is collected, or at the end of the process.
  #
  # The order does not matter to the library, and a freed object answers every call with SSH_ERR_BAD_HANDLE.
  class Handle
    # What is to be freed at the end of the process: number => [kind, handle]. The numbers are ours and are not used
    # again. One operation on a hash is not interrupted, so this needs no lock, which a finalizer could not take.
    LIVE = {}
    # What there is to free first at exit: these have threads of ours waiting for them.
    FIRST = %w[transport sftp channel].freeze
    private_constant :LIVE, :FIRST

    @serial = 0
    @armed = false

    class << self
      # Names the noun in the C functions' names.
      def noun(name = nil)
        name ? @noun = name : @noun || superclass.noun
      end

      # Makes an object of a handle that was just given to us; nil of none.
      def own(handle, *arguments)
        return if handle.zero?

        object = allocate
        object.send(:hold, handle)
        object.send(:owned, *arguments)
        object
      rescue Exception
        ABI.public_send("ssh_#{noun}_free", handle) unless object&.send(:held?)
        raise
      end

      # Has a handle freed at exit, and by the proc that is returned, whichever comes first.
      def keep(noun, handle)
        number = Handle.next_number
        LIVE[number] = [noun, handle]
        Handle.arm
        releaser(number)
      end

      # Not a block of the object's own: it would keep the object alive.
      def releaser(number)
        proc do
          noun, handle = LIVE.delete(number)
          ABI.public_send("ssh_#{noun}_free", handle) if noun
        end
      end

      # Forgets a handle without freeing it.
      def forget(handle)
        LIVE.delete_if { |_, (_, other)| other == handle }
      end

      def next_number
        @serial += 1
      end

      # The end of the process takes Ruby down while threads of the library may be on their way into it, and Ruby waits
      # for its own threads, which may be waiting in C. So everything is ended before. What is made later arms this
      # again.
      def arm
        return if @armed

        @armed = true
        Callback.resume
        at_exit { Handle.free_all }
      end

      def free_all
        @armed = false
        Callback.wind_up
        Log.stop
        LIVE.to_a.sort_by { |_, (noun, _)| FIRST.index(noun) || FIRST.size }.each { |number, _| releaser(number).call }
        Callback.finish
      end
    end

    # Frees the object now. Calls that wait on it in other threads end with Closed. Does nothing the second time.
    def free
      @release&.call
      nil
    end

    # Gives the object to the block, and frees it afterwards.
    def use
      yield self
    ensure
      free
    end

    # The number that the library knows the object by.
    def to_handle
      @handle
    end

    def inspect
      format("#<%s 0x%x>", self.class, @handle)
    end

    def initialize_copy(_other)
      raise TypeError, "a #{self.class} cannot be copied"
    end

    def marshal_dump
      raise TypeError, "a #{self.class} belongs to this process"
    end

    private

    def hold(handle)
      raise Error.for(ABI::BAD_HANDLE, "there is no such object") if handle.zero?

      @handle = handle
      @release = Handle.keep(self.class.noun, handle)
      ObjectSpace.define_finalizer(self, @release)
    end

    # What `own` does instead of `initialize`.
    def owned; end

    def held?
      !@release.nil?
    end

    # Calls a function of this object that gives a status alone.
    def check(function, *arguments)
      Error.check(ABI.public_send(function, @handle, *arguments))
    end

    # Calls a function of this object whose last argument is an `ssh_error **`.
    def call(function, *arguments)
      Error.call(function, @handle, *arguments)
    end

    # The same for a function that may take long. `dispose` is the noun of the handle that comes of it.
    def call_aside(function, *arguments, dispose: nil)
      handle = @handle
      free = dispose && proc { |result| ABI.public_send("ssh_#{dispose}_free", result) }
      Waiting.aside(free) { Error.call(function, handle, *arguments) }
    end

    # The same for one that gives a string that is ours.
    def call_text(function, *arguments)
      detail = FFI::MemoryPointer.new(:size_t)
      memory = ABI.public_send(function, @handle, *arguments, detail)
      error = Error.take(detail.get(:size_t, 0))
      error ? raise(error) : Text.take(memory)
    end

    # A string that is ours; nil where there is none.
    def text(function, *arguments)
      Text.take(ABI.public_send(function, @handle, *arguments))
    end

    # A string that is always there, unless the object is freed.
    def text!(function, *arguments)
      text(function, *arguments) || raise(Error.for(ABI::BAD_HANDLE))
    end
  end

  # The Ruby object of a handle, as long as somebody has it.
  class Known # :nodoc:
    def initialize
      @numbers = {} # handle => number; a handle is no key of a WeakMap's, which knows keys by identity
      @objects = ObjectSpace::WeakMap.new # number => object
      @serial = 0
    end

    def [](handle)
      number = @numbers[handle]
      number && @objects[number]
    end

    def []=(handle, object)
      number = @serial += 1
      @objects[number] = object
      @numbers[handle] = number
      ObjectSpace.define_finalizer(object, forget(handle, number))
    end

    private

    def forget(handle, number)
      numbers = @numbers
      proc { numbers.delete(handle) if numbers[handle] == number }
    end
  end
  private_constant :Known
end
