# frozen_string_literal: true

module SSHWire
  class SFTP < Handle
    # An open file of the server's, used as an IO is. Small reads are served from what was read ahead, and writes are
    # confirmed in the background: one that fails is told by a later call, at the latest by flush, fsync or close.
    class File < Handle
      include Readable
      include Writable

      noun "sftp_file"

      MODES = { "r" => 1, "r+" => 3, "w" => 26, "w+" => 27, "a" => 14, "a+" => 15 }.freeze
      ORIGINS = { IO::SEEK_SET => 0, IO::SEEK_CUR => 1, IO::SEEK_END => 2, SET: 0, CUR: 1, END: 2 }.freeze
      PIECE = 262_144
      private_constant :MODES, :ORIGINS, :PIECE

      class << self
        private :new

        # Flags of C for a mode of Ruby's; "b" changes nothing, "x" wants a file that does not exist.
        def flags(mode)
          plain = mode.delete("bx")
          flags = MODES.fetch(plain) { raise ArgumentError, "invalid access mode #{mode}" }
          mode.include?("x") ? flags | 32 : flags
        end
      end

      # Reads at a place of its own; the position stays. Fewer bytes at the end, EOFError beyond it.
      def pread(length, offset)
        memory = FFI::MemoryPointer.new(:uint8, [length, 1].max, false)
        done = FFI::MemoryPointer.new(:size_t)
        status = request(:ssh_sftp_file_pread, offset, memory, length, done)
        raise EOFError, "end of file reached" if status == ABI::EOF

        memory.read_bytes(done.get(:size_t, 0))
      end

      # Writes at a place of its own, and waits until the server has confirmed it.
      def pwrite(data, offset)
        done = FFI::MemoryPointer.new(:size_t)
        sent = 0
        while sent < data.bytesize
          piece = data.byteslice(sent, PIECE)
          request(:ssh_sftp_file_pwrite, offset + sent, Text.bytes(piece), piece.bytesize, done)
          sent += done.get(:size_t, 0)
        end
        sent
      end

      # Moves the position, as IO#seek.
      def seek(distance, origin = IO::SEEK_SET)
        origin = ORIGINS.fetch(origin)
        distance -= buffer.bytesize if origin == 1
        request(:ssh_sftp_file_seek, distance, origin, nil)
        buffer.clear
        0
      end

      def rewind
        seek(0)
      end

      def pos
        position = FFI::MemoryPointer.new(:uint64)
        request(:ssh_sftp_file_tell, position)
        position.read_uint64 - buffer.bytesize
      end
      alias tell pos

      def pos=(position)
        seek(position)
      end

      # Waits until the server has confirmed everything that was written.
      def flush
        limit = seconds(timeout)
        Waiting.sliced_call(limit) { |milliseconds| call(:ssh_sftp_file_flush, milliseconds) }
        self
      end

      # As flush, and has the server put the file on disk.
      def fsync
        flush
        request(:ssh_sftp_file_fsync)
        0
      end

      def stat
        Attributes.take(request(:ssh_sftp_file_stat, dispose: "sftp_attributes"))
      end

      def size
        flush
        stat.size
      end

      def setstat(**attributes)
        Attributes.new(**attributes).lend { |lent| request(:ssh_sftp_file_setstat, lent) }
        self
      end

      def truncate(size)
        request(:ssh_sftp_file_truncate, size)
        0
      end

      def chmod(permissions)
        request(:ssh_sftp_file_chmod, permissions)
        0
      end

      def chown(uid, gid)
        request(:ssh_sftp_file_chown, uid, gid)
        0
      end

      def utime(atime, mtime)
        request(:ssh_sftp_file_utime, atime.to_i, mtime.to_i)
        0
      end

      # The state of the file system that holds the file (Space).
      def statvfs
        values = FFI::MemoryPointer.new(:uint64, Space.members.size)
        request(:ssh_sftp_file_statvfs, values, Space.members.size)
        Space.of(values)
      end

      # Has the server copy bytes from another file of the session into this one; all to the end without a length.
      def copy_from(file, length: 0, from: 0, to: 0)
        request(:ssh_sftp_file_copy_data, to, file.to_handle, from, length)
        self
      end

      # Sends what was written, waits until it is confirmed, and closes the file. Raises when a write has failed.
      def close
        request(:ssh_sftp_file_close)
        nil
      end

      # Closes the file after the block, and tells when that or a write has failed, unless the block has failed itself.
      def use
        result = yield self
        close
        result
      ensure
        free
      end

      private

      def owned(sftp, _mode)
        @sftp = sftp
        @timeout = sftp.timeout
      end

      def request(function, *arguments, dispose: nil)
        call_aside(function, *arguments, Waiting.milliseconds(timeout), dispose: dispose)
      end

      def seconds(timeout)
        timeout == :default ? 60 : timeout
      end

      def receive(length, timeout)
        memory = FFI::MemoryPointer.new(:uint8, PIECE, false)
        done = FFI::MemoryPointer.new(:size_t)
        length = length.clamp(32_768, PIECE)
        status = Waiting.sliced_call(seconds(timeout)) do |milliseconds|
          call(:ssh_sftp_file_read, memory, length, done, milliseconds)
        ensure
          buffer << memory.read_bytes(done.get(:size_t, 0)) # also when an interrupt has come with it
          done.put(:size_t, 0, 0)
        end
        status == ABI::OK
      end

      def transmit(bytes, timeout)
        seek(0, IO::SEEK_CUR) unless buffer.empty?
        done = FFI::MemoryPointer.new(:size_t)
        sent = 0
        while sent < bytes.bytesize
          piece = bytes.byteslice(sent, PIECE)
          memory = Text.bytes(piece)
          Waiting.sliced_call(seconds(timeout)) do |milliseconds|
            call(:ssh_sftp_file_write, memory, piece.bytesize, done, milliseconds)
          end
          sent += done.get(:size_t, 0)
        end
        sent
      end
    end
  end
end
