#!/usr/bin/env bash
# Install the peers that `routers.py --peers` compares with, in an environment of their own.
set -eu
folder="${1:-data/peers}"
python3 -m venv "$folder"
"$folder/bin/pip" install -q 'saverouter==0.1.0' 'paretobandit==0.1.1'
# Its clustering and cluster table need none of its dependencies, which bring PyTorch along.
"$folder/bin/pip" install -q --no-deps 'cre-router==0.6.3'
# llmrouter-lib is left out: it imports PyTorch throughout, routes only texts that it encodes itself
# with Longformer weights from a hub, and names one model without a score to trade against cost.
echo "peers: $folder/bin/python"
