#!/bin/bash
# The operator's image without any registry: Python and what it needs from Debian's packages, the rest from requirements.lock.
# No shell and no package manager are in it. Runs as root, on Debian with buildah and mmdebstrap; `make image` calls it.
#
#   image/build.sh WHEEL OUT    writes OUT/breakeven-VERSION.oci.tar and OUT/breakeven-VERSION.cdx.json (CycloneDX)
set -euo pipefail
wheel=$1 out=$2
root=$(cd "$(dirname "$0")/.." && pwd)
version=$(basename "$wheel" | cut -d- -f2)
python=python3.11
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
uv=$root/.venv/bin/uv

echo "image: Debian's packages"
mmdebstrap --quiet --mode=root --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
  --include=$python-minimal,lib$python-stdlib,ca-certificates,netbase,tzdata \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --extract-hook='for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb --field "$deb"; echo; done > "$1/var/lib/dpkg/status"' \
  bookworm "$work/base" "$root/image/sources.list"

# What the packages' own scripts would do: extracted packages are not installed, and dpkg knows nothing of them.
cat "$work"/base/usr/share/ca-certificates/mozilla/*.crt > "$work/base/etc/ssl/certs/ca-certificates.crt"
find "$work/base/usr/bin/" "$work/base/usr/sbin/" -mindepth 1 ! -name $python -delete

echo "image: the operator and requirements.lock"
home=$work/base/opt/breakeven
site=$home/lib/$python/site-packages
mkdir -p "$site" "$home/bin"
ln -s /usr/bin/$python "$home/bin/python"
printf 'home = /usr/bin\ninclude-system-site-packages = false\n' > "$home/pyvenv.cfg"
printf '#!/opt/breakeven/bin/python\nfrom breakeven.cli.main import main\n\nmain()\n' > "$home/bin/breakeven"
chmod 755 "$home/bin/breakeven"
install=("$uv" pip install --quiet --target "$site" --python-version 3.11 --only-binary :all: --link-mode copy)
"${install[@]}" --require-hashes -r "$root/requirements.lock"
"${install[@]}" --no-deps "$wheel"
rm -rf "$site/bin"
# Its root file system is read-only, so what is not compiled now is compiled at every start.
chroot "$work/base" /opt/breakeven/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/breakeven/lib

echo "image: list of parts"
"$uv" tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --output-reproducible --of JSON \
  -o "$work/python.json" "$root/requirements.lock"
"$root/.venv/bin/python" "$root/image/parts.py" "$work/python.json" "$work/base/var/lib/dpkg/status" "$version" \
  > "$out/breakeven-$version.cdx.json"
grep -q "pkg:deb/debian/$python-minimal@" "$out/breakeven-$version.cdx.json"

echo "image: packing"
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/base" / > /dev/null
buildah config --user 65532:65532 --port 8080 --workingdir / --env PYTHONDONTWRITEBYTECODE=1 --env PYTHONUNBUFFERED=1 \
  --env PATH=/opt/breakeven/bin:/usr/bin --entrypoint '["/opt/breakeven/bin/breakeven"]' --cmd run \
  --label org.opencontainers.image.title=breakeven --label "org.opencontainers.image.version=$version" \
  --label "org.opencontainers.image.revision=$(git -C "$root" rev-parse HEAD)" --label org.opencontainers.image.licenses=Apache-2.0 \
  "$container"
echo "image: $(buildah run "$container" -- /opt/breakeven/bin/breakeven --version)"
buildah run "$container" -- /opt/breakeven/bin/breakeven --help > /dev/null
buildah run "$container" -- /opt/breakeven/bin/python -c 'import os; assert os.getuid() == 65532; assert not os.access("/opt", os.W_OK)'
buildah run "$container" -- /opt/breakeven/bin/python -c 'import ssl; assert ssl.create_default_context().get_ca_certs()'
buildah commit --quiet --rm --timestamp "$SOURCE_DATE_EPOCH" "$container" "oci-archive:$out/breakeven-$version.oci.tar:breakeven:$version"
echo "image: $out/breakeven-$version.oci.tar"
