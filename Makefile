# For those who look for a Makefile here: the work is done in examples-c/Makefile.
#
#   make                                     builds library and example programs
#   make install PREFIX=/usr/local DESTDIR=  installs library, header, sshwire.pc, CMake package and manual pages
#   make install FEATURES=--no-default-features
#                                            the same without aws-lc and ring; FEATURES is for every target that builds
#   make uninstall PREFIX=/usr/local         takes them away again
#   make demo, make test                     see README.md

.PHONY: all programs library install uninstall header demo test clean
all programs library install uninstall header demo test clean:
	@$(MAKE) --no-print-directory -C examples-c $@
