# What developers and CI run. "make help" lists it.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

# The context of a kubeconfig to use instead of a cluster of our own, such as kind-kind.
KUBE_CONTEXT ?=
# Names the end-to-end tests to run, as ginkgo's --focus does.
FOCUS ?=
# How long each fuzz target runs.
FUZZTIME ?= 200000x
# The name of the demo's cluster.
CLUSTER ?= mcpauth

export KUBE_CONTEXT FOCUS CLUSTER

TOOLS := go tool -modfile=hack/tools/go.mod

##@ Try it

.PHONY: demo
demo: ## Protect the sample MCP server in a cluster and let a real client tell the story
	@hack/demo.sh

.PHONY: demo-down
demo-down: ## Remove everything that the demo made
	@hack/demo.sh down

##@ Test

.PHONY: test
test: ## Everything: units, real clients, brief fuzzing, controllers on a real API server, the story on a cluster
	@hack/test.sh unit fuzz controllers e2e

.PHONY: test-unit
test-unit: ## Unit tests alone
	@hack/test.sh unit

.PHONY: test-controllers
test-controllers: ## Controllers and webhook on a real API server
	@hack/test.sh controllers

.PHONY: test-e2e
test-e2e: ## The end-to-end story on a one-node cluster or on KUBE_CONTEXT; FOCUS=... picks tests
	@hack/test.sh e2e

.PHONY: fuzz
fuzz: ## Every fuzz target, FUZZTIME (200000x runs) each
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: bench-authserver
bench-authserver: ## The authorization server's speed, as ratios, into docs/benchmarks.md
	@mkdir -p bin
	go build -o bin/bench-authserver ./test/bench/authserver
	bin/bench-authserver

.PHONY: bench-sidecar
bench-sidecar: ## The sidecar's speed and size, as ratios, into docs/benchmarks.md
	@mkdir -p bin
	go build -o bin/bench-sidecar ./test/bench/sidecar
	bin/bench-sidecar

.PHONY: bench-admission
bench-admission: ## What the webhook adds to the creation of a pod, into docs/benchmarks.md
	@mkdir -p bin
	go build -o bin/bench-admission ./test/bench/admission
	bin/bench-admission

##@ Build

.PHONY: build
build: ## All commands, into bin/
	go build -trimpath -o bin/ ./cmd/...

.PHONY: images
images: ## Container images as tarballs, into dist/images/
	go run ./hack/images -o dist/images

.PHONY: generate
generate: ## Deep copies, CustomResourceDefinitions, RBAC and the API reference from the Go types
	$(TOOLS) controller-gen object paths=./api/...
	$(TOOLS) controller-gen crd paths=./api/... output:crd:dir=config/crd
	$(TOOLS) controller-gen rbac:roleName=mcpauth-operator paths=./controllers/... output:rbac:dir=config/rbac
	$(TOOLS) crd-ref-docs --source-path=api/v1alpha1 --config=hack/api-docs/config.yaml --renderer=markdown --output-path=docs/api.md

##@ Keep it clean

.PHONY: fmt
fmt: ## gofmt on everything
	gofmt -w $$(git ls-files '*.go')

.PHONY: lint
lint: ## golangci-lint, with the import rules of the architecture
	@mkdir -p bin
	@GOFLAGS=-buildvcs=false go build -C hack/tools/lint -o $(CURDIR)/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	bin/golangci-lint run

.PHONY: verify
verify: generate lint ## Generated files current, modules tidy, lint clean
	go mod tidy
	git diff --exit-code

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
