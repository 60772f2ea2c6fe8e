#!/bin/sh
# figures.sh TARGET...: writes the results of the last runs into the table of docs/internals/fuzzing.md.
set -eu
cd "$(dirname "$0")"
page=../docs/internals/fuzzing.md
table=$(mktemp)
trap 'rm -f "$table"' EXIT
{
    echo '| target | seconds | executions | edges | features | found |'
    echo '|---|---:|---:|---:|---:|---|'
    for target in "$@"; do
        test -f "results/$target" || continue
        sed -E 's/^(\S+) +([0-9]+) s +([0-9]+) runs +([0-9]+) edges +([0-9]+) features +[0-9]+ inputs +(.*)$/| `\1` | \2 | \3 | \4 | \5 | \6 |/' \
            "results/$target"
    done
} >"$table"
awk -v table="$table" '
    /<!-- figures -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
    /<!-- end -->/ { skip = 0 }
    !skip' "$page" >"$page.new"
mv "$page.new" "$page"
