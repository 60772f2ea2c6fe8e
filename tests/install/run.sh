#!/bin/bash
# Installs as a person and as a packager would, builds a program against each in every way the README names, and takes
# the installation away again. A tool that is absent is named; under CI=true it is a failure.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/install
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export MANPAGER=cat LC_ALL=C
unset MAKEFLAGS DESTDIR PREFIX LIBDIR INCLUDEDIR MANDIR PKG_CONFIG_PATH LD_LIBRARY_PATH LD_RUN_PATH
left_out=()

say() { printf 'install: %s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1 || { left_out+=("$1: $2"); return 1; }; }
run_make() { make --no-print-directory -C "$root" "$@" >"$work/make.log" 2>&1 || { cat "$work/make.log"; fail "make $*"; }; }
tree() { (cd "$1" && find . -mindepth 1 | sort); }
needs_library() { readelf -d "$1" | grep -q 'NEEDED.*\[libsshwire\.so\.0\]'; }
must() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; fail "$*"; }; }
must_fail() { if "$@" >"$work/log" 2>&1; then fail "succeeded: $*"; fi; }
must_need() { needs_library "$1" || fail "$1 does not use the shared library"; }
must_not_need() { if needs_library "$1"; then fail "$1 uses the shared library"; fi; }

prefix="$work/a prefix"
lib=$prefix/lib
mkdir -p "$prefix/lib"
echo theirs >"$prefix/lib/other"
before=$(tree "$prefix")

# ---- For a person, into a directory where others have files too.
(umask 077; run_make install PREFIX="$prefix")
say "installed $(wc -l <"$lib/sshwire/installed") files and directories"
[ "$(readlink "$lib/libsshwire.so")" = libsshwire.so.0 ] || fail "libsshwire.so is not a link to the soname"
[ -f "$(readlink -f "$lib/libsshwire.so.0")" ] || fail "libsshwire.so.0 points to nothing"
readelf -d "$lib/libsshwire.so" | grep -q 'SONAME.*\[libsshwire\.so\.0\]' || fail "no soname"
cmp "$root/include/sshwire.h" "$prefix/include/sshwire.h"
unreadable=$(find "$prefix" ! -path "$prefix" ! -path "$prefix/lib*" ! -type l ! -perm -444)
[ -z "$unreadable" ] || fail "not readable for all: $unreadable"

# Compiled with no help but where things are.
flags=(-std=c11 -Wall -Wextra -Wpedantic -Werror)
must gcc "${flags[@]}" -I"$prefix/include" -o "$work/plain" "$here/program.c" -L"$lib" -Wl,-rpath,"$lib" -lsshwire
must "$work/plain"
must_need "$work/plain"

if have pkg-config "programs by sshwire.pc"; then
    export PKG_CONFIG_PATH="$lib/pkgconfig"
    version=$(pkg-config --modversion sshwire)
    [ "$version" = "$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)" ] || fail "sshwire.pc says $version"
    eval "options=($(pkg-config --cflags --libs sshwire))"
    must gcc "${flags[@]}" -o "$work/shared" "$here/program.c" "${options[@]}" -Wl,-rpath,"$lib"
    must "$work/shared"
    must_need "$work/shared"

    # The static library in a program that is otherwise dynamic, and in one that is wholly static.
    eval "options=($(pkg-config --static --cflags --libs sshwire))"
    must gcc "${flags[@]}" -o "$work/archive" "$here/program.c" "${options[@]/#-lsshwire/-l:libsshwire.a}"
    must "$work/archive"
    must_not_need "$work/archive"
    must gcc "${flags[@]}" -static -o "$work/static" "$here/program.c" "${options[@]}"
    must "$work/static"
    unset PKG_CONFIG_PATH
    say "pkg-config: shared, static library and static program run"
fi

cmake_project() { # PREFIX BUILD-DIRECTORY OPTION...
    must cmake -S "$here" -B "$2" "-DCMAKE_PREFIX_PATH=$1" "${@:3}"
    must cmake --build "$2"
    for kind in sshwire shared static; do must "$2/with_$kind"; done
    must_need "$2/with_shared"
    must_not_need "$2/with_static"
}
if have cmake "projects with find_package(sshwire)"; then
    cmake_project "$prefix" "$work/cmake"
    must_need "$work/cmake/with_sshwire"
    cmake_project "$prefix" "$work/cmake-static" -Dsshwire_USE_STATIC_LIBS=ON
    must_not_need "$work/cmake-static/with_sshwire"
    say "CMake: sshwire::sshwire, sshwire::shared and sshwire::static run"
fi

# ---- Manual pages: one for each function; none that the formatter finds fault with.
functions=$(grep -o '\bssh_[a-z0-9_]*(' "$root/include/sshwire.h" | tr -d '(' | sort -u)
man3=$prefix/share/man/man3
for name in $functions sshwire; do
    [ -s "$man3/$name.3" ] || fail "no manual page $name(3)"
    for section in NAME SYNOPSIS DESCRIPTION; do
        grep -qx ".SH $section" "$man3/$name.3" || fail "$name(3) has no $section"
    done
