# frozen_string_literal: true

# Children of a process with sessions, and the ends of processes.
class ForkTest < Case
  def test_a_child
    3.times do
      pair = Pair.new.login
      near, far = pair.channel
      assert_child do
        [proc { near.write("x") }, proc { near.readpartial(1) }, proc { near.wait }, proc { pair.client.open_session },
         proc { pair.client.accept }, proc { pair.client.close }, proc { pair.accepted.start_server(pair.server) }].each do |use|
          assert_kind_of SSHWire::Forked, assert_status("SSH_ERR_FORKED", &use)
        end
        assert_equal pair.host_key.fingerprint, SSHWire::Key.parse(pair.host_key.line).fingerprint
        pair.accepted.atfork
        near.free
        own = Pair.new.login
        assert_equal "out", own.client.run("talk", timeout: LIMIT).stdout
        GC.start
      end
      near.write("still here")
      assert_equal "still here", far.read(10, timeout: LIMIT)
      assert_equal "out", pair.client.run("talk", timeout: LIMIT).stdout
    end
  end

  def test_children_of_a_busy_process
    # Busy with data: a question that is in the air at the fork may end a child with FFI before 1.16.
    stop = false
    busy = Array.new(2) do
      pair = Pair.new.login
      near, far = pair.channel
      Thread.new { (near.write("x" * 10_000) && far.read(10_000)) until stop && pair }
    end
    8.times do
      assert_child { assert_equal "out", Pair.talk }
    end
  ensure
    stop = true
    busy.each(&:value)
  end

  def test_waits_of_other_threads_at_the_fork
    pair = Pair.new.login
    near, far = pair.channel
    waiting = [Thread.new { near.readpartial(1) }, Thread.new { pair.accepted.accept }]
    eventually { waiting.all? { |thread| thread.status == "sleep" } }
    assert_child { assert_equal "out", Pair.talk }
    far.write("x")
    assert_equal "x", waiting[0].value
    pair.client.open_session(timeout: LIMIT)
    assert_kind_of SSHWire::Channel, waiting[1].value
  end

  # Two forks, and no process waits for the grandchild; and Process.daemon, which tells Ruby's hooks of neither.
  ["exit if fork; Process.setsid; exit if fork", "Process.daemon(true, true)"].each_with_index do |way, number|
    define_method("test_daemon_#{number}") do
      reader, writer = IO.pipe
      child = spawn(RbConfig.ruby, "-w", "-e", <<~RUBY, 3 => writer, err: %i[child out], out: writer)
        require #{File.expand_path("helper", __dir__).inspect}
        pair = Pair.new.login
        #{way}
        Timeout.timeout(LIMIT) do # nobody else would end it
          print pair.client.run("talk", timeout: LIMIT).stdout rescue print $!.name
          puts Pair.talk
        end
      RUBY
      writer.close
      assert_equal "SSH_ERR_FORKEDout\n", Timeout.timeout(LIMIT) { reader.read }
      assert_predicate Process.wait2(child)[1], :success?
    end
  end

  def test_exec_and_other_programs
    pair = Pair.new.login
    assert_equal "hello\n", `echo hello`
    assert system("true")
    assert_equal "out", pair.client.run("talk", timeout: LIMIT).stdout
  end
end

# How a process ends: never with a hang, never with a crash.
class ExitTest < Case
  BUSY = <<~RUBY
    Thread.report_on_exception = false # before there is a thread that may fail
    pairs = Array.new(3) { Pair.new.login }
    $held = [] # a channel that was accepted and is collected closes under the command that runs on it
    $count = 0
    SSHWire.log(:debug) { $count }
    pairs.each do |pair|
      near, = pair.channel
      Thread.new { near.readpartial(1) }
      $held << Thread.new { pair.accepted.accept }
      Thread.new { loop { pair.client.run("talk") && $count += 1 } }
      Thread.new { near.request("none") }
    end
    sleep 0.01 until $count > 60
  RUBY

  def test_with_everything_under_way
    5.times { assert_program(BUSY) }
  end

  def test_by_exit_in_a_thread_and_by_exceptions
    assert_program("#{BUSY}\nexit 5", status: 5)
    assert_program("#{BUSY}\nexit! 6", status: 6)
    assert_program("#{BUSY}\nabort", status: 1)
    assert_program("#{BUSY}\nThread.new { exit 7 }.join", status: 7)
  end

  def test_by_signal
    assert_program("#{BUSY}\ntrap(:TERM) { exit 8 }\nProcess.kill(:TERM, $$)\nsleep", status: 8)
  end

  def test_with_a_question_in_the_air
    assert_program(<<~RUBY)
      kept = Queue.new
      pair = Pair.new
      pair.server.on(:exec) { |request| kept << request.later; sleep }
      pair.login
      channel = pair.client.open_session
      Thread.new { channel.exec("x") }.report_on_exception = false
      kept.pop
    RUBY
  end

  def test_in_a_subsystem_and_in_a_transfer
    assert_program(<<~RUBY)
      pair = Pair.new
      inside = Queue.new
      pair.server.subsystem("wait") { inside << true; sleep }
      files = SSHWire::SFTP::Server.new(Dir.mktmpdir.tap { |made| at_exit { FileUtils.rm_rf(made) } })
      pair.server.on(:subsystem) { |request| request.name == "sftp" ? request.accept_sftp(files) : request.accept }
      sftp = pair.login.client.sftp
      pair.client.open_session.subsystem("wait")
      sftp.write("/file", "x" * 1_000_000)
      Thread.new { sftp.get("/file", File::NULL) { inside << true; sleep } }
      2.times { inside.pop }
    RUBY
  end

  def test_what_runs_at_exit_may_use_it
    output = assert_program(<<~RUBY)
      at_exit { puts Pair.talk }
      Pair.new.login
    RUBY
    assert_equal "out\n", output
  end

  def test_loading_alone
    assert_program("")
  end

  def test_a_library_that_is_not_there
    _, errors, status = Open3.capture3({ "SSHWIRE_LIBRARY" => "/none/libsshwire.so.0" }, RbConfig.ruby, "-w",
                                       File.expand_path("../lib/sshwire.rb", __dir__))
    refute_predicate status, :success?
    assert_match(/SSHWIRE_LIBRARY/, errors)
  end
end
