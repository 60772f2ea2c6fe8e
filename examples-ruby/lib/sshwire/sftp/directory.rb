# frozen_string_literal: true

module SSHWire
  class SFTP < Handle
    # An open directory of the server's. SFTP#each reads it.
    class Directory < Handle
      include Enumerable

      noun "sftp_dir"

      class << self
        private :new
      end

      # The next entry (Attributes), "." and ".." too; nil after the last one.
      def read
        entry = FFI::MemoryPointer.new(:size_t)
        status = call_aside(:ssh_sftp_dir_read, entry, Waiting.milliseconds(@sftp.timeout))
        status == ABI::EOF ? nil : Attributes.take(entry.get(:size_t, 0))
      end

      def each
        return to_enum(:each) unless block_given?

        while (entry = read)
          yield entry
        end
        self
      end

      def close
        call_aside(:ssh_sftp_dir_close, Waiting.milliseconds(@sftp.timeout))
        nil
      end

      private

      def owned(sftp)
        @sftp = sftp
      end
    end
  end
end