done
# References lead somewhere.
grep -oh '\\fBssh_[a-z0-9_]*\\fP(3)\|^\.BR ssh_[a-z0-9_]* (3)' "$man3"/*.3 | grep -o 'ssh_[a-z0-9_]*' | sort -u \
    | while read -r name; do [ -e "$man3/$name.3" ] || echo "$name"; done >"$work/astray"
[ ! -s "$work/astray" ] || fail "pages refer to what is not there: $(tr '\n' ' ' <"$work/astray")"
# Code stands as it is, between .nf and .fi; in a paragraph its lines would run together.
for page in "$man3"/*.3; do
    awk '/^\.nf/ { code = 1 } /^\.fi/ { code = 0 } !code && (/[^3]\);$/ || /[{}]$/) { print FILENAME ": " $0 }' "$page"
done >"$work/astray"
[ ! -s "$work/astray" ] || fail "code is set as text: $(head -n 3 "$work/astray")"
if grep '\\\\&' "$man3"/*.3; then fail "an escape of the formatter's shows"; fi
if have man "how the manual pages read"; then
    man --warnings -l "$man3"/*.3 >/dev/null 2>"$work/man.log" </dev/null || fail "man: $(head "$work/man.log")"
    # A long declaration cannot be filled to the margin, which harms nobody.
    if grep -v 'cannot adjust line\|cannot break line' "$work/man.log"; then fail "man has warnings"; fi
    man -l "$man3/ssh_channel_read.3" | grep -q 'ssh_status ssh_channel_read(' || fail "ssh_channel_read(3) has no synopsis"
    # An example has its lines as they are, however far it is indented.
    for name in sshwire ssh_certificate_new ssh_sftp_operation; do
        man -l "$man3/$name.3" | grep -q '^ *ssh_[a-z_]*(.*;$' || fail "the example of $name(3) is no example"
    done
    MANPATH=$prefix/share/man man -k . >/dev/null 2>&1 || true # some systems have no database
    say "man: $(find "$man3" -name '*.3' | wc -l) pages"
fi

# ---- Again, over what is there: nothing more, and what did not change is not touched.
tree "$prefix" >"$work/once"
touch -d '2001-01-01' "$lib/libsshwire.a" "$prefix/include/sshwire.h"
# A file of an older version, and a file of somebody else's in one of our directories.
echo "$prefix/include/sshwire-old.h" >>"$lib/sshwire/installed"
touch "$prefix/include/sshwire-old.h" "$prefix/include/theirs.h"
run_make install PREFIX="$prefix"
[ ! -e "$prefix/include/sshwire-old.h" ] || fail "the file of an older version is still there"
rm "$prefix/include/theirs.h"
tree "$prefix" | diff "$work/once" - || fail "the second installation is not as the first"
[ "$(date -r "$lib/libsshwire.a" +%Y)" = 2001 ] || fail "an unchanged file was touched"

# ---- Away with it: what was there before stays.
touch "$prefix/share/man/man3/theirs.3"
run_make uninstall PREFIX="$prefix"
[ -e "$prefix/share/man/man3/theirs.3" ] || fail "uninstall took a file of somebody else"
rm -r "$prefix/share"
diff <(printf '%s\n' "$before") <(tree "$prefix") || fail "uninstall left something or took too much"
must_fail make --no-print-directory -C "$root" uninstall PREFIX="$prefix"
grep -q 'nothing is installed' "$work/log" || fail "a second uninstall does not say that there is nothing"
must_fail make --no-print-directory -C "$root" install PREFIX=here
grep -q 'absolute' "$work/log" || fail "a relative prefix is not refused"
say "uninstall leaves nothing"

# ---- What was built with other features is not built again with the defaults. The environment's word is another's.
FEATURES=theirs make --no-print-directory -C "$root" -n install FEATURES=--no-default-features >"$work/log"
grep -q 'build --release .*--no-default-features' "$work/log" || fail "FEATURES does not reach cargo"
FEATURES=theirs make --no-print-directory -C "$root" -n install >"$work/log"
if grep -q theirs "$work/log"; then fail "FEATURES of the environment reaches cargo"; fi

# ---- For a package: DESTDIR is where the files go, and is named in none of them.
staged=$work/package
places=(PREFIX=/usr LIBDIR=/usr/lib/somewhere-linux-gnu DESTDIR="$staged")
run_make install "${places[@]}"
if grep -rIl "$work" "$staged"; then fail "these name DESTDIR"; fi
grep -qx 'libdir=/usr/lib/somewhere-linux-gnu' "$staged/usr/lib/somewhere-linux-gnu/pkgconfig/sshwire.pc" \
    || fail "sshwire.pc does not know its libdir"
[ -f "$staged/usr/share/man/man3/sshwire.3" ] || fail "no manual pages in the package"
if command -v cmake >/dev/null 2>&1; then
    # A tree that was moved works: the package finds its files from where it lies.
    cmake_project "$staged/usr" "$work/cmake-moved" "-Dsshwire_DIR=$staged/usr/lib/somewhere-linux-gnu/cmake/sshwire"
fi
run_make uninstall "${places[@]}"
[ -z "$(tree "$staged")" ] || fail "uninstall left in DESTDIR: $(tree "$staged")"
say "DESTDIR: installed, used in place and taken away"

if [ ${#left_out[@]} -gt 0 ]; then
    for what in "${left_out[@]}"; do say "LEFT OUT, no $what"; done
    [ "${CI:-}" != true ] || fail "under CI=true nothing may be left out"
fi
say "passed"
