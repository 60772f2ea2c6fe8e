# frozen_string_literal: true

module SSHWire
  # What a user has set up for hosts: files as ssh reads them, and options as `ssh -o` takes them.
  #
  #   config = SSHWire::Config.default(options: { Port: 2222 })
  #   config.on(:any) { |request| ask_somebody(request) }
  #   config.connect("alias") { |ssh| puts ssh.run("uname").stdout }
  class Config < Handle
    include Callback::Owner

    noun "config"

    EXEC = Callback.function(:int32, :string, :size_t, otherwise: -1) do |command, token|
      block = Callback[token]
      block ? Integer(block.call(Text.copy(command))) : -1
    end
    PROXY = Callback.function(:int32, :string, :size_t, otherwise: -1) do |command, token|
      socket = Callback[token]&.call(Text.copy(command))
      next -1 unless socket

      # A descriptor of its own, which is the library's from now on.
      copy = socket.dup
      copy.autoclose = false
      socket.close
      copy.fileno
    end
    private_constant :EXEC, :PROXY

    # The files that ssh reads, the user's and the system's.
    def self.default(options: {})
      config = new(options: options)
      config.send(:call, :ssh_config_load_defaults)
      config
    end

    # Files, and options, which go before all files: a hash, or texts such as "Port=2222".
    def initialize(*paths, options: {})
      Callback.check_fork
      hold(ABI.ssh_config_new)
      paths.each { |path| call(:ssh_config_load_file, Text.path(path)) }
      options.each { |name, value| call(:ssh_config_add_option, value.nil? ? name : "#{name}=#{value}") }
    end

    # Has the block answer questions of transports that are made: :host_key for hosts that are not known, :passphrase,
    # :password and :prompts, or :any. Without one the answer is no.
    def on(kind, &block)
      give(block, :ssh_config_set_callback, Request.number(kind), Request::CALLBACK)
      self
    end

    # The block gives the exit status of a command of `Match exec`. Without it such blocks do not apply.
    def on_exec(&block)
      give(block, :ssh_config_set_exec_callback, EXEC)
      self
    end

    # The block gives a connected socket in place of the command of ProxyCommand, which is run otherwise.
    def on_proxy(&block)
      give(block, :ssh_config_set_proxy_callback, PROXY)
      self
    end

    # What holds for "[user@]host", an alias, or "ssh://[user@]host[:port]".
    def resolve(destination)
      Host.own(call_aside(:ssh_config_resolve, Text.own(destination), dispose: "config_host"))
    end

    # A transport with a user, reached and logged in as ssh would do it. The timeout is for all of it, a person included; by
    # default each step has its own, and a person all the time they need. With a block, as SSHWire.connect.
    def connect(destination, timeout: :default, &block)
      handle = @handle
      destination = Text.own(destination)
      milliseconds = Waiting.milliseconds(timeout)
      transport = Transport.own(Waiting.aside(ABI.method(:ssh_transport_free)) do
        Error.call(:ssh_connect_config, handle, destination, milliseconds)
      end)
      transport.instance_variable_set(:@config, self) # its blocks are needed as long as the session is
      block ? transport.use(&block) : transport
    end

    # What configuration says about one destination. `host["HostName"]` is a value in the form of the manual, with tokens and
    # ~ replaced, or nil. It does not change.
    class Host < Handle
      include Enumerable

      noun "config_host"

      FORWARDS = { local: 0, remote: 1, dynamic: 2 }.freeze

      # A host of ProxyJump; nil for what is not named.
      Hop = Struct.new(:user, :host, :port)
      # A forwarding: [host, port] each, or [path, 0] of a UNIX socket. The host to listen on is nil where GatewayPorts
      # decides; there is nothing to connect to where SOCKS tells.
      Route = Struct.new(:listen, :connect)

      class << self
        private :new
      end

      def name
        Text.copy(ABI.ssh_config_host_name(@handle))
      end

      def port
        ABI.ssh_config_host_port(@handle)
      end

      def user
        Text.copy(ABI.ssh_config_host_user(@handle))
      end

      def [](keyword)
        values(keyword).first
      end

      # All values of an option that may have several.
      def values(keyword)
        keyword = keyword.to_s
        all { |index| ABI.ssh_config_host_get(@handle, keyword, index) }
      end

      # The same as they were written.
      def written(keyword)
        keyword = keyword.to_s
        all { |index| ABI.ssh_config_host_get_written(@handle, keyword, index) }
      end

      # Where a value is set: "file:line". nil for a default.
      def place(keyword, index = 0)
        Text.copy(ABI.ssh_config_host_get_place(@handle, keyword.to_s, index))
      end

      def yes?(keyword)
        ABI.ssh_config_host_is_yes(@handle, keyword.to_s)
      end

      # A number, or a time in seconds.
      def number(keyword, otherwise = 0)
        ABI.ssh_config_host_number(@handle, keyword.to_s, otherwise)
      end

      # The options that have a value, with it.
      def each
        return to_enum(:each) unless block_given?

        all { |index| ABI.ssh_config_host_keyword(@handle, index) }.each { |keyword| yield keyword, self[keyword] }
        self
      end

      # What the files say and has no effect: "file:line: keyword: why".
      def unsupported
        all { |index| ABI.ssh_config_host_unsupported(@handle, index) }
      end

      # The hosts of ProxyJump, the first one to connect to first.
      def jumps
        user, host = Array.new(2) { FFI::MemoryPointer.new(:pointer) }
        port = FFI::MemoryPointer.new(:uint16)
        until_the_end do |index|
          next if check(:ssh_config_host_jump, index, user, host, port) == ABI::EOF

          number = port.read_uint16
          Hop.new(text_at(user), text_at(host), number.zero? ? nil : number)
        end
      end

      # The forwardings of a kind: :local, :remote, :dynamic.
      def forwards(kind)
        number = FORWARDS.fetch(kind)
        hosts = Array.new(2) { FFI::MemoryPointer.new(:pointer) }
        ports = Array.new(2) { FFI::MemoryPointer.new(:uint16) }
        until_the_end do |index|
          next if check(:ssh_config_host_forward, number, index, *hosts.zip(ports).flatten) == ABI::EOF

          listen, connect = hosts.zip(ports).map { |host, port| [text_at(host), port.read_uint16] }
          Route.new(listen, connect.first && connect)
        end
      end

      # Does for a session, before its command is started, what ForwardAgent says; nothing where it says no.
      def forward_agent(channel, timeout: :default)
        call_aside(:ssh_config_host_request_agent_forward, channel.to_handle, Waiting.milliseconds(timeout))
        self
      end

      private

      # The texts for index 0 and so on, up to the first that is not there.
      def all
        (0..).lazy.map { |index| Text.copy(yield(index)) }.take_while { |text| text }.to_a
      end

      def until_the_end
        (0..).lazy.map { |index| yield index }.take_while { |found| found }.to_a
      end

      def text_at(pointer)
        text = pointer.read_pointer
        text.null? ? nil : Text.copy(text.read_string)
      end
    end
  end
end
