# frozen_string_literal: true

module SSHWire
  # What an authority says about a key: whom it is for, when and from where, and what it permits. Nothing of it is verified
  # before #check. A certificate does not change.
  class Certificate < Handle
    noun "certificate"

    KINDS = { user: 1, host: 2 }.freeze
    # The end of a certificate's time that has none.
    ALWAYS = (2**64) - 1
    # What ssh-keygen permits users unless it is told otherwise.
    USUAL = %w[permit-X11-forwarding permit-agent-forwarding permit-port-forwarding permit-pty permit-user-rc].freeze

    class << self
      private :new

      # From a file, often that of the key with -cert.pub behind it.
      def load_file(path)
        own(Error.call(:ssh_certificate_load_file, Text.path(path)))
      end

      # From the line in such a file.
      def parse(text)
        own(Error.call(:ssh_certificate_load, text, text.bytesize))
      end

      # From the form that it has on the wire.
      def from_blob(blob)
        own(Error.call(:ssh_certificate_from_blob, blob, blob.bytesize))
      end

      # Has an authority, a private key, certify a key for the users or hosts in `principals`. Times are seconds since 1970
      # or a Time. Options and extensions are names, or a hash of names and texts; for a user's shell, USUAL.
      def issue(key, authority, principals, kind: :user, key_id: "", serial: 0, valid_after: 0, valid_before: ALWAYS,
                critical_options: [], extensions: [], algorithm: nil)
        draft = own(ABI.ssh_certificate_new(KINDS.fetch(kind), Key.public_of(key).to_handle)) or
          raise Error.for(ABI::BAD_HANDLE)
        draft.use do
          draft.send(:fill, key_id, serial, valid_after.to_i, valid_before.to_i, principals)
          draft.send(:set_options, :ssh_certificate_set_critical_option, critical_options)
          draft.send(:set_options, :ssh_certificate_set_extension, extensions)
          own(Error.call(:ssh_certificate_sign, draft.to_handle, Key.private_of(authority).to_handle, algorithm))
        end
      end
    end

    # Raises unless it counts: for the principal, from the address, at the Time, by one of the authorities. What it forces
    # and permits is in critical_options and extensions.
    def check!(authorities, principal, kind: :user, address: nil, time: Time.now)
      keys = Array(authorities).map { |key| Key.public_of(key) }
      call(:ssh_certificate_check, KINDS.fetch(kind), Text.handles(keys), keys.size, principal, address, time.to_i)
      self
    end

    def kind
      KINDS.key(ABI.ssh_certificate_kind(@handle))
    end

    # The name of the type, such as "ssh-ed25519-cert-v01@openssh.com".
    def type
      text!(:ssh_certificate_type)
    end

    def serial
      ABI.ssh_certificate_serial(@handle)
    end

    # What the authority calls it.
    def key_id
      text!(:ssh_certificate_key_id)
    end

    # The users or hosts that it is for.
    def principals
      Array.new(ABI.ssh_certificate_principal_count(@handle)) { |index| text!(:ssh_certificate_principal, index) }
    end

    # From when it holds, and from when no more, in seconds since 1970.
    def valid_after
      ABI.ssh_certificate_valid_after(@handle)
    end

    def valid_before
      ABI.ssh_certificate_valid_before(@handle)
    end

    # What must be obeyed, with its texts; nil for what has none.
    def critical_options
      names = Array.new(ABI.ssh_certificate_critical_option_count(@handle)) do |index|
        text!(:ssh_certificate_critical_option_name, index)
      end
      names.to_h { |name| [name, text(:ssh_certificate_critical_option, name)] }
    end

    # What is permitted, likewise.
    def extensions
      names = Array.new(ABI.ssh_certificate_extension_count(@handle)) do |index|
        text!(:ssh_certificate_extension_name, index)
      end
      names.to_h { |name| [name, text(:ssh_certificate_extension, name)] }
    end

    # The key that it is about.
    def key
      Key.own(ABI.ssh_certificate_key(@handle))
    end

    # The key that has signed it.
    def authority
      Key.own(ABI.ssh_certificate_authority(@handle))
    end

    def fingerprint
      text!(:ssh_certificate_fingerprint)
    end

    def signature_algorithm
      text!(:ssh_certificate_signature_algorithm)
    end

    # One line for a -cert.pub file.
    def line(comment: nil)
      text!(:ssh_certificate_line, comment)
    end

    def blob
      Text.take_bytes { |memory, length| check(:ssh_certificate_blob, memory, length) }
    end

    def ==(other)
      other.is_a?(Certificate) && blob == other.blob
    end
    alias eql? ==

    def hash
      blob.hash
    end

    def inspect
      "#<#{self.class} #{type} #{key_id.inspect} for #{principals.join(", ")}>"
    end

    private

    def fill(key_id, serial, valid_after, valid_before, principals)
      check(:ssh_certificate_set_key_id, key_id)
      check(:ssh_certificate_set_serial, serial)
      check(:ssh_certificate_set_validity, valid_after, valid_before)
      Array(principals).each { |name| check(:ssh_certificate_add_principal, name) }
    end

    def set_options(function, options)
      options.each do |name, text|
        check(function, name, text.nil? || text.empty? ? nil : text)
      end
    end
  end

  # Keys and certificates that are revoked: a list of ssh-keygen -k, or a file of public keys.
  class Revocations < Handle
    noun "revocations"

    class << self
      private :new

      def load_file(path)
        own(Error.call(:ssh_revocations_load_file, Text.path(path)))
      end

      def load(bytes)
        own(Error.call(:ssh_revocations_load, bytes, bytes.bytesize))
      end
    end

    # The number and the words that whoever made the list gave it.
    def version
      ABI.ssh_revocations_version(@handle)
    end

    def comment
      text!(:ssh_revocations_comment)
    end

    # Whether a key or a certificate is revoked.
    def include?(thing)
      certificate = thing.is_a?(Certificate)
      function = certificate ? :ssh_revocations_check_certificate : :ssh_revocations_check_key
      status = ABI.public_send(function, @handle, (certificate ? thing : Key.public_of(thing)).to_handle)
      status == ABI::REVOKED || !Error.check(status).zero?
    end
  end
end
