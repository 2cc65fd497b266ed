# shellcheck shell=bash disable=SC2034 # used by the scripts that source it
# What the recipes need of a machine; sourced, never run. README.md states the same figures.

# For what is compiled (RocksDB: clang, libclang, cmake, g++), packed (binutils, jq), checked (shellcheck), and for the
# node image (debootstrap).
PACKAGES=(binutils ca-certificates clang cmake curl debootstrap g++ git iproute2 jq libclang-dev make pkg-config shellcheck
  util-linux)
# Where there are no Debian packages: programs by which the equivalents are found.
PROGRAMS=(clang cmake curl g++ git jq make pkg-config shellcheck strip)
# What `make try` needs of these: to compile alone.
BUILD_PACKAGES=(clang cmake curl g++ git libclang-dev make pkg-config)
BUILD_PROGRAMS=(clang cmake curl g++ git make pkg-config)
CLUSTER_TOOLS=(kind kubectl helm kubeconform)     # built with Go, or taken from PATH
GO_NEEDED=1.26                                    # the oldest Go that builds the cluster's programs without fetching another
KERNEL_NEEDED=5.13                                # the first one whose nftables kube-proxy can use
CLUSTER_PORT=8080                                 # kind-config.yaml opens it where the engine's ports are
LOCAL_PORTS="18443 8080 9090"                     # scripts/demo-local: node, views, ops
TRY_VIEWS_PORT=${TRY_VIEWS_PORT:-8080}            # scripts/try
TRY_OPS_PORT=${TRY_OPS_PORT:-9090}
TRY_PORTS="$TRY_VIEWS_PORT $TRY_OPS_PORT"
MEMORY_GIB=8                                      # two compilers of 2 GiB each beside a cluster of 1 GiB and its tests
BUILD_GIB=12                                      # target: everything in the release profile, with line tables
CACHE_GIB=18                                      # node image, the engine's data, Go's caches, the cargo registry
BUILT_GIB=5                                       # what a run adds when all of that is there
