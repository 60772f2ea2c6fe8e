# frozen_string_literal: true

module SSHWire
  # The answers and options of a server, for any number of transports. What no block answers is refused.
  #
  #   server = SSHWire::Server.new(SSHWire::Key.load_file("host_key"))
  #   server.on(:auth_key_proven) { |request| request.accept if request.key == friend }
  #   server.on(:channel_open, &:accept_channel)
  #   server.on(:exec) { |request| ... }
  #   listener = SSHWire::Listener.new
  #   listener.bind("127.0.0.1", 2222)
  #   listener.serve(server)
  class Server < Handle
    include Callback::Owner

    noun "server"

    # What C calls to serve a subsystem.
    SUBSYSTEM = Callback.function(:int32, :size_t, :string, :size_t, otherwise: -1) do |handle, name, token|
      status = Callback[token]&.call(Channel.known(handle), Text.copy(name))
      status.is_a?(Integer) && status.between?(0, 0x7fffffff) ? status : -1
    end

    # What is short for everybody, and comes back: descriptors and memory. A Listener waits as long.
    SHORTAGES = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM].freeze
    SHORTAGE_PAUSE = 0.1
    private_constant :SHORTAGES, :SHORTAGE_PAUSE

    def initialize(*keys)
      Callback.check_fork
      hold(ABI.ssh_server_new)
      @sessions = []
      keys.each { |key| add_key(key) }
    end

    # Has the block answer questions of one kind (Request::KINDS), on threads of their own; those of one transport come
    # one after another. Without a block they are refused.
    def on(kind, &block)
      give(block, :ssh_server_set_callback, Request.number(kind), Request::CALLBACK)
      self
    end

    # Has the block serve a subsystem: it gets the channel and the name, reads and writes, and returns the exit status.
    # It runs on a thread of its own; the channel is closed afterwards.
    def subsystem(name, &block)
      give(block, :ssh_server_set_subsystem_handler, Text.own(name), SUBSYSTEM)
      self
    end

    # Has questions without a block wait for Transport#next_request.
    def pull_requests(enabled: true)
      check(:ssh_server_pull_requests, enabled)
      self
    end

    # Adds a host key.
    def add_key(key)
      check(:ssh_server_add_key, Key.private_of(key).to_handle)
      self
    end

    # Lets the users in that certificates of this key name. What they do not permit is refused without asking.
    def add_user_authority(key)
      check(:ssh_server_add_user_authority, Key.public_of(key).to_handle)
      self
    end

    # Which names a certificate for this user has; otherwise that is the user's.
    def set_user_principals(user, principals)
      names = Array(principals).map { |name| FFI::MemoryPointer.from_string(name) }
      check(:ssh_server_set_user_principals, user, Text.pointers(names), names.size)
      self
    end

    # Refuses the keys and certificates of Revocations; nil for none.
    def revocations=(revocations)
      check(:ssh_server_set_revocations, revocations ? revocations.to_handle : 0)
    end

    # Whether certificates of authorities that the server does not know are put to whoever answers. At first they let nobody
    # in, without asking.
    def ask_certificates=(enabled)
      check(:ssh_server_set_ask_certificates, enabled)
    end

    # Whether security keys must attest a touch, as at first; else who answers looks at Request#security_key_flags.
    def touch_required=(required)
      check(:ssh_server_set_touch_required, required)
    end

    # Loads groups for Diffie-Hellman group exchange from a file like /etc/ssh/moduli.
    def load_moduli(path = nil)
      call(:ssh_server_load_moduli, path && Text.path(path))
      self
    end

    # The methods that clients are told they may try.
    def auth_methods=(methods)
      check(:ssh_server_set_auth_methods, methods && Array(methods).join(","))
    end

    # A text that users are shown before they authenticate.
    def banner=(text)
      check(:ssh_server_set_banner, text)
    end

    # How often a client may try, and how many seconds it has until it is in (nil for no limit).
    def limit_auth(failures: 6, grace: 120)
      check(:ssh_server_set_auth_limits, failures, grace ? Waiting.milliseconds(grace) : 0)
      self
    end

    def security_options=(options)
      check(:ssh_server_set_security_options, options.to_handle)
    end

    # Begins a session on a connected socket, and does not wait for it. The server keeps the transport until it ends.
    def serve(socket)
      serve_transport(Transport.new(socket))
    end

    # The same for a transport that is not started, such as Listener#accept gives.
    def serve_transport(transport)
      transport.start_server(self, wait: false)
      @sessions.reject! { |session| over?(session) }
      @sessions << transport
      transport
    rescue Error
      transport&.free
      raise
    end

    # Serves who connects to a listening socket, until that is closed. A connection that fails ends nothing else, and
    # neither does a shortage of descriptors or memory.
    def run(listener)
      loop do
        socket = listener.accept
        begin
          serve(socket)
        ensure
          socket.close # which Transport.new did, unless it failed
        end
      rescue Error => e
        SSHWire.report(e)
      rescue Errno::ECONNABORTED
        nil
      rescue *SHORTAGES
        sleep SHORTAGE_PAUSE
      end
    rescue IOError, Errno::EBADF # it was closed
      self
    end

    # The transports that `serve` and `run` have made and that may live.
    def sessions
      @sessions.dup
    end

    private

    def over?(session)
      session.join(timeout: 0)
    rescue Error # a block has freed it
      true
    end
  end
end
