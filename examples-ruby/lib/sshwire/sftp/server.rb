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
        check(:ssh_sftp_server_set_read_only, read_only)
        check(:ssh_sftp_server_set_home, Text.path(home)) if home
        check(:ssh_sftp_server_set_umask, umask) if umask
        check(:ssh_sftp_server_set_max_handles, max_handles) if max_handles
      end
    end
  end
end
