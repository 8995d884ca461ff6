#!/usr/bin/env bash
# The results table of a public data set: each model, three seeds where it has any, then one table and one report.
# Usage: examples/results.sh NAME SOURCE OUT [evaluate options]      NAME: xmrec-wsdm22 or globo-news
set -euo pipefail

name=${1:?usage: examples/results.sh NAME SOURCE OUT}
source=${2:?usage: examples/results.sh NAME SOURCE OUT}
out=${3:?usage: examples/results.sh NAME SOURCE OUT}
here=$(dirname "${BASH_SOURCE[0]}")
settings=$here/settings/$name.yaml

if [ ! -e "$out/prepared" ]; then
    adi dataset "$name" --source "$source" --out "$out/tables"
    adi prepare "$out/tables" --out "$out/prepared"
fi

# A run that is complete is kept, so that an interrupted table goes on where it stopped.
run() {
    local model=$1 folder=$2
    shift 2
    [ -e "$folder/metrics.json" ] && return
    rm -rf "$folder"
    adi train "$out/prepared" --model "$model" --out "$folder" "$@"
    adi evaluate "$folder"
}

run popularity "$out/runs/popularity"
run item-knn "$out/runs/item-knn"
run item-knn "$out/runs/item-knn-domain" --set scope=domain
for model in dnn adi-se; do
    for seed in 0 1 2; do
        run "$model" "$out/runs/$model-$seed" --config "$settings" --seed "$seed"
    done
done

python "$here/table.py" "$out"/runs/*
adi report "$out"/runs/* --out "$out/report.html"
