# frozen_string_literal: true

module SSHWire
  # A public key, or a private key with its public half. A key does not change.
  class Key < Handle
    noun "key"

    KINDS = { ed25519: 1, ecdsa_p256: 2, ecdsa_p384: 3, ecdsa_p521: 4, rsa: 5 }.freeze
    FORMATS = { openssh: 1, pkcs8: 2, pkcs1: 3, sec1: 4, ppk2: 5, ppk3: 6, line: 7, rfc4716: 8 }.freeze
    HASHES = { sha256: 1, md5: 2, sha1: 3, sha512: 4 }.freeze
    ATTEMPTS = 3
    private_constant :ATTEMPTS

    # What a key file holds, as far as it can be told without a passphrase; nil for what is hidden. `encryption` is in
    # words, and nil when there is none; `key` is the public half.
    Info = Struct.new(:format, :private, :encryption, :type, :bits, :comment, :key) do
      # Of a handle, which is freed.
      def self.take(handle)
        new(FORMATS.key(ABI.ssh_key_info_format(handle)), ABI.ssh_key_info_is_private(handle),
            Text.take(ABI.ssh_key_info_encryption(handle)), Text.take(ABI.ssh_key_info_type(handle)),
            ABI.ssh_key_info_bits(handle), Text.take(ABI.ssh_key_info_comment(handle)),
            Key.own(ABI.ssh_key_info_public(handle)))
      ensure
        ABI.ssh_key_info_free(handle)
      end
    end

    class << self
      private :new

      # A new private key.
      def generate(kind = :ed25519, bits: 0, comment: nil)
        number = KINDS.fetch(kind) { raise ArgumentError, "no such kind of key: #{kind.inspect}" }
        comment = Text.own(comment)
        make { Error.call(:ssh_key_generate, number, bits, comment) }
      end

      # A private key of a file. A block is asked for the passphrase when there is one, three times at most, with the number
      # of the try; nil gives up.
      def load_file(path, passphrase: nil, &ask)
        path = Text.path(path)
        asking(passphrase, ask) { |given| make { Error.call(:ssh_key_load_file, path, given) } }
      end

      # A private key of the text of a file, with a block as for #load_file.
      def load(text, passphrase: nil, &ask)
        data = Text.bytes(text)
        length = text.bytesize
        asking(passphrase, ask) { |given| make { Error.call(:ssh_key_load, data, length, given) } }
      end

      # The public half of whatever key a file holds, public or private.
      def load_public_file(path)
        own(Error.call(:ssh_key_load_public_file, Text.path(path)))
      end

      # The same of the text of a file.
      def load_public(text)
        own(Error.call(:ssh_key_load_public, text, text.bytesize))
      end

      # What a file holds, without its passphrase: Info.
      def inspect_file(path)
        Info.take(Error.call(:ssh_key_inspect_file, Text.path(path)))
      end

      # The same of the text of a file.
      def inspect_text(text)
        Info.take(Error.call(:ssh_key_inspect, text, text.bytesize))
      end

      # The key that made a signature of #sign_message; an error when it is not good.
      def signer(signature, data, namespace)
        own(Error.call(:ssh_sshsig_verify, signature, signature.bytesize, namespace, data, data.bytesize))
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

      def asking(passphrase, ask)
        attempt = 0
        begin
          yield Text.own(passphrase)
        rescue KeyError => e
          raise unless ask && e.name.start_with?("SSH_ERR_PASSPHRASE") && (attempt += 1) <= ATTEMPTS
          raise unless (passphrase = ask.call(attempt))

          retry
        end
      end

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

    # With another hash, :md5.
    def fingerprint_with(hash)
      text!(:ssh_key_fingerprint_with, HASHES.fetch(hash))
    end

    # A drawing of the fingerprint, as ssh-keygen -lv shows it.
    def randomart(hash = :sha256)
      text!(:ssh_key_randomart, HASHES.fetch(hash))
    end

    # The data of the SSHFP record, with :sha256 or :sha1.
    def sshfp(hash = :sha256)
      text!(:ssh_key_sshfp, HASHES.fetch(hash))
    end

    def matches_sshfp?(record)
      ABI.ssh_key_matches_sshfp(@handle, record)
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

    # The public half as the text of a file: :line, :rfc4716, :pkcs8, or :pkcs1 of an RSA key.
    def public_text(format: :line, comment: nil)
      call_text(:ssh_key_public_text, FORMATS.fetch(format), comment)
    end

    # Writes the public half to a new file.
    def save_public(path, format: :line, comment: nil)
      call(:ssh_key_save_public_file, Text.path(path), FORMATS.fetch(format), comment)
      self
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

    # A signature as ssh-keygen -Y makes it: the text of a .sig file. The namespace says what it is good for.
    def sign_message(data, namespace, hash: :sha512)
      call_text(:ssh_sshsig_sign, namespace, HASHES.fetch(hash), data, data.bytesize)
    end

    # Raises unless the text of a file of allowed signers lets this key sign so for the principal, at a Time.
    def check_signer(allowed_signers, principal, namespace, time: Time.now)
      call(:ssh_sshsig_check_signer, allowed_signers, allowed_signers.bytesize, principal, namespace, time.to_i)
      self
    end

    # Whose key this is by the text of a file of allowed signers: patterns separated by commas.
    def find_principals(allowed_signers, time: Time.now)
      call_text(:ssh_sshsig_find_principals, allowed_signers, allowed_signers.bytesize, time.to_i)
    end

    # Whether a signature is good.
    def verify(data, signature, algorithm)
      status = ABI.ssh_key_verify(@handle, algorithm, data, data.bytesize, signature, signature.bytesize)
      return false if status == -805

      Error.check(status).zero?
    end
  end
end
