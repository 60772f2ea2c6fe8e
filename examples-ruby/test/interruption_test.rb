# frozen_string_literal: true

# Waits that somebody in Ruby ends. The session works afterwards.
class InterruptionTest < Case
  WAITS = {
    "reading" => proc { |_, near, _| near.readpartial(1) },
    "reading_a_line" => proc { |_, near, _| near.gets },
    "stderr" => proc { |_, near, _| near.stderr.read },
    "writing" => proc { |_, near, _| loop { near.write("x" * 1_000_000) } },
    "the_end_of_a_command" => proc { |_, near, _| near.wait },
    "accepting" => proc { |pair, _, _| pair.client.accept },
    "the_end_of_a_session" => proc { |pair, _, _| pair.client.join },
    "a_question" => proc { |pair, _, _| pair.client.next_request },
    "an_answer" => proc { |pair, _, _| pair.client.open_session(timeout: LIMIT).exec("later", timeout: LIMIT) },
    "a_command" => proc { |pair, _, _| pair.client.run("hold") },
    "an_event" => proc { SSHWire::Event.new.wait }
  }.freeze

  def setup
    @pair = Pair.new
    kept = @kept = []
    @pair.server.on(:exec) { |request| request.command == "later" ? kept << request.later : Pair.serve(request, @pair.held) }
    @pair.login
    @near, @far = @pair.channel
  end

  def assert_usable
    assert_equal "out", @pair.client.run("talk", timeout: LIMIT).stdout
    assert_predicate @pair.client, :active?
  end

  # In a thread that is surely waiting.
  def waiting(wait)
    thread = Thread.new { wait.call(@pair, @near, @far) }
    thread.report_on_exception = false
    eventually { %w[sleep sleep_forever].include?(thread.status) }
    sleep 0.02
    thread
  end

  WAITS.each do |name, wait|
    define_method("test_timeout_in_#{name}") do
      assert_raises(Timeout::Error) { Timeout.timeout(0.05) { wait.call(@pair, @near, @far) } }
      assert_usable
    end

    define_method("test_kill_in_#{name}") do
      thread = waiting(wait)
      thread.kill
      refute_nil thread.join(LIMIT)
      assert_usable
    end

    define_method("test_raise_in_#{name}") do
      thread = waiting(wait)
      thread.raise(IndexError, "stop")
      assert_raises(IndexError) { Timeout.timeout(LIMIT) { thread.value } }
      assert_usable
    end
  end

  def test_nothing_is_lost_to_a_reader_that_is_interrupted
    data = Random.new(6).bytes(3 << 20)
    writing = Thread.new { @far.write(data, timeout: LIMIT) }
    got = "".b
    interrupt_often(until_true: -> { got.bytesize >= data.bytesize }) { loop { got << @near.readpartial(10_000) } }
    writing.join
    assert_equal data, got
  end

  def test_nothing_is_lost_to_one_who_accepts_and_is_interrupted
    assert_raises(Timeout::Error) { Timeout.timeout(0.02) { @pair.accepted.accept } }
    assert_status("SSH_ERR_TIMEOUT") { @pair.accepted.accept(timeout: 0.02) }
    channels = Array.new(3) { @pair.client.open_session(timeout: LIMIT) }
    got = channels.map { @pair.accepted.accept(timeout: LIMIT) }
    channels.zip(got) do |near, far|
      far.write("x")
      assert_equal "x", near.read(1, timeout: LIMIT)
    end
    several = Array.new(4) { Thread.new { @pair.accepted.accept(timeout: LIMIT) } }
    4.times { @pair.client.open_session(timeout: LIMIT) }
    assert_equal 4, several.map(&:value).uniq.size
  end

  def test_nothing_is_lost_to_one_who_reads_a_file
    Dir.mktmpdir do |directory|
      files = SSHWire::SFTP::Server.new(directory)
      @pair.server.on(:subsystem) { |request| request.accept_sftp(files) }
      pair = Pair.new
      pair.server.on(:subsystem) { |request| request.accept_sftp(files) }
      pair.login.client.sftp(timeout: LIMIT) do |sftp|
        data = Random.new(8).bytes(4 << 20)
        sftp.write("/file", data)
        got = "".b
        sftp.open("/file") do |file|
          interrupt_often(until_true: -> { got.bytesize >= data.bytesize }) do
            got << file.readpartial(50_000) while got.bytesize < data.bytesize
          end
        end
        assert_equal data, got
      end
    end
  end

  def test_cancel
    thread = Thread.new { @pair.client.open_session(timeout: LIMIT).exec("later", timeout: LIMIT) }
    thread.report_on_exception = false
    eventually { @kept.any? }
    eventually { @pair.client.cancel && !thread.alive? }
    assert_kind_of SSHWire::Cancelled, assert_status("SSH_ERR_CANCELLED") { thread.value }
    assert_usable
  end

  %w[near.readpartial(1) near.wait pair.client.accept pair.client.join
     pair.client.open_session(timeout:60).exec("later",timeout:60)].each_with_index do |wait, number|
    define_method("test_sigint_#{number}") do
      assert_program(<<~RUBY)
        pair = Pair.new
        kept = []
        pair.server.on(:exec) { |request| request.command == "later" ? kept << request.later : Pair.serve(request, pair.held) }
        pair.login
        near, far = pair.channel
        main = Thread.current
        Thread.new do
          sleep 0.01 until main.status == "sleep"
          sleep 0.05
          Process.kill(:INT, Process.pid)
        end
        begin
          #{wait}
          exit 3
        rescue Interrupt
          exit 4 unless pair.client.run("talk", timeout: LIMIT).stdout == "out"
        end
      RUBY
    end
  end

  def test_traps_run_while_we_wait
    assert_program(<<~RUBY)
      near, far = Pair.new.login.channel
      writer, reader = IO.pipe.reverse
      trap(:USR1) { writer.write("x") }
      Thread.new { reader.read(1) && far.write("woken") }
      Thread.new { sleep 0.1 and Process.kill(:USR1, Process.pid) }
      exit 3 unless near.read(5, timeout: LIMIT) == "woken"
    RUBY
  end
end
