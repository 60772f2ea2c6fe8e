# frozen_string_literal: true

# The SFTP client, with our server and, if there is one, with OpenSSH's.
class SFTPTest < Case
  NOISE = Random.new(5).bytes(5 << 20)

  def setup
    @directory = Dir.mktmpdir
    File.chmod(0o777, @directory)
    Dir.mkdir(File.join(@directory, "far"))
    File.chmod(0o777, File.join(@directory, "far"))
  end

  def teardown
    @ssh&.free
    FileUtils.rm_rf(@directory)
  end

  def near(name)
    File.join(@directory, name)
  end

  # A session that begins in the directory `far`, or the prefix that leads there.
  def session(server)
    if server == :sshd
      @ssh = OpenSSHTest.connect
      return [@ssh.sftp(timeout: LIMIT), "#{@directory}/far/"]
    end

    files = SSHWire::SFTP::Server.new(near("far"))
    @pair = Pair.new
    @pair.server.on(:subsystem) { |request| request.accept_sftp(files) }
    @ssh = @pair.login.client
    [@ssh.sftp(timeout: LIMIT), "/"]
  end

  def self.each_server(name, &test)
    (ENV["SSHWIRE_TEST_ADDRESS"] ? %i[ours sshd] : %i[ours]).each do |server|
      define_method("test_#{name}_#{server}") { instance_exec(*session(server), &test) }
    end
  end

  each_server :names do |sftp, at|
    sftp.mkdir("#{at}d", 0o700)
    assert_equal 4, sftp.write("#{at}d/ü", "text", permissions: 0o640)
    assert_equal "text", sftp.read("#{at}d/ü")
    sftp.write("#{at}d/\xff".b, "")
    assert_equal ["\xff".b, "ü".b], sftp.entries("#{at}d").map(&:b).sort_by(&:bytes).reverse
    entry = sftp.each("#{at}d").find { |one| one.name == "ü" }
    assert_equal [4, 0o100640, :file, true], [entry.size, entry.permissions, entry.type, entry.file?]
    refute_empty entry.long_name
    sftp.remove("#{at}d/\xff".b)
    assert sftp.exist?("#{at}d/ü")
    refute sftp.exist?("#{at}d/none")
    error = assert_status("SSH_ERR_SFTP") { sftp.stat("#{at}d/none") }
    assert_kind_of SSHWire::NoSuchFile, error
    assert_equal 2, error.sftp_status
    refute_nil error.peer_text
    assert_kind_of SSHWire::SFTPError, assert_status("SSH_ERR_SFTP") { sftp.rmdir("#{at}d") }
    sftp.rename("#{at}d/ü", "#{at}d/new")
    sftp.write("#{at}d/old", "x")
    sftp.rename("#{at}d/old", "#{at}d/new", replace: true)
    assert_equal ["new"], sftp.entries("#{at}d")
    sftp.symlink("new", "#{at}d/link")
    assert_equal ["new", :symlink, :file], [sftp.readlink("#{at}d/link"), sftp.lstat("#{at}d/link").type, sftp.stat("#{at}d/link").type]
    assert_equal sftp.realpath("#{at}d/new"), sftp.realpath("#{at}d/link") if at == "/"
    sftp.chmod(0o600, "#{at}d/new").truncate("#{at}d/new", 10).utime(Time.at(1000), 2000, "#{at}d/new")
    attributes = sftp.stat("#{at}d/new")
    assert_equal [0o100600, 1000, 2000, 10], [attributes.permissions, attributes.atime.to_i, attributes.mtime.to_i, attributes.size]
    sftp.setstat("#{at}d/new", permissions: 0o644).chown(attributes.uid, attributes.gid, "#{at}d/new")
    assert_raises(ArgumentError) { sftp.setstat("#{at}d/new", uid: 1) }
    assert_raises(ArgumentError) { sftp.stat("a\0b") }
    assert_kind_of Integer, sftp.limits.read_bytes
    if sftp.extension?("hardlink@openssh.com")
      sftp.link("#{at}d/new", "#{at}d/hard")
      sftp.remove("#{at}d/hard")
    end
    assert_operator sftp.statvfs(at).block_bytes, :>, 0 if sftp.extension?("statvfs@openssh.com")
    assert_equal [["root"], [nil]], sftp.names(users: [0], groups: [0xfffffff0]) if sftp.extension?("users-groups-by-id@openssh.com")
    assert_equal sftp.realpath("."), sftp.expand_path("~") if sftp.extension?("expand-path@openssh.com") && at != "/"
    refute_empty sftp.home(ENV["SSHWIRE_TEST_USER"]) if sftp.extension?("home-directory") && at != "/"
  end

  each_server :files do |sftp, at|
    path = "#{at}file"
    sftp.open(path, "w+") do |file|
      assert_equal NOISE.bytesize, file.write(NOISE)
      file.puts("end")
      file.rewind
      assert_equal NOISE[0, 10], file.read(10)
      assert_equal 10, file.pos
      file.write("!")
      file.pos = 9
      assert_equal NOISE[9] + "!".b + NOISE[11], file.read(3)
      file.seek(-4, IO::SEEK_END)
      assert_equal "end\n", file.gets
      assert_nil file.gets
      assert_predicate file, :eof?
      assert_equal NOISE[100, 5], file.pread(5, 100)
      assert_raises(EOFError) { file.pread(5, 1 << 30) }
      assert_equal 300_000, file.pwrite("z" * 300_000, 5)
      assert_equal "zz", file.pread(2, 300_003)
      assert_equal NOISE.bytesize + 4, file.size
      file.fsync if sftp.extension?("fsync@openssh.com")
      file.truncate(6)
      file.chmod(0o600)
      file.utime(5, 6)
      assert_equal [6, 0o100600, 6], [file.stat.size, file.stat.permissions, file.stat.mtime.to_i]
    end
    assert_equal NOISE[0, 5] + "z", sftp.read(path)
    sftp.open(path, "a") { |file| file << "more" }
    assert_equal "zmore", sftp.read(path)[5..]
    assert_status("SSH_ERR_SFTP") { sftp.open(path, "wx") }
    assert_raises(ArgumentError) { sftp.open(path, "q") }
    copy = StringIO.new("".b)
    sftp.write(path, NOISE)
    sftp.open(path) { |file| IO.copy_stream(file, copy) }
    assert_equal NOISE, copy.string
    if sftp.extension?("copy-data")
      sftp.open("#{at}copy", "w+") { |to| sftp.open(path) { |from| to.copy_from(from) } }
      assert_equal NOISE, sftp.read("#{at}copy")
    end
    closed = sftp.open(path)
    closed.close
    assert_raises(SSHWire::Error) { closed.read(1) }
  end

  each_server :transfers do |sftp, at|
    Dir.mkdir(near("tree"))
    3.times { |number| File.binwrite(near("tree/#{number}"), NOISE[0, number * 400_000]) }
    File.symlink("0", near("tree/link"))
    seen = []
    sftp.put(near("tree"), "#{at}tree", recursive: true, preserve: true) { |progress| seen << progress }
    assert_equal [2, 1, 800_000, 800_000], [seen.last.files, seen.last.skipped, seen.map(&:total).max, seen.map(&:done).max]
    sftp.get("#{at}tree", near("back"), recursive: true)
    3.times { |number| assert_equal NOISE[0, number * 400_000], File.binread(near("back/#{number}")) }
    File.binwrite(near("part"), NOISE[0, 5000])
    sftp.put(near("tree/2"), "#{at}whole")
    sftp.get("#{at}whole", near("part"), resume: true)
    assert_equal NOISE[0, 800_000], File.binread(near("part"))
    File.open(near("by_fd"), "wb") { |io| sftp.get("#{at}whole", io) }
    File.open(near("by_fd"), "rb") { |io| sftp.put(io, "#{at}again") }
    assert_equal NOISE[0, 800_000], sftp.read("#{at}again")
    error = assert_status("SSH_ERR_IO") { sftp.get("#{at}whole", near("none/x")) }
    assert_equal Errno::ENOENT::Errno, error.errno
    assert_raises(ArgumentError) { sftp.get("#{at}whole", near("x"), quickly: true) }
  end

  each_server :transfers_that_are_left do |sftp, at|
    sftp.write("#{at}file", NOISE)
    error = Class.new(StandardError)
    assert_raises(error) { sftp.get("#{at}file", near("a")) { raise error, "enough" } }
    assert_equal(:thrown, catch(:out) { sftp.get("#{at}file", near("a")) { throw :out, :thrown } })
    assert_equal :broken, (sftp.get("#{at}file", near("a")) { break :broken })
    assert_equal :returned, left_by_return(sftp, at)
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { sftp.get("#{at}file", near("a")) { sleep } } }
    thread = Thread.new { sftp.get("#{at}file", near("a")) { sleep } }
    sleep 0.05
    thread.kill.join(LIMIT) || flunk("it is not killed")
    sftp.get("#{at}file", near("a"))
    assert_equal NOISE, File.binread(near("a"))
  end

  def left_by_return(sftp, at)
    sftp.get("#{at}file", near("a")) { return :returned }
    :ended
  end

  def test_ends
    sftp, = session(:ours)
    sftp.write("/file", "text")
    file = sftp.open("/file")
    sftp.close
    assert_raises(SSHWire::Error) { file.read }
    assert_raises(SSHWire::Error) { sftp.stat("/") }
    over = @ssh.open_session(timeout: LIMIT).subsystem("sftp", timeout: LIMIT)
    sftp = SSHWire::SFTP.over(over, timeout: LIMIT)
    over.free
    sftp.timeout = LIMIT
    assert_equal "text", sftp.read("/file")
    assert_raises(ThreadError, SSHWire::Error) { file.readpartial(1) }
  end

  def test_read_only_and_home
    Dir.mkdir(near("far/home"))
    files = SSHWire::SFTP::Server.new(near("far"), read_only: true, home: "/home", umask: 0o22, max_handles: 1)
    pair = Pair.new
    pair.server.on(:subsystem) { |request| request.accept_sftp(files) }
    pair.login.client.sftp(timeout: LIMIT) do |sftp|
      assert_equal "/home", sftp.realpath
      assert_kind_of SSHWire::PermissionDenied, assert_status("SSH_ERR_SFTP") { sftp.write("x", "") }
    end
    assert_status("SSH_ERR_IO") { SSHWire::SFTP::Server.new(near("none")) }
  end

  def test_no_sftp
    pair = Pair.new.login
    assert_status("SSH_ERR_DENIED") { pair.client.sftp(timeout: LIMIT) }
  end
end
