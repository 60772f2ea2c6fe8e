#!/usr/bin/env ruby
# frozen_string_literal: true

# The adapter of Net::SSH and Net::SFTP for Ruby, client.
require "net/ssh"
require "net/sftp"

def told(name) = ENV.fetch("PEER_#{name}", "")

def connect(&work)
  options = {
    port: told("PORT").to_i, auth_methods: [told("AUTH")], config: false, use_agent: false,
    keys: [told("KEY")], keys_only: true, password: told("PASSWORD"), number_of_password_prompts: 0,
    verify_host_key: :never, append_all_supported_algorithms: true, non_interactive: true
  }
  options[:rekey_limit] = told("REKEY").to_i unless told("REKEY").empty?
  # What a person would type.
  options[:password_prompt] = Class.new do
    def start(_info) = self

    def ask(_prompt, _echo) = ENV.fetch("PEER_PASSWORD")

    def success; end
  end.new
  Net::SSH.start("127.0.0.1", told("USER"), **options, &work)
end

# Standard input to a channel, as it comes.
def feed(session, channel)
  $stdin.binmode
  session.listen_to($stdin) do
    data = $stdin.read_nonblock(32_768)
    channel.send_data(data)
  rescue EOFError
    session.stop_listening_to($stdin)
    channel.eof!
  rescue IO::WaitReadable
    nil
  end
end

def carry(session, channel)
  $stdout.binmode
  channel.on_data { |_, data| $stdout.write(data) }
  channel.on_extended_data { |_, _, data| $stderr.write(data) }
  feed(session, channel)
end

def run(session, command)
  status = 255
  session.open_channel do |channel|
    channel.exec(command) do |started, good|
      abort "refused" unless good
      started.on_request("exit-status") { |_, data| status = data.read_long }
      carry(session, started)
    end
  end
  session.loop { session.channels.any? }
  status
end

def forward(session, host, port)
  over = false
  types = [:string, host, :long, port.to_i, :string, "127.0.0.1", :long, 1]
  session.open_channel("direct-tcpip", *types) do |channel|
    carry(session, channel)
    channel.on_eof { over = true }
    channel.on_close { over = true }
  end
  session.loop { !over }
  0
end

case ARGV[0]
when "version" then puts Net::SSH::Version::STRING
when "client"
  begin
    status = connect do |session|
      case ARGV[1..]
      in ["run", command] then run(session, command)
      in ["forward", host, port] then forward(session, host, port)
      in ["put", here, there] then session.sftp.upload!(here, there) && 0
      in ["get", there, here] then session.sftp.download!(there, here) && 0
      in ["list", there]
        session.sftp.dir.foreach(there) { |entry| puts entry.name }
        0
      end
    end
  rescue Net::SSH::Exception, Net::SFTP::Exception, SystemCallError => e
    warn e.message
    status = 255
  end
  $stdout.flush
  exit! status.is_a?(Integer) ? status : 0
end
