#!/bin/sh
# Installs library, header, .pc, CMake package and manual pages, and takes them away again.
#
#   install.sh install RELEASE-DIRECTORY    what cargo made there goes to $DESTDIR$PREFIX
#   install.sh uninstall                    what an installation put there goes away, and nothing else
#
# PREFIX (/usr/local), LIBDIR ($PREFIX/lib), INCLUDEDIR ($PREFIX/include) and MANDIR ($PREFIX/share/man) are where the
# files will be used; DESTDIR goes before all of them while a package is made. Each installation writes a list of the
# files and of the directories it made, and it is this list that uninstall goes by. A file that did not change is left
# alone, so that programs built against it are not built anew.
set -eu
export LC_ALL=C # the order of sort(1)
action=$1
prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
includedir=${INCLUDEDIR:-$prefix/include}
mandir=${MANDIR:-$prefix/share/man}
destdir=${DESTDIR:-}
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/examples-c/install
list=$libdir/sshwire/installed

# make(1) runs this in a folder of its own, so a path that begins elsewhere would go astray.
for path in "${destdir:-/}" "$prefix" "$libdir" "$includedir" "$mandir"; do
    case $path in
        /*) ;;
        *) echo "PREFIX, DESTDIR and the like must be absolute paths, and $path is not" >&2; exit 2 ;;
    esac
done

# The paths in the list are without DESTDIR, so that they fit when a package has been unpacked.
remove_listed() { # LIST [PATHS-TO-KEEP]
    sort -r "$1" | while IFS= read -r path; do
        if [ -n "${2:-}" ] && grep -qxF "$path" "$2"; then
            continue
        elif [ -d "$destdir$path" ] && [ ! -h "$destdir$path" ]; then
            # Somebody else may have put something there.
            rmdir "$destdir$path" 2>/dev/null || true
        else
            rm -f "$destdir$path"
        fi
    done
}

if [ "$action" = uninstall ]; then
    if [ ! -f "$destdir$list" ]; then
        echo "nothing is installed: $destdir$list does not exist" >&2
        exit 1
    fi
    # The list is itself in the list.
    remaining=$(mktemp)
    trap 'rm -f "$remaining"' EXIT
    cp "$destdir$list" "$remaining"
    remove_listed "$remaining"
    exit 0
fi

release=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/list"

directory() { # PATH: makes it and notes what had to be made
    [ -n "$1" ] && [ "$1" != / ] || return 0
    if [ ! -d "$destdir$1" ]; then
        directory "$(dirname "$1")"
        install -d -m 755 "$destdir$1"
        echo "$1" >>"$work/list"
    elif [ -f "$destdir$list" ] && grep -qxF "$1" "$destdir$list"; then
        directory "$(dirname "$1")"
        echo "$1" >>"$work/list"
    fi
}

put() { # FROM TO [MODE]
    cmp -s "$1" "$destdir$2" || install -m "${3:-644}" "$1" "$destdir$2"
    echo "$2" >>"$work/list"
}

link() { # TARGET NAME
    [ "$(readlink "$destdir$2" || true)" = "$1" ] || ln -sfn "$1" "$destdir$2"
    echo "$2" >>"$work/list"
}

fill() { # TEMPLATE RESULT
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@LIBDIR@|$libdir|g" -e "s|@INCLUDEDIR@|$includedir|g" \
        -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" -e "s|@LIBS_PRIVATE@|$private|g" \
        -e "s|@POINTER_SIZE@|$pointer_size|g" -e "s|@INCLUDEDIR_FROM_CMAKE@|$include_from_cmake|g" "$1" >"$2"
}

# Cargo keeps one output directory of build.rs for each set of features it has seen; the newest belongs to this build.
# shellcheck disable=SC2012
out=$(dirname "$(ls -t "$release"/build/sshwire-*/out/sshwire.pc | head -n 1)")
version=$(sed -n 's/^Version: //p' "$out/sshwire.pc")
major=${version%%.*}
private=$(sed -n 's/^Libs.private: //p' "$out/sshwire.pc" | tr ' ' ';') # a list as CMake writes it
# The fifth byte of an ELF file is 1 for 32 bits and 2 for 64.
pointer_size=$(($(od -An -tu1 -j4 -N1 "$release/libsshwire.so") * 4))
cmakedir=$libdir/cmake/sshwire
# Relative, so that a tree that was moved as a whole is found where it is.
include_from_cmake=$(realpath -m -s --relative-to="$cmakedir" "$includedir")

[ -z "$destdir" ] || mkdir -p "$destdir"
for path in "$libdir/pkgconfig" "$libdir/sshwire" "$cmakedir" "$includedir" "$mandir/man3"; do
    directory "$path"
done
put "$release/libsshwire.so" "$libdir/libsshwire.so.$version" 755
put "$release/libsshwire.a" "$libdir/libsshwire.a"
link "libsshwire.so.$version" "$libdir/libsshwire.so.$major"
link "libsshwire.so.$major" "$libdir/libsshwire.so"
put "$root/include/sshwire.h" "$includedir/sshwire.h"
for name in sshwire-config.cmake sshwire-config-version.cmake; do
    fill "$here/$name.in" "$work/$name"
    put "$work/$name" "$cmakedir/$name"
done

# The pages say the date of the header, or the one that a reproducible build asks for.
mkdir "$work/man"
date=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y "$root/include/sshwire.h")}" +%Y-%m-%d)
awk -v directory="$work/man" -v version="$version" -v date="$date" -f "$here/man.awk" "$root/include/sshwire.h"
for page in "$work"/man/*.3; do
    echo "$mandir/man3/${page##*/}" >>"$work/list"
done
install -m 644 "$work"/man/*.3 "$destdir$mandir/man3/"

# Programs depend on this file, so it is made newer when the library behind it is.
fill "$out/sshwire.pc" "$work/sshwire.pc"
pc=$libdir/pkgconfig/sshwire.pc
if [ "$destdir$libdir/libsshwire.so.$version" -nt "$destdir$pc" ] \
    || [ "$destdir$includedir/sshwire.h" -nt "$destdir$pc" ]; then
    rm -f "$destdir$pc"
fi
put "$work/sshwire.pc" "$pc"

# What an older version had and this one has not goes away.
echo "$list" >>"$work/list"
if [ -f "$destdir$list" ]; then
    cp "$destdir$list" "$work/before"
    remove_listed "$work/before" "$work/list"
fi
put "$work/list" "$list"
