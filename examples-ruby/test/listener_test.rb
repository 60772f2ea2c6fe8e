# frozen_string_literal: true

# Listeners over loopback.
class ListenerTest < Case
  def setup
    @pair = Pair.new
    @listener = SSHWire::Listener.new.limit_penalties(sources: 0)
  end

  def teardown
    @listener.free
  end

  def login(port)
    client = SSHWire::Transport.connect("127.0.0.1:#{port}", timeout: LIMIT)
    client.expect_host_key(@pair.host_key)
    client.start_client(timeout: LIMIT)
    client.auth_password("alice", Pair::PASSWORD, timeout: LIMIT)
    client
  end

  def test_serves_until_it_is_stopped
    port = @listener.bind("127.0.0.1")
    assert_predicate @listener, :listening?
    serving = Thread.new { @listener.serve(@pair.server) }
    clients = Array.new(3) { login(port) }
    assert_equal [3, 0], @listener.counters.values_at(:accepted, :unauthenticated)
    @listener.stop
    assert_same @listener, serving.value
    refute_predicate @listener, :listening?
    assert_raises(SSHWire::Closed) { @listener.accept(timeout: LIMIT) }
    clients.each(&:free)
  end

  def test_takes_a_socket_over
    made = TCPServer.new("127.0.0.1", 0)
    port = made.addr[1]
    @listener.add_socket(made)
    assert_predicate made, :closed?
    assert_raises(SSHWire::TimeoutError) { @listener.accept(timeout: 0) }
    client = TCPSocket.new("127.0.0.1", port)
    transport = @listener.accept(timeout: LIMIT)
    assert_equal client.addr.values_at(3, 1), transport.peer
    transport.free
    client.close
  end

  def test_refuses_who_is_too_many
    @listener.limit_unauthenticated(10, start: 10).limit_source(1).set_penalty(:no_auth, 0)
    port = @listener.bind("127.0.0.1")
    first = TCPSocket.new("127.0.0.1", port)
    second = TCPSocket.new("127.0.0.1", port)
    assert_nil closed(second)
    assert_equal 1, @listener.counters[:refused_per_source]
    @listener.exempt("127.0.0.0/8")
    third = TCPSocket.new("127.0.0.1", port)
    2.times { @listener.accept(timeout: LIMIT).free }
    [first, second, third].each(&:close)
  end

  def closed(socket)
    Timeout.timeout(LIMIT) { socket.getc }
  rescue Errno::ECONNRESET
    nil
  end

  def test_refuses_nonsense
    assert_raises(SSHWire::Error) { @listener.bind("example.org") }
    assert_raises(SSHWire::Error) { @listener.exempt("example.org") }
    assert_raises(SSHWire::Error) { @listener.limit_unauthenticated(1, start: 2) }
  end
end
