# frozen_string_literal: true

# A client of an sshd, if SSHWIRE_TEST_ADDRESS and the others are set; and OpenSSH's ssh and sftp as clients of ours.
class OpenSSHTest < Case
  def self.connect
    SSHWire.connect(ENV.fetch("SSHWIRE_TEST_ADDRESS"), user: ENV.fetch("SSHWIRE_TEST_USER"),
                    key: ENV.fetch("SSHWIRE_TEST_KEY"), host_key: ENV.fetch("SSHWIRE_TEST_HOST_KEY"), timeout: LIMIT)
  end

  def connect(&block)
    skip "no sshd" unless ENV["SSHWIRE_TEST_ADDRESS"]
    self.class.connect.use(&block)
  end

  def test_commands
    connect do |ssh|
      input = Random.new(3).bytes(3 << 20)
      done = ssh.run("cat; echo oops >&2; exit 3", input: input, timeout: LIMIT)
      assert_equal [input, "oops\n", 3], [done.stdout.b, done.stderr, done.exit.status]
      assert_equal 4, ssh.run("exit 4", input: input, timeout: LIMIT).exit.status # does not read what it is given
      assert_equal "TERM", ssh.run("kill -TERM $$", timeout: LIMIT).exit.signal
      lines = ssh.exec("for i in 1 2 3; do echo $i; done", timeout: LIMIT) { |channel| channel.each_line(chomp: true).to_a }
      assert_equal %w[1 2 3], lines
    end
  end

  def test_shell_with_a_terminal
    connect do |ssh|
      ssh.open_session(timeout: LIMIT) do |channel|
        channel.request_pty(term: "dumb", columns: 91, timeout: LIMIT).shell(timeout: LIMIT)
        channel.puts("stty size; exit 5")
        assert_match(/24 91/, channel.read(timeout: LIMIT))
        assert_equal 5, channel.wait(timeout: LIMIT).status
      end
    end
  end

  def test_jump
    connect do |outer|
      host, port = ENV.fetch("SSHWIRE_TEST_ADDRESS").split(":")
      channel = outer.open_tcpip(host, Integer(port), timeout: LIMIT)
      SSHWire::Transport.over(channel).use do |inner|
        inner.expect_host_key(ENV.fetch("SSHWIRE_TEST_HOST_KEY")).start_client(timeout: LIMIT)
        inner.authenticate(ENV.fetch("SSHWIRE_TEST_USER"), key: ENV.fetch("SSHWIRE_TEST_KEY"), timeout: LIMIT)
        assert_equal "inside\n", inner.run("echo inside", timeout: LIMIT).stdout
      end
    end
  end

  # Serves the ssh and sftp of OpenSSH, and gives the block the command line that leads here.
  def serving
    skip "no ssh" unless system("command -v ssh sftp ssh-keygen >#{File::NULL}")
    Dir.mktmpdir do |directory|
      key = File.join(directory, "key")
      friend = SSHWire::Key.generate.save(key)
      host_key = SSHWire::Key.generate
      listener = TCPServer.new("127.0.0.1", 0)
      File.write(File.join(directory, "known_hosts"), "[127.0.0.1]:#{listener.addr[1]} #{host_key.line}\n")
      server = SSHWire::Server.new(host_key)
      server.on(:auth_key_proven) { |request| request.accept if request.key == friend }
      server.on(:channel_open, &:accept_channel)
      yield server, listener, directory, %W[-F none -i #{key} -o UserKnownHostsFile=#{directory}/known_hosts
                                            -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes]
    ensure
      listener&.close
    end
  end

  def test_ssh_as_client
    serving do |server, listener, _, options|
      server.on(:exec) do |request|
        command = request.command
        channel = request.channel
        request.accept
        Thread.new do # what takes long is not for the block: it holds up the next question
          channel.write(channel.read(timeout: LIMIT).upcase)
          channel.stderr.puts(command)
          channel.exit_status(7)
          channel.free
        end
      end
      serving = Thread.new { server.run(listener) }
      input = "shout\n" * 100_000
      output, errors, ended = Open3.capture3("timeout", LIMIT.to_s, "ssh", *options, "-p", listener.addr[1].to_s,
                                             "alice@127.0.0.1", "say this", stdin_data: input)
      assert_equal [input.upcase, "say this\n", 7], [output, errors, ended.exitstatus]
      refute system("timeout", LIMIT.to_s, "ssh", *options, "-o", "IdentityFile=none", "-p", "1", "alice@127.0.0.1", err: File::NULL)
      listener.close
      serving.join
    end
  end

  def test_sftp_as_client
    serving do |server, listener, directory, options|
      Dir.mkdir(File.join(directory, "files"))
      files = SSHWire::SFTP::Server.new(File.join(directory, "files"))
      server.on(:subsystem) { |request| request.accept_sftp(files) if request.name == "sftp" }
      serving = Thread.new { server.run(listener) }
      local = File.join(directory, "local")
      File.binwrite(local, Random.new(4).bytes(1 << 20))
      batch = "put #{local} there\nget there #{local}.back\nmkdir d\nls -1\n"
      output, errors, ended = Open3.capture3("timeout", LIMIT.to_s, "sftp", *options, "-P", listener.addr[1].to_s, "-b", "-",
                                             "alice@127.0.0.1", stdin_data: batch)
      assert_equal 0, ended.exitstatus, errors
      assert_match(/^d\s*$/, output)
      assert_equal File.binread(local), File.binread("#{local}.back")
      listener.close
      serving.join
    end
  end
end
