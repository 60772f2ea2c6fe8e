# frozen_string_literal: true

module SSHWire
  # Which keys let a user in, and with which restrictions: a file as sshd has it. It does not change; load a file anew, best
  # at each login.
  class AuthorizedKeys < Handle
    include Enumerable

    noun "authorized_keys"

    # What the options of a line leave.
    PERMITS = { pty: 1, port_forwarding: 2, agent_forwarding: 4, x11_forwarding: 8, user_rc: 16, certificates: 32 }.freeze
    # The options of a line that have a text.
    OPTIONS = %i[command from principals tunnel].freeze

    # A line: its number in the file, its key with its comment, what it permits (PERMITS), whether it has options, the texts
    # of those (OPTIONS; nil for what it does not have), and NAME=value for each variable that it sets. Whether users may
    # set any is for the program to decide.
    Entry = Struct.new(:line, :key, :permits, :has_options, *OPTIONS, :environment) do
      alias_method :options?, :has_options

      def permits?(what)
        permits.include?(what)
      end
    end

    class << self
      private :new

      # From a file. Whose it is, and who may write it, is for the program to see to.
      def load_file(path)
        own(Error.call(:ssh_authorized_keys_load_file, Text.path(path)))
      end

      def load(text)
        own(Error.call(:ssh_authorized_keys_load, text, text.bytesize))
      end
    end

    # "line 3: why" for each line that lets nobody in.
    def warnings
      text!(:ssh_authorized_keys_warnings).lines(chomp: true)
    end

    # Answers a request of kind :auth_key_asked or :auth_key_proven: lets the user in by the first line that has the key and
    # whose options do not keep them from it, and gives that line; or refuses, and gives nil. What the options force and
    # forbid holds from then on. `host_name` is the client's, for the option "from".
    def answer(request, host_name: nil)
      index = FFI::MemoryPointer.new(:size_t)
      call(:ssh_authorized_keys_answer, request.to_handle, host_name, index)
      self[index.get(:size_t, 0)]
    rescue AuthenticationError
      nil
    end

    def size
      ABI.ssh_authorized_keys_count(@handle)
    end

    # The line at an index, from 0; nil of none.
    def [](index)
      index += size if index.negative?
      return unless index.between?(0, size - 1)

      Entry.new(ABI.ssh_authorized_keys_line(@handle, index), Key.own(ABI.ssh_authorized_keys_key(@handle, index)),
                permits(index), ABI.ssh_authorized_keys_has_options(@handle, index),
                *OPTIONS.map { |name| text(:ssh_authorized_keys_option, index, name.to_s) }, environment(index))
    end

    def each
      return to_enum { size } unless block_given?

      size.times { |index| yield self[index] }
      self
    end

    private

    def permits(index)
      bits = ABI.ssh_authorized_keys_permits(@handle, index)
      PERMITS.select { |_, bit| bits.anybits?(bit) }.keys
    end

    def environment(index)
      (0..).lazy.map { |number| text(:ssh_authorized_keys_environment, index, number) }.take_while(&:itself).to_a
    end
  end
end
