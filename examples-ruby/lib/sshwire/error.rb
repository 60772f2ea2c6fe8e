# frozen_string_literal: true

module SSHWire
  # A call failed: the status that the C function returned, and the details that go with it.
  class Error < StandardError
    # Details that are text or nil.
    TEXTS = %i[peer_text algorithm_list local_algorithms peer_algorithms auth_methods expected_fingerprint
               found_fingerprint].freeze
    # Details that are numbers, nil where there is none.
    NUMBERS = %i[errno disconnect_reason channel_reason sftp_status].freeze

    # The number of the status, such as -301.
    attr_reader :code

    TEXTS.each { |detail| define_method(detail) { @details[detail] } }
    NUMBERS.each { |detail| define_method(detail) { @details[detail] } }

    def initialize(code, text = nil, **details)
      @code = code
      @details = details
      super(text || name)
    end

    # The name of the status, such as "SSH_ERR_TIMEOUT".
    def name
      ABI.ssh_status_name(@code)
    end

    # The class of the status: 1 misuse, 2 system, 3 ended, 4 protocol, 5 key exchange, 6 authentication, 7 channel,
    # 8 keys, 9 a fault of the library.
    def class_number
      -@code / 100
    end

    # Whether trying again in a while, with nothing changed, may succeed.
    def retryable?
      @details.fetch(:retryable, false)
    end

    class << self
      # The exception for a status, of the class that fits.
      def for(code, text = nil, **details)
        kind = CLASSES.fetch(code) { -code / 100 == 8 ? KeyError : Error }
        kind = SFTP_CLASSES.fetch(details[:sftp_status], kind) if kind == SFTPError
        kind.new(code, text, **details)
      end

      # For functions that give a status and no detail.
      def check(status)
        status.negative? ? raise(self.for(status)) : status
      end

      # Calls a function whose last argument is an `ssh_error **`; gives its status or handle.
      def call(function, *arguments)
        detail = FFI::MemoryPointer.new(:size_t)
        begin
          result = ABI.public_send(function, *arguments, detail)
        ensure
          # Also when something was raised into this thread meanwhile.
          error = take(detail.get(:size_t, 0))
        end
        raise error if error

        result.negative? ? raise(self.for(result)) : result
      end

      # Makes an exception of an `ssh_error`, and frees that; nil of none.
      def take(handle)
        return if handle.zero?

        details = NUMBERS.to_h { |detail| [detail, ABI.public_send("ssh_error_#{detail}", handle)] }
        details.reject! { |_, number| number.zero? }
        TEXTS.each { |detail| details[detail] = Text.copy(ABI.public_send("ssh_error_#{detail}", handle)) }
        details[:retryable] = ABI.ssh_error_is_retryable(handle)
        self.for(ABI.ssh_error_code(handle), Text.copy(ABI.ssh_error_message(handle)), **details)
      ensure
        ABI.ssh_error_free(handle)
      end
    end
  end

  # The deadline passed.
  class TimeoutError < Error; end
  # Transport#cancel ended the call.
  class Cancelled < Error; end
  # The transport or channel was closed or freed by this side.
  class Closed < Error; end
  # The connection ended, with or without a word of the peer's.
  class ConnectionLost < Error; end
  # The object belongs to the process that this one was forked from.
  class Forked < Error; end
  # The host key is not the one that was expected, or nobody has accepted it. Both fingerprints are in the error.
  class HostKeyError < Error; end
  # The credentials were refused; auth_methods tells what else may be tried.
  class AuthenticationError < Error; end
  # The peer refused a channel or a request.
  class Refused < Error; end
  # The bytes are no key, or the passphrase is missing or wrong.
  class KeyError < Error; end
  # The SFTP server refused; sftp_status and peer_text say why.
  class SFTPError < Error; end
  # The SFTP server knows no such file.
  class NoSuchFile < SFTPError; end
  # The SFTP server does not let the user do that.
  class PermissionDenied < SFTPError; end

  class Error
    CLASSES = { -105 => Forked, -301 => TimeoutError, -302 => Cancelled, -303 => Closed, -304 => ConnectionLost,
                -305 => ConnectionLost, -503 => HostKeyError, -601 => AuthenticationError, -701 => Refused,
                -702 => Refused, -703 => SFTPError }.freeze
    SFTP_CLASSES = { 2 => NoSuchFile, 3 => PermissionDenied }.freeze
    private_constant :CLASSES, :SFTP_CLASSES
  end

  # Text and bytes on their way from and to C.
  module Text
    module_function

    # A string that stays the library's, as FFI has copied it.
    def copy(text)
      text&.dup&.force_encoding(Encoding::UTF_8)
    end

    # A string that is ours to free.
    def take(memory)
      return if memory.null?

      copy(memory.read_string)
    ensure
      ABI.ssh_memory_free(memory)
    end

    # Bytes that a function gives with their length, and that stay the object's. The block calls it.
    def borrow
      length = FFI::MemoryPointer.new(:size_t)
      bytes = yield length
      bytes.null? ? nil : bytes.read_bytes(length.get(:size_t, 0))
    end

    # Bytes that a function puts where it is told, and that are ours to free. The block calls it.
    def take_bytes
      memory = FFI::MemoryPointer.new(:pointer)
      length = FFI::MemoryPointer.new(:size_t)
      yield memory, length
      bytes = memory.read_pointer
      bytes.null? ? "".b : bytes.read_bytes(length.get(:size_t, 0))
    ensure
      ABI.ssh_memory_free(memory.read_pointer)
    end

    # A path as Ruby takes paths: a String, or something with to_path.
    def path(path)
      own(path.respond_to?(:to_path) ? path.to_path : path)
    end

    # A copy that nobody changes while the library reads it.
    def own(text)
      text.nil? || text.frozen? ? text : text.to_str.dup.freeze
    end

    # Bytes and their length, as two arguments.
    def bytes_of(data)
      [bytes(data), data.bytesize]
    end

    # The handles of objects, as an array.
    def handles(objects)
      memory = FFI::MemoryPointer.new(:size_t, [objects.size, 1].max)
      objects.each_with_index { |object, index| memory.put(:size_t, index * FFI.type_size(:size_t), object.to_handle) }
      memory
    end

    # Pointers, as an array.
    def pointers(pointers)
      memory = FFI::MemoryPointer.new(:pointer, [pointers.size, 1].max)
      memory.write_array_of_pointer(pointers)
    end

    # Memory with these bytes.
    def bytes(data)
      memory = FFI::MemoryPointer.new(:uint8, [data.bytesize, 1].max, false)
      memory.put_bytes(0, data)
    end
  end
end
