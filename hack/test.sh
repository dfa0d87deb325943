#!/usr/bin/env bash
# Runs the named parts of the tests: unit, fuzz, controllers, e2e. "make test" runs all.
set -euo pipefail
cd "$(dirname "$0")/.."

# The cluster that the end-to-end tests start has this name, so that a demo's goes on beside it.
E2E_CLUSTER=mcpauth-e2e

step() { printf '\n== %s\n' "$*"; }

unit() {
	step "unit tests"
	# shellcheck disable=SC2046
	go test -timeout 15m $(go list ./... | grep -v -e '/controllers$' -e '/test/e2e$')
	step "the authorization server again, on PostgreSQL"
	MCPAUTH_TEST_DATABASE=postgresql go test -timeout 15m ./authserver
}

fuzz() {
	step "fuzzing, briefly; make fuzz does it at length"
	hack/fuzz.sh 20000x 5m
}

controllers() {
	step "controllers and webhook on a real API server"
	KUBEBUILDER_ASSETS=$(go run ./hack/cluster binaries --only envtest)
	export KUBEBUILDER_ASSETS
	go test -timeout 15m ./controllers ./cmd/operator ./test/bench/admission
	go test -timeout 15m -count=1 ./test/admission # kubectl reads config, which Go's cache does not see
}

e2e() {
	step "end to end"
	mkdir -p bin
	go build -o bin/ ./hack/cluster ./hack/images
	go test -c -o bin/e2e.test ./test/e2e
	local context=${KUBE_CONTEXT:-}
	if [[ -z $context ]] && ! reason=$(bin/cluster can-run); then
		context=$(kubectl config get-contexts -o name 2>/dev/null | grep -m1 '^kind-' || true)
		if [[ -z $context ]]; then
			echo "skipped: the end-to-end tests, because $reason and KUBE_CONTEXT names no cluster"
			return
		fi
	fi
	if [[ -n $context ]]; then
		load_images "$context"
		MCPAUTH_E2E_CONTEXT=$context bin/e2e.test -test.timeout 30m -ginkgo.v -ginkgo.focus "${FOCUS:-}"
		return
	fi
	# Whatever happens, the cluster does not outlive the tests.
	trap 'bin/cluster down --name "$E2E_CLUSTER"' EXIT
	bin/cluster up --name "$E2E_CLUSTER"
	step "images"
	bin/images -o dist/images
	bin/cluster load --name "$E2E_CLUSTER" dist/images/*.tar
	go run ./test/clients/cmd/install # npm packages: the cluster's network cannot reach a registry
	bin/cluster exec --name "$E2E_CLUSTER" -- bin/e2e.test -test.timeout 30m -ginkgo.v -ginkgo.focus "${FOCUS:-}"
}

load_images() {
	case $1 in
	kind-*) bin/images -o dist/images --kind "${1#kind-}" ;;
	*) echo "using the images mcpauth/*:dev that the nodes of context $1 have" ;;
	esac
}

for part in "$@"; do
	"$part"
done
