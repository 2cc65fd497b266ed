# shrewd-operator, for people with a container registry:
#   docker build --file images/operator.Dockerfile --tag registry.example/shrewd-operator:0.1.0 .
# images/pack makes an image of the same content where base images cannot be pulled.

# The toolchain of rust-toolchain.toml on the Debian release whose C library the last stage has.
FROM docker.io/library/rust:1.95.0-slim-bookworm AS build
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends g++ make pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package operator --bin shrewd-operator \
 && strip --strip-debug target/release/shrewd-operator

# C library, CA certificates, /tmp, and the user 65532; no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/shrewd-operator /usr/local/bin/shrewd-operator
USER 65532:65532
WORKDIR /
ENTRYPOINT ["/usr/local/bin/shrewd-operator"]
