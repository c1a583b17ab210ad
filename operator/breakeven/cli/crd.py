"""`breakeven crd`: the CustomResourceDefinition, from the models of this release."""

from pathlib import Path
from typing import Annotated

import typer


def crd(
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            exists=True,
            help="Write crds/, its copies in the chart and manifests/install, and docs/reference.md below this root.",
        ),
    ] = None,
) -> None:
    """Print the CustomResourceDefinition of this release.

    Example: `breakeven crd | kubectl apply --server-side -f -`
    """
    from breakeven.api.publish import crd_yaml, published

    if write is None:
        typer.echo(crd_yaml(), nl=False)
        return
    for name, text in published().items():
        path = write / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}")
