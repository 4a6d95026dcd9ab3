# Drawbridge. `make` alone prints what can be made.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

BUILD    := build
BIN      := $(BUILD)/bin
TOOLS    := $(BUILD)/tools
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.0.0-dev)
TAGS     := grpcnotrace# golang.org/x/net/trace, which nobody looks at here, is a sixth of the agent
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.built=$(VERSION)
PROGRAMS := ./agent/cmd/drawbridge-agent ./coordinator/cmd/drawbridge-coordinator ./coordinator/cmd/drawbridge \
            ./plugins/cmd/drawbridge-connectors ./plugins/activedirectory/double/cmd/ad-double ./plugins/activedirectory/samba/cmd/ad-samba
export CGO_ENABLED := 0
export PATH := $(CURDIR)/$(TOOLS):$(PATH)

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: dashboard ## Build every program into build/bin, with the dashboard in the coordinator
	@mkdir -p $(BIN)
	go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $(BIN)/ $(PROGRAMS)

.PHONY: dashboard
dashboard: ## Build the pages that the coordinator embeds (npm; brought where it is missing and may be)
	@.ci/dashboard $(BUILD)
	@.ci/pickup $(BUILD)

.PHONY: windows
windows: ## Build the programs of the agent's side for Windows into build/windows
	@mkdir -p $(BUILD)/windows
	GOOS=windows GOARCH=amd64 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $(BUILD)/windows/ ./agent/cmd/drawbridge-agent ./plugins/cmd/drawbridge-connectors

.PHONY: demo
demo: build ## Show the main job on 1,000 workers (AD=samba: a real domain; ONCE=1: end after the table)
	@go run ./installer/demo $(if $(AD),-ad $(AD)) $(if $(ONCE),-once) -bin $(BIN) -dir $(BUILD)/demo

.PHONY: test
test: rigs static build ## Run every test; says at the end what was left out
	@mkdir -p $(BUILD)
	@.ci/test $(BUILD)/test.json

.PHONY: check
check: static quick ## Before each commit: format, vet, static checks, imports, quick tests, Windows build

.PHONY: quick
quick:
	go test -short ./...

.PHONY: static
static: format vet staticcheck imports windows-build proto-lint

.PHONY: format
format:
	@out=$$(gofmt -l agent coordinator plugins proto installer); [ -z "$$out" ] || { echo "not formatted (gofmt -w them):"; echo "$$out"; exit 1; }

.PHONY: vet
vet:
	go vet ./...

.PHONY: staticcheck
staticcheck: $(TOOLS)/staticcheck
	staticcheck ./...

.PHONY: imports
imports: ## Check which package may import which
	@.ci/imports

.PHONY: windows-build
windows-build:
	GOOS=windows GOARCH=amd64 go build ./...

.PHONY: wine
wine: ## Run the agent's tests as Windows programs under Wine (root; PKG="./agent/host …"; 1.5 GB below build)
	.ci/wine $(PKG)

.PHONY: proto-lint
proto-lint: $(TOOLS)/buf
	cd proto && buf lint && for release in testdata/*/; do buf breaking --against $${release}contracts.binpb; done

.PHONY: proto-release
proto-release: $(TOOLS)/buf ## Keep what goes over wires as RELEASE=x has it, for later ones to be compared with
	@[ -n "$(RELEASE)" ] && [ ! -e proto/testdata/$(RELEASE) ] || { echo "RELEASE must name one that is not there yet"; exit 2; }
	mkdir -p proto/testdata/$(RELEASE)
	cd proto && buf build -o testdata/$(RELEASE)/contracts.binpb --exclude-source-info && go test . -count=1 -release $(RELEASE)

.PHONY: stored-release
stored-release: ## Keep what RELEASE=x leaves on disks, for later ones to open
	@[ -n "$(RELEASE)" ] || { echo "RELEASE must name one that is not there yet"; exit 2; }
	go test ./agent ./agent/snapshot ./coordinator/rehearsal ./coordinator/store -run 'TestReleased|TestMigrations_releasedStay' -count=1 -release $(RELEASE)

.PHONY: generate
generate: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-go-grpc ## Generate the Go code of proto/
	cd proto && buf generate

.PHONY: verify-generated
verify-generated: generate ## Check that the generated code is what the contracts say
	git diff --exit-code -- proto

.PHONY: bench
bench: build ## Measure (RUN=name: one of them), side by side with what each compares with
	@go run ./installer/bench $(if $(RUN),-run $(RUN)) -bin $(BIN) -out $(BUILD)/bench.jsonl

.PHONY: large
large: rigs ## Run the kit on directories of 1,000,000 people (OpenLDAP, double of AD), which takes some minutes
	TEST_LARGE=1 go test ./plugins/ldap ./plugins/activedirectory -run TestLarge -count=1 -v -timeout 60m

.PHONY: chaos
chaos: rigs ## Break everything at random for long (KILLS=1000, SEED=n to play a run again, AD=samba) and count what is lost
	go test ./installer/chaos -count=1 -v -timeout 6h -chaos.kills $(or $(KILLS),1000) -chaos.people 300 -chaos.clocks $(if $(SEED),-chaos.seed $(SEED)) $(if $(AD),-chaos.domain $(AD)) -chaos.out $(CURDIR)/$(BUILD)/chaos.jsonl
	.ci/fuzz 30s

.PHONY: rigs
rigs: ## Install what the tests need (Debian packages, as root; npm packages below build)
	@.ci/rigs
	@.ci/npm-rig plugins/scim/scimmy $(BUILD)/scimmy
	@.ci/npm-rig coordinator/access/oidcrig $(BUILD)/oidc

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf $(BUILD)

$(TOOLS)/%: proto/tools.mod
	@mkdir -p $(TOOLS)
	@echo "building $*"
	@go build -modfile=proto/tools.mod -o $@ $$(awk -v t=$* '$$1 ~ "/"t"$$" {print $$1; exit}' proto/tools.mod)
	@touch $@
