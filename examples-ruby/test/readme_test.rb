# frozen_string_literal: true

# The programs that documents show.
class ReadmeTest < Case
  def ruby_of(path)
    File.read(File.expand_path(path, __dir__)).scan(/^```ruby\n(.*?)^```/m).flatten
  end

  def test_the_snippet_of_the_readme_runs
    skip "no sshd" unless ENV["SSHWIRE_TEST_ADDRESS"]
    snippet = ruby_of("../../README.md").fetch(0)
    Dir.mktmpdir do |directory|
      copy = "#{directory}.notes"
      FileUtils.cp(ENV.fetch("SSHWIRE_TEST_KEY"), File.join(directory, "id_ed25519"), preserve: true)
      File.write(File.join(directory, "notes"), "text")
      { '"example.org"' => ENV.fetch("SSHWIRE_TEST_ADDRESS").inspect, '"user"' => ENV.fetch("SSHWIRE_TEST_USER").inspect,
        '"ssh-ed25519 AAAA..."' => ENV.fetch("SSHWIRE_TEST_HOST_KEY").inspect,
        '"notes", "/tmp/notes"' => "\"notes\", #{copy.inspect}" }.each do |from, to|
        assert snippet.gsub!(from, to), from
      end
      output, errors, status = Open3.capture3(RbConfig.ruby, "-w", "-I", File.expand_path("../lib", __dir__), "-e", snippet,
                                              chdir: directory)
      assert_equal ["", 0], [errors, status.exitstatus]
      assert_match(/\A#{Regexp.escape(`uname -a`)}(\d\n)*4\n\z/, output)
      assert_equal "text", File.read(copy)
      OpenSSHTest.connect.use { |ssh| ssh.sftp { |files| files.remove(copy) } }
    end
  end

  def test_the_snippets_here_are_ruby
    ruby_of("../README.md").each { |snippet| RubyVM::InstructionSequence.compile(snippet) }
  end

  def test_gemspec
    Dir.chdir(File.expand_path("..", __dir__)) do
      specification = Gem::Specification.load("sshwire.gemspec")
      assert_equal SSHWire::VERSION, specification.version.to_s
      assert_includes specification.files, "lib/sshwire/sftp/file.rb"
      assert_empty Dir["lib/**/*.rb"] - specification.files
    end
  end
end
