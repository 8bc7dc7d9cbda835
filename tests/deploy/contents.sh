#!/usr/bin/env bash
# Makes everything as for a release (deploy/packages/build), and holds the lists of what is inside against each other:
# the SBOM, the list in the binary, Cargo.lock; .deb and .rpm hold that binary. The tools are compiled when they
# are missing, so it takes minutes, and CI leaves it out. FIRSTPASS_PACKAGES=made: as made before.
# shellcheck source=tests/deploy/lib.sh
. "$(dirname "$0")/lib.sh"
for tool in python3 readelf dpkg-deb rpm2cpio cpio; do
  command -v "$tool" >/dev/null || skip "there is no $tool here (Debian: python3-venv binutils dpkg rpm2cpio cpio)"
done
[ "${FIRSTPASS_PACKAGES:-}" = made ] || env -u FIRSTPASS_BINARY deploy/packages/build

peer=$target/peers/sbom
list=tests/peers/sbom/requirements.txt
if ! cmp -s "$list" "$peer/made-of"; then
  mkdir -p "$peer"
  python3 -m venv "$peer/venv"
  "$peer/venv/bin/pip" install --quiet --no-compile --requirement "$list" || skip "the packages of $list are not to be had here"
  cp "$list" "$peer/made-of"
fi
binary=$target/release/firstpass
"$peer/venv/bin/python" tests/peers/sbom/judge.py "$target/packages/firstpass.cdx.json" "$binary"

digest() { sha256sum | cut -d' ' -f1; }
wanted=$(digest <"$binary")
deb=("$target"/packages/firstpass_*.deb)
rpm=("$target"/packages/firstpass-*.rpm)
in_deb=$(dpkg-deb --fsys-tarfile "${deb[0]}" | tar -xO ./usr/bin/firstpass | digest)
# rpm2cpio ends with 1 where a package does not tell the size of its archive, as this one does not; the digest decides.
in_rpm=$({ rpm2cpio "${rpm[0]}" || true; } | cpio --quiet -i --to-stdout ./usr/bin/firstpass | digest)
if [ "$in_deb $in_rpm" != "$wanted $wanted" ]; then
  echo "contents: FAILED: a package holds another program than $binary" >&2
  exit 1
fi
echo "contents: the .deb ($(stat -c %s "${deb[0]}") bytes) and the .rpm ($(stat -c %s "${rpm[0]}") bytes) hold that program ($(stat -c %s "$binary") bytes)"
