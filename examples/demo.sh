#!/usr/bin/env bash
# From the logs of three domains to each domain's top-K: four models on a simulated marketplace, side by side.
# Usage: examples/demo.sh OUT      (`make demo` runs it with OUT = demo)
set -euo pipefail

out=${1:?usage: examples/demo.sh OUT}
if [ -e "$out" ]; then
    echo "$out exists. Remove it, or name another folder." >&2
    exit 2
fi

step() {
    echo
    echo "\$ $*"
    "$@"
}

# Logs, feature tables and a schema.yaml that says what they mean. With your own tables, start at the next line.
step adi simulate "$out/marketplace"
step adi prepare "$out/marketplace/schema.yaml" --out "$out/prepared"

# Two baselines that count, one model that is blind to domain structure, and ADI with SE-blocks.
runs=()
for model in popularity item-knn dnn adi-se; do
    run="$out/runs/$model"
    short=()
    if [ "$model" = dnn ] || [ "$model" = adi-se ]; then
        short=(--set epochs=4) # a demo is short; without it a training goes on as long as validation rises
    fi
    step adi train "$out/prepared" --model "$model" --out "$run" --seed 0 "${short[@]}"
    step adi evaluate "$run"
    runs+=("$run")
done

# What it takes to serve it: user towers, an index of each domain's items, checked against the run.
step adi export "$out/runs/adi-se" --out "$out/bundle"

# The same user in each domain: other corpora, other interests, other items.
for domain in search feed cart; do
    step adi retrieve "$out/bundle" --domain "$domain" --user 1 -k 5
done

# All of it side by side.
step adi report "${runs[@]}" --out "$out/report.html"
step python "$(dirname "${BASH_SOURCE[0]}")/table.py" "${runs[@]}"
