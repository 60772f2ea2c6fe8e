# frozen_string_literal: true

module SSHWire
  class SFTP < Handle
    # What a client wants done with files that the program makes up. It is answered once, in its block or later.
    class Operation < Handle
      noun "sftp_operation"

      KINDS = { any: 0, open: 1, close: 2, read: 3, write: 4, lstat: 5, stat: 6, fstat: 7, setstat: 8, fsetstat: 9,
                lsetstat: 10, opendir: 11, readdir: 12, remove: 13, mkdir: 14, rmdir: 15, realpath: 16, rename: 17,
                posix_rename: 18, readlink: 19, symlink: 20, hardlink: 21, fsync: 22, statvfs: 23, fstatvfs: 24 }.freeze
      STATUSES = { no_such_file: 2, permission_denied: 3, failure: 4, bad_message: 5, unsupported: 8 }.freeze
      FLAGS = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 }.freeze

      # What was given for open files, by the number that C knows them by.
      FILES = {}
      private_constant :FILES

      # What C calls with an operation. An Errno that the block raises is its answer.
      CALLBACK = Callback.function(:void, :size_t, :size_t) do |handle, token|
        operation = own(handle)
        begin
          Callback[token]&.call(operation)
        rescue SystemCallError => e
          operation.refuse(e)
        ensure
          operation.free unless operation.later?
        end
      end

      @serial = 0

      class << self
        private :new

        def number(kind)
          KINDS.fetch(kind) { raise ArgumentError, "no such kind of operation: #{kind.inspect}" }
        end

        # Keeps an open file, and gives the number for it.
        def keep(file)
          FILES[@serial += 1] = file
          @serial
        end

        def forget(number)
          FILES.delete(number)
        end
      end

      # Says that the answer comes when the block has returned, from whatever thread.
      def later
        @later = true
        self
      end

      def later?
        @later || false
      end

      # :open, :read, ...
      attr_reader :kind

      # What was given to accept for :open or :opendir.
      attr_reader :file

      def channel
        Channel.known(ABI.ssh_sftp_operation_channel(@handle))
      end

      # Paths are absolute, without "." and "..", and may hold any byte but NUL.
      %i[path new_path target].each do |field|
        define_method(field) do
          Text.borrow { |length| ABI.public_send("ssh_sftp_operation_#{field}", @handle, length) }
              &.force_encoding(Encoding::UTF_8)
        end
      end

      # How to open (FLAGS).
      def flags
        bits = ABI.ssh_sftp_operation_flags(@handle)
        FLAGS.select { |_, bit| bits.anybits?(bit) }.keys
      end

      def offset
        ABI.ssh_sftp_operation_offset(@handle)
      end

      def length
        ABI.ssh_sftp_operation_length(@handle)
      end

      # What to write.
      def data
        Text.borrow { |length| ABI.ssh_sftp_operation_data(@handle, length) }
      end

      # What to set, or to give a new file or directory (Attributes).
      def attributes
        handle = ABI.ssh_sftp_operation_attributes(@handle)
        Attributes.take(handle) unless handle.zero?
      end

      # Says that it is done, with what the kind wants: for :open and :opendir an object that comes back as `file`; for
      # :read bytes; for the stat kinds Attributes; for :realpath and :readlink a path; for :statvfs a Space.
      def accept(answer = nil)
        case kind
        when :open, :opendir then accept_file(answer)
        when :read then check(:ssh_sftp_operation_accept_data, Text.bytes(answer), answer.bytesize)
        when :stat, :lstat, :fstat then answer.lend { |lent| check(:ssh_sftp_operation_accept_attributes, lent) }
        when :realpath, :readlink then check(:ssh_sftp_operation_accept_path, Text.bytes(answer), answer.bytesize)
        when :statvfs, :fstatvfs
          check(:ssh_sftp_operation_accept_statvfs, Text.bytes(answer.to_a.pack("Q*")), answer.to_a.size)
        else check(:ssh_sftp_operation_accept)
        end
        true
      end

      # Adds an entry to the answer to :readdir; false when that is full: give the entry in the next one.
      def add(name, attributes = nil)
        add = proc { |lent| check(:ssh_sftp_operation_add_name, Text.bytes(name), name.bytesize, lent) == ABI::OK }
        attributes ? attributes.lend(&add) : add.call(0)
      end

      # Answers :readdir with as many of these entries (Attributes with names) as fit, and takes them out of the array;
      # the end of the directory when it is empty.
      def list(entries)
        entries.shift while !entries.empty? && add(entries.first.name, entries.first)
        accept
      end

      # Says that it was not done: why (STATUSES), and in words; or an Errno.
      def refuse(why = :failure, text = nil)
        if why.is_a?(Symbol)
          check(:ssh_sftp_operation_refuse, STATUSES.fetch(why), text)
        else
          check(:ssh_sftp_operation_refuse_errno, why.is_a?(Class) ? why::Errno : why.errno)
        end
        false
      end

      private

      def owned
        @kind = KINDS.key(ABI.ssh_sftp_operation_kind(@handle))
        number = ABI.ssh_sftp_operation_file(@handle)
        @file = kind == :close ? Operation.forget(number) : FILES[number]
      end

      def accept_file(file)
        number = Operation.keep(file)
        check(:ssh_sftp_operation_accept_file, number)
      rescue Error
        Operation.forget(number)
        raise
      end
    end
  end
end
