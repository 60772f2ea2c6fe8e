# frozen_string_literal: true

require "minitest"
require "fileutils"
require "open3"
require "rbconfig"
require "stringio"
require "socket"
require "tempfile"
require "timeout"
require "tmpdir"
require_relative "../lib/sshwire"

# Longer than anything takes; a hang is a failure, and so no test asserts a time.
LIMIT = 60

# A server and a client in one process.
class Pair
  PASSWORD = "open\0sesame"

  attr_reader :host_key, :user_key, :server, :client, :accepted, :held

  def initialize
    @host_key = SSHWire::Key.generate(comment: "host")
    @user_key = SSHWire::Key.generate(:ecdsa_p256)
    @server = SSHWire::Server.new(@host_key)
    user_key = @user_key # the blocks do not know the pair: it may be collected
    @server.on(:auth_password) { |request| request.accept if request.password == PASSWORD }
    @server.on(:auth_key_proven) { |request| request.accept if request.key == user_key }
    @server.on(:channel_open, &:accept)
    @held = Queue.new
    held = @held
    @server.on(:exec) { |request| Pair.serve(request, held) }
  end

  def self.serve(request, held = nil)
    command = request.command
    channel = request.channel
    request.accept
    case command
    when "talk"
      channel.write("out")
      channel.stderr.write("err")
    when "reverse" then channel.write(channel.read(timeout: LIMIT).b.reverse)
    when "hold" # the test has this end itself
      held << channel
      return
    end
    channel.exit_status(7)
    channel.close
  end

  # What a pair of its own hears. It is held until then: a server that nobody holds may be collected with its session.
  def self.talk
    pair = new.login
    pair.client.run("talk", timeout: LIMIT).stdout
  end

  def join
    ours, theirs = UNIXSocket.pair
    @accepted = SSHWire::Transport.new(ours)
    @client = SSHWire::Transport.new(theirs)
    self
  end

  def start
    @accepted.start_server(@server, timeout: LIMIT, wait: false)
    @client.expect_host_key(@host_key)
    @client.start_client(timeout: LIMIT)
    self
  end

  def login
    join.start
    @client.auth_password("alice", PASSWORD, timeout: LIMIT)
    self
  end

  # Both ends of a channel.
  def channel
    near = @client.open_session(timeout: LIMIT)
    near.exec("hold", timeout: LIMIT)
    far = @held.pop
    nil until @accepted.accept(timeout: LIMIT).equal?(far) # commands that were run before wait there, too
    [near, far]
  end
end

# What all tests have.
class Case < Minitest::Test
  # A test that hangs fails.
  def run
    Timeout.timeout(4 * LIMIT, nil, "#{name} hangs") { super }
  end

  # What the block raises of ours, by the name of its status.
  def assert_status(name, &block)
    error = assert_raises(SSHWire::Error, &block)
    assert_equal name, error.name, error.message
    refute_empty error.message
    error
  end

  # Waits for what happens on another thread.
  def eventually
    ending = SSHWire::Waiting.deadline(LIMIT)
    until (value = yield)
      flunk "it does not come about" if SSHWire::Waiting.left(ending).zero?
      sleep 0.005
    end
    value
  end

  # A program of its own, which must end by itself, with this status and without a word on standard error.
  def assert_program(program, status: 0)
    output, errors, ended = Open3.capture3("timeout", LIMIT.to_s, RbConfig.ruby, "-w", "-e", <<~RUBY)
      require #{File.expand_path("helper", __dir__).inspect}
      #{program}
    RUBY
    assert_equal [status, ""], [ended.exitstatus || ended.to_s, errors]
    output
  end

  # Runs the block in a forked child, to its ordinary end.
  def assert_child
    child = fork do
      # The child is not to run the tests that wait at its parent's exit.
      Minitest.class_variable_get(:@@after_run).clear
      yield
    rescue Exception => e
      warn e.full_message
      exit! 1
    end
    ended = Timeout.timeout(2 * LIMIT) { Process.wait2(child)[1] }
    assert_predicate ended, :success?, ended.inspect
  ensure
    Process.kill(:KILL, child) if child && $!.is_a?(Timeout::Error)
  end

  # Runs the block in a thread over and over, each time until an exception gets it where it waits and nowhere else.
  def interrupt_often(random: Random.new(7), until_true:, &block)
    stop = Class.new(StandardError)
    until until_true.call
      thread = Thread.new { Thread.handle_interrupt(stop => :on_blocking, &block) }
      thread.report_on_exception = false
      sleep random.rand(0.003)
      thread.raise(stop)
      begin
        thread.value
      rescue stop
        nil
      end
    end
  end

  # Collects what is garbage. One round leaves what a register or the stack still seems to show.
  def collect
    3.times do
      GC.start
      Array.new(1000) { Object.new }
    end
    nil
  end

  # What blocks have raised during the block.
  def reports
    raised = Queue.new
    SSHWire.on_report { |exception| raised << exception }
    yield raised
  ensure
    SSHWire.on_report
  end
end
