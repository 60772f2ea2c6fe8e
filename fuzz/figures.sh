#!/bin/sh
# figures.sh TARGET...: writes the results of the last runs into the table of docs/internals/fuzzing.md. What was not
# run here keeps its row.
set -eu
cd "$(dirname "$0")"
page=../docs/internals/fuzzing.md
table=$(mktemp)
trap 'rm -f "$table"' EXIT
{
    echo '| target | seconds | executions | edges | features | most memory of an input | found |'
    echo '|---|---:|---:|---:|---:|---:|---|'
    for target in "$@"; do
        if ! test -f "results/$target"; then
            # The row of an earlier run stays. The page has another table with a row for each target.
            sed -n '/<!-- figures -->/,/<!-- end -->/p' "$page" | grep "^| \`$target\` |" || true
            continue
        fi
        awk '{
            found = $14
            for (i = 15; i <= NF; i++) found = found " " $i
            memory = $12 > 0 ? $12 " KiB" : "-"
            printf "| `%s` | %d | %d | %d | %d | %s | %s |\n", $1, $2, $4, $6, $8, memory, found
        }' "results/$target"
    done
} >"$table"
awk -v table="$table" '
    /<!-- figures -->/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
    /<!-- end -->/ { skip = 0 }
    !skip' "$page" >"$page.new"
mv "$page.new" "$page"
