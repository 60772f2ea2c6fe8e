# frozen_string_literal: true

module SSHWire
  # The algorithms that a transport may use, in order of preference.
  #
  # Each list is set with an Array of names, or with a String in one of OpenSSH's forms: "a,b" is the whole list, "+a"
  # appends, "-a*" removes, "^a" puts at the front.
  class SecurityOptions < Handle
    noun "security_options"

    PRESETS = { modern: 1, compatible: 2, legacy: 3 }.freeze

    def initialize(preset = nil)
      hold(ABI.ssh_security_options_new)
      self.preset = preset if preset
    end

    # Sets all lists: :modern, :compatible (the default), or :legacy for old network gear.
    def preset=(name)
      call(:ssh_security_options_set_preset, PRESETS.fetch(name))
    end

    %i[kex key_types ciphers digests compression].each do |list|
      define_method(list) { text!("ssh_security_options_#{list}").split(",") }
      define_method("#{list}=") { |names| call("ssh_security_options_set_#{list}", Array(names).join(",")) }
    end
  end
end
