# shrewd-indexer, for people with a container registry:
#   docker build --file images/indexer.Dockerfile --tag registry.example/shrewd-indexer:0.1.0 .
# images/pack makes an image of the same content where base images cannot be pulled.

# The toolchain of rust-toolchain.toml on the Debian release whose C library the last stage has.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
# clang and libclang: RocksDB's bindings are made while it is compiled.
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends clang cmake g++ libclang-dev make pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package indexer --bin shrewd-indexer \
 && strip --strip-debug target/release/shrewd-indexer

# C and C++ libraries, CA certificates, /tmp, and the user 65532; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/shrewd-indexer /usr/local/bin/shrewd-indexer
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/shrewd-indexer"]
