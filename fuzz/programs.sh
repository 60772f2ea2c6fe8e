#!/bin/sh
# Writes fuzz_targets/*.rs and their list in Cargo.toml anew from the table in ../src/fuzzing/mod.rs.
set -eu
cd "$(dirname "$0")"
names=$(sed -n 's/^    target("\([a-z0-9_]*\)",.*/\1/p' ../src/fuzzing/mod.rs)
rm -rf fuzz_targets
mkdir fuzz_targets
sed -i '/^# The list is written by programs.sh/,$d' Cargo.toml
echo '# The list is written by programs.sh.' >>Cargo.toml
for name in $names; do
    printf '#![no_main]\n\nsshwire_fuzz::fuzz!("%s");\n' "$name" >"fuzz_targets/$name.rs"
    printf '\n[[bin]]\nname = "%s"\npath = "fuzz_targets/%s.rs"\ntest = false\ndoc = false\nbench = false\n' \
        "$name" "$name" >>Cargo.toml
done
