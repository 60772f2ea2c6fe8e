#!/bin/bash
# run.sh SECONDS JOBS PROGRAM TARGET...: runs fuzz targets and says how it went; results/TARGET has the last lines of
# each. Ends with 1 when anything was found.
set -u
cd "$(dirname "$0")" || exit 1
seconds=$1 jobs=$2 program=$3
shift 3
mkdir -p results artifacts

one() { # TARGET
    local target=$1 log=results/$1.log status
    mkdir -p "corpus/$target" "artifacts/$target"
    # Longer inputs cost time and find nothing that shorter ones do not.
    FUZZ_TARGET=$target nice -n "${NICE:-10}" "$program" "corpus/$target" -max_total_time="$seconds" -max_len="${MAX_LEN:-8192}" \
        -timeout=30 -rss_limit_mb=2048 -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        >"$log" 2>&1
    status=$?
    ./result.sh "$target" "$seconds" "$status" <"$log" >"results/$target"
    cat "results/$target"
    return $status
}
export -f one
export seconds program

# xargs ends with 123 when one of them failed.
printf '%s\n' "$@" | xargs -P "$jobs" -I{} bash -c 'one {}'
