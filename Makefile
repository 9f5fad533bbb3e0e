# OrderFlow. `make help` lists the targets.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

LOCAL   := go run ./hack/local
LDFLAGS := -s -w
PROGRAMS := ./cmd/manager ./cmd/worker ./test/cmd/shop ./test/cmd/stub
GOTEST  := go test -race -timeout 20m
# A cluster with the images, for as long as the recipe that begins with it: however that ends, nothing is left, or it fails.
CLUSTER := trap 'status=$$?; $(LOCAL) down || status=1; exit $$status' EXIT; $(LOCAL) up && $(LOCAL) image build &&

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build
.PHONY: build
build: ## build manager, worker and the test images' programs into bin/
	@mkdir -p bin
	CGO_ENABLED=0 GOOS=linux go build -trimpath -ldflags "$(LDFLAGS)" -o bin/ $(PROGRAMS)

.PHONY: generate
generate: ## regenerate deepcopy code, CRDs and RBAC
	go tool controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/v1alpha1/...
	go tool controller-gen crd paths=./api/v1alpha1/... output:crd:artifacts:config=config/crd/bases
	go tool controller-gen rbac:roleName=manager paths=./controllers/... output:rbac:artifacts:config=config/rbac/role

##@ Check
.PHONY: verify
verify: lint ## fail if generated files are stale, go.mod is untidy, or a linter complains
	hack/verify.sh

.PHONY: lint
lint: bin/lint ## run the linters
	bin/lint run ./...

bin/lint: hack/tools/go.mod
	go build -C hack/tools -o ../../bin/lint sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter

.PHONY: reproducible
reproducible: ## build manager and worker in two places and fail if they differ; ANEW=1 compiles everything twice
	hack/reproducible.sh

.PHONY: vulnerable
vulnerable: bin/govulncheck ## fail if the product calls code with a known vulnerability; asks vuln.go.dev
	bin/govulncheck ./cmd/...

bin/govulncheck: hack/govulncheck/go.mod
	go build -C hack/govulncheck -o ../../bin/govulncheck golang.org/x/vuln/cmd/govulncheck

.PHONY: test
test: ## obtain what is needed (etcd, kube-apiserver, RocketMQ) and run all tests but e2e
	$(LOCAL) exec -with rocketmq,assets -- $(GOTEST) $$(go list ./... | grep -vE '/test/(e2e|fault|bench|bench/control)$$')

.PHONY: admission
admission: ## apply what test/invalid has to a real API server, and print how many checks of the CRDs refuse something of it
	$(LOCAL) exec -with assets -- go test -count 1 -v -run '^TestAdmission$$' ./test/admission

.PHONY: e2e
e2e: build ## run the product on a real cluster, from apply to delete
	$(CLUSTER) go test -timeout 30m -v -skip '^TestControlPlane$$' ./test/e2e

.PHONY: reliability
reliability: build ## disturb the control plane of a real cluster while orders are paid, about 15 minutes; DISTURBANCE=name for one of them
	$(CLUSTER) go test -timeout 40m -v -run '^TestControlPlane$$/$(DISTURBANCE)' ./test/e2e

.PHONY: fuzz
fuzz: ## run every fuzz target for a minute
	hack/fuzz.sh

.PHONY: faults
faults: ## bring about every fault that must lose nothing, about 15 minutes; FAULT=name for one of them
	$(LOCAL) exec -with rocketmq -- go test -count 1 -timeout 40m -parallel 8 -v -run '^TestFaults$$/$(FAULT)' ./test/fault

.PHONY: soak
soak: ## pay a million orders while a fault strikes every 20 s; MESSAGES=n for fewer, SEED=n for faults seen before
	$(LOCAL) exec -with rocketmq -- go test -count 1 -timeout 2h -v -run '^TestSoak$$' ./test/fault -soak.messages $(or $(MESSAGES),1000000) -soak.seed $(or $(SEED),0)

##@ Run
.PHONY: up
up: ## bring up a Kubernetes and a RocketMQ; prints the KUBECONFIG
	$(LOCAL) up

.PHONY: down
down: ## remove them, with nothing left behind
	$(LOCAL) down

.PHONY: deploy
deploy: build ## build the images, load them and install OrderFlow on the cluster of `make up`
	$(LOCAL) image build
	env=$$($(LOCAL) env) && eval "$$env" && kubectl apply --server-side -k config/local

.PHONY: demo
demo: build ## watch the experiment OrderFlow exists for, about 3 minutes; KEEP=1 leaves everything up
	$(if $(KEEP),$(LOCAL) up && $(LOCAL) image build &&,$(CLUSTER)) go run ./test/cmd/demo

##@ Measure
.PHONY: bench-demo
bench-demo: build ## pay latency with SMS slow and dead against healthy, in shuffled rounds
	$(CLUSTER) go run ./test/cmd/demo -bench

.PHONY: bench-runtime
bench-runtime: ## the data plane against the official clients, on a real broker; BENCH=name for one of the comparisons
	$(LOCAL) exec -- go test -count 1 -timeout 90m -v -run '^TestRuntime$$/$(BENCH)' ./test/bench

.PHONY: bench-control
bench-control: ## the operator with thousands of objects against a raw client, on a real API server; BENCH=name for a part, GROUPS=n for fewer
	$(LOCAL) exec -with assets -- go test -count 1 -timeout 60m -v -run '^TestControl$$/$(BENCH)' ./test/bench/control $(if $(GROUPS),-control.groups $(GROUPS))

.PHONY: evidence
evidence: ## recompute the figures of out/*.json from their samples and print them beside their goals
	go run ./hack/evidence
