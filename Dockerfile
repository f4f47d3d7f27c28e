# The agent's image: two static programs, netwhy-agent and kubectl-netwhy, and their licences. `cargo xtask image` packs
# the same files without an engine.
#
#   docker build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" --tag netwhy-agent:0.1.0 .
#
# What compiles is pinned here, the crates in Cargo.lock; BuildKit takes the time of everything from SOURCE_DATE_EPOCH.
# The list of all crates in the image, as CycloneDX: docker build --target sbom --output . .
ARG RUST_VERSION=1.95.0
# By its content: a tag can be moved. `docker buildx imagetools inspect rust:1.95.0-slim-bookworm` prints the newest.
ARG BUILD_IMAGE=rust:${RUST_VERSION}-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082

FROM ${BUILD_IMAGE} AS build
ARG RUST_VERSION
# Compiles the kernel programs; LLVM, which the linker is built with, must not be older than this compiler's.
ARG EBPF_TOOLCHAIN=nightly-2026-05-19
ARG BPF_LINKER_VERSION=0.13.0
ARG LLVM=22
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
      build-essential ca-certificates musl-tools "llvm-${LLVM}-dev" "libpolly-${LLVM}-dev" zlib1g-dev libzstd-dev \
 && rm -rf /var/lib/apt/lists/*
# Instead of the channel in rust-toolchain.toml, which moves.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION} NETWHY_EBPF_TOOLCHAIN=${EBPF_TOOLCHAIN}
RUN rustup target add "$(uname -m)-unknown-linux-musl" \
 && rustup toolchain install "${EBPF_TOOLCHAIN}" --profile minimal --component rust-src \
 && LLVM_PREFIX="/usr/lib/llvm-${LLVM}" cargo install bpf-linker --version "${BPF_LINKER_VERSION}" --locked \
      --no-default-features --features "llvm-${LLVM}"
WORKDIR /netwhy
COPY . .
RUN cargo xtask image --root /image

FROM scratch AS sbom
COPY --from=build /image.cdx.json /netwhy-agent.cdx.json

FROM scratch
COPY --from=build /image/ /
ENV PATH=/usr/local/bin
# For what needs no privileges. To observe, the chart starts as root, and the agent becomes this user.
USER 65532:65532
EXPOSE 9810/tcp 9811/tcp
ENTRYPOINT ["/usr/local/bin/netwhy-agent"]
LABEL org.opencontainers.image.title="netwhy-agent" \
      org.opencontainers.image.description="Why is this Pod slow, and which Node is to blame? netwhy's node agent" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
