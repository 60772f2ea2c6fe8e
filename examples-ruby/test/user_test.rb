# frozen_string_literal: true

# A user's own things: certificates, signers, agents, configuration.
module Folder
  def setup
    @folder = Dir.mktmpdir
  end

  def teardown
    FileUtils.rm_rf(@folder)
  end

  def file(name)
    File.join(@folder, name)
  end
end

class CertificateTest < Case
  include Folder

  def setup
    super
    @authority = SSHWire::Key.generate
    @key = SSHWire::Key.generate
  end

  def issue(**options)
    SSHWire::Certificate.issue(@key, @authority, %w[alice admin], key_id: "a test", serial: 7,
                               extensions: SSHWire::Certificate::USUAL, **options)
  end

  def test_what_it_says
    issued = issue(valid_after: 1000, valid_before: Time.at(2000), critical_options: { "force-command" => "true" })
    File.write(file("key-cert.pub"), "#{issued.line(comment: "comment")}\n")
    [issued, SSHWire::Certificate.load_file(file("key-cert.pub")), SSHWire::Certificate.parse(issued.line),
     SSHWire::Certificate.from_blob(issued.blob)].each do |read|
      assert_equal issued, read
      assert_equal [:user, "ssh-ed25519-cert-v01@openssh.com", 7, "a test"],
                   [read.kind, read.type, read.serial, read.key_id]
      assert_equal [%w[alice admin], 1000, 2000], [read.principals, read.valid_after, read.valid_before]
      assert_equal({ "force-command" => "true" }, read.critical_options)
      assert_equal SSHWire::Certificate::USUAL.to_h { |name| [name, nil] }, read.extensions
      assert_equal [@key, @authority, "ssh-ed25519"], [read.key, read.authority, read.signature_algorithm]
      assert_match(/\ASHA256:/, read.fingerprint)
    end
    assert_raises(SSHWire::KeyError) { SSHWire::Certificate.parse(@key.line) }
  end

  def test_who_it_counts_for
    issued = issue(valid_after: 1000, valid_before: 2000, critical_options: { "source-address" => "192.0.2.0/24" })
    here = { address: "192.0.2.7", time: Time.at(1500) }
    assert_same issued, issued.check!([SSHWire::Key.generate, @authority], "admin", **here)
    [[@key, "alice", {}], [[], "alice", {}], [@authority, "bob", {}], [@authority, "alice", { time: Time.at(2000) }],
     [@authority, "alice", { time: Time.now }], [@authority, "alice", { address: "198.51.100.1" }],
     [@authority, "alice", { kind: :host }]].each do |authorities, principal, changes|
      assert_status("SSH_ERR_CERTIFICATE") { issued.check!(authorities, principal, **here, **changes) }
    end
  end

  def test_a_login
    pair = Pair.new
    shown = Queue.new
    pair.server.on(:auth_key_proven) { |request| request.accept if shown << request.certificate }
    pair.server.add_user_authority(@authority).set_user_principals("root", ["admin"])
    pair.join.start
    issued = issue
    certified = @key.with_certificate(issued)
    assert_equal issued, certified.certificate
    assert_nil @key.certificate
    assert_raises(SSHWire::AuthenticationError) { pair.client.auth_publickey("bob", certified, timeout: LIMIT) }
    assert pair.client.auth_publickey("root", certified, timeout: LIMIT)
    assert_equal [issued, true], [shown.pop, shown.empty?]
  end

  def test_what_is_revoked
    File.write(file("revoked"), "#{@key.line}\n")
    revoked = SSHWire::Revocations.load_file(file("revoked"))
    assert_includes revoked, @key
    assert_includes revoked, issue
    refute_includes revoked, @authority
    assert_equal [0, ""], [revoked.version, revoked.comment]
    pair = Pair.new
    pair.server.revocations = SSHWire::Revocations.load(pair.user_key.line)
    pair.server.touch_required = false
    pair.join.start
    assert_raises(SSHWire::AuthenticationError) { pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT) }
  end

  def test_host_keys_that_are_revoked
    pair = Pair.new.join
    pair.client.revoked_host_keys = SSHWire::Revocations.load(pair.host_key.line)
    pair.client.insecure_accept_any_host_key
    pair.accepted.start_server(pair.server, timeout: LIMIT, wait: false)
    assert_raises(SSHWire::HostKeyError) do
      pair.client.start_client(timeout: LIMIT)
      pair.client.auth_none("alice", timeout: LIMIT)
    end
  end

  def test_certificates_of_strangers_are_asked_about
    [false, true].each do |asks|
      pair = Pair.new
      asked = Queue.new
      pair.server.on(:auth_key_proven) do |request|
        asked << request.certificate
        request.accept
      end
      pair.server.ask_certificates = asks
      pair.join.start
      # To be asked is one thing; only who has looked at the certificate lets it in.
      shown = @key.with_certificate(issue)
      assert_raises(SSHWire::AuthenticationError) { pair.client.auth_publickey("alice", shown, timeout: LIMIT) }
      assert_equal asks ? 1 : 0, asked.size
    end
  end

  def test_lines_of_authorized_keys
    text = <<~LINES
      # a comment
      restrict,pty,command="echo \\"hi\\"",from="127.0.0.*",environment="A=1",environment="B=2" #{@key.line(comment: "of hers")}
      no-such-option #{@key.line}
      cert-authority,principals="a,b" #{@authority.line}
    LINES
    File.write(file("authorized_keys"), text)
    [SSHWire::AuthorizedKeys.load(text), SSHWire::AuthorizedKeys.load_file(file("authorized_keys"))].each do |keys|
      assert_equal [2, 4], keys.map(&:line)
      first = keys[0]
      last = keys[-1]
      assert_equal [@key, "of hers", true, [:pty]], [first.key, first.key.comment, first.options?, first.permits]
      assert_equal ['echo "hi"', "127.0.0.*", nil, nil], [first.command, first.from, first.principals, first.tunnel]
      assert_equal %w[A=1 B=2], first.environment
      assert_equal [@authority, "a,b", []], [last.key, last.principals, last.environment]
      assert last.permits?(:certificates)
      assert_equal 1, keys.warnings.size
      assert_match(/\Aline 3: /, keys.warnings.first)
      assert_nil keys[2]
    end
    assert_raises(SSHWire::Error) { SSHWire::AuthorizedKeys.load_file(file("none")) }
  end

  def test_a_login_by_authorized_keys
    pair = Pair.new
    keys = SSHWire::AuthorizedKeys.load(%(command="forced" #{pair.user_key.line}))
    answers = Queue.new
    commands = Queue.new
    pair.server.on(:auth_key_proven) { |request| answers << keys.answer(request)&.line }
    pair.server.on(:exec) do |request|
      commands << request.command
      request.refuse
    end
    pair.join.start
    assert_raises(SSHWire::AuthenticationError) { pair.client.auth_publickey("alice", @key, timeout: LIMIT) }
    assert pair.client.auth_publickey("alice", pair.user_key, timeout: LIMIT)
    assert_raises(SSHWire::Error) { pair.client.run("asked for", timeout: LIMIT) }
    # The command of the line, whatever was asked for.
    assert_equal [nil, 1, "forced"], [answers.pop, answers.pop, commands.pop]
  end

  def test_signatures_from_elsewhere
    pair = Pair.new
    asked = Queue.new
    key = SSHWire::Key.external(pair.user_key.public_key) do |algorithm, data|
      asked << algorithm
      pair.user_key.sign(data, algorithm: algorithm)
    end
    pair.join.start
    assert pair.client.auth_publickey("alice", key, timeout: LIMIT)
    assert_equal "ecdsa-sha2-nistp256", asked.pop
    assert_raises(SSHWire::Error) { SSHWire::Key.external(@key) { |*| "no signature" }.sign("data") }
  end
end

# Against OpenSSH's agent.
class AgentTest < Case
  include Folder

  def setup
    super
    program = ENV.fetch("SSHWIRE_TEST_SSH_AGENT", "")
    skip "SSHWIRE_TEST_SSH_AGENT is not set" if program.empty?
    @process = spawn(program, "-D", "-a", file("agent"), out: File::NULL)
    eventually { listens?(file("agent")) }
    @agent = SSHWire::Agent.new(file("agent"), timeout: LIMIT)
  end

  # The name of the socket is there before anybody listens.
  def listens?(path)
    UNIXSocket.open(path, &:close)
    true
  rescue SystemCallError
    false
  end

  def teardown
    if @process
      Process.kill(:TERM, @process)
      Process.wait(@process)
    end
    super
  end

  def test_keys_come_and_go
    key = SSHWire::Key.generate(comment: "a key")
    certificate = SSHWire::Certificate.issue(key, SSHWire::Key.generate, "alice")
    assert_empty @agent.list
    @agent.add(key).add(key, certificate: certificate, lifetime: 600)
    plain, certified = @agent.list(timeout: LIMIT)
    assert_equal ["ssh-ed25519", "a key", key.fingerprint, key.blob, key], plain.to_a
    assert_equal [certificate.type, certificate.blob], [certified.type, certified.blob]
    [plain, certified, key, certificate, key.blob].each do |which|
      assert key.verify("data", @agent.sign(which, "data", timeout: LIMIT), "ssh-ed25519")
    end
    @agent.lock("secret")
    assert_empty @agent.list
    @agent.unlock("secret").remove(certified)
    assert_status("SSH_ERR_DENIED") { @agent.sign(certified, "data") }
    assert_empty @agent.remove_all.list
    error = assert_status("SSH_ERR_AGENT") { SSHWire::Agent.new(file("nobody")) }
    assert_match(/nobody/, error.message)
    @agent.cancel
  end

  def test_a_login
    pair = Pair.new.join.start
    @agent.add(SSHWire::Key.generate).add(pair.user_key)
    assert_raises(SSHWire::AuthenticationError) do
      pair.client.auth_agent("alice", @agent, keys: SSHWire::Key.generate, order: :named_only, timeout: LIMIT)
    end
    assert pair.client.auth_agent("alice", @agent, timeout: LIMIT)
    assert pair.user_key.verify("data", @agent.key(pair.user_key.public_key).sign("data"), "ecdsa-sha2-nistp256")
  end

  def test_a_configuration_uses_it
    pair = Pair.new
    @agent.add(pair.user_key)
    Way.new(pair, @folder).config(IdentityAgent: file("agent")).connect("there", timeout: LIMIT) do |ssh|
      assert_equal "alice", ssh.username
    end
  end
end

# A configuration that leads to a server in this process.
class Way
  attr_reader :commands

  def initialize(pair, folder)
    @pair = pair
    @folder = folder
    @commands = Queue.new
  end

  def known_hosts
    File.join(@folder, "known_hosts")
  end

  def config(**options)
    usual = { User: "alice", ProxyCommand: "to %h %p", UserKnownHostsFile: known_hosts, GlobalKnownHostsFile: "none",
              StrictHostKeyChecking: "accept-new", IdentityFile: "none", IdentityAgent: "none" }
    SSHWire::Config.new(options: usual.merge(options)).on_proxy do |command|
      @commands << command
      near, far = UNIXSocket.pair
      @accepted = SSHWire::Transport.new(far)
      @accepted.start_server(@pair.server, timeout: LIMIT, wait: false)
      near
    end
  end
end

class ConfigTest < Case
  include Folder

  TEXT = <<~CONFIG
    Host alias
      HostName real.example.org
      Port 2222
      ProxyJump me@gate:22,last
      LocalForward 8080 web:80
      LocalForward /run/a /run/b
      DynamicForward 1080
      SendEnv A B
      ForwardX11 true
      ServerAliveInterval 1m
      NoSuchThing yes
    Match host real.example.org exec "test %h"
      User tester
  CONFIG

  def test_what_holds_for_a_host
    File.write(file("config"), TEXT)
    config = SSHWire::Config.new(file("config"), options: ["ConnectTimeout=5"])
    config.resolve("alias").use { |host| refute_equal "tester", host.user }
    asked = Queue.new
    config.on_exec { |command| asked << command && 0 }
    host = config.resolve("alias")
    assert_equal ["test real.example.org", "tester"], [asked.pop, host.user]
    assert_equal ["real.example.org", 2222, "real.example.org"], [host.name, host.port, host[:hostname]]
    assert_equal [nil, nil, %w[A B]], [host["LocalCommand"], host["NoOption"], host.values("SendEnv")]
    assert_equal ["yes", ["true"]], [host["ForwardX11"], host.written("ForwardX11")]
    assert host.yes?("ForwardX11") && !host.yes?("BatchMode")
    assert_equal [60, 5, 9], [host.number(:ServerAliveInterval), host.number(:ConnectTimeout), host.number(:User, 9)]
    assert_equal ["#{file("config")}:3", nil], [host.place("Port"), host.place("AddressFamily")]
    assert_equal [["me", "gate", 22], [nil, "last", nil]], host.jumps.map(&:to_a)
    assert_equal [[[nil, 8080], ["web", 80]], [["/run/a", 0], ["/run/b", 0]]], host.forwards(:local).map(&:to_a)
    assert_equal [[[nil, 1080], nil]], host.forwards(:dynamic).map(&:to_a)
    assert_empty host.forwards(:remote)
    assert_includes host.to_a, %w[Port 2222]
    assert_equal 1, host.unsupported.size
    assert_match(/NoSuchThing/, host.unsupported.first)
    error = assert_status("SSH_ERR_CONFIG") { SSHWire::Config.new(options: { Port: "none" }).resolve("host") }
    assert_match(/is not a port/, error.message)
    assert_kind_of SSHWire::Config, SSHWire::Config.default
  end

  def test_the_way_there
    way = Way.new(Pair.new, @folder)
    asked = Queue.new
    ask = lambda do |request|
      asked << [request.kind, request.name]
      request.kind == :host_key ? request.accept : request.answer(Pair::PASSWORD)
    end
    config = way.config(StrictHostKeyChecking: "ask")
    SSHWire.connect_config("there", config: config, ask: ask, timeout: LIMIT) do |ssh|
      assert_predicate ssh, :authenticated?
      assert_equal "out", ssh.run("talk").stdout
    end
    assert_equal [[:host_key, "there"], [:password, "alice@there"], true], [asked.pop, asked.pop, asked.empty?]
    assert_equal "to there 22", way.commands.pop
    assert_match(/^there /, File.read(way.known_hosts))
    error = assert_raises(SSHWire::AuthenticationError) { way.config.connect("there", timeout: LIMIT) }
    assert_match(/there was nothing to log in with/, error.message)
    broken = way.config.on_proxy { |_| nil }
    assert_status("SSH_ERR_CALLBACK") { broken.connect("there", timeout: LIMIT) }
  end

  def test_a_passphrase_is_asked_for_when_the_key_is_wanted
    pair = Pair.new
    pair.user_key.save(file("key"), passphrase: "correct horse")
    wanted = [pair.user_key]
    pair.server.on(:auth_key_asked) { |request| request.accept if wanted.include?(request.key) }
    asked = Queue.new
    config = Way.new(pair, @folder).config(IdentityFile: file("key"), PasswordAuthentication: "no")
    config.on(:passphrase) { |request| asked << request.name && request.answer("correct horse") }
    config.connect("there", timeout: LIMIT, &:authenticated?)
    assert_equal [file("key"), true], [asked.pop, asked.empty?]
    wanted.clear
    error = assert_raises(SSHWire::AuthenticationError) { config.connect("there", timeout: LIMIT) }
    assert_match(/refused publickey \(1 key\)/, error.message)
    assert_empty asked
  end

  def test_the_agent_is_not_lent_unless_that_is_said
    pair = Pair.new
    config = Way.new(pair, @folder).config
    config.on(:password) { |request| request.answer(Pair::PASSWORD) }
    config.connect("there", timeout: LIMIT) do |ssh|
      host = config.resolve("there")
      assert_same host, host.forward_agent(ssh.open_session(timeout: LIMIT))
    end
  end
end
