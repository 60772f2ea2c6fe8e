# frozen_string_literal: true

module SSHWire
  class Transport
    # Opens a session channel. With a block, gives it the channel, frees that afterwards, and returns what the block does.
    def open_session(timeout: :default, &block)
      opened(call_aside(:ssh_transport_open_session, Waiting.milliseconds(timeout), dispose: "channel"), block)
    end

    # Opens a channel of any kind. `destination` and `source` are [host, port], or the path of a UNIX socket.
    def open_channel(kind, destination = nil, source: ["127.0.0.1", 0], timeout: :default, &block)
      to = place(destination)
      from = place(source)
      opened(call_aside(:ssh_transport_open_channel, Text.own(kind), *to, *from, Waiting.milliseconds(timeout),
                        dispose: "channel"), block)
    end

    # Opens a channel that the server connects to a host and port, or to the path of a UNIX socket.
    def open_tcpip(host, port = nil, timeout: :default, &block)
      return open_channel("direct-streamlocal@openssh.com", host, source: nil, timeout: timeout, &block) if port.nil?

      open_channel("direct-tcpip", [host, port], timeout: timeout, &block)
    end

    # Server: opens a channel for a connection that came in where the client has asked to listen.
    def open_forwarded(destination, source: ["127.0.0.1", 0], timeout: :default, &block)
      opened(call_aside(:ssh_transport_open_forwarded_tcpip_channel, *place(source), *place(destination),
                        Waiting.milliseconds(timeout), dispose: "channel"), block)
    end

    # Server: opens a channel for a program that wants to show a window.
    def open_x11(source: ["127.0.0.1", 0], timeout: :default, &block)
      opened(call_aside(:ssh_transport_open_x11_channel, *place(source), Waiting.milliseconds(timeout),
                        dispose: "channel"), block)
    end

    # Runs a command; gives the block its channel, or returns that.
    def exec(command, timeout: :default, &block)
      started = proc { |channel| channel.exec(command, timeout: timeout) }
      return open_session(timeout: timeout) { |channel| block.call(started.call(channel)) } if block

      channel = open_session(timeout: timeout)
      begin
        started.call(channel)
      rescue Exception
        channel.free
        raise
      end
    end

    # Runs a command to its end: what it says, and how it ends (Result).
    def run(command, input: "", timeout: nil)
      exec(command) do |channel|
        stdout, stderr = channel.communicate(input, timeout: timeout)
        Result.new(stdout, stderr, channel.wait(timeout: timeout))
      end
    end

    # Starts SFTP. With a block, gives it the session and closes that afterwards.
    def sftp(timeout: :default, &block)
      session = SFTP.own(call_aside(:ssh_transport_open_sftp_client, Waiting.milliseconds(timeout), dispose: "sftp"))
      block ? session.use(&block) : session
    end

    # Sends a global request; returns the data of the reply.
    def global_request(name, data = "", reply: true, timeout: :default)
      Text.take_bytes do |memory, length|
        call_aside(:ssh_transport_global_request, Text.own(name), Text.bytes(data), data.bytesize, reply,
                   Waiting.milliseconds(timeout), memory, length)
      end
    end

    # Listens here; for each connection the server connects to the destination. Addresses are [host, port], port 0 for one
    # that the system chooses, or the path of a UNIX socket. With a block, gives it the Forward and ends that afterwards.
    def forward_local(address, destination, &block)
      forwarding(Forward.own(call(:ssh_forward_local, *place(address), *place(destination))), block)
    end

    # Has the server listen; for each connection this side connects to the destination.
    def forward_remote(address, destination, timeout: :default, &block)
      forwarding(Forward.own(call_aside(:ssh_forward_remote, *place(address), *place(destination),
                                        Waiting.milliseconds(timeout), dispose: "forward")), block)
    end

    # Has the server listen for programs that speak SOCKS 4, 4a or 5; this side connects to where they say, if that is among
    # the places that are permitted: "host:port" or "[address]:port", with * for any host or port; or "any".
    def forward_remote_dynamic(address, *permitted, timeout: :default, &block)
      forwarding(Forward.own(call_aside(:ssh_forward_remote_dynamic, *place(address), Text.own(permitted.join(" ")),
                                        Waiting.milliseconds(timeout), dispose: "forward")), block)
    end

    # Listens here for programs that speak SOCKS 4, 4a or 5.
    def forward_dynamic(address, &block)
      forwarding(Forward.own(call(:ssh_forward_dynamic, *place(address))), block)
    end

    # Has the server listen; the block gets a channel for each connection, and where that came from and where to. Without
    # a block they come out of `accept`. Returns the port.
    def request_forward(address, timeout: :default, &block)
      port = FFI::MemoryPointer.new(:uint16)
      handle = @handle
      token = block ? Callback.register(block, @targets ||= {}) : 0
      arguments = [*place(address), block && FORWARDED, token, block && Callback::DESTROY, Waiting.milliseconds(timeout)]
      # `destroy` is called also when this fails.
      Waiting.aside { Error.call(:ssh_transport_request_port_forward, handle, *arguments, port) }
      port.read_uint16
    end

    # Has the server listen there no longer.
    def cancel_forward(address, timeout: :default)
      call_aside(:ssh_transport_cancel_port_forward, *place(address), Waiting.milliseconds(timeout))
      self
    end

    private

    def opened(handle, block)
      channel = Channel.own(handle)
      block ? channel.use(&block) : channel
    end

    def forwarding(forward, block)
      block ? forward.use(&block) : forward
    end

    # A place as two arguments.
    def place(place)
      return [nil, 0] if place.nil?

      place.is_a?(Array) ? [Text.own(place[0]), place[1]] : [Text.path(place), 0]
    end
  end
end
