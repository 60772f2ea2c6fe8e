# frozen_string_literal: true

# Objects that end in any order, and garbage collection at bad moments.
class LifetimeTest < Case
  def test_every_order
    %i[client accepted server near far].permutation.each_slice(7).map(&:first).each do |order|
      pair = Pair.new.login
      near, far = pair.channel
      things = { client: pair.client, accepted: pair.accepted, server: pair.server, near: near, far: far }
      order.each { |name| 2.times { things[name].free } }
      [proc { near.write("x") }, proc { near.readpartial(1) }, proc { pair.client.open_session }, proc { far.wait },
       proc { pair.server.banner = "x" }, proc { pair.accepted.accept }, proc { pair.client.global_request("x") }].each do |use|
        assert_status("SSH_ERR_BAD_HANDLE", &use)
      end
      assert_nil pair.client.username
    end
  end

  def test_a_channel_after_its_transport
    pair = Pair.new.login
    near, far = pair.channel
    far.write("left")
    eventually { near.conditions.include?(:readable) }
    pair.client.free
    assert_equal "left", near.read(4)
    assert_raises(EOFError, SSHWire::Error) { near.readpartial(1) }
    near.free
  end

  # Ruby looks for references on stacks, too, where something may seem to be one; so one of many may stay.
  def test_collected
    live = SSHWire::Handle.send(:const_get, :LIVE)
    before = live.keys
    map = ObjectSpace::WeakMap.new
    6.times { Thread.new { leave_behind(map) }.join }
    eventually { collect || map.size <= 6 }
    # And what is not Ruby's, too.
    eventually { collect || live.slice(*(live.keys - before)).count { |_, (noun, _)| noun == "transport" } <= 2 }
  end

  def leave_behind(map)
    pair = Pair.new.login
    near, far = pair.channel
    pair.server.on(:exec) { |request| [pair, near, request] } # a cycle through a block
    pair.client.on(:host_key) { pair }
    waiting = Thread.new { pair.accepted.accept(timeout: 0.01) }
    assert_raises(SSHWire::TimeoutError) { waiting.tap { |thread| thread.report_on_exception = false }.value }
    [pair, near, far, pair.client, pair.accepted, pair.server].each { |thing| map[thing] = thing }
    nil
  end

  def test_never_freed
    kept = Array.new(3) { Pair.new.login.tap(&:channel) }
    kept.clear
    assert_equal "out", Pair.talk
  end

  def test_requests_that_are_forgotten
    pair = Pair.new
    pair.server.on(:exec) { |request| request.later && nil }
    pair.login
    channel = pair.client.open_session(timeout: LIMIT)
    asking = Thread.new { assert_status("SSH_ERR_DENIED") { channel.exec("x", timeout: LIMIT) } }
    eventually { collect || !asking.alive? }
    asking.value
  end

  def test_collection_at_every_allocation
    key = SSHWire::Key.generate
    GC.stress = true
    assert_equal key, SSHWire::Key.parse(key.line)
    assert_raises(SSHWire::KeyError) { SSHWire::Key.parse("none") }
    GC.stress = false
    pair = Pair.new
    pair.join
    GC.stress = true
    pair.start
    assert pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
    assert_equal "out", pair.client.run("talk", timeout: LIMIT).stdout
    GC.stress = false
  ensure
    GC.stress = false
  end

  def test_collection_all_the_time
    stop = false
    collecting = Thread.new { GC.start until stop }
    threads = Array.new(3) do
      Thread.new do
        5.times do
          pair = Pair.new.login
          2.times { assert_equal "out", pair.client.run("talk", timeout: LIMIT).stdout }
          near, far = pair.channel
          far.write("x" * 100_000)
          assert_equal 100_000, near.read(100_000, timeout: LIMIT).size
        end
      end
    end
    threads.each(&:join)
  ensure
    stop = true
    collecting.join
  end

  # Not with GC.auto_compact: Ruby 3.1 then aborts now and then, also where nothing of the library was called but to load it
  # (rb_vm_mark finds an entry of its table of methods that are not there gone).
  def test_objects_that_move
    skip "this Ruby moves no objects" unless GC.respond_to?(:compact)
    pair = Pair.new
    pair.server.subsystem("wait") { |channel| channel.read(timeout: LIMIT).size }
    pair.login
    5.times do
      near, far = pair.channel
      far.write("line\n" * 1000)
      far.close_write
      GC.compact
      assert_equal 1000, near.each_line.count
      channel = pair.client.open_session(timeout: LIMIT).subsystem("wait", timeout: LIMIT)
      GC.compact
      channel.write("123")
      channel.close_write
      assert_equal 3, channel.wait(timeout: LIMIT).status
      assert_equal "out", pair.client.run("talk", timeout: LIMIT).stdout
    end
  end

  def test_use_frees
    pair = Pair.new.login
    channel = pair.client.open_session { |opened| opened }
    assert_status("SSH_ERR_BAD_HANDLE") { channel.write("x") }
    error = Class.new(StandardError)
    assert_raises(error) { pair.client.use { raise error } }
    assert pair.accepted.join(timeout: LIMIT)
    assert_status("SSH_ERR_BAD_HANDLE") { pair.client.open_session }
  end
end
