# frozen_string_literal: true

module SSHWire
  # Reading as from an IO. Whoever includes this has `receive(length, timeout)`, which puts up to that many bytes into
  # `buffer` and returns false at the end, and raises TimeoutError when nothing has come in time.
  #
  # What has come is in the buffer before anything else can happen, so that a reader that is interrupted loses nothing.
  module Readable
    include Enumerable

    # Seconds that reading and writing wait for each byte, nil for ever.
    attr_accessor :timeout

    # Bytes asked for at a time where the caller does not say.
    PIECE = 65_536
    # Held while something is taken out of a buffer, never while anybody waits.
    TAKING = Mutex.new
    private_constant :PIECE, :TAKING

    # Up to `length` bytes, waiting for the first of them only. EOFError at the end.
    def readpartial(length, into = nil, timeout: self.timeout)
      return deliver("".b, into) if length.zero?

      loop do
        bytes = take_out { length }
        return deliver(bytes, into) unless bytes.empty?

        raise EOFError, "end of file reached" unless receive(length, timeout)
      end
    end

    # As readpartial, without waiting: IO::WaitReadable, or :wait_readable and nil with `exception: false`.
    def read_nonblock(length, into = nil, exception: true)
      readpartial(length, into, timeout: 0)
    rescue TimeoutError
      exception ? raise(IO::EAGAINWaitReadable, "nothing is there yet") : :wait_readable
    rescue EOFError
      exception ? raise : nil
    end

    # All bytes up to the end; or `length` bytes, fewer at the end, nil when there are none.
    def read(length = nil, into = nil, timeout: self.timeout)
      if length.nil?
        nil while receive(PIECE, timeout)
        return deliver(as_text(take_out { buffer.bytesize }), into)
      end
      loop do
        bytes = take_out { length if buffer.bytesize >= length }
        return deliver(bytes, into) if bytes
        next if receive([length - buffer.bytesize, 1].max, timeout)

        bytes = take_out { length }
        return deliver(bytes.empty? ? nil : bytes, into)
      end
    end

    # The next line with its end, or without it (chomp); nil at the end. As IO#gets, which see.
    def gets(separator = $/, limit = nil, chomp: false, timeout: self.timeout)
      separator, limit = $/, separator if separator.is_a?(Integer)
      return as_text("".b) if limit&.zero?

      paragraphs = separator == ""
      skip_newlines(timeout) if paragraphs
      line = cut(paragraphs ? "\n\n" : separator, limit, timeout)
      complete(line, paragraphs, timeout)
      return if line.empty?

      chomp ? line.chomp(paragraphs ? "\n\n" : separator || "") : line
    end

    # As gets; EOFError at the end.
    def readline(*arguments, **options)
      gets(*arguments, **options) || raise(EOFError, "end of file reached")
    end

    def each_line(*arguments, **options)
      return to_enum(:each_line, *arguments, **options) unless block_given?

      while (line = gets(*arguments, **options))
        yield line
      end
      self
    end
    alias each each_line

    def readlines(*arguments, **options)
      each_line(*arguments, **options).to_a
    end

    # The next byte as a number; nil at the end.
    def getbyte(timeout: self.timeout)
      read(1, timeout: timeout)&.ord
    end

    # Whether everything was read. Waits until that is known.
    def eof?(timeout: self.timeout)
      buffer.empty? && !receive(PIECE, timeout)
    end
    alias eof eof?

    private

    def buffer
      @buffer ||= "".b
    end

    # Takes as many bytes out of the buffer as the block says, or as there are; nil when it says nil.
    def take_out
      TAKING.synchronize do
        length = yield
        next if length.nil?

        @searched = 0
        buffer.slice!(0, length)
      end
    end

    # Text is what Ruby takes text to be; `read` with a length and `readpartial` give bytes.
    def as_text(bytes)
      bytes.force_encoding(Encoding.default_external)
    end

    def deliver(bytes, into)
      return bytes if into.nil?

      into.replace((bytes || "").dup.force_encoding(into.encoding))
      bytes && into
    end

    # The next line as bytes, what is left at the end.
    def cut(separator, limit, timeout)
      loop do
        line = take_out { measure(separator&.b, limit) }
        return line if line
        return take_out { limit || buffer.bytesize } unless receive(PIECE, timeout)
      end
    end

    # How many bytes the next line has, if it is there.
    def measure(separator, limit)
      found = separator && buffer.index(separator, @searched || 0)
      length = found && (found + separator.bytesize)
      return [length, limit].compact.min if found || (limit && buffer.bytesize >= limit)

      @searched = separator ? [buffer.bytesize - separator.bytesize + 1, 0].max : 0
      nil
    end

    # Takes what belongs to a line beside it. When that does not come in time, the line is as if it had not been taken.
    def complete(line, paragraphs, timeout)
      skip_newlines(timeout) if paragraphs
      make_whole(as_text(line), timeout) unless line.empty?
    rescue Exception # of every kind: it is the caller's
      TAKING.synchronize do
        @searched = 0
        buffer.prepend(line.b)
      end
      raise
    end

    # A limit does not cut a character in two.
    def make_whole(line, timeout)
      while cut_short?(line) && (!buffer.empty? || receive(PIECE, timeout))
        as_text(line.force_encoding(Encoding::BINARY) << take_out { 1 })
      end
    end

    # Whether a character has begun at the end whose other bytes are missing, as the encoding has them.
    def cut_short?(line)
      return false if line[-1].valid_encoding?

      wide = line.encoding == Encoding::UTF_8 ? Encoding::UTF_16BE : Encoding::UTF_8
      (1..[3, line.bytesize].min).any? do |count|
        Encoding::Converter.new(line.encoding, wide).primitive_convert(line.byteslice(-count, count), +"") == :incomplete_input
      end
    rescue Encoding::ConverterNotFoundError
      false
    end

    def skip_newlines(timeout)
      loop do
        take_out { buffer[/\A\n*/n].bytesize }
        return unless buffer.empty? && receive(PIECE, timeout)
      end
    end
  end

  # Writing as to an IO. Whoever includes this has `transmit(bytes, timeout)`, which writes all of them, and returns how
  # many it could when the timeout is 0.
  module Writable
    # Writes everything and returns how many bytes that was.
    def write(*things, timeout: self.timeout)
      things.sum { |thing| transmit(thing.to_s.b, timeout) }
    end

    # Writes what can be written without waiting: IO::WaitWritable, or :wait_writable with `exception: false`.
    def write_nonblock(data, exception: true)
      transmit(data.to_s.b, 0)
    rescue TimeoutError
      exception ? raise(IO::EAGAINWaitWritable, "there is no room yet") : :wait_writable
    end

    def <<(thing)
      write(thing)
      self
    end

    def print(*things)
      write(things.join)
      nil
    end

    def puts(*things)
      lines = things.flatten.map { |thing| thing.to_s.end_with?("\n") ? thing.to_s : "#{thing}\n" }
      write(things.empty? ? "\n" : lines.join)
      nil
    end

    def printf(format, *things)
      write(Kernel.format(format, *things))
      nil
    end

    def flush
      self
    end

    def sync
      true
    end
  end
end
