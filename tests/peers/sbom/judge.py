"""Holds the lists of what is inside the program against each other: judge.py SBOM BINARY.

The SBOM has to be CycloneDX 1.5 by its strict schema, name this version, every crate with licence and the digest
of Cargo.lock, and no folder of the machine that made it. The list that cargo auditable put into the binary has to
name the same crates. Run by tests/deploy/contents.sh; needs `readelf`.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def fail(what):
    sys.exit(f"contents: FAILED: {what}")


def inside(binary):
    """The packages of the section .dep-v0: zlib over JSON."""
    headers = subprocess.run(["readelf", "-SW", binary], check=True, capture_output=True, text=True).stdout
    found = re.search(r"\.dep-v0\s+PROGBITS\s+\S+\s+(\S+)\s+(\S+)", headers)
    if not found:
        fail(f"{binary} holds no list of its crates; cargo auditable puts it there")
    start, length = (int(number, 16) for number in found.groups())
    return json.loads(zlib.decompress(Path(binary).read_bytes()[start : start + length]))["packages"]


def names(packages):
    return {(package["name"], package["version"]) for package in packages}


def main(sbom, binary):
    text = Path(sbom).read_text()
    validator = JsonStrictValidator(SchemaVersion.V1_5)
    if error := validator.validate_str(text):
        fail(f"not CycloneDX 1.5: {str(error).splitlines()[0]}")
    if not validator.validate_str(text.replace('"bomFormat"', '"format"', 1)):
        fail("the schema takes anything")

    for folder in ("file:", os.getcwd(), str(Path.home()) + "/", "/registry/src/"):
        if folder in text:
            fail(f"the SBOM names {folder}")

    bom = json.loads(text)
    if (bom["bomFormat"], bom["specVersion"]) != ("CycloneDX", "1.5"):
        fail(f"it says to be {bom['bomFormat']} {bom['specVersion']}")
    lock = {(one["name"], one["version"]): one for one in tomllib.loads(Path("Cargo.lock").read_text())["package"]}
    version = tomllib.loads(Path("Cargo.toml").read_text())["package"]["version"]
    itself = bom["metadata"]["component"]
    if (itself["name"], itself["version"], itself["purl"]) != ("firstpass", version, f"pkg:cargo/firstpass@{version}"):
        fail(f"it is the SBOM of {itself}")

    components = bom["components"]
    for one in components:
        locked = lock.get((one["name"], one["version"]))
        if not locked or one["hashes"][0]["content"] != locked["checksum"]:
            fail(f"{one['name']} {one['version']} is not what Cargo.lock names")
        if not one.get("licenses"):
            fail(f"{one['name']} has no licence")
    known = [itself["bom-ref"], *(one["bom-ref"] for one in components)]
    if len(known) != len(set(known)):
        fail("two components with one bom-ref")
    for one in bom["dependencies"]:
        for ref in (one["ref"], *one.get("dependsOn", [])):
            if ref not in known:
                fail(f"{ref} is a dependency and no component")

    packages = inside(binary)
    crates = [one for one in packages if not one.get("root")]
    if names(crates) != names(components):
        fail(f"in one list only: {sorted(names(crates) ^ names(components))}")
    if [one["version"] for one in packages if one.get("root")] != [version]:
        fail("the binary is of another version")
    n_build = sum(one.get("kind") == "build" for one in crates)
    print(
        f"contents: firstpass {version}: CycloneDX 1.5, {len(components)} crates, each with licence and the digest of "
        f"Cargo.lock, no folder of this machine; the binary names the same, {len(crates) - n_build} in it and {n_build} "
        "that built it"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
