#!/bin/bash
# Load a table's exports into the services they are for, each in a throw-away environment.
#   bash tests/interop/consumers.sh data/demo.duckdb [promptshed]
set -euo pipefail
store=$1
promptshed=${2:-.venv/bin/promptshed}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

environment() {  # NAME REQUIREMENT…
  python3 -m venv "$work/$1"
  "$work/$1/bin/pip" install --quiet "${@:2}"
}
export_to() {  # FORMAT [OPTION…]
  $promptshed export --store "$store" --to "$1" -o "$work/out/$1" "${@:2}" >/dev/null
}

environment litellm 'litellm[semantic-router]==1.104.0'
export_to litellm
export_to litellm-plugin
export_to litellm-semantic --exemplars redacted
for form in litellm litellm-plugin litellm-semantic; do
  "$work/litellm/bin/python" -X faulthandler "$here/litellm_check.py" "$work/out/$form"
done

environment semantic-router semantic-router==1.1.1
export_to semantic-router --exemplars redacted
"$work/semantic-router/bin/python" -X faulthandler "$here/semantic_router_check.py" "$work/out/semantic-router"

environment vllm-sr vllm-sr==0.4.0
for exemplars in none redacted; do
  export_to vllm-sr --exemplars $exemplars
  "$work/vllm-sr/bin/vllm-sr" config validate --config "$work/out/vllm-sr/config.yaml"
done
