# frozen_string_literal: true

module SSHWire
  class SFTP < Handle
    # Attributes of a file; each may be nil. Those of a directory's entry have its name, too.
    Attributes = Struct.new(:name, :long_name, :type, :size, :permissions, :uid, :gid, :atime, :mtime,
                            keyword_init: true) do
      # The attributes of a handle, which is freed.
      def self.take(handle)
        new(name: bytes(:name, handle), long_name: bytes(:long_name, handle), type: type(handle),
            size: values(:size, handle, :uint64)[0], permissions: values(:permissions, handle, :uint32)[0],
            **%i[uid gid].zip(values(:owner, handle, :uint32, :uint32)).to_h,
            **%i[atime mtime].zip(values(:times, handle, :uint32, :uint32).map { |time| Time.at(time) }).to_h)
      ensure
        ABI.ssh_sftp_attributes_free(handle)
      end

      class << self
        private

        def bytes(field, handle)
          Text.borrow { |length| ABI.public_send("ssh_sftp_attributes_#{field}", handle, length) }
              &.force_encoding(Encoding::UTF_8)
        end

        def type(handle)
          %i[unknown file directory symlink special].fetch(ABI.ssh_sftp_attributes_type(handle), :unknown)
        end

        # Nothing where they are not among the attributes.
        def values(field, handle, *types)
          memory = types.map { |type| FFI::MemoryPointer.new(type) }
          status = Error.check(ABI.public_send("ssh_sftp_attributes_#{field}", handle, *memory))
          return [] unless status == ABI::OK

          memory.zip(types).map { |value, type| value.get(type, 0) }
        end
      end

      def file?
        type == :file
      end

      def directory?
        type == :directory
      end

      def symlink?
        type == :symlink
      end

      # Gives the block a handle with what can be set.
      def lend
        handle = ABI.ssh_sftp_attributes_new
        Error.check(ABI.ssh_sftp_attributes_set_size(handle, size)) if size
        Error.check(ABI.ssh_sftp_attributes_set_permissions(handle, permissions)) if permissions
        Error.check(ABI.ssh_sftp_attributes_set_owner(handle, uid, gid)) if pair?(uid, gid)
        Error.check(ABI.ssh_sftp_attributes_set_times(handle, atime.to_i, mtime.to_i)) if pair?(atime, mtime)
        yield handle
      ensure
        ABI.ssh_sftp_attributes_free(handle)
      end

      private

      def pair?(one, other)
        raise ArgumentError, "uid and gid, and atime and mtime, are set together" if one.nil? != other.nil?

        !one.nil?
      end
    end
  end
end
