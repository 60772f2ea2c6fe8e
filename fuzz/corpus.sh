#!/bin/sh
# Puts the seeds, and what the fixtures of the tests have to offer, into corpus/, which the fuzzers add to.
set -eu
cd "$(dirname "$0")"
keys=../tests/fixtures/keys

for folder in seeds/*/; do
    target=$(basename "$folder")
    mkdir -p "corpus/$target"
    cp -n "$folder"* "corpus/$target/"
done

# The bytes within the armour.
bare() { # FILE
    sed '/^-----/d; /:/d; /^$/d' "$1" | base64 -d
}

mkdir -p corpus/private_key corpus/public_key corpus/signature
for kind in openssh pkcs1 sec1 pkcs8; do
    mkdir -p "corpus/private_key_$kind"
    for file in "$keys"/*."$kind"*; do
        name=$(basename "$file")
        # A key of 9216 bits takes longer than all others together.
        case $name in rsa9216*) continue ;; esac
        cp -n "$file" "corpus/private_key/$name"
        test -e "corpus/private_key_$kind/$name" || bare "$file" >"corpus/private_key_$kind/$name"
    done
done
for file in "$keys"/*.pub; do
    cp -n "$file" "corpus/public_key/"
done
for file in "$keys"/*.sshsig; do
    cp -n "$file" "corpus/signature/"
done
