# frozen_string_literal: true

module SSHWire
  # How a command ended: with a status, or by a signal, or without the server having said.
  Exit = Struct.new(:status, :signal, :message, :core_dumped) do
    def success?
      status&.zero? || false
    end
  end

  # What a command has said, and how it ended.
  Result = Struct.new(:stdout, :stderr, :exit)

  # One stream in each direction, used as an IO is, and a second one (`stderr`) beside it.
  #
  # Any thread may use a channel; readers take turns with readers, writers with writers.
  class Channel < Handle
    include Readable
    include Writable

    noun "channel"

    CONDITIONS = { readable: 1, stderr_readable: 2, writable: 4, eof: 8, closed: 16 }.freeze

    # The second stream of a channel: what a command writes to its standard error.
    class Stderr
      include Readable
      include Writable

      def initialize(channel)
        @channel = channel
      end

      private

      def receive(length, timeout)
        @channel.receive_from(:ssh_channel_read_stderr, length, timeout, buffer)
      end

      def transmit(bytes, timeout)
        @channel.transmit_to(:ssh_channel_write_stderr, bytes, timeout)
      end
    end

    KNOWN = Known.new
    SETTING_UP = Mutex.new
    ALL = CONDITIONS.values.sum
    PIECE = 262_144
    private_constant :KNOWN, :SETTING_UP, :ALL, :PIECE

    class << self
      private :new

      # The object of a channel that somebody else will own, or owns already. There is one for each channel, so that what
      # was read ahead is not lost.
      def known(handle)
        return if handle.zero?

        found = KNOWN[handle]
        return found if found

        object = allocate
        object.send(:borrow, handle)
        object
      end

      def own(handle)
        known = KNOWN[handle]
        return super unless known

        known.send(:hold, handle)
        known
      end
    end

    # "session", "direct-tcpip", ...
    def kind
      Text.copy(ABI.ssh_channel_kind(@handle))
    end

    # The transport of the channel; nil once that is freed.
    def transport
      Transport.known(ABI.ssh_channel_transport(@handle))
    end

    # The number by which this side knows the channel, for logs.
    def id
      ABI.ssh_channel_id(@handle)
    end

    # Host and port that the channel leads to, or where its connection came in; a path for UNIX sockets; nil otherwise.
    def destination
      place(:ssh_channel_destination)
    end

    # Host and port that the channel's connection came from.
    def origin
      place(:ssh_channel_origin)
    end

    # The second stream.
    def stderr
      @stderr ||= Stderr.new(self)
    end

    # Puts what comes on stderr into the main stream.
    def combine_stderr(combine: true)
      check(:ssh_channel_set_combine_stderr, combine)
      self
    end

    # What holds now, of :readable, :stderr_readable, :writable, :eof, :closed.
    def conditions
      mask = ABI.ssh_channel_conditions(@handle)
      CONDITIONS.select { |_, bit| mask.anybits?(bit) }.keys
    end

    # Asks for a terminal. `modes` are bytes as in RFC 4254 section 8.
    def request_pty(term: "vt100", columns: 80, rows: 24, width: 0, height: 0, modes: "", timeout: :default)
      call_aside(:ssh_channel_request_pty, Text.own(term), columns, rows, width, height, Text.bytes(modes),
                 modes.bytesize, Waiting.milliseconds(timeout))
      self
    end

    # Starts the user's shell.
    def shell(timeout: :default)
      call_aside(:ssh_channel_request_shell, Waiting.milliseconds(timeout))
      self
    end

    # Runs a command.
    def exec(command, timeout: :default)
      call_aside(:ssh_channel_request_exec, Text.own(command), Waiting.milliseconds(timeout))
      self
    end

    # Starts a subsystem such as "sftp".
    def subsystem(name, timeout: :default)
      call_aside(:ssh_channel_request_subsystem, Text.own(name), Waiting.milliseconds(timeout))
      self
    end

    # Sets an environment variable for what is started afterwards; most servers take few.
    def setenv(name, value)
      check(:ssh_channel_request_env, name, value)
      self
    end

    # Lets programs of the session use our agent, at this socket.
    def forward_agent(socket = ENV["SSH_AUTH_SOCK"], timeout: :default)
      call_aside(:ssh_channel_request_agent_forward, Text.own(socket), Waiting.milliseconds(timeout))
      self
    end

    # Lets programs of the session show windows on a display; returns the cookie that the server was given.
    def forward_x11(display = ENV["DISPLAY"], cookie: nil, screen: 0, single: false, timeout: :default)
      fake = FFI::MemoryPointer.new(:pointer)
      call_aside(:ssh_channel_request_x11, Text.own(display), cookie && Text.bytes(cookie), cookie.to_s.bytesize, screen,
                 single, Waiting.milliseconds(timeout), fake)
      Text.take(fake.read_pointer)
    end

    # A request of any name; `data` is what follows `want reply` in the message.
    def request(name, data = "", reply: true, timeout: :default)
      call_aside(:ssh_channel_request, Text.own(name), Text.bytes(data), data.bytesize, reply,
                 Waiting.milliseconds(timeout))
      self
    end

    # Sends a break, for consoles behind serial lines.
    def break(seconds = 0, timeout: :default)
      call_aside(:ssh_channel_break, (seconds * 1000).round, Waiting.milliseconds(timeout))
      self
    end

    # Tells the size of the terminal.
    def resize(columns, rows, width: 0, height: 0)
      check(:ssh_channel_window_change, columns, rows, width, height)
      self
    end

    # Sends the command a signal, such as "TERM".
    def signal(name)
      check(:ssh_channel_signal, name)
      self
    end

    # Feeds `input` to the command and reads what it says until both streams have ended: [stdout, stderr].
    def communicate(input = nil, timeout: self.timeout)
      ending = Waiting.deadline(timeout)
      input &&= input.b
      said = { self => "".b, stderr => "".b }
      open = said.keys
      until open.empty?
        count = changes.count
        rest = feed(input)
        fed = !rest.equal?(input)
        input = rest
        states = open.to_h { |stream| [stream, drain(stream, said[stream])] }
        open.reject! { |stream| states[stream] == :end }
        next if fed || !states.values.all?(:nothing)
        raise Error.for(ABI::TIMEOUT) if Waiting.left(ending)&.zero?

        changes.wait(count, Waiting.left(ending))
      end
      said.values.map { |text| text.force_encoding(Encoding.default_external) }
    end

    # Waits until the server has said how the command ended, or closed the channel. Read what it says before, or in
    # another thread: a command that cannot write does not end.
    def wait(timeout: self.timeout)
      kind = FFI::MemoryPointer.new(:int32)
      status = FFI::MemoryPointer.new(:uint32)
      # A status may come without the channel being closed, which is no condition to wait for.
      attempt(timeout, at_most: 0.25) { ABI.ssh_channel_wait_exit(@handle, 0, kind, status) }
      case kind.read_int32
      when 1 then Exit.new(status.read_uint32)
      when 2 then Exit.new(nil, text!(:ssh_channel_exit_signal), text(:ssh_channel_exit_message),
                           ABI.ssh_channel_exit_core_dumped(@handle))
      else Exit.new
      end
    end

    # Server: tells how the command ended. Close the channel afterwards.
    def exit_status(status)
      check(:ssh_channel_send_exit_status, status)
      self
    end

    def exit_signal(name, message: nil, core_dumped: false)
      check(:ssh_channel_send_exit_signal, name, core_dumped, message)
      self
    end

    # Tells the other side that nothing more will be written.
    def close_write
      check(:ssh_channel_send_eof)
      nil
    end

    # Ends reading: what comes is thrown away.
    def close_read
      check(:ssh_channel_shutdown, true, false)
      nil
    end

    def close
      check(:ssh_channel_close)
      nil
    end

    def closed?
      ABI.ssh_channel_is_closed(@handle)
    end

    # For Stderr, too.

    def receive_from(function, length, timeout, buffer)
      length = [length, PIECE].min
      memory = FFI::MemoryPointer.new(:uint8, length, false)
      done = FFI::MemoryPointer.new(:size_t)
      status = attempt(timeout) do
        status = ABI.public_send(function, @handle, memory, length, done, 0)
        buffer << memory.read_bytes(done.get(:size_t, 0))
        status
      end
      status != ABI::EOF
    end

    def transmit_to(function, bytes, timeout)
      done = FFI::MemoryPointer.new(:size_t)
      sent = 0
      while sent < bytes.bytesize
        piece = bytes.byteslice(sent, PIECE)
        attempt(timeout) do
          status = ABI.public_send(function, @handle, piece, piece.bytesize, done, 0)
          sent += done.get(:size_t, 0)
          status
        end
        break if timeout == 0 # rubocop:disable Style/NumericPredicate -- it may be nil
      end
      sent
    end

    private

    def owned
      KNOWN[@handle] = self
    end

    def borrow(handle)
      @handle = handle
      KNOWN[handle] = self
    end

    def receive(length, timeout)
      receive_from(:ssh_channel_read, length, timeout, buffer)
    end

    def transmit(bytes, timeout)
      transmit_to(:ssh_channel_write, bytes, timeout)
    end

    # Tries what does not wait until it gives another status than SSH_AGAIN.
    def attempt(timeout, at_most: nil)
      ending = Waiting.deadline(timeout)
      loop do
        count = @changes ? @changes.count : nil
        status = yield
        # Nothing was waited for: the session has ended because its peer did not answer in time.
        raise ConnectionLost.new(status, "the session's time is over") if status == ABI::TIMEOUT
        return Error.check(status) unless status == ABI::AGAIN

        left = Waiting.left(ending)
        raise Error.for(ABI::TIMEOUT) if left&.zero?

        # The first wait is none: there was no event yet that would tell of a change since.
        changes.wait(count, [left, at_most].compact.min) if count
        changes
      end
    end

    def changes
      @changes || SETTING_UP.synchronize do
        @changes ||= Changes.new.tap { |made| check(:ssh_channel_set_event, made.event.to_handle, ALL) }
      end
    end

    def feed(input)
      return if input.nil?
      return close_write if input.empty?

      input.byteslice(write_nonblock(input)..)
    rescue IO::WaitWritable
      input
    rescue Closed
      nil # the command has ended without reading it all
    end

    def drain(stream, said)
      said << stream.read_nonblock(PIECE)
      :something
    rescue IO::WaitReadable
      :nothing
    rescue EOFError
      :end
    end

    def place(function)
      port = FFI::MemoryPointer.new(:uint16)
      host = Text.copy(ABI.public_send(function, @handle, port))
      return if host.nil?

      port.read_uint16.zero? ? host : [host, port.read_uint16]
    end
  end
end
