# frozen_string_literal: true

module SSHWire
  # Reports what a block raised that the library had called, where there is nobody to raise it to. Like an exception that
  # ends a thread, it goes to standard error, unless something else is set: `SSHWire.on_report { |exception| ... }`.
  def self.report(exception)
    reporter = @reporter
    reporter ? reporter.call(exception) : warn(exception.full_message(highlight: false))
  rescue StandardError
    nil
  end

  # Sets who receives what blocks raise; nobody without a block.
  def self.on_report(&reporter)
    @reporter = reporter
  end

  # Blocks that C calls.
  #
  # A thread that is not Ruby's cannot run Ruby. FFI keeps a thread for such calls, which starts one of Ruby's for each.
  # There is one C function for each kind of callback, made once and for ever, for a thread of the library's may be on
  # its way into it at any time. Which block is meant stands in the userdata, a number ("token"); the library calls
  # `destroy` once when it will not use that again.
  #
  # The object that a block was given to keeps it, not the registry, so that an object and blocks that refer to it are
  # garbage together.
  module Callback
    # A block of somebody's. The owner keeps it in `targets`, and nobody else does.
    Target = Struct.new(:block, :targets)

    # token => Target, weakly.
    WEAK = ObjectSpace::WeakMap.new
    # Seconds that the end of the process waits for blocks to end.
    PATIENCE = 2
    private_constant :Target, :WEAK, :PATIENCE

    @token = 0
    @functions = []
    @given = {} # tokens that the library has, and may call
    @running = {} # threads that run a block now
    @ending = @over = false # how far the process is with its end

    # Objects that keep the blocks that were given to them.
    module Owner
      private

      # Calls a C function that takes a callback, its userdata and `destroy`, with a token for the block. Without a
      # block the callback is taken away. `between` are arguments that stand behind the callback.
      def give(block, function, *before, callback, between: [])
        token = block ? Callback.register(block, @targets ||= {}) : 0
        check(function, *before, block && callback, *between, token, block && Callback::DESTROY)
      rescue Exception
        Callback.unregister(token)
        raise
      end
    end

    class << self
      # A token for a block that lives as long as the hash does, and no longer than the library needs it.
      def register(block, targets)
        @token += 1
        @given[@token] = true
        WEAK[@token] = targets[@token] = Target.new(block, targets)
        @token
      end

      def unregister(token)
        @given.delete(token)
        WEAK[token]&.targets&.delete(token)
      end

      # The block of a token; nil when its owner is gone, or was left behind in the parent of this process.
      def [](token)
        WEAK[token]&.block if token > @inherited
      end

      # A C function that runs the Ruby block, and never lets anything but a value out to C: not an exception, and
      # neither a throw nor the end of the thread, which would leave the library's thread waiting for ever.
      def function(result, *arguments, otherwise: nil, &block)
        made = FFI::Function.new(result, arguments) { |*given| shielded(otherwise) { block.call(*given) } }
        made.autorelease = false # threads of the library's may enter while Ruby is taken down
        @functions << made
        made
      end

      # FFI before 1.16 leaves a call that has come and that its thread has not seen to the child, together with the stack
      # of a thread that is not there. So let that thread have its turn before, and let it be done with what there is
      # after, while the stack is as it was.
      def before_fork
        4.times { Thread.pass }
      end

      # FFI's thread for calls from C does not live on in a child. FFI from 1.16 on starts another one by itself; before,
      # it does when it makes a function. So have it make one.
      def after_fork
        @pid = Process.pid
        @inherited = @token
        @given.clear
        @running.clear
        @functions << FFI::Function.new(:void, []) {}
        settle unless FFI.respond_to?(:_async_cb_dispatcher_atfork_child) || @token.zero?
      end

      # Process.daemon forks without telling anybody, FFI included.
      def check_fork
        return if @pid == Process.pid

        FFI._async_cb_dispatcher_atfork_child if FFI.respond_to?(:_async_cb_dispatcher_atfork_child)
        after_fork
      end

      # The end of the process begins: what blocks raise, now that their sessions end, is no news.
      def wind_up
        @ending = Thread.current
      end

      # Its end, once all objects are freed: ends the blocks that run, and waits until the library has said of all that it
      # is through with them. What it calls after Ruby is taken down does not exist any more.
      def finish
        @running.each_key { |thread| thread.kill unless thread == Thread.current }
        ending = Waiting.deadline(PATIENCE)
        sleep 0.001 until (@given.empty? && @running.empty?) || Waiting.left(ending).zero?
        @over = true
      end

      # Something was made by what runs at exit after that. What other threads make on their last steps does not count.
      def resume
        @ending = @over = false if @ending == Thread.current
      end

      private

      # Waits until FFI runs nothing.
      def settle
        quiet = 0
        ending = Waiting.deadline(PATIENCE)
        until quiet == 3 || Waiting.left(ending).zero?
          sleep 0.001
          quiet = Thread.list.any? { |thread| thread.name == "FFI Callback Runner" } ? 0 : quiet + 1
        end
      end

      def shielded(otherwise)
        value = otherwise
        outermost = !@running.key?(Thread.current)
        @running[Thread.current] = true if outermost
        begin
          value = yield
        rescue Exception => e
          SSHWire.report(e) unless @ending
        end
        value
      ensure
        @running.delete(Thread.current) if outermost
        # This stops Thread#kill and throw. At the end of the process the thread of the library's better waits for ever.
        return value unless @over # rubocop:disable Lint/EnsureReturn
      end
    end

    DESTROY = function(:void, :size_t) { |token| unregister(token) }

    after_fork

    # Tells us of children, but for those of Process.daemon.
    module Forking
      def _fork
        Callback.before_fork
        super.tap { |pid| Callback.after_fork if pid.zero? }
      end
    end
    Process.singleton_class.prepend(Forking)
  end
end
