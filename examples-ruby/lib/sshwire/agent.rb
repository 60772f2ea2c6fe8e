# frozen_string_literal: true

module SSHWire
  # Who holds private keys and signs with them. Keys are given as an Identity, a Key, a Certificate, or by their blob.
  class Agent < Handle
    noun "agent"

    # In which order Transport#auth_agent tries keys: as ssh does, or those named first, or those alone.
    ORDERS = { agent_first: 0, named_first: 1, named_only: 2 }.freeze

    # A key or certificate that an agent has. `key` is nil for kinds that the library does not know.
    Identity = Struct.new(:type, :comment, :fingerprint, :blob, :key) do
      # All of a list, which is freed.
      def self.take(list)
        Array.new(ABI.ssh_agent_identities_count(list)) do |index|
          texts = [ABI.ssh_agent_identities_type(list, index), ABI.ssh_agent_identities_comment(list, index),
                   ABI.ssh_agent_identities_fingerprint(list, index)]
          blob = Text.borrow { |length| ABI.ssh_agent_identities_blob(list, index, length) }
          new(*texts.map { |text| Text.copy(text) }, blob, Key.own(ABI.ssh_agent_identities_key(list, index)))
        end
      ensure
        ABI.ssh_agent_identities_free(list)
      end
    end

    # The agent at the other end of a channel: on a server, that of the client's user.
    def self.over(channel)
      own(Error.call(:ssh_agent_new_channel, channel.to_handle))
    end

    # The agent at a socket; without one the user's, which SSH_AUTH_SOCK names.
    def initialize(socket = nil, timeout: :default)
      path = socket && Text.path(socket)
      milliseconds = Waiting.milliseconds(timeout)
      hold(Waiting.aside(ABI.method(:ssh_agent_free)) { Error.call(:ssh_agent_new, path, milliseconds) })
    end

    # What it has: Identity each.
    def list(timeout: :default)
      Identity.take(call_aside(:ssh_agent_list, Waiting.milliseconds(timeout), dispose: "agent_identities"))
    end

    def sign(key, data, algorithm: nil, timeout: :default)
      blob = blob_of(key)
      data = Text.bytes_of(data)
      milliseconds = Waiting.milliseconds(timeout)
      Text.take_bytes do |memory, length|
        call_aside(:ssh_agent_sign, *blob, Text.own(algorithm), *data, memory, length, milliseconds)
      end
    end

    # Gives it a private key, or a certificate of it, for so many seconds or for ever; `confirm` has a person agree to each
    # use.
    def add(key, certificate: nil, lifetime: 0, confirm: false, timeout: :default)
      blob = certificate ? blob_of(certificate) : [nil, 0]
      call_aside(:ssh_agent_add, Key.private_of(key).to_handle, *blob, lifetime, confirm, Waiting.milliseconds(timeout))
      self
    end

    def remove(key, timeout: :default)
      call_aside(:ssh_agent_remove, *blob_of(key), Waiting.milliseconds(timeout))
      self
    end

    def remove_all(timeout: :default)
      call_aside(:ssh_agent_remove_all, Waiting.milliseconds(timeout))
      self
    end

    # Until it is unlocked it has no keys.
    def lock(passphrase, timeout: :default)
      call_aside(:ssh_agent_lock, *Text.bytes_of(passphrase), Waiting.milliseconds(timeout))
      self
    end

    def unlock(passphrase, timeout: :default)
      call_aside(:ssh_agent_unlock, *Text.bytes_of(passphrase), Waiting.milliseconds(timeout))
      self
    end

    # A private key whose signatures the agent makes, for use wherever a Key is.
    def key(public_key, timeout: :default)
      made = Key.own(call(:ssh_key_new_agent, Key.public_of(public_key).to_handle, Waiting.milliseconds(timeout)))
      made.instance_variable_set(:@agent, self) # without it the key cannot sign
      made
    end

    # Ends every call that waits for the agent, with Cancelled.
    def cancel
      check(:ssh_agent_cancel)
      self
    end

    private

    def blob_of(key)
      Text.bytes_of(key.is_a?(String) ? key : key.blob)
    end
  end
end
