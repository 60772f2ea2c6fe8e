#!/bin/sh
# Writes fuzz_targets/ and the list in Cargo.toml anew from the table in ../src/fuzzing/mod.rs.
set -eu
cd "$(dirname "$0")"
names=$(./names.sh)

bin() { # NAME
    printf '\n[[bin]]\nname = "%s"\npath = "fuzz_targets/%s.rs"\ntest = false\ndoc = false\nbench = false\n' "$1" "$1" \
        >>Cargo.toml
}

find fuzz_targets -name '*.rs' ! -name any.rs -delete
sed -i '/^# The list is written by programs.sh/,$d' Cargo.toml
echo '# The list is written by programs.sh.' >>Cargo.toml
bin any
for name in $names; do
    printf '#![no_main]\n\nsshwire_fuzz::fuzz!("%s");\n' "$name" >"fuzz_targets/$name.rs"
    bin "$name"
done
