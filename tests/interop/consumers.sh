#!/bin/bash
# Load a table's exports into the services they are for, and batch files into the providers' own
# types, each in a throw-away environment.
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

environment providers openai==3.57.0 anthropic==2.14.0 mistralai==3.7.0 google-genai==3.6.1
cat >"$work/chats.jsonl" <<'END'
{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]}
{"messages": [{"role": "developer", "content": "In JSON."}, {"role": "user", "content": "A colour"}]}
{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Write a poem — 漢字 🙂"}]}
{"messages": [{"role": "user", "content": [{"type": "text", "text": "Describe"}, {"type": "text", "text": "this"}]}]}
END
printf 'system: You are brief.\nmax_tokens: 512\ntemperature: 0.2\n' >"$work/request.yml"
$promptshed route "$work/chats.jsonl" -o "$work/routed.jsonl" --store "$store"
for form in openai anthropic gemini mistral; do
  $promptshed batch emit "$work/routed.jsonl" --to $form-batch -o "$work/batches/$form" \
    --request "$work/request.yml" --store "$store"
done
PYTHONPATH="$here/../.." "$work/providers/bin/python" "$here/batch_check.py" "$work"/batches/*
