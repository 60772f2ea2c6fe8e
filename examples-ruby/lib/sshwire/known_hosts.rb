# frozen_string_literal: true

module SSHWire
  # Which hosts have which keys: files like ~/.ssh/known_hosts, and lines that stand in none.
  class KnownHosts < Handle
    include Enumerable

    noun "known_hosts"

    VERDICTS = { match: 1, unknown: 2, other_type: 3, changed: 4, revoked: 5 }.freeze
    MARKERS = { none: 0, authority: 1, revoked: 2 }.freeze

    # A line. `key` is nil for one that the library does not use.
    Entry = Struct.new(:file, :line, :marker, :names, :key_type, :key, :fingerprint, :comment) do
      # The line of a handle, which is freed; nil of none.
      def self.take(handle)
        return if handle.zero?

        texts = %i[file names key_type fingerprint comment].to_h do |field|
          [field, Text.copy(ABI.public_send("ssh_known_hosts_entry_#{field}", handle))]
        end
        new(texts[:file], ABI.ssh_known_hosts_entry_line(handle), MARKERS.key(ABI.ssh_known_hosts_entry_marker(handle)),
            texts[:names], texts[:key_type], Key.own(ABI.ssh_known_hosts_entry_key(handle)), texts[:fingerprint],
            texts[:comment])
      ensure
        ABI.ssh_known_hosts_entry_free(handle)
      end
    end

    # What is known about a host and its key (VERDICTS), and the line that decided.
    Verdict = Struct.new(:verdict, :entry) do
      # Of a call that gives both.
      def self.of
        verdict = FFI::MemoryPointer.new(:int32)
        entry = FFI::MemoryPointer.new(:size_t)
        yield verdict, entry
        new(VERDICTS.key(verdict.read_int32), Entry.take(entry.get(:size_t, 0)))
      end

      def match?
        verdict == :match
      end
    end

    # The files that ssh uses by default, those of the user and of the system.
    def self.default
      own(Error.call(:ssh_known_hosts_new_default))
    end

    # Files, which need not exist. The first one is where changes go; all of them are asked.
    def initialize(*paths)
      hold(ABI.ssh_known_hosts_new)
      paths.each { |path| call(:ssh_known_hosts_add_file, Text.path(path)) }
    end

    # Adds lines that stand in no file.
    def add_lines(text)
      call(:ssh_known_hosts_add_lines, text, text.bytesize)
      self
    end

    # What is known about a host and a key that it shows.
    def check_key(host, key, port: 22)
      Verdict.of { |*out| call(:ssh_known_hosts_check, host, port, Key.public_of(key).to_handle, *out) }
    end

    # The same about the key that has signed a host's certificate.
    def check_authority(host, key, port: 22)
      Verdict.of { |*out| call(:ssh_known_hosts_check_authority, host, port, Key.public_of(key).to_handle, *out) }
    end

    # Host key algorithms in the order in which a host should be offered them. Transport#use_known_hosts does it by itself.
    def order(host, algorithms, port: 22)
      call_text(:ssh_known_hosts_order, host, port, Array(algorithms).join(",")).split(",")
    end

    # The lines that name a host, or all.
    def each(host = nil, port: 22)
      return to_enum(:each, host, port: port) unless block_given?

      (0..).each do |index|
        entry = Entry.take(call(:ssh_known_hosts_find, host, port, index))
        return self if entry.nil?

        yield entry
      end
    end

    # The lines that make no sense, and why.
    def warnings
      call_text(:ssh_known_hosts_warnings).lines(chomp: true)
    end

    # Adds a line to the first file, unless it is there; `hash` keeps the file from telling the name.
    def add(host, key, port: 22, comment: nil, hash: false, marker: :none)
      call_aside(:ssh_known_hosts_add, MARKERS.fetch(marker), Text.own(host), port, Key.public_of(key).to_handle,
                 Text.own(comment), hash)
      self
    end

    # Gives a host a new key in the first file, in place of another one of its type.
    def replace(host, key, port: 22, comment: nil, hash: false)
      call_aside(:ssh_known_hosts_replace, Text.own(host), port, Key.public_of(key).to_handle, Text.own(comment), hash)
      self
    end

    # Removes the lines of a host from the first file; returns how many.
    def remove(host, port: 22)
      counted { |count| call_aside(:ssh_known_hosts_remove, Text.own(host), port, count) }
    end

    # Hashes the names in the first file; returns how many lines that was.
    def hash_names
      counted { |count| call_aside(:ssh_known_hosts_hash, count) }
    end

    private

    def counted
      count = FFI::MemoryPointer.new(:size_t)
      yield count
      count.get(:size_t, 0)
    end
  end
end
