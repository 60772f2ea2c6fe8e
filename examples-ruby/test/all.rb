# frozen_string_literal: true

# Runs all tests; with SSHWIRE_TEST_ADDRESS and the others that tests/languages/run.sh sets also those against OpenSSH.

require_relative "helper"
Dir[File.join(__dir__, "*_test.rb")].sort.each { |file| require file }

exit 1 unless Minitest.run(ARGV)
puts "Ruby #{RUBY_VERSION}: ok, in one process#{" and with OpenSSH" if ENV["SSHWIRE_TEST_ADDRESS"]}"
