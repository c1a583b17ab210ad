"""How models are named to people."""

import pytest

from breakeven.api.names import spoken_model


@pytest.mark.parametrize(
    ("model", "spoken"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("/mnt/models/team/draft-1b", "draft-1b"),
        ("/mnt/models/draft-1b/", "draft-1b"),
        ("./draft", "draft"),
        ("/cache/hub/models--org--small-1b/snapshots/0a1b2c", "org/small-1b"),
        ("/", "/"),
    ],
)
def test_a_local_checkpoint_is_named_by_its_last_folder(model: str, spoken: str) -> None:
    assert spoken_model(model) == spoken
