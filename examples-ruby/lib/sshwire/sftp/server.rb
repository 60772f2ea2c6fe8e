# frozen_string_literal: true

module SSHWire
  class SFTP < Handle
    # What clients see over SFTP: a directory of this machine, and nothing else of it. Request#accept_sftp serves it.
    class Server < Handle
      noun "sftp_server"

      # home:: where clients begin, as they see it
      # umask:: mode bits that new files do not get
      def initialize(path, read_only: false, home: nil, umask: nil, max_handles: nil)
        hold(Error.call(:ssh_sftp_server_new_directory, Text.path(path)))
        check(:ssh_sftp_server_set_umask, umask) if umask
        limit(read_only: read_only, home: home, max_handles: max_handles)
      end

      private

      def limit(read_only:, home:, max_handles:)
        check(:ssh_sftp_server_set_read_only, read_only)
        check(:ssh_sftp_server_set_home, Text.path(home)) if home
        check(:ssh_sftp_server_set_max_handles, max_handles) if max_handles
      end
    end

    # Files that the program makes up: what clients want done comes to the blocks, as an Operation.
    #
    #   files = SSHWire::SFTP::VirtualServer.new
    #   files.on(:stat) { |operation| operation.accept(attributes_of(operation.path)) }
    #   files.on(:open) { |operation| operation.accept(StringIO.new(content_of(operation.path))) }
    #   files.on(:read) { |operation| operation.accept(operation.file.string.byteslice(operation.offset, operation.length) || "") }
    class VirtualServer < Server
      include Callback::Owner

      # max_operations:: how many of one channel may wait for their answers
      def initialize(read_only: false, home: nil, max_handles: nil, max_operations: nil)
        hold(Error.call(:ssh_sftp_server_new_virtual))
        limit(read_only: read_only, home: home, max_handles: max_handles)
        check(:ssh_sftp_server_set_max_operations, max_operations) if max_operations
        on(:close, &:accept)
      end

      # Has the block carry out operations of one kind (Operation::KINDS); those of one channel come in order. An Errno
      # that it raises is its answer. Kinds without a block are not supported; that of :close is answered with yes.
      def on(kind, &block)
        block ||= :accept.to_proc if kind == :close
        give(block, :ssh_sftp_server_set_callback, Operation.number(kind), Operation::CALLBACK)
        self
      end
    end
  end
end
