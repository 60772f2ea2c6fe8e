# frozen_string_literal: true

# Compares the functions as FFI calls them with sshwire.h.
class ABITest < Case
  HEADER = ENV.fetch("SSHWIRE_TEST_HEADER", File.expand_path("../../include/sshwire.h", __dir__))
  NUMBERS = { "int32_t" => "i32", "uint32_t" => "u32", "uint16_t" => "u16", "uint64_t" => "u64", "int64_t" => "i64",
              "size_t" => "size", "bool" => "bool", "uint8_t" => "u8", "ssh_status" => "status", "void" => "void" }.freeze
  # Calls that take a timeout and are made with 0 only.
  IMMEDIATE = %w[ssh_channel_read ssh_channel_read_stderr ssh_channel_write ssh_channel_write_stderr
                 ssh_channel_wait_exit ssh_transport_next_request ssh_transport_accept ssh_transport_set_timeout].freeze
  # Calls that take long without one.
  LONG = %w[ssh_known_hosts_add ssh_known_hosts_replace ssh_known_hosts_remove ssh_known_hosts_hash ssh_key_load ssh_key_load_file ssh_key_generate ssh_key_private_text ssh_key_save_file
            ssh_transport_close ssh_config_resolve].freeze

  def self.prototypes
    text = File.read(HEADER).gsub(%r{/\*.*?\*/}m, "").gsub(/^\s*#.*$/, "").gsub(/typedef[^;]*;/, "")
    text.scan(/([A-Za-z_][\w *]*?)\b(ssh_\w+)\(([^;{]*?)\);/m).to_h do |result, name, arguments|
      list = arguments == "void" ? [] : arguments.split(",").map { |argument| argument.match(/\A(.*?)(\w+)\s*\z/m).captures }
      [name, [result, list].then { |type, given| [plain(type), given.map { |kind, word| [plain(kind), word] }] }]
    end
  end

  def self.plain(type)
    type.gsub(/\s+/, "").delete_prefix("const").sub("*const*", "**")
  end

  def bound
    SSHWire::ABI::FUNCTIONS.each_line(chomp: true).reject(&:empty?).to_h do |line|
      wait, result, name, arguments = line.match(/\A(wait )?(\w+) (\w+)\((.*)\)\z/).captures
      [name, [!wait.nil?, result, arguments.split(", ")]]
    end
  end

  def test_every_function_is_bound_or_left_out_on_purpose
    header = self.class.prototypes.keys
    assert_operator header.size, :>, 300
    families = header.select { |name| name.start_with?(*SSHWire::ABI::NOT_BOUND_FAMILIES) }
    left_out = SSHWire::ABI::NOT_BOUND.values.flatten
    ours = bound.keys + left_out + families
    assert_equal [[], [], []], [header - ours, ours - header, ours.tally.select { |_, times| times > 1 }.keys]
  end

  def test_every_function_is_bound_as_it_is
    header = self.class.prototypes
    bound.each do |name, (wait, result, words)|
      type, arguments = header.fetch(name)
      assert_includes words_for_result(type), result, name
      assert_equal arguments.size, words.size, name
      arguments.zip(words) { |(kind, word), bound| assert_includes words_for(kind, word), bound, "#{name}: #{word}" }
      timed = arguments.any? { |_, word| word == "timeout_ms" } && !IMMEDIATE.include?(name)
      assert_equal timed || LONG.include?(name), wait, name
    end
  end

  def test_every_bound_function_is_used
    sources = Dir[File.expand_path("../lib/**/*.rb", __dir__)].reject { |path| path.end_with?("functions.rb") }
    text = sources.map { |path| File.read(path) }.join
    unused = bound.keys.reject do |name|
      # Some names are put together, such as "ssh_error_#{detail}".
      text.include?(name) || name.match?(/\Assh_(error|security_options|request|sftp_attributes|sftp_operation|known_hosts)_|_free\z/)
    end
    assert_empty unused
  end

  def test_constants
    { "REQUEST" => SSHWire::Request::KINDS, "LOG" => SSHWire::Log::LEVELS, "SFTP_OP" => SSHWire::SFTP::Operation::KINDS,
      "PRESET" => SSHWire::SecurityOptions::PRESETS, "TIMEOUT_KIND" => SSHWire::Transport::TIMEOUTS,
      "ALGORITHM" => SSHWire::Transport::ALGORITHMS, "CHANNEL" => SSHWire::Channel::CONDITIONS,
      "PENALTY" => SSHWire::Listener::PENALTIES, "LISTENER" => SSHWire::Listener::COUNTERS,
      "KEY_FORMAT" => SSHWire::Key::FORMATS, "HASH" => SSHWire::Key::HASHES }.each do |family, ours|
      defined = File.read(HEADER).scan(/^#define SSH_#{family}_(\w+) (\d+)$/).to_h { |name, value| [name.downcase, value.to_i] }
      assert_equal defined, ours.transform_keys(&:to_s), family
    end
    { "CERTIFICATE" => SSHWire::Certificate::KINDS, "AUTH" => SSHWire::Agent::ORDERS,
      "CONFIG_FORWARD" => SSHWire::Config::Host::FORWARDS }.each do |family, ours|
      ours.each { |name, value| assert_match(/^#define SSH_#{family}_#{name.upcase} #{value}$/, File.read(HEADER)) }
    end
    statistics = File.read(HEADER).scan(/^#define SSH_STATISTIC_(\w+) \d+$/).flatten - ["COUNT"]
    assert_equal statistics, SSHWire::Transport::STATISTICS.map { |name| name.to_s.upcase }
    assert_equal SSHWire.library_version, SSHWire::VERSION
  end

  private

  def words_for_result(type)
    case type
    when "char*" then %w[text bytes memory]
    when "void*" then %w[bytes token]
    else words_for(type, nil)
    end
  end

  def words_for(type, word)
    return ["token"] if word == "userdata" || (word == "file" && type == "void*")
    return ["error"] if type == "ssh_error**"
    return ["callback"] if type.end_with?("_callback")
    return ["handle"] if type.match?(/\Assh_\w+\*\z/)
    return %w[text bytes] if type == "char*"

    type.end_with?("*") ? %w[out bytes] : [NUMBERS.fetch(type)]
  end
end
