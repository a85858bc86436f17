#!/usr/bin/env bash
# Builds the image for one or more architectures, and what belongs beside it; says what it did. Uploads and signs nothing.
#
#   docker/build.sh [--arch amd64,arm64] [--profile dist] [--tag localhost/agenticai:VERSION] [--output dist]
#
# Needs Rust, Python and buildah, and installs the rest into the cache of e2e/install.sh. In the container storage of this
# machine it leaves TAG-ARCH for each architecture, and TAG: the image itself, or a list of several. In the directory
# --output, for each architecture:
#
#   agenticai-VERSION-ARCH.oci.tar     the image as an OCI archive, for `podman load`, `skopeo copy` or an air gap
#   agenticai-VERSION-ARCH.cdx.json    its bill of materials (CycloneDX), read out of the finished image
#   agenticai-VERSION-ARCH.spdx.json   the same as SPDX
set -euo pipefail
cd "$(dirname "$0")/.."
. e2e/install.sh

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
archs=amd64,arm64 profile=dist tag=localhost/agenticai:$version output=dist
usage() { sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2; exit 2; }
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || usage
    case $1 in
    --arch) archs=$2 ;;
    --profile) profile=$2 ;;
    --tag) tag=$2 ;;
    --output) output=$2 ;;
    *) usage ;;
    esac
    shift 2
done
IFS=, read -ra archs <<<"$archs"

need buildah buildah && image_tools
# Whatever is dated is dated like the commit, so that building it again gives the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH AGENTICAI_PROFILE=$profile
revision=$(git rev-parse HEAD)
[ -z "$(git status --porcelain -- Cargo.toml Cargo.lock crates docker Dockerfile)" ] || revision+=-modified
mkdir -p "$output"
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

for arch in "${archs[@]}"; do
    began=$SECONDS
    docker/binary.sh "$arch" "$context/image/$arch"
    echo "binary for $arch, profile $profile: $((SECONDS - began)) s"
    # Only the last stage is built: what it copies out of the first one is given from outside.
    buildah bud --quiet --platform "linux/$arch" --build-context "build=$context" --timestamp "$SOURCE_DATE_EPOCH" \
        --identity-label=false --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
        --build-arg "CREATED=$(date --utc --date "@$SOURCE_DATE_EPOCH" +%FT%TZ)" --tag "$tag-$arch" . >/dev/null
    archive=$output/agenticai-$version-$arch
    rm -f "$archive.oci.tar"
    buildah push --quiet "$tag-$arch" "oci-archive:$archive.oci.tar:$tag"
    syft --quiet "oci-archive:$archive.oci.tar" --source-name agenticai --source-version "$version" \
        --output "cyclonedx-json=$archive.cdx.json" --output "spdx-json=$archive.spdx.json"
    echo "image for $arch: $tag-$arch, $(du -b "$archive.oci.tar" | cut -f1) bytes packed;" \
        "$archive.oci.tar, .cdx.json, .spdx.json"
done

buildah manifest rm "$tag" >/dev/null 2>&1 || true
if [ ${#archs[@]} = 1 ]; then
    buildah tag "$tag-${archs[0]}" "$tag"
    echo "$tag is the image for ${archs[0]}"
else
    buildah manifest create "$tag" "${archs[@]/#/$tag-}" >/dev/null
    echo "$tag is the list of the images for ${archs[*]}"
fi
