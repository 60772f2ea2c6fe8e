# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = "sshwire"
  spec.version = File.read(File.join(__dir__, "lib/sshwire.rb"))[/VERSION = "(.*)"/, 1]
  spec.summary = "SSH-2, client and server: commands, SFTP, forwarding"
  spec.description = "A Ruby face of libsshwire, which must be installed. Sessions, channels that are used as IOs, " \
                     "files, forwarding; every wait can be interrupted."
  spec.authors = ["The libsshwire maintainers"]
  spec.licenses = %w[MIT Apache-2.0]
  spec.files = Dir.chdir(__dir__) { Dir["lib/**/*.rb", "*.md", "client.rb", "server.rb"] }
  spec.required_ruby_version = ">= 3.1"
  spec.add_runtime_dependency "ffi", "~> 1.15"
end
