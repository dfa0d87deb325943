#!/usr/bin/env bash
# Runs every fuzz target of the project, each for the given budget: go test's
# -fuzztime. Prefer a number of runs (20000x) to a time: at the end of a time, the
# fuzzer of Go 1.26 now and then reports its own deadline as a failure of the target
# (go.dev/issue/75804).
set -euo pipefail
cd "$(dirname "$0")/.."
budget=${1:-200000x}
# limit ends a target that does not end by itself.
limit=${2:-1h}
grep -rl --include='*_test.go' '^func Fuzz' . | sort | while read -r file; do
	package=$(dirname "$file")
	grep -o '^func Fuzz[A-Za-z0-9_]*' "$file" | while read -r _ target; do
		echo "== $package $target"
		# Minimizing what is interesting is bounded by runs, too.
		timeout "$limit" go test -run '^$' -fuzz "^$target\$" -fuzztime "$budget" -fuzzminimizetime 100x "$package" </dev/null || {
			status=$?
			if [[ $status == 124 ]]; then
				echo "$package $target did not end within $limit" >&2
			fi
			exit "$status"
		}
	done
done
