# frozen_string_literal: true

# A client and a server in one process.
class SessionTest < Case
  def test_a_command
    pair = Pair.new.login
    assert_predicate pair.client, :authenticated?
    assert_equal "alice", pair.accepted.username
    assert_equal pair.host_key, pair.client.server_key
    assert_equal pair.host_key, pair.accepted.server_key
    done = pair.client.run("talk", timeout: LIMIT)
    assert_equal ["out", "err", 7], [done.stdout, done.stderr, done.exit.status]
    refute_predicate done.exit, :success?
    assert_predicate pair.accepted.accept(timeout: LIMIT), :closed?
    assert_match(/user alice/, pair.client.inspect)
    assert_operator pair.client.statistics[:bytes_sent], :>, 0
    refute_nil pair.client.algorithm(:kex)
    refute pair.client.join(timeout: 0)
    pair.client.close
    assert pair.accepted.join(timeout: LIMIT)
    assert_equal "SSH_ERR_DISCONNECTED", pair.accepted.error.name
    refute_predicate pair.accepted, :active?
  end

  def test_wrong_credentials
    pair = Pair.new.join.start
    error = assert_status("SSH_ERR_AUTH") { pair.client.auth_password("alice", "wrong", timeout: LIMIT) }
    assert_kind_of SSHWire::AuthenticationError, error
    assert_includes error.auth_methods, "publickey"
    assert_status("SSH_ERR_AUTH") { pair.client.auth_publickey("alice", SSHWire::Key.generate, timeout: LIMIT) }
    assert pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
  end

  def test_wrong_host_key
    pair = Pair.new.join
    other = SSHWire::Key.generate
    pair.accepted.start_server(pair.server, wait: false)
    pair.client.expect_host_key(other.line)
    error = assert_status("SSH_ERR_HOSTKEY") do
      pair.client.start_client(timeout: LIMIT)
      pair.client.auth_none("alice", timeout: LIMIT)
    end
    assert_equal [other.fingerprint, pair.host_key.fingerprint], [error.expected_fingerprint, error.found_fingerprint]
  end

  def test_host_key_asked
    [true, false].each do |good|
      pair = Pair.new.join
      asked = Queue.new
      pair.client.on(:host_key) do |request|
        asked << request.key
        request.accept if good
      end
      pair.accepted.start_server(pair.server, wait: false)
      attempt = proc { pair.client.start_client(timeout: LIMIT).authenticate("alice", key: pair.user_key, timeout: LIMIT) }
      good ? assert_same(pair.client, attempt.call) : assert_status("SSH_ERR_HOSTKEY", &attempt)
      assert_equal pair.host_key, asked.pop
    end
  end

  def test_interactive
    pair = Pair.new.join
    pair.server.on(:auth_interactive) { |request| request.ask("Name: ", ["Again: ", true], title: "Who?") }
    pair.server.on(:auth_interactive_answers) { |request| request.accept if request.answers == ["a\0b", "ü"] .map(&:b) }
    pair.start
    seen = nil
    assert(pair.client.auth_interactive("alice", timeout: LIMIT) do |request|
      seen = [request.title, request.prompts.map(&:to_a)]
      request.answer("a\0b", "ü")
    end)
    assert_equal ["Who?", [["Name: ", false], ["Again: ", true]]], seen
  end

  def test_more_than_one_method
    pair = Pair.new.join
    pair.server.on(:auth_password) { |request| request.accept_partial("publickey") }
    pair.start
    refute pair.client.auth_password("alice", "x", timeout: LIMIT)
    assert_equal ["publickey"], pair.client.auth_methods
    error = assert_status("SSH_ERR_AUTH") { pair.client.authenticate("alice", password: "x", timeout: LIMIT) }
    assert_match(/publickey/, error.message)
    pair.client.authenticate("alice", key: pair.user_key, timeout: LIMIT)
  end

  def test_partial_successes_count_for_one_user
    pair = Pair.new.join
    counts = []
    pair.server.on(:auth_password) do |request|
      counts << request.partial_successes
      request.accept_partial("password")
    end
    pair.start
    %w[alice alice bob alice].each { |user| refute pair.client.auth_password(user, "x", timeout: LIMIT) }
    assert_equal [0, 1, 0, 0], counts
  end

  def test_banner_and_log
    lines = Queue.new
    banners = Queue.new
    pair = Pair.new.join
    pair.server.banner = "Grüß Gott\n"
    pair.client.log(:debug) { |level, channel, line| lines << [level, channel, line] }
    pair.client.log_channel = "mine"
    pair.client.on_banner { |text| banners << text }
    pair.start
    assert pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
    assert_equal ["Grüß Gott\n", "Grüß Gott\n"], [pair.client.banner, banners.pop]
    level, channel, line = lines.pop
    assert_includes SSHWire::Log::LEVELS.keys, level
    assert_equal "mine", channel
    refute_empty line
  end

  def test_methods_and_texts_of_each_user
    pair = Pair.new.join
    pair.server.on(:auth_methods) { |request| request.show("Hello #{request.username}\n").accept_methods("publickey") }
    pair.start
    assert_status("SSH_ERR_AUTH") { pair.client.auth_password("alice", Pair::PASSWORD, timeout: LIMIT) }
    assert_equal [["publickey"], "Hello alice\n"], [pair.client.auth_methods, pair.client.banner]
    assert pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
  end

  def test_what_may_be_shown
    assert_equal "a\\u{1b}b\\xffü", SSHWire.printable("a\eb\xff".b + "ü".b)
    assert_match(/\A\d+\.\d+\.\d+\z/, SSHWire.library_version)
    assert_kind_of Integer, SSHWire.library_version_number
  end

  def test_server_over_tcp
    pair = Pair.new
    listener = TCPServer.new("127.0.0.1", 0)
    serving = Thread.new { pair.server.run(listener) }
    address = "127.0.0.1:#{listener.addr[1]}"
    outputs = Array.new(4) do
      Thread.new do
        SSHWire.connect(address, user: "alice", key: pair.user_key, host_key: pair.host_key.line) { |ssh| ssh.run("talk").stdout }
      end
    end
    assert_equal ["out"] * 4, outputs.map(&:value)
    TCPSocket.new("127.0.0.1", listener.addr[1]).close # a connection that fails ends nothing
    ssh = SSHWire.connect(address, user: "alice", password: Pair::PASSWORD, host_key: pair.host_key)
    assert_equal "127.0.0.1", ssh.peer.first
    ssh.free
    assert_status("SSH_ERR_AUTH") { SSHWire.connect(address, user: "alice", password: "x", host_key: pair.host_key) }
    listener.close
    assert_same pair.server, serving.value
  end

  # A listening socket that fails first, with one error after another, and gives the block what it takes then.
  class Short
    def initialize(listener, errors, &block)
      @listener = listener
      @errors = errors
      @block = block
    end

    def accept
      error = @errors.shift
      raise error if error

      @listener.accept.tap(&@block)
    end
  end

  def test_shortages_do_not_end_a_server
    pair = Pair.new
    listener = TCPServer.new("127.0.0.1", 0)
    taken = Queue.new
    # Of the connections, the first one cannot be duplicated.
    short = Short.new(listener, [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM]) do |socket|
      socket.define_singleton_method(:dup) { raise Errno::EMFILE } if taken.empty?
      taken << socket
    end
    serving = Thread.new { pair.server.run(short) }
    address = "127.0.0.1:#{listener.addr[1]}"
    first = TCPSocket.new("127.0.0.1", listener.addr[1])
    assert_nil Timeout.timeout(LIMIT) { first.getc }
    assert_predicate taken.pop, :closed?
    taken << nil
    SSHWire.connect(address, user: "alice", password: Pair::PASSWORD, host_key: pair.host_key) do |ssh|
      assert_equal "out", ssh.run("talk", timeout: LIMIT).stdout
    end
    listener.close
    assert_same pair.server, serving.value
  ensure
    first&.close
  end

  def test_transports_that_are_freed_do_not_keep_others_out
    pair = Pair.new
    listener = TCPServer.new("127.0.0.1", 0)
    serving = Thread.new { pair.server.run(listener) }
    freed = []
    2.times do
      ssh = SSHWire.connect("127.0.0.1:#{listener.addr[1]}", user: "alice", password: Pair::PASSWORD, host_key: pair.host_key)
      freed << eventually { (pair.server.sessions - freed).first }
      freed.last.free
      ssh.free
    end
    assert_equal freed.last(1), pair.server.sessions
    listener.close
    serving.value
  end

  def test_nobody_there
    listener = TCPServer.new("127.0.0.1", 0)
    port = listener.addr[1]
    listener.close
    error = assert_status("SSH_ERR_IO") { SSHWire::Transport.connect("127.0.0.1:#{port}") }
    assert_equal [Errno::ECONNREFUSED::Errno, 2], [error.errno, error.class_number]
    File.open(File::NULL) do |file|
      assert_raises(SSHWire::Error) { SSHWire::Transport.new(file) }
      refute_predicate file, :closed?
    end
  end

  def test_no_common_algorithm
    pair = Pair.new.join
    ours = SSHWire::SecurityOptions.new
    ours.ciphers = "aes256-ctr"
    pair.server.security_options = ours
    pair.client.security_options.ciphers = "aes128-ctr"
    error = assert_status("SSH_ERR_NEGOTIATION") { pair.start }
    assert_equal %w[aes128-ctr aes256-ctr], [error.local_algorithms, error.peer_algorithms]
    assert_match(/cipher/, error.algorithm_list)
  end

  def test_requests_that_are_pulled_and_answered_later
    pair = Pair.new
    pair.server.on(:exec, &:later)
    pair.server.pull_requests
    pair.login
    near = pair.client.open_session(timeout: LIMIT)
    assert_status("SSH_ERR_TIMEOUT") { pair.accepted.next_request(timeout: 0.01) }
    asking = Thread.new { near.shell(timeout: LIMIT) }
    request = pair.accepted.next_request(timeout: LIMIT)
    assert_equal [:shell, true, pair.accepted], [request.kind, request.wants_reply?, request.transport]
    request.accept
    assert_status("SSH_ERR_STATE") { request.refuse }
    assert_same near, asking.value

    kept = Queue.new
    pair.server.on(:exec) { |question| kept << question.later }
    other = Pair.new.tap { |new| new.instance_variable_set(:@server, pair.server) }
    other.instance_variable_set(:@host_key, pair.host_key)
    other.login
    channel = other.client.open_session(timeout: LIMIT)
    asking = Thread.new { channel.exec("x", timeout: LIMIT) }
    kept.pop.accept
    assert_same channel, asking.value
  end

  def test_terminal_signals_and_the_rest
    pair = Pair.new
    seen = Queue.new
    %i[pty env window_change signal break channel_request shell].each do |kind|
      pair.server.on(kind) do |request|
        seen << case kind
                when :pty then [kind, request.term, request.terminal_size.to_a, request.terminal_modes]
                when :env then [kind, request.name, request.value]
                when :window_change then [kind, request.terminal_size.columns]
                when :signal then [kind, request.name]
                when :break then [kind, request.break_length]
                when :channel_request then [kind, request.name, request.data]
                else [kind]
                end
        request.accept
      end
    end
    pair.login
    channel = pair.client.open_session(timeout: LIMIT)
    channel.request_pty(term: "xterm", columns: 90, rows: 30, modes: "\0", timeout: LIMIT).setenv("A", "ü")
    channel.shell(timeout: LIMIT).resize(100, 40).signal("TERM").break(0.5, timeout: LIMIT)
    channel.request("mine@example.org", "data", timeout: LIMIT)
    assert_status("SSH_ERR_DENIED") { channel.subsystem("none", timeout: LIMIT) }
    assert_equal [[:pty, "xterm", [90, 30, 0, 0], "\0".b], [:env, "A", "ü".b], [:shell], [:window_change, 100],
                  [:signal, "TERM"], [:break, 0.5], [:channel_request, "mine@example.org", "data"]], Array.new(7) { seen.pop }
    far = pair.accepted.accept(timeout: LIMIT)
    far.exit_signal("KILL", message: "enough", core_dumped: true)
    far.close
    ended = channel.wait(timeout: LIMIT)
    assert_equal [nil, "KILL", "enough", true], ended.to_a
  end

  def test_global_requests
    pair = Pair.new
    pair.server.on(:global_request) { |request| request.accept_with(request.data.reverse) if request.name == "turn" }
    pair.login
    assert_equal "cba", pair.client.global_request("turn", "abc", timeout: LIMIT)
    assert_kind_of SSHWire::Refused, assert_status("SSH_ERR_DENIED") { pair.client.global_request("no", timeout: LIMIT) }
    pair.client.renegotiate_keys(timeout: LIMIT)
    assert_equal 2, pair.client.statistics[:key_exchanges]
    pair.client.send_ignore(10)
  end

  def test_refused_channels
    pair = Pair.new
    pair.server.on(:channel_open) { |request| request.refuse(reason: :shortage, text: "not today") }
    pair.login
    error = assert_status("SSH_ERR_CHANNEL") { pair.client.open_session(timeout: LIMIT) }
    assert_equal [4, "not today"], [error.channel_reason, error.peer_text]
    assert_kind_of SSHWire::Refused, error
  end

  def test_more_channels_one_after_another_than_there_may_be_at_once
    pair = Pair.new.join
    pair.accepted.channel_limit = 3
    pair.server.on(:channel_open, &:accept_channel)
    pair.server.on(:exec) do |request|
      request.accept
      request.channel.exit_status(0)
      request.channel.free
    end
    pair.start.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
    10.times { assert_predicate pair.client.run("x", timeout: LIMIT).exit, :success? }
    # A channel that a block has taken and nobody else has lives on.
    pair.accepted.on(:exec, &:accept)
    channel = pair.client.open_session(timeout: LIMIT).exec("x", timeout: LIMIT)
    collect
    assert_raises(IO::WaitReadable) { channel.read_nonblock(1) }
  end

  def test_keepalive
    pair = Pair.new.login
    heard = Queue.new
    pair.client.keepalive(0.01, max_missed: 0) { |round_trip, missed| heard << [round_trip, missed] }
    round_trip, missed = heard.pop
    assert_operator round_trip, :>, 0
    assert_equal 0, missed
    pair.client.keepalive(0)
  end

  def test_settings
    pair = Pair.new.join
    client = pair.client
    client.name = "client"
    client.compression = true
    client.strict_kex = true
    client.window_cap = 65_536
    client.channel_limit = 2
    client.hexdump = true
    client.daemon = true
    client.limit_keys(bytes: 1 << 20)
    client.set_timeout(:auth, LIMIT)
    assert_equal ["client", true, true], [client.name, client.hexdump?, client.daemon?]
    pair.start
    assert client.auth_publickey("alice", pair.user_key)
    assert_match(/zlib/, client.algorithm(:compression_sent))
    assert_status("SSH_ERR_STATE") { client.window_cap = 65_536 }
  end

  def test_over_a_channel_and_over_ruby_streams
    [proc { |pair| over_channel(pair) }, proc { |pair| over_stream(pair, false) }].each do |make|
      inner = Pair.new
      outer = make.call(inner)
      inner.start
      assert inner.client.auth_publickey("alice", inner.user_key, timeout: LIMIT)
      assert_equal "out", inner.client.run("talk", timeout: LIMIT).stdout
      outer&.client&.free
    end
    broken = Pair.new
    over_stream(broken, true)
    reports { assert_status("SSH_ERR_CALLBACK") { broken.client.start_client(timeout: LIMIT) } }
  end

  def test_streams_that_read_too_much
    thing = Object.new.tap { |object| object.define_singleton_method(:read_nonblock) { |length, **| "x" * (length + 1) } }
    memory = FFI::MemoryPointer.new(:uint8, 16)
    place = FFI::Pointer.new(memory.address) # as C gives it: FFI does not know where it ends
    assert_raises(ArgumentError) { SSHWire::Transport.const_get(:Stream).new(thing).read(place, 8, LIMIT) }
    assert_equal "\0" * 16, memory.read_bytes(16)
  end

  private

  def over_channel(inner)
    outer = Pair.new.login
    near, far = outer.channel
    inner.instance_variable_set(:@client, SSHWire::Transport.over(near))
    inner.instance_variable_set(:@accepted, SSHWire::Transport.over(far))
    assert_status("SSH_ERR_STATE") { near.readpartial(1) }
    outer
  end

  def over_stream(inner, broken)
    ours, theirs = UNIXSocket.pair
    ours.define_singleton_method(:read_nonblock) { |*, **| raise "broken" } if broken
    inner.instance_variable_set(:@client, SSHWire::Transport.over(ours))
    inner.instance_variable_set(:@accepted, SSHWire::Transport.new(theirs))
    nil
  end
end
