# The commands that a newcomer needs. Everything else is CMake: see docs/architecture.md.
BUILD ?= build
JOBS ?= $(shell nproc)
TEXT ?= README.md
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# Debian 12's packages. Elsewhere install their like by hand and name an MLIR 22 by MLIR_DIR=.
PACKAGES := g++ cmake ninja-build python3 libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools llvm-22 lld-22 zlib1g-dev libzstd-dev \
            libxml2-dev libcurl4-openssl-dev libedit-dev libffi-dev libfmt-dev catch2 libcli11-dev nlohmann-json3-dev

.PHONY: run test build setup clean

run: build
	$(BUILD)/compiler/tools/landmark/landmark demo --text $(TEXT)

test: build
	cd $(BUILD) && ctest --output-on-failure -j $(JOBS)

build: setup
	cmake -S . -B $(BUILD) -G Ninja $(if $(MLIR_DIR),-DMLIR_DIR=$(MLIR_DIR))
	cmake --build $(BUILD) -j $(JOBS)

# Installs only what is missing, and only where there is apt and no MLIR was named.
setup:
ifeq ($(MLIR_DIR),)
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  command -v apt-get >/dev/null || { echo "no apt-get here: install MLIR 22 and the like of $$missing, then make MLIR_DIR=..."; exit 1; }; \
	  $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; \
	fi
endif

clean:
	rm -rf $(BUILD)
