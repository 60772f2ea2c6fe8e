#!/bin/sh
# result.sh TARGET SECONDS STATUS <LOG: one line: target, seconds, executions, edges, features, inputs kept, outcome.
set -eu
awk -v target="$1" -v seconds="$2" -v status="$3" '
    / cov: [0-9]+ ft: [0-9]+ corp: / {
        for (i = 1; i < NF; i++) {
            if ($i == "cov:") cov = $(i + 1)
            if ($i == "ft:") ft = $(i + 1)
            if ($i == "corp:") { corp = $(i + 1); sub("/.*", "", corp) }
        }
    }
    /^stat::number_of_executed_units:/ { runs = $2 }
    /SUMMARY|panicked at|ERROR: libFuzzer/ && !found { found = $0 }
    END {
        if (status == 0) found = "nothing"
        printf "%-26s %6d s %12d runs %6d edges %7d features %6d inputs  %s\n", target, seconds, runs, cov, ft, corp, found
    }'
