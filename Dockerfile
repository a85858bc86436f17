# The image: one static binary, the certificates of the public authorities, an empty data directory.
#
# docker/build.sh builds it with binaries that were built outside, for both architectures and with a bill of materials.
# Where nothing but a container engine is at hand, this does everything:
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" .
#
# The base is pinned by version. A release that must be built again bit for bit pins its digest as well:
# --build-arg RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm@sha256:…
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-slim-bookworm

# The compiler runs on the builder's own architecture, and builds for the one that is asked for.
FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS build
# Of Debian only what fetches the tools: nothing of it gets into the image.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/tools/bin:$PATH
COPY docker/requirements.txt /opt/requirements.txt
RUN python3 -m venv /opt/tools && \
    /opt/tools/bin/pip install --no-cache-dir --no-deps --only-binary :all: -r /opt/requirements.txt && \
    cargo install --locked --root /opt/tools cargo-auditable@0.7.7
WORKDIR /agenticai
COPY . .
ARG TARGETARCH SOURCE_DATE_EPOCH
RUN docker/binary.sh "$TARGETARCH" "/image/$TARGETARCH"

FROM scratch
ARG TARGETARCH SOURCE_DATE_EPOCH
ARG VERSION=0.1.0 REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="agenticai" \
    org.opencontainers.image.description="Durable LLM agents: one binary whose roles are subcommands" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.created="${CREATED}"
COPY --from=build /image/${TARGETARCH}/root/ /
# What `up` needs; the roles of a cluster write to no file.
COPY --from=build --chown=65532:65532 /image/${TARGETARCH}/data/ /var/lib/
ENV AGENTICAI_DATA_DIR=/var/lib/agenticai
USER 65532:65532
EXPOSE 8000 9090
ENTRYPOINT ["/agenticai"]
CMD ["--help"]
