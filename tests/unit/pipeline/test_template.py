from __future__ import annotations

import pytest

from quantune_mlir.errors import PassError
from quantune_mlir.files import resources
from quantune_mlir.pipeline.parser import Pipeline
from quantune_mlir.pipeline.template import fill_in, parameter_names

TEXT = "a{file=${file} mode=${mode=fast}},b{mode=${mode=fast}}"


def test_values_defaults_and_quotes() -> None:
    assert parameter_names(TEXT) == ["file", "mode"]
    assert fill_in(TEXT, {"file": "x.npz"}, name="p") == 'a{file="x.npz" mode=fast},b{mode=fast}'
    filled = fill_in(TEXT, {"file": 'my "x".npz', "mode": "slow"}, name="p")
    assert filled == 'a{file="my \\"x\\".npz" mode="slow"},b{mode="slow"}'


def test_text_without_parameters_stays() -> None:
    assert fill_in("a,b{c=1}", {}, name="p") == "a,b{c=1}"


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (TEXT, {}, "pipeline 'p': needs a value for file\nremedy: give --set file=..."),
        (TEXT, {"file": "x", "mod": "y"}, "pipeline 'p': no parameter 'mod'\nremedy: did you mean 'mode'?"),
        ("a", {"mode": "y"}, "pipeline 'p': no parameter 'mode'"),
    ],
)
def test_wrong_values(text: str, values: dict[str, str], expected: str) -> None:
    with pytest.raises(PassError) as caught:
        fill_in(text, values, name="p")
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    "name", [name for name in resources.pipelines() if name not in ("analyze", "kernels", "quantize")]
)
def test_named_pipelines_parse(name: str) -> None:
    text = fill_in(resources.pipeline_text(name), {}, name=name)
    assert len(Pipeline.parse(text).steps) > 1
