"""Pack what krew installs: the wheel and the script that runs it, and the manifest with address and checksum of that.

python manifests/krew/package.py WHEEL URI OUT: URI is the folder that the archive will be downloaded from.
"""

import hashlib
import sys
import tarfile
from pathlib import Path

import yaml

HERE = Path(__file__).parent
SCRIPT = "kubectl-breakeven"


def package(wheel: Path, uri: str, out: Path) -> tuple[Path, Path]:
    """Write archive and manifest into a folder and return their paths."""
    archive = out / f"{wheel.name.removesuffix('-py3-none-any.whl')}-krew.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for path in (HERE / SCRIPT, wheel):
            packed.add(path, arcname=path.name)
    manifest = yaml.safe_load((HERE / "breakeven.yaml").read_text(encoding="utf-8"))
    (platform,) = manifest["spec"]["platforms"]
    platform["uri"] = f"{uri.rstrip('/')}/{archive.name}"
    platform["sha256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    manifest["spec"]["version"] = f"v{wheel.name.split('-')[1]}"
    written = out / "breakeven.yaml"
    written.write_text(yaml.safe_dump(manifest, sort_keys=False), encoding="utf-8")
    return archive, written


if __name__ == "__main__":
    wheel, uri, out = sys.argv[1:]
    for path in package(Path(wheel), uri, Path(out)):
        sys.stdout.write(f"{path}\n")
