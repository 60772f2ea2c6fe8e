# frozen_string_literal: true

module SSHWire
  # A question of the library's: is this host key good, may this user in, may this command run?
  #
  # It is answered once. A block that receives one and returns without an answer has refused, unless it has said that it
  # answers later.
  class Request < Handle
    noun "request"

    KINDS = { any: 0, host_key: 1, prompts: 2, password: 3, passphrase: 4, host_keys: 5, auth_methods: 9, auth_none: 10,
              auth_password: 11, auth_key_asked: 12, auth_key_proven: 13, auth_interactive: 14,
              auth_interactive_answers: 15, channel_open: 20, pty: 21, shell: 22, exec: 23, subsystem: 24, env: 25,
              window_change: 26, signal: 27, break: 28, channel_request: 29, global_request: 30, connect: 31,
              listen: 32, cancel_listen: 33, x11: 34, agent_forward: 35 }.freeze
    # Why a channel is refused.
    REASONS = { prohibited: 1, connect_failed: 2, unknown_kind: 3, shortage: 4 }.freeze

    Prompt = Struct.new(:text, :echo)
    Size = Struct.new(:columns, :rows, :width, :height)

    # What C calls with a question.
    CALLBACK = Callback.function(:void, :size_t, :size_t) do |handle, token|
      request = own(handle)
      begin
        Callback[token]&.call(request)
      ensure
        request.free unless request.later?
      end
    end

    class << self
      private :new

      def number(kind)
        KINDS.fetch(kind) { raise ArgumentError, "no such kind of request: #{kind.inspect}" }
      end
    end

    # Says that the answer comes when the block has returned, from whatever thread.
    def later
      @later = true
      self
    end

    def later?
      @later || false
    end

    # :host_key, :exec, ...
    def kind
      KINDS.key(ABI.ssh_request_kind(@handle))
    end

    # The transport that asks; nil once that is freed.
    def transport
      Transport.known(ABI.ssh_request_transport(@handle))
    end

    # The channel that the request is about. It is the program's once that has taken it with accept_channel or
    # Transport#accept.
    def channel
      Channel.known(ABI.ssh_request_channel(@handle))
    end

    # The key in question.
    def key
      Key.own(ABI.ssh_request_key(@handle))
    end

    # The certificate that a key was shown in. For users it holds; for :host_key nobody has looked at it.
    def certificate
      Certificate.own(ABI.ssh_request_certificate(@handle))
    end

    # What a security key attests: 1 somebody touched it, 4 and told who they are.
    def security_key_flags
      ABI.ssh_request_security_key_flags(@handle)
    end

    # How many times accept_partial counts for this user, for the :auth_... kinds. A change of the user name begins anew.
    def partial_successes
      ABI.ssh_request_partial_successes(@handle)
    end

    # Text that the kinds have; nil for others.
    { username: :username, algorithm: :algorithm, submethods: :submethods, title: :title, instructions: :instructions,
      channel_kind: :channel_kind, name: :name, term: :term }.each do |method, function|
      define_method(method) { Text.copy(ABI.public_send("ssh_request_#{function}", @handle)) }
    end

    # Bytes that the kinds have; nil for others.
    %i[password command original_command value data terminal_modes].each do |field|
      define_method(field) { Text.borrow { |length| ABI.public_send("ssh_request_#{field}", @handle, length) } }
    end

    # The prompts to show, for :prompts.
    def prompts
      echo = FFI::MemoryPointer.new(:bool)
      Array.new(ABI.ssh_request_prompt_count(@handle)) do |index|
        text = Text.copy(ABI.ssh_request_prompt(@handle, index, echo))
        Prompt.new(text, !echo.read_uint8.zero?)
      end
    end

    # The answers of the user, for :auth_interactive_answers.
    def answers
      Array.new(ABI.ssh_request_answer_count(@handle)) do |index|
        Text.borrow { |length| ABI.ssh_request_answer(@handle, index, length) }
      end
    end

    # Host and port to connect to or to listen on; the path of a UNIX socket has port 0.
    def destination
      place(:ssh_request_destination)
    end

    def origin
      place(:ssh_request_origin)
    end

    def terminal_size
      values = Array.new(4) { FFI::MemoryPointer.new(:uint32) }
      check(:ssh_request_terminal_size, *values)
      Size.new(*values.map(&:read_uint32))
    end

    # Seconds that a break shall last, 0 for the usual.
    def break_length
      ABI.ssh_request_break_length_ms(@handle) / 1000.0
    end

    # The number of the screen, and whether one connection is all that is wanted, for :x11.
    def x11_screen
      single = FFI::MemoryPointer.new(:bool)
      [ABI.ssh_request_x11_screen(@handle, single), !single.read_uint8.zero?]
    end

    # Whether the peer waits for an answer.
    def wants_reply?
      ABI.ssh_request_wants_reply(@handle)
    end

    # Says yes. A channel then comes out of Transport#accept; see also accept_channel.
    def accept
      check(:ssh_request_accept)
      true
    end

    # Says no. Of a channel also why: :prohibited, :connect_failed, :unknown_kind, :shortage, and in words. Of an attempt
    # to log in also which methods may be tried.
    def refuse(reason: nil, text: nil, methods: nil)
      if methods
        check(:ssh_request_refuse_with_methods, Array(methods).join(","))
      elsif reason || text
        check(:ssh_request_refuse_channel, REASONS.fetch(reason || :prohibited), text)
      else
        check(:ssh_request_refuse)
      end
      false
    end

    # Says that these credentials are good and that others are wanted, too.
    def accept_partial(*methods)
      check(:ssh_request_accept_partial, methods.join(","))
      true
    end

    # Says which methods this user may try, for :auth_methods.
    def accept_methods(*methods)
      check(:ssh_request_accept_methods, methods.join(","))
      true
    end

    # Shows the user a text, before the answer.
    def show(text)
      check(:ssh_request_send_banner, text)
      self
    end

    # Puts prompts to the user: texts, or [text, echo]. The answers come as :auth_interactive_answers.
    def ask(*prompts, title: nil, instructions: nil)
      texts = prompts.map { |prompt| FFI::MemoryPointer.from_string(Array(prompt).first) }
      array = FFI::MemoryPointer.new(:pointer, [texts.size, 1].max)
      array.write_array_of_pointer(texts)
      echo = Text.bytes(prompts.map { |prompt| prompt.is_a?(Array) && prompt[1] ? 1 : 0 }.pack("C*"))
      check(:ssh_request_ask, title, instructions, array, echo, prompts.size)
      true
    end

    # Answers the prompts, one text for each, for :prompts.
    def answer(*texts)
      texts.each_with_index do |text, index|
        check(:ssh_request_set_answer, index, Text.bytes(text), text.bytesize)
      end
      accept
    end

    # Accepts a channel and takes it, so that it does not go to Transport#accept. The transport keeps it until it is
    # closed, so that it may be left to the blocks that answer its requests. The last one frees it: channels that are
    # closed and not freed count, too, and a transport has no more than 1,000.
    def accept_channel
      channel = Channel.own(call(:ssh_request_accept_channel))
      transport&.keep(channel)
      channel
    end

    # Grants a global request, with data in the reply.
    def accept_with(data)
      check(:ssh_request_accept_with_data, Text.bytes(data), data.bytesize)
      true
    end

    # Grants listening, on this port.
    def accept_port(port)
      check(:ssh_request_accept_port, port)
      true
    end

    # Accepts a subsystem and serves SFTP on its channel.
    def accept_sftp(files)
      call(:ssh_request_accept_sftp, files.to_handle)
      true
    end

    # Says yes to :connect or :listen and has the library do it.
    def serve
      call(:ssh_request_serve)
      true
    end

    # Says yes to :x11 and has the library be the display; returns its number.
    def serve_x11
      display = FFI::MemoryPointer.new(:uint16)
      call(:ssh_request_serve_x11, display)
      display.read_uint16
    end

    # Says yes to :agent_forward and has the library be the agent, at this socket.
    def serve_agent(socket)
      call(:ssh_request_serve_agent, socket)
      true
    end

    private

    def place(function)
      port = FFI::MemoryPointer.new(:uint16)
      host = Text.copy(ABI.public_send(function, @handle, port))
      host && [host, port.read_uint16]
    end
  end
end
