# frozen_string_literal: true

require_relative "sftp/attributes"
require_relative "sftp/file"
require_relative "sftp/directory"
require_relative "sftp/transfer"
require_relative "sftp/operation"
require_relative "sftp/server"

module SSHWire
  # A session with the server's file system. Transport#sftp makes it.
  #
  # Paths are Strings of any bytes, or anything with to_path; relative ones begin where the server put the user. What the
  # server refuses is an SFTPError with its code and text.
  class SFTP < Handle
    noun "sftp"

    Limits = Struct.new(:packet_bytes, :read_bytes, :write_bytes, :open_handles)
    Space = Struct.new(:block_bytes, :fragment_bytes, :blocks, :blocks_free, :blocks_available, :files, :files_free,
                       :files_available, :id, :flags, :name_max) do
      def self.of(values)
        new(*values.read_array_of_uint64(members.size))
      end
    end

    class << self
      private :new

      # SFTP on a channel at whose other end a server for it runs already.
      def over(channel, timeout: :default)
        handle = channel.to_handle
        milliseconds = Waiting.milliseconds(timeout)
        own(Waiting.aside(ABI.method(:ssh_sftp_free)) { Error.call(:ssh_sftp_new_channel, handle, milliseconds) })
      end
    end

    # Seconds that each call waits for its answer, nil for ever; :default is one minute.
    attr_writer :timeout

    def timeout
      @timeout || :default
    end

    # Whether the server has announced an extension, such as "posix-rename@openssh.com".
    def extension?(name)
      ABI.ssh_sftp_has_extension(@handle, name)
    end

    # What the server has told of its limits; 0 where it told none.
    def limits
      values = Array.new(4) { FFI::MemoryPointer.new(:uint64) }
      check(:ssh_sftp_limits, *values)
      Limits.new(*values.map(&:read_uint64))
    end

    # How many bytes may be under way for each file that is opened from now on.
    def window=(bytes)
      check(:ssh_sftp_set_window, bytes)
    end

    # Opens a file; `mode` is as for Kernel#open ("r", "w", "a", "r+", "wx", ...). With a block, gives it the file and
    # closes that afterwards, which tells of writes that failed.
    def open(path, mode = "r", permissions: nil, &block)
      attributes = Attributes.new(permissions: permissions)
      file = File.own(attributes.lend do |lent|
        request(:ssh_sftp_open, Text.path(path), File.flags(mode), permissions ? lent : 0, dispose: "sftp_file")
      end, self, mode)
      block ? file.use(&block) : file
    end

    # The content of a file, as bytes.
    def read(path)
      open(path) { |file| file.read.b }
    end

    # Writes a file anew; returns how many bytes that was.
    def write(path, data, permissions: nil)
      open(path, "w", permissions: permissions) { |file| file.write(data) }
    end

    # The entries of a directory (Attributes) as they come, without "." and "..". They are names that the server has
    # chosen: do not use one as a local path without a look at it.
    def each(path = ".", &block)
      return to_enum(:each, path) unless block

      Directory.own(request(:ssh_sftp_opendir, Text.path(path), dispose: "sftp_dir"), self).use do |directory|
        directory.each { |entry| block.call(entry) unless %w[. ..].include?(entry.name) }
      end
      self
    end

    # The names in a directory.
    def entries(path = ".")
      each(path).map(&:name)
    end

    # Attributes of a file, symbolic links followed; or of the link itself.
    def stat(path)
      Attributes.take(request(:ssh_sftp_stat, Text.path(path), dispose: "sftp_attributes"))
    end

    def lstat(path)
      Attributes.take(request(:ssh_sftp_lstat, Text.path(path), dispose: "sftp_attributes"))
    end

    def exist?(path)
      !stat(path).nil?
    rescue NoSuchFile
      false
    end

    # Sets the attributes that are given: size, permissions, uid and gid, atime and mtime. With `follow: false` of a
    # symbolic link itself.
    def setstat(path, follow: true, **attributes)
      function = follow ? :ssh_sftp_setstat : :ssh_sftp_lsetstat
      Attributes.new(**attributes).lend { |lent| request(function, Text.path(path), lent) }
      self
    end

    def chmod(permissions, path)
      request(:ssh_sftp_chmod, Text.path(path), permissions)
      self
    end

    def chown(uid, gid, path)
      request(:ssh_sftp_chown, Text.path(path), uid, gid)
      self
    end

    # Times are Time or seconds since 1970.
    def utime(atime, mtime, path)
      request(:ssh_sftp_utime, Text.path(path), atime.to_i, mtime.to_i)
      self
    end

    def truncate(path, size)
      request(:ssh_sftp_truncate, Text.path(path), size)
      self
    end

    # Removes a file or symbolic link.
    def remove(path)
      request(:ssh_sftp_remove, Text.path(path))
      self
    end
    alias delete remove

    def mkdir(path, permissions = 0o755)
      request(:ssh_sftp_mkdir, Text.path(path), permissions)
      self
    end

    def rmdir(path)
      request(:ssh_sftp_rmdir, Text.path(path))
      self
    end

    # Renames; with `replace` also where the new name exists, at once.
    def rename(old, new, replace: false)
      request(replace ? :ssh_sftp_posix_rename : :ssh_sftp_rename, Text.path(old), Text.path(new))
      self
    end

    # Gives a file a further name.
    def link(old, new)
      request(:ssh_sftp_hardlink, Text.path(old), Text.path(new))
      self
    end

    def symlink(target, path)
      request(:ssh_sftp_symlink, Text.path(target), Text.path(path))
      self
    end

    # What a symbolic link says.
    def readlink(path)
      path_of(:ssh_sftp_readlink, path)
    end

    # The absolute path without symbolic links.
    def realpath(path = ".")
      path_of(:ssh_sftp_realpath, path)
    end

    # As realpath, and "~" and "~user" are known.
    def expand_path(path)
      path_of(:ssh_sftp_expand_path, path)
    end

    # The home directory of a user.
    def home(user = "")
      path_of(:ssh_sftp_home_directory, user)
    end

    # The state of the file system that holds a path (Space).
    def statvfs(path = ".")
      values = FFI::MemoryPointer.new(:uint64, Space.members.size)
      request(:ssh_sftp_statvfs, Text.path(path), values, Space.members.size)
      Space.of(values)
    end

    # Names of users and groups by their numbers: two arrays, nil where there is none.
    def names(users: [], groups: [])
      names = Text.take_bytes do |memory, length|
        request(:ssh_sftp_users_groups_by_id, Text.bytes(users.pack("L*")), users.size,
                     Text.bytes(groups.pack("L*")), groups.size, memory, length)
      end
      names = names.split("\0", -1).map { |name| name.empty? ? nil : name.force_encoding(Encoding::UTF_8) }
      [names.first(users.size), names[users.size, groups.size]]
    end

    # Downloads a file, or a directory and all below it (recursive). `local` is a path, or an open IO for a file. The
    # block is told how far it has come (Transfer::Progress); leaving it by any way ends the transfer.
    #
    # resume:: go on behind what is there
    # preserve:: carry permissions and times over
    # follow:: in directories, follow symbolic links, which are left out otherwise
    def get(remote, local, timeout: :default, **options, &block)
      io = local.respond_to?(:fileno)
      Transfer.run(@handle, io ? :ssh_sftp_get_fd : :ssh_sftp_get,
                   [Text.path(remote), io ? local.fileno : Text.path(local), Transfer.flags(**options)], timeout, block)
      self
    end

    # Uploads a file, or a directory and all below it; otherwise as get.
    def put(local, remote, timeout: :default, **options, &block)
      io = local.respond_to?(:fileno)
      Transfer.run(@handle, io ? :ssh_sftp_put_fd : :ssh_sftp_put,
                   [io ? local.fileno : Text.path(local), Text.path(remote), Transfer.flags(**options)], timeout, block)
      self
    end

    # Ends the session. Calls under way, also on its files and directories, end with Closed.
    def close
      check(:ssh_sftp_close)
      nil
    end

    # What was in a block is over with it, whatever files are still there.
    def use
      yield self
    ensure
      ABI.ssh_sftp_close(@handle)
      free
    end

    private

    def request(function, *arguments, dispose: nil)
      call_aside(function, *arguments, Waiting.milliseconds(timeout), dispose: dispose)
    end

    def path_of(function, path)
      Text.take_bytes { |memory, length| request(function, Text.path(path), memory, length) }
          .force_encoding(Encoding::UTF_8)
    end
  end
end
