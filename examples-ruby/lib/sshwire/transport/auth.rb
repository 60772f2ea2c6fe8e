# frozen_string_literal: true

module SSHWire
  class Transport
    # Authenticates with what is given: a key (an object or a path), then a password, or else nothing. Raises
    # AuthenticationError when that is not enough.
    def authenticate(username, key: nil, password: nil, timeout: :default)
      done = key && auth_publickey(username, key, timeout: timeout)
      done ||= auth_password(username, password, timeout: timeout) if password
      done = auth_none(username, timeout: timeout) unless key || password
      return self if done

      raise Error.for(-601, "the credentials are good, and the server wants more: #{auth_methods.join(",")}",
                      auth_methods: auth_methods.join(","))
    end

    # Each of these is true when the user is in, and false when the server wants more (auth_methods).

    def auth_none(username, timeout: :default)
      authenticated(:ssh_transport_auth_none, Text.own(username), 0, Waiting.milliseconds(timeout))
    end

    # With `fallback`, a single hidden prompt is answered with the password where the server wants that instead.
    def auth_password(username, password, fallback: true, timeout: :default)
      authenticated(:ssh_transport_auth_password, Text.own(username), Text.bytes(password), password.bytesize, fallback, 0,
                    Waiting.milliseconds(timeout))
    end

    def auth_publickey(username, key, timeout: :default)
      key = Key.private_of(key)
      authenticated(:ssh_transport_auth_publickey, Text.own(username), key.to_handle, 0, Waiting.milliseconds(timeout))
    end

    # With the keys of an Agent and others, each once, until one is accepted. Public `keys` are tried if the agent has them,
    # private ones in any case; `order` is one of Agent::ORDERS, and 0 tries are five.
    def auth_agent(username, agent = nil, keys: [], order: :agent_first, max_tries: 0, timeout: :default)
      keys = Array(keys).map { |key| Key.public_of(key) }
      authenticated(:ssh_transport_auth_agent, Text.own(username), agent ? agent.to_handle : 0, Text.handles(keys),
                    keys.size, Agent::ORDERS.fetch(order), max_tries, 0, Waiting.milliseconds(timeout))
    end

    # The server's prompts go to the block, as requests of the kind :prompts; see Request#prompts and Request#answer.
    def auth_interactive(username, submethods: nil, timeout: :default, &block)
      on(:prompts, &block) if block
      authenticated(:ssh_transport_auth_interactive, Text.own(username), Text.own(submethods), 0,
                    Waiting.milliseconds(timeout))
    end

    # The methods that the server says may continue.
    def auth_methods
      text(:ssh_transport_auth_methods).to_s.split(",")
    end

    # What the server wants shown before authentication, nil if nothing.
    def banner
      text(:ssh_transport_auth_banner)
    end

    # Has the block receive what the server wants shown, as it comes.
    def on_banner(&block)
      give(block, :ssh_transport_set_banner_callback, BANNER)
      self
    end

    private

    def authenticated(function, *arguments)
      call_aside(function, *arguments) == ABI::OK
    end
  end
end
