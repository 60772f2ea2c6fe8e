# frozen_string_literal: true

# Channels as IOs.
class ChannelTest < Case
  NOISE = Random.new(1).bytes(3 << 20)

  def setup
    @pair = Pair.new.login
    @near, @far = @pair.channel
  end

  def test_noise_through_both_directions_at_once
    writers = [@near, @far].map do |channel|
      Thread.new do
        assert_equal NOISE.bytesize, channel.write(NOISE, timeout: LIMIT)
        channel.close_write
      end
    end
    readers = [@near, @far].map { |channel| Thread.new { channel.read(timeout: LIMIT) } }
    @pair.client.renegotiate_keys(timeout: LIMIT)
    readers.each { |reader| assert_equal NOISE, reader.value.b }
    writers.each(&:join)
    assert_predicate @near, :eof?
    assert_equal "", @near.read
    assert_nil @near.read(1)
    assert_raises(EOFError) { @near.readpartial(1) }
  end

  # Where the session has ended because its peer did not answer, every call says so at once, for ever.
  def test_a_timeout_that_comes_early_is_not_waited_for_again
    once = [true, true].each
    status = SSHWire::Waiting.sliced(nil) { once.next && SSHWire::ABI::TIMEOUT }
    assert_equal SSHWire::ABI::TIMEOUT, status
    assert_raises(SSHWire::TimeoutError) do
      SSHWire::Waiting.sliced_call(nil) { once.next && raise(SSHWire::Error.for(SSHWire::ABI::TIMEOUT)) }
    end
    assert_raises(StopIteration) { once.next } # each was asked once
  end

  def test_a_line_whose_rest_is_late_is_not_lost
    in_encodings(Encoding::UTF_8) do
      near, far = @pair.channel
      far.write("a\xC3".b)
      assert_raises(SSHWire::TimeoutError) { near.gets(nil, 2, timeout: 0.1) }
      far.write("\xA4\none\n\n".b)
      assert_equal "a\u00e4", near.gets(nil, 2)
      assert_equal "\n", near.gets
      assert_raises(SSHWire::TimeoutError) { near.gets("", timeout: 0.1) }
      far.write("\ntwo")
      far.close_write
      assert_equal %W[one\n\n two], near.readlines("")
    end
  end

  # A call that does not wait says so too; it is nothing to try again.
  def test_a_session_whose_time_is_over_is_no_not_yet
    near, = @pair.channel
    status = [SSHWire::ABI::TIMEOUT].cycle
    assert_raises(SSHWire::ConnectionLost) { near.send(:attempt, 0) { status.next } }
  end

  # What IO reads is in the encoding of the locale, and in that of bytes where there is none.
  def in_encodings(*encodings)
    before, verbose = Encoding.default_external, $VERBOSE
    $VERBOSE = nil # Ruby does not want it changed
    encodings.each do |encoding|
      Encoding.default_external = encoding
      yield
    end
  ensure
    Encoding.default_external = before
    $VERBOSE = verbose
  end

  def test_lines_as_io_has_them
    in_encodings(Encoding::UTF_8, Encoding::US_ASCII, Encoding::BINARY, Encoding::Shift_JIS) { lines_as_io_has_them }
  end

  def test_limits_that_cut_characters
    texts = ["\xFFabc\n", "a\xC3", "\xE2\x82\xAC\xE2\x82", "\xE2ab", "\xF0\x9F\x98\x80!", "\x83\x5C\x83"].map(&:b)
    in_encodings(Encoding::UTF_8, Encoding::US_ASCII, Encoding::Shift_JIS) do
      texts.product((1..4).to_a) do |text, limit|
        reader, writer = IO.pipe
        writer.write(text)
        writer.close
        near, far = @pair.channel
        far.write(text)
        far.close_write
        assert_equal reader.each_line(limit).to_a, near.each_line(limit).to_a, "#{text.inspect}, #{limit}"
      end
    end
  end

  def lines_as_io_has_them
    text = "one\ntwo\r\n\n\n\nthree ü\n\nlast"
    calls = [
      proc { |io| io.readlines }, proc { |io| io.each_line.to_a }, proc { |io| io.readlines(chomp: true) },
      proc { |io| io.readlines("") }, proc { |io| io.readlines("", chomp: true) }, proc { |io| io.gets(nil) },
      proc { |io| io.readlines("e") }, proc { |io| io.readlines("e", 2) }, proc { |io| [io.gets(3), io.gets(3), io.gets(0), io.gets] },
      proc { |io| [io.read(3), io.getbyte, io.gets, io.read] }, proc { |io| [io.readline, io.eof?, io.read, io.eof?, io.gets] },
      proc { |io| io.map(&:size) }, proc { |io| io.read(7, String.new("old")) }, proc { |io| [io.read, io.read, io.read(1), io.read(0)] }
    ]
    calls.each do |call|
      reader, writer = IO.pipe
      writer.write(text)
      writer.close
      near, far = @pair.channel
      text.each_char { |char| far.write(char) }
      far.close_write
      expected = call.call(reader)
      got = call.call(near)
      assert_equal expected, got
      assert_equal Array(expected).map { |one| one.is_a?(String) ? one.encoding : nil },
                   Array(got).map { |one| one.is_a?(String) ? one.encoding : nil }
    end
  end

  def test_writing
    @far << "a" << 1
    @far.print("b", :c)
    @far.puts("d", ["e\n", [nil]])
    @far.puts
    @far.printf("%03d", 7)
    assert_equal 3, @far.write("x", :yz)
    @far.flush.close_write
    assert_equal "a1bcd\ne\n\n\n007xyz", @near.read(timeout: LIMIT)
    assert_kind_of SSHWire::Closed, assert_status("SSH_ERR_CLOSED") { @far.write("more") }
  end

  def test_without_waiting
    assert_raises(IO::WaitReadable) { @near.read_nonblock(1) }
    assert_equal :wait_readable, @near.read_nonblock(1, exception: false)
    assert_equal "", @near.readpartial(0)
    assert_kind_of SSHWire::TimeoutError, assert_status("SSH_ERR_TIMEOUT") { @near.readpartial(1, timeout: 0.01) }
    @near.timeout = 0.01
    assert_status("SSH_ERR_TIMEOUT") { @near.gets }
    assert_raises(ArgumentError) { @near.read(timeout: -1) }
    sent = 0
    begin
      loop { sent += @near.write_nonblock(NOISE) }
    rescue IO::WaitWritable
      assert_operator sent, :>, 0
    end
    assert_status("SSH_ERR_TIMEOUT") { 100.times { @near.write(NOISE, timeout: 0.05) } }
    assert_equal NOISE[0, 1000], @far.read(1000, timeout: LIMIT)
    assert_equal %i[readable], @far.conditions & %i[readable eof closed]
  end

  def test_copy_stream
    sending = Thread.new { IO.copy_stream(StringIO.new(NOISE), @near).tap { @near.close_write } }
    copy = StringIO.new("".b)
    assert_equal NOISE.bytesize, IO.copy_stream(@far, copy)
    assert_equal NOISE, copy.string
    assert_equal NOISE.bytesize, sending.value
  end

  def test_stderr
    @far.stderr.puts("bad", "worse")
    @far.write("good")
    assert_equal %W[bad\n worse\n], Array.new(2) { @near.stderr.gets(timeout: LIMIT) }
    @near.combine_stderr
    @far.stderr.write("!")
    @far.close_write
    assert_equal "good!", @near.read(timeout: LIMIT)
  end

  def test_many_threads_on_one_channel
    threads = Array.new(4) { Thread.new { 50.times { @near.write("x" * 1000, timeout: LIMIT) } } }
    lengths = Array.new(4) { Thread.new { 50.times.sum { @far.read(1000, timeout: LIMIT).size } } }
    errors = Thread.new { @near.stderr.read(timeout: LIMIT) }
    assert_equal 200_000, lengths.sum(&:value)
    threads.each(&:join)
    @far.stderr.write("done")
    @far.close
    assert_equal "done", errors.value
  end

  def test_closing_wakes_readers
    waiting = [Thread.new { @near.readpartial(1) }, Thread.new { @near.stderr.gets }]
    waiting.each { |thread| thread.report_on_exception = false }
    sleep 0.05
    @near.free
    waiting.each do |thread|
      thread.value
    rescue EOFError, SSHWire::Error => e
      assert_includes [EOFError, SSHWire::Closed, SSHWire::Error], e.class
    end
    assert_status("SSH_ERR_BAD_HANDLE") { @near.readpartial(1) }
    assert_status("SSH_ERR_BAD_HANDLE") { @near.write("x") }
  end

  def test_the_end_of_the_session_wakes_everybody
    waiting = [proc { @near.readpartial(1) }, proc { @near.wait }, proc { @pair.client.accept },
               proc { @pair.client.global_request("x", timeout: LIMIT) }].map do |call|
      Thread.new { call.call }.tap { |thread| thread.report_on_exception = false }
    end
    sleep 0.05
    @pair.client.close
    waiting.each do |thread|
      assert_raises(SSHWire::Error) { thread.value }
    end
  end

  def test_one_object_for_one_channel
    assert_same @far, SSHWire::Channel.known(@far.to_handle)
    assert_same @pair.accepted, @far.transport
    assert_equal [@near.kind, nil, nil], ["session", @near.destination, @near.origin]
    assert_kind_of Integer, @near.id
    2.times { @near.close }
    assert_predicate @near, :closed?
  end

  def test_a_command_that_does_not_read
    assert_equal 7, @pair.client.run("nothing", input: NOISE, timeout: LIMIT).exit.status
  end

  def test_a_command_that_reads_everything
    assert_equal NOISE.reverse, @pair.client.run("reverse", input: NOISE, timeout: LIMIT).stdout.b
  end

  def test_events
    event = SSHWire::Event.new
    refute event.wait(timeout: 0.01)
    Thread.new { event.set }
    assert event.wait(timeout: LIMIT)
    assert_equal [[event], [], []], IO.select([event], nil, nil, LIMIT)
    refute_predicate event.reset, :set?
  end
end
