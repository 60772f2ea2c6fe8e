# frozen_string_literal: true

module SSHWire
  # A public key, or a private key with its public half. A key does not change.
  class Key < Handle
    noun "key"

    KINDS = { ed25519: 1, ecdsa_p256: 2, ecdsa_p384: 3, ecdsa_p521: 4, rsa: 5 }.freeze
    FORMATS = { openssh: 1, pkcs8: 2 }.freeze

    class << self
      private :new

      # A new private key.
      def generate(kind = :ed25519, bits: 0, comment: nil)
        number = KINDS.fetch(kind) { raise ArgumentError, "no such kind of key: #{kind.inspect}" }
        comment = Text.own(comment)
        make { Error.call(:ssh_key_generate, number, bits, comment) }
      end

      # A private key of a file.
      def load_file(path, passphrase: nil)
        path = Text.path(path)
        passphrase = Text.own(passphrase)
        make { Error.call(:ssh_key_load_file, path, passphrase) }
      end

      # A private key of the text of a file.
      def load(text, passphrase: nil)
        data = Text.bytes(text)
        length = text.bytesize
        passphrase = Text.own(passphrase)
        make { Error.call(:ssh_key_load, data, length, passphrase) }
      end

      # A public key of a line: its type, Base64, and perhaps a comment.
      def parse(line)
        own(Error.call(:ssh_key_from_line, line))
      end

      # A public key of its blob, the form that it has on the wire.
      def from_blob(blob)
        own(Error.call(:ssh_key_from_blob, blob, blob.bytesize))
      end

      # A key of what a method may be given for one: a key, a line for a public one, a path for a private one.
      def public_of(thing)
        thing.is_a?(Key) ? thing : parse(thing)
      end

      def private_of(thing)
        thing.is_a?(Key) ? thing : load_file(thing)
      end

      private

      def make(&call)
        free = ABI.method(:ssh_key_free)
        own(Waiting.aside(free, &call))
      end
    end

    # The public half.
    def public_key
      Key.own(ABI.ssh_key_public(@handle)) || raise(Error.for(ABI::BAD_HANDLE))
    end

    def private?
      ABI.ssh_key_is_private(@handle)
    end

    # Whether the public halves are the same.
    def ==(other)
      other.is_a?(Key) && ABI.ssh_key_equals(@handle, other.to_handle)
    end
    alias eql? ==

    def hash
      blob.hash
    end

    def kind
      KINDS.key(ABI.ssh_key_kind(@handle))
    end

    # The name of the type, such as "ssh-ed25519".
    def type
      Text.copy(ABI.ssh_key_type(@handle))
    end

    def bits
      ABI.ssh_key_bits(@handle)
    end

    # "SHA256:" and 43 characters.
    def fingerprint
      text!(:ssh_key_fingerprint)
    end

    def comment
      text!(:ssh_key_comment)
    end

    # The public half as a line for authorized_keys.
    def line(comment: nil)
      text!(:ssh_key_public_line, comment)
    end

    def to_s
      line
    end

    def inspect
      "#<#{self.class} #{type} #{fingerprint}#{" private" if private?}>"
    end

    # The public half in the form that it has on the wire.
    def blob
      Text.take_bytes { |memory, length| check(:ssh_key_blob, memory, length) }
    end

    # The private key as the text of a file.
    def private_text(format: :openssh, passphrase: nil)
      handle = @handle
      passphrase = Text.own(passphrase)
      memory = Waiting.aside do
        detail = FFI::MemoryPointer.new(:size_t)
        text = ABI.ssh_key_private_text(handle, FORMATS.fetch(format), passphrase, detail)
        error = Error.take(detail.get(:size_t, 0))
        error ? raise(error) : text
      end
      Text.take(memory)
    end

    # Writes the private key to a new file that only its owner may read; one that is there is not overwritten.
    def save(path, format: :openssh, passphrase: nil)
      call_aside(:ssh_key_save_file, Text.path(path), FORMATS.fetch(format), Text.own(passphrase))
      self
    end

    # A signature, by the key's strongest algorithm or by a named one.
    def sign(data, algorithm: nil)
      Text.take_bytes { |memory, length| call(:ssh_key_sign, algorithm, data, data.bytesize, memory, length) }
    end

    # Whether a signature is good.
    def verify(data, signature, algorithm)
      status = ABI.ssh_key_verify(@handle, algorithm, data, data.bytesize, signature, signature.bytesize)
      return false if status == -805

      Error.check(status).zero?
    end
  end
end
