# frozen_string_literal: true

# Forwarding, with our server and, if there is one, with sshd.
class ForwardTest < Case
  def setup
    @target = TCPServer.new("127.0.0.1", 0)
    @port = @target.addr[1]
    @echo = Thread.new do
      loop do
        Thread.new(@target.accept) do |socket|
          IO.copy_stream(socket, socket)
          socket.close
        end
      end
    rescue IOError
      nil
    end
  end

  def teardown
    @target.close
    @echo.join
    @ssh&.free
  end

  def self.servers
    ENV["SSHWIRE_TEST_ADDRESS"] ? %i[ours sshd] : %i[ours]
  end

  def client(server)
    @ssh&.free
    return @ssh = OpenSSHTest.connect if server == :sshd

    @pair = Pair.new
    @pair.server.on(:connect, &:serve)
    @pair.server.on(:listen, &:serve)
    @ssh = @pair.login.client
  end

  def check_echo(port)
    socket = TCPSocket.new("127.0.0.1", port)
    yield socket if block_given?
    data = Random.new(2).bytes(300_000)
    sending = Thread.new do
      socket.write(data)
      socket.close_write # the end of one direction goes through alone
    end
    assert_equal data, socket.read
    sending.join
  ensure
    socket&.close
  end

  servers.each do |server|
    define_method("test_local_#{server}") do
      client(server).forward_local(["127.0.0.1", 0], ["127.0.0.1", @port]) do |forward|
        assert_equal "127.0.0.1", forward.address
        Array.new(8) { Thread.new { check_echo(forward.port) } }.each(&:join)
        counters = eventually { forward.counters.then { |counted| counted if counted.active.zero? } }
        assert_equal [8, 0, 2_400_000, 2_400_000], [counters.connections, counters.failed, counters.sent, counters.received]
        forward.max_connections = 3
        forward.stop
        refute_predicate forward, :listening?
      end
    end

    define_method("test_remote_#{server}") do
      client(server).forward_remote(["127.0.0.1", 0], ["127.0.0.1", @port], timeout: LIMIT) do |forward|
        Array.new(8) { Thread.new { check_echo(forward.port) } }.each(&:join)
      end
    end

    define_method("test_dynamic_#{server}") do
      client(server).forward_dynamic(["127.0.0.1", 0]) do |forward|
        check_echo(forward.port) do |socket|
          socket.write([5, 1, 0].pack("C*"))
          assert_equal [5, 0], socket.read(2).unpack("C*")
          socket.write([5, 1, 0, 1, 127, 0, 0, 1, @port].pack("C8n"))
          assert_equal [5, 0], socket.read(10).unpack("C2")
        end
      end
    end

    define_method("test_remote_dynamic_#{server}") do
      permitted = ["localhost:#{@port}", "[::1]:*"]
      client(server).forward_remote_dynamic(["127.0.0.1", 0], *permitted, timeout: LIMIT) do |forward|
        ask = lambda do |socket, name|
          socket.write([5, 1, 0].pack("C*"))
          assert_equal [5, 0], socket.read(2).unpack("C*")
          socket.write([5, 1, 0, 3, name.size, name, @port].pack("C5a*n"))
          socket.read(10).unpack1("xC")
        end
        check_echo(forward.port) { |socket| assert_equal 0, ask.call(socket, "localhost") }
        TCPSocket.open("127.0.0.1", forward.port) { |socket| assert_equal 2, ask.call(socket, "127.0.0.1") }
      end
      assert_status("SSH_ERR_INVALID_ARG") { @ssh.forward_remote_dynamic(["127.0.0.1", 0], timeout: LIMIT) }
    end

    define_method("test_unix_sockets_#{server}") do
      Dir.mktmpdir do |directory|
        path = File.join(directory, "socket")
        client(server).forward_local(path, ["127.0.0.1", @port]) do
          UNIXSocket.open(path) do |socket|
            socket.write("hello")
            socket.close_write
            assert_equal "hello", socket.read
          end
        end
        refute_path_exists path
      end
    end

    define_method("test_channels_#{server}") do
      client(server).open_tcpip("127.0.0.1", @port, timeout: LIMIT) do |channel|
        assert_equal ["direct-tcpip", ["127.0.0.1", @port]], [channel.kind, channel.destination]
        channel.write("hello")
        channel.close_write
        assert_equal "hello", channel.read(timeout: LIMIT)
      end
      nobody = TCPServer.new("127.0.0.1", 0)
      port = nobody.addr[1]
      nobody.close
      assert_status("SSH_ERR_CHANNEL") { @ssh.open_tcpip("127.0.0.1", port, timeout: LIMIT) }
    end

    define_method("test_requested_#{server}") do
      came = Queue.new
      port = client(server).request_forward(["localhost", 0], timeout: LIMIT) { |*given| came << given }
      socket = TCPSocket.new("localhost", port)
      channel, origin, address = came.pop
      assert_equal ["localhost", port], address
      assert_equal socket.local_address.ip_port, origin[1]
      channel.write("hello")
      assert_equal "hello", socket.read(5)
      channel.free
      socket.close
      @ssh.cancel_forward(["localhost", port], timeout: LIMIT)
      assert_status("SSH_ERR_STATE") { @ssh.cancel_forward(["localhost", port], timeout: LIMIT) }
      other = @ssh.request_forward(["127.0.0.1", 0], timeout: LIMIT)
      TCPSocket.open("127.0.0.1", other) { assert_equal "forwarded-tcpip", @ssh.accept(timeout: LIMIT).kind }
    end
  end

  def test_a_server_of_ones_own
    pair = Pair.new
    pair.server.on(:listen) { |request| request.accept_port(4000) }
    pair.server.on(:connect) { |request| request.destination == ["there", 1] ? request.accept : request.refuse(text: "no") }
    pair.login
    assert_equal 4000, pair.client.request_forward(["", 0], timeout: LIMIT)
    far = pair.accepted.open_forwarded(["", 4000], source: ["1.2.3.4", 5], timeout: LIMIT)
    near = pair.client.accept(timeout: LIMIT)
    assert_equal [["", 4000], ["1.2.3.4", 5]], [near.destination, near.origin]
    far.write("x")
    assert_equal "x", near.read(1, timeout: LIMIT)
    pair.client.open_tcpip("there", 1, timeout: LIMIT).free
    assert_status("SSH_ERR_CHANNEL") { pair.client.open_tcpip("here", 1, timeout: LIMIT) }
  end
end
