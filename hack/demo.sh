#!/usr/bin/env bash
# Runs the demo, or removes it with "down". See "make help".
set -euo pipefail
cd "$(dirname "$0")/.."

cluster=${CLUSTER:-mcpauth}
context=${KUBE_CONTEXT:-}

mkdir -p bin
go build -o bin/ ./hack/cluster ./hack/images ./hack/demo

if [[ ${1:-} == down ]]; then
	if [[ -n $context ]]; then
		exec bin/demo --context "$context" --down
	fi
	exec bin/cluster down --name "$cluster"
fi

if [[ -n $context ]]; then
	case $context in
	kind-*) bin/images -o dist/images --kind "${context#kind-}" ;;
	*) echo "using the images mcpauth/*:dev that the nodes of context $context have" ;;
	esac
	exec bin/demo --context "$context"
fi

bin/cluster up --name "$cluster"
echo "images (compiling them for the first time takes some minutes)"
bin/images -o dist/images
bin/cluster load --name "$cluster" dist/images/*.tar
bin/cluster exec --name "$cluster" -- bin/demo
cat <<END
Look around   bin/cluster exec --name $cluster -- kubectl get mcpauth -A
Remove it     make demo-down
END
