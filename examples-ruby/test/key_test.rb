# frozen_string_literal: true

class KeyTest < Case
  def test_keys
    key = SSHWire::Key.generate(:ecdsa_p384, comment: "me@here")
    assert_equal [:ecdsa_p384, "ecdsa-sha2-nistp384", 384, "me@here", true],
                 [key.kind, key.type, key.bits, key.comment, key.private?]
    public_key = SSHWire::Key.parse(key.line)
    assert_equal key, public_key
    assert_equal key, SSHWire::Key.from_blob(key.blob)
    assert_equal key.public_key.fingerprint, public_key.fingerprint
    refute_predicate public_key, :private?
    refute_equal key, SSHWire::Key.generate
    assert_equal 1, [key, public_key].uniq.size
    refute_equal key, "a string"
    assert_match(/ecdsa-sha2-nistp384 SHA256:/, key.inspect)
  end

  def test_files
    key = SSHWire::Key.generate
    Dir.mktmpdir do |directory|
      path = File.join(directory, "key")
      key.save(path, passphrase: "horse")
      assert_equal 0o100600, File.stat(path).mode
      assert_equal key, SSHWire::Key.load_file(path, passphrase: "horse")
      assert_status("SSH_ERR_PASSPHRASE_WRONG") { SSHWire::Key.load_file(path, passphrase: "cow") }
      assert_status("SSH_ERR_PASSPHRASE_MISSING") { SSHWire::Key.load_file(path) }
      error = assert_status("SSH_ERR_IO") { key.save(path) }
      assert_equal Errno::EEXIST::Errno, error.errno
    end
    assert_equal key, SSHWire::Key.load(key.private_text(format: :pkcs8))
    assert_kind_of SSHWire::KeyError, assert_status("SSH_ERR_KEY_MALFORMED") { SSHWire::Key.load("no key") }
    assert_status("SSH_ERR_INVALID_ARG") { key.public_key.private_text }
  end

  def test_asking_and_looking
    key = SSHWire::Key.generate(comment: "mine")
    Dir.mktmpdir do |directory|
      path = File.join(directory, "key")
      key.save(path, passphrase: "horse")
      asked = []
      loaded = SSHWire::Key.load_file(path) { |attempt| (asked << attempt).size == 3 ? "horse" : "cow" }
      assert_equal [key, [1, 2, 3]], [loaded, asked]
      error = assert_status("SSH_ERR_PASSPHRASE_WRONG") { SSHWire::Key.load_file(path) { "cow" } }
      assert_includes error.message, path
      assert_status("SSH_ERR_PASSPHRASE_MISSING") { SSHWire::Key.load_file(path) { nil } }
      info = SSHWire::Key.inspect_file(path)
      assert_equal [:openssh, true, "ssh-ed25519", 256, "", key], info.to_a - [info.encryption]
      assert_match(/aes256-ctr/, info.encryption)
      assert_equal key, SSHWire::Key.load_public_file(path)
      key.save_public("#{path}.pub", format: :rfc4716)
      assert_equal "mine", SSHWire::Key.load_public_file("#{path}.pub").comment
    end
    assert_equal key, SSHWire::Key.load_public(key.public_text(format: :pkcs8))
    assert_equal [:line, false, nil], SSHWire::Key.inspect_text(key.line).to_a.first(3)
  end

  def test_short_forms_and_messages
    key = SSHWire::Key.generate
    assert_equal key.fingerprint, key.fingerprint_with(:sha256)
    assert_equal 11, key.randomart.lines.size
    assert key.matches_sshfp?(key.sshfp)
    refute SSHWire::Key.generate.matches_sshfp?(key.sshfp)
    signature = key.sign_message("text", "file")
    assert_equal key, SSHWire::Key.signer(signature, "text", "file")
    assert_status("SSH_ERR_SIGNATURE") { SSHWire::Key.signer(signature, "test", "file") }
    assert_status("SSH_ERR_SIGNATURE") { SSHWire::Key.signer(signature, "text", "git") }
    signers = "me@example.org namespaces=\"file\" #{key.line}\n"
    assert_equal key, key.check_signer(signers, "me@example.org", "file")
    assert_equal "me@example.org", key.find_principals(signers)
    assert_status("SSH_ERR_SIGNATURE") { key.check_signer(signers, "me@example.org", "git") }
  end

  def test_signatures
    key = SSHWire::Key.generate
    signature = key.sign("data")
    assert key.public_key.verify("data", signature, "ssh-ed25519")
    refute key.verify("date", signature, "ssh-ed25519")
    assert_status("SSH_ERR_INVALID_ARG") { key.sign("data", algorithm: "ssh-nothing") }
  end

  def test_wrong_arguments
    assert_raises(ArgumentError) { SSHWire::Key.generate(:paper) }
    assert_raises(ArgumentError) { SSHWire::Key.parse("ssh-ed25519\0AAAA") }
    assert_raises(TypeError) { SSHWire::Key.generate.dup }
    assert_raises(TypeError) { Marshal.dump(SSHWire::Key.generate) }
    assert_raises(NoMethodError) { SSHWire::Key.new }
  end

  def test_security_options
    options = SSHWire::SecurityOptions.new(:modern)
    options.ciphers = %w[aes256-gcm@openssh.com aes256-ctr]
    assert_equal %w[aes256-gcm@openssh.com aes256-ctr], options.ciphers
    options.ciphers = "-aes256-ctr"
    assert_equal ["aes256-gcm@openssh.com"], options.ciphers
    error = assert_status("SSH_ERR_INVALID_ARG") { options.kex = "no-such-thing" }
    assert_match(/no-such-thing/, error.message)
    options.free
    assert_status("SSH_ERR_BAD_HANDLE") { options.kex }
  end
end
