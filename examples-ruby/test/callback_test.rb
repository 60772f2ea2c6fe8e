# frozen_string_literal: true

# What blocks do that the library calls, on threads that are not Ruby's.
class CallbackTest < Case
  # Each of these refuses what was asked, and harms nothing.
  BAD = {
    "raise" => proc { raise "no" },
    "raise_no_standard_error" => proc { raise NotImplementedError },
    "throw" => proc { throw :nobody },
    "exit" => proc { exit },
    "thread_exit" => proc { Thread.exit },
    "thread_kill" => proc { Thread.current.kill },
    "stack" => proc { |request| deeper = proc { deeper.call(request) }.call },
    "nothing" => proc {}
  }.freeze

  BAD.each do |name, block|
    define_method("test_a_block_that_does_#{name}") do
      pair = Pair.new
      pair.server.on(:auth_password, &block)
      pair.join.start
      reports do |raised|
        2.times { assert_status("SSH_ERR_AUTH") { pair.client.auth_password("alice", "x", timeout: LIMIT) } }
        assert_equal name.match?(/nothing|thread/) ? 0 : 2, raised.size
      end
      assert pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
      assert_equal "out", pair.client.run("talk", timeout: LIMIT).stdout
    end
  end

  def broken(server)
    server.on(:auth_password) { |request| break request.accept }
  end

  def returned(server)
    server.on(:auth_password) { |request| return request.accept }
  end

  def test_blocks_that_want_to_leave_a_method_that_has_returned
    %i[broken returned].each do |way|
      pair = Pair.new
      send(way, pair.server)
      pair.join.start
      reports do |raised|
        # It has answered before it left.
        assert pair.client.auth_password("alice", "x", timeout: LIMIT)
        assert_kind_of LocalJumpError, raised.pop
      end
    end
  end

  def test_what_nobody_hears_goes_to_standard_error
    pair = Pair.new
    pair.server.on(:auth_password) { raise "a word" }
    pair.join.start
    _, errors = capture_subprocess_io do
      assert_status("SSH_ERR_AUTH") { pair.client.auth_password("alice", "x", timeout: LIMIT) }
    end
    assert_match(/a word \(RuntimeError\)/, errors)
    SSHWire.on_report { raise "even here" }
    assert_status("SSH_ERR_AUTH") { pair.client.auth_password("alice", "x", timeout: LIMIT) }
  ensure
    SSHWire.on_report
  end

  def test_blocks_that_call_back
    pair = Pair.new
    pair.server.on(:exec) do |request|
      request.accept
      request.channel.write(request.transport.username)
      request.channel.exit_status(0)
      request.channel.close
      request.transport.server_key.fingerprint
    end
    pair.login
    assert_equal "alice", pair.client.run("x", timeout: LIMIT).stdout
  end

  def test_a_block_that_frees_everything
    pair = Pair.new
    ended = Queue.new
    pair.server.on(:exec) do |request|
      pair.client.free
      pair.accepted.free
      pair.server.free
      request.free
      ended << true
    end
    pair.login
    channel = pair.client.open_session(timeout: LIMIT)
    assert_raises(SSHWire::Error) { channel.exec("x", timeout: LIMIT) }
    assert ended.pop
  end

  def test_replaced_blocks_end
    count = ObjectSpace::WeakMap.new
    server = SSHWire::Server.new
    20.times { give_block(server, count) }
    eventually { collect || count.size <= 1 }
    server.on(:exec)
    eventually { collect || count.size.zero? }
    server.free
    assert_status("SSH_ERR_BAD_HANDLE") { give_block(server, count) }
    eventually { collect || count.size.zero? }
  end

  def give_block(server, count)
    thing = Object.new
    count[thing] = thing
    server.on(:exec) { thing }
  end

  def test_subsystems
    pair = Pair.new
    pair.server.subsystem("upper") do |channel, name|
      channel.write(channel.read(timeout: LIMIT).upcase)
      name.size
    end
    pair.server.subsystem("bad") { raise "no" }
    pair.server.subsystem("killed") { Thread.exit }
    pair.server.subsystem("odd") { "no number" }
    pair.login
    pair.accepted.subsystem("own") { 9 }
    pair.client.open_session(timeout: LIMIT) do |channel|
      channel.subsystem("upper", timeout: LIMIT)
      channel.write("shout")
      channel.close_write
      assert_equal ["SHOUT", 5], [channel.read(timeout: LIMIT), channel.wait(timeout: LIMIT).status]
    end
    reports do
      { "bad" => nil, "killed" => nil, "odd" => nil, "own" => 9 }.each do |name, status|
        channel = pair.client.open_session(timeout: LIMIT).subsystem(name, timeout: LIMIT)
        assert_equal [status], [channel.wait(timeout: LIMIT).status], name
      end
    end
  end

  def test_many_at_once
    pair = Pair.new
    pair.server.subsystem("wait") { |channel| channel.read(timeout: LIMIT).size }
    pair.login
    channels = Array.new(30) { pair.client.open_session(timeout: LIMIT).subsystem("wait", timeout: LIMIT) }
    channels.each { |channel| channel.write("12345") && channel.close_write }
    assert_equal [5] * 30, channels.map { |channel| channel.wait(timeout: LIMIT).status }
  end

  def test_log_of_all
    lines = Queue.new
    SSHWire.log(:debug) { |level, _, line| lines << [level, line] }
    assert_raises(ArgumentError) { SSHWire.log(:loud) {} }
    Pair.new.login
    refute_empty lines.pop.last
    reports do |raised|
      once = [true] # lines may come until after the end of the test
      SSHWire.log(:debug) { raise "no" if once.pop }
      Pair.new.login
      assert_equal "no", raised.pop.message
      SSHWire.log
    end
  end
end
