# frozen_string_literal: true

# Files that a program makes up, served by us and used by our client and OpenSSH's.
class VirtualFilesTest < Case
  # A small file system in memory.
  class Memory
    attr_reader :content, :open

    def initialize
      @content = { "/one" => "1".b }
      @open = []
    end

    def attributes(path)
      return SSHWire::SFTP::Attributes.new(permissions: 0o40755) if path == "/"

      content = @content[path] || raise(Errno::ENOENT)
      SSHWire::SFTP::Attributes.new(permissions: 0o100644, size: content.bytesize, atime: 1, mtime: 2)
    end

    def entries
      @content.keys.map { |path| attributes(path).tap { |entry| entry.name = path.delete_prefix("/") } }
    end

    def serve
      files = SSHWire::SFTP::VirtualServer.new(max_operations: 100)
      %i[stat fstat].each { |kind| files.on(kind) { |one| one.accept(attributes(one.file.is_a?(String) ? one.file : one.path)) } }
      files.on(:opendir) { |one| one.accept(entries) }
      files.on(:readdir) { |one| one.list(one.file) }
      files.on(:open) do |one|
        @content[one.path] = "".b if one.flags.include?(:truncate)
        attributes(one.path)
        @open << one.path
        one.accept(one.path)
      end
      files.on(:close) { |one| @open.delete(one.file) && one.accept }
      files.on(:read) { |one| one.accept(@content[one.file].byteslice(one.offset, one.length) || "") }
      files.on(:write) { |one| (@content[one.file][one.offset, one.length] = one.data) && one.accept }
      files.on(:rename) { |one| (@content[one.new_path] = @content.delete(one.path)) && one.accept }
      files.on(:symlink) { |one| one.refuse(:permission_denied, "no #{one.target}") }
      files.on(:readlink) { |one| one.accept("far") }
      files.on(:setstat) { |one| @content[one.path] = "x".b * one.attributes.size if one.accept }
      files.on(:statvfs) { |one| one.accept(SSHWire::SFTP::Space.new(*1..11)) }
      files.on(:remove) { |one| Thread.new(one.later) { |later| @content.delete(later.path) ? later.accept : later.free } }
      files.on(:mkdir) { raise "no" }
      files
    end
  end

  def setup
    @memory = Memory.new
    @files = @memory.serve
  end

  def test_our_client
    pair = Pair.new
    pair.server.on(:subsystem) { |request| request.accept_sftp(@files) }
    data = Random.new(9).bytes(1_000_000)
    pair.login.client.sftp(timeout: LIMIT) do |sftp|
      sftp.write("/new", data)
      assert_equal data, sftp.read("/new")
      assert_equal %w[new one], sftp.entries("/").sort
      300.times { |number| @memory.content["/#{"long" * 50}#{number}"] = "".b }
      assert_equal 302, sftp.entries("/").size
      assert_kind_of SSHWire::NoSuchFile, assert_status("SSH_ERR_SFTP") { sftp.stat("/none") }
      assert_equal [2, 1_000_000], [sftp.stat("/new").mtime.to_i, sftp.stat("/new").size]
      sftp.rename("/new", "/newer")
      error = assert_status("SSH_ERR_SFTP") { sftp.symlink("target", "/link") }
      assert_equal "no target", error.peer_text
      assert_equal "far", sftp.readlink("/link")
      sftp.truncate("/newer", 3)
      assert_equal "xxx", sftp.read("/newer")
      assert_equal 11, sftp.statvfs("/").name_max
      sftp.remove("/newer")
      assert_equal 4, assert_status("SSH_ERR_SFTP") { sftp.remove("/newer") }.sftp_status
      reports { |raised| assert_status("SSH_ERR_SFTP") { sftp.mkdir("/d") } && assert_equal("no", raised.pop.message) }
      sftp.open("/one")
    end
    eventually { @memory.open.empty? }
    eventually { SSHWire::SFTP::Operation.send(:const_get, :FILES).empty? }
    @files.on(:close)
    assert_raises(ArgumentError) { @files.on(:nothing) {} }
  end

  def test_wrong_answers
    pair = Pair.new
    pair.server.on(:subsystem) { |request| request.accept_sftp(@files) }
    twice = Queue.new
    @files.on(:stat) { |one| one.refuse(Errno::EACCES) || twice << (one.accept(SSHWire::SFTP::Attributes.new) rescue $!) }
    pair.login.client.sftp(timeout: LIMIT) do |sftp|
      assert_kind_of SSHWire::PermissionDenied, assert_status("SSH_ERR_SFTP") { sftp.stat("/one") }
      assert_equal "SSH_ERR_STATE", twice.pop.name
    end
  end
end
