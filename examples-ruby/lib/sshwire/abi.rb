# frozen_string_literal: true

require_relative "abi/functions"

module SSHWire
  # The C functions of libsshwire, under their own names. Programs use the objects around it.
  module ABI
    extend FFI::Library

    # The soname changes when a function does, so no other version is ever loaded by mistake.
    SONAME = "libsshwire.so.0"

    # Finds the library: the path in SSHWIRE_LIBRARY; or else where the system's loader finds it (LD_LIBRARY_PATH,
    # ldconfig); or else the libdir that pkg-config knows (PKG_CONFIG_PATH).
    def self.load
      given = ENV.fetch("SSHWIRE_LIBRARY", "")
      ffi_lib(given.empty? ? SONAME : given)
    rescue LoadError => e
      libdir = given.empty? ? libdir_of_pkg_config : ""
      raise LoadError, "set SSHWIRE_LIBRARY to the path of #{SONAME}: #{e.message}" if libdir.empty?

      ffi_lib(File.join(libdir, SONAME))
    end

    def self.libdir_of_pkg_config
      IO.popen(%w[pkg-config --variable=libdir sshwire], err: File::NULL, &:read).strip
    rescue SystemCallError
      ""
    end
    private_class_method :load, :libdir_of_pkg_config

    load

    TYPES = {
      "void" => :void, "bool" => :bool, "status" => :int32, "u8" => :uint8, "u16" => :uint16, "u32" => :uint32,
      "u64" => :uint64, "i32" => :int32, "i64" => :int64, "size" => :size_t, "handle" => :size_t, "token" => :size_t,
      "text" => :string, "memory" => :pointer, "bytes" => :pointer, "out" => :pointer, "error" => :pointer,
      "callback" => :pointer
    }.freeze

    FUNCTIONS.each_line(chomp: true) do |line|
      next if line.empty?

      wait, result, name, arguments = line.match(/\A(wait )?(\w+) (\w+)\((.*)\)\z/).captures
      attach_function(name, arguments.split(", ").map { |word| TYPES.fetch(word) }, TYPES.fetch(result), blocking: !wait.nil?)
    end

    # Constants of sshwire.h.
    OK = 0
    EOF = 1
    AGAIN = 2
    PARTIAL = 3
    BAD_HANDLE = -102
    STATE = -103
    FORKED = -105
    CALLBACK = -107
    TIMEOUT = -301
    CANCELLED = -302
    CLOSED = -303
    CONN_LOST = -304
    REVOKED = -807
    FOREVER = -1
    DEFAULT = -2
  end
end
