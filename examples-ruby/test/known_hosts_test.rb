# frozen_string_literal: true

class KnownHostsTest < Case
  def setup
    @key = SSHWire::Key.generate
    @other = SSHWire::Key.generate
    @directory = Dir.mktmpdir
    @path = File.join(@directory, "known_hosts")
  end

  def teardown
    FileUtils.rm_rf(@directory)
  end

  def test_a_file
    hosts = SSHWire::KnownHosts.new(@path)
    assert_equal :unknown, hosts.check_key("example.org", @key).verdict
    hosts.add("example.org", @key, comment: "mine").add("example.org", @key, port: 2222, hash: true)
    found = hosts.check_key("example.org", @key.line)
    assert_predicate found, :match?
    assert_equal [@path, 1, :none, "example.org", "ssh-ed25519", @key, @key.fingerprint, "mine"], found.entry.to_a
    assert_equal :changed, hosts.check_key("example.org", @other, port: 2222).verdict
    assert_equal [2, 1], [hosts.count, hosts.each("example.org").count]
    hosts.replace("example.org", @other)
    assert_predicate hosts.check_key("example.org", @other), :match?
    assert_equal 1, hosts.hash_names
    refute_match(/example/, File.read(@path))
    assert_equal "ssh-ed25519", hosts.order("example.org", %w[rsa-sha2-512 ssh-ed25519]).first
    assert_equal 1, hosts.remove("example.org")
    hosts.add("*.example.org", @key, marker: :authority)
    assert_equal :authority, hosts.check_authority("a.example.org", @key).entry.marker
    assert_empty hosts.warnings
    assert_equal 1, hosts.add_lines("nonsense\n").warnings.size
    assert_raises(SSHWire::Error) { hosts.check_key("a b", @key) }
    assert_kind_of SSHWire::KnownHosts, SSHWire::KnownHosts.default
  end

  def test_a_session
    pair = Pair.new
    listener = TCPServer.new("127.0.0.1", 0)
    Thread.new { pair.server.run(listener) }
    address = "127.0.0.1:#{listener.addr[1]}"
    connect = proc do |hosts|
      SSHWire.connect(address, user: "alice", key: pair.user_key, known_hosts: hosts) do |ssh|
        [ssh.known_hosts_verdict.verdict, ssh.run("talk").stdout]
      end
    end
    hosts = SSHWire::KnownHosts.new(@path)
    assert_status("SSH_ERR_HOSTKEY") { connect.call(hosts) }
    assert_equal [:match, "out"], connect.call(hosts.add("127.0.0.1", pair.host_key, port: listener.addr[1]))
    assert_status("SSH_ERR_HOSTKEY") { connect.call(hosts.replace("127.0.0.1", @other, port: listener.addr[1])) }
    assert_nil Pair.new.join.client.known_hosts_verdict
    assert_raises(ArgumentError) { SSHWire.connect(address, user: "alice") }
  ensure
    listener.close
  end
end
