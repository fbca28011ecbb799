"""Models of strangers: none reaches out of its folder, each bad one is refused with a reason."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mediamill.core.errors import ProviderRefused
from mediamill.media.models import folder as folders
from mediamill.media.models.folder import ModelFolder
from mediamill.media.models.models import Captioner, Classifier, Options
from mediamill.media.models.onnxfile import check_model, references
from mediamill.media.models.sessions import Session
from tests.providers.local.building import (
    classifier,
    decoder,
    tensor,
    weights,
    write_captioner,
    write_classifier,
)
from tests.providers.local.conftest import Exported


def elsewhere(location: str) -> onnx.TensorProto:
    """Return twelve numbers that lie in another file."""
    made = TensorProto(name="out", data_type=TensorProto.FLOAT, dims=[3, 4])
    made.data_location = TensorProto.EXTERNAL
    made.external_data.add(key="location", value=location)
    made.external_data.add(key="length", value="48")
    return made


def with_weights_at(location: str, *, hidden: str = "") -> onnx.ModelProto:
    """Return the classifier with its weights elsewhere, plainly or in a constant in a branch."""
    made = classifier()
    del made.graph.initializer[:]
    far = elsewhere(location)
    if not hidden:
        made.graph.initializer.append(far)
        return made
    constant = helper.make_node("Constant", [], ["chosen"], value=far)
    branch = helper.make_graph([constant], "branch", [], [tensor("chosen", [3, 4])])
    yes = numpy_helper.from_array(np.array(True), "yes")
    made.graph.initializer.append(yes)
    chosen = helper.make_node("If", ["yes"], ["out"], then_branch=branch, else_branch=branch)
    made.graph.node.insert(0, chosen)
    return made


@pytest.mark.parametrize("hidden", ["", "in a branch"])
@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "sub/../../secret", "link", "folder/secret"]
)
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str, hidden: str) -> None:
    folder = write_classifier(tmp_path / "model")
    (tmp_path / "secret").write_bytes(b"s" * 48)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "model.onnx").write_bytes(
        with_weights_at(location, hidden=hidden).SerializeToString()
    )
    assert references(folder / "model.onnx").external == {location}
    with pytest.raises(ProviderRefused, match="outside its folder"):
        Classifier(ModelFolder(folder), Options())


def test_weights_beside_the_model_are_read(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path)
    values = numpy_helper.to_array(classifier().graph.initializer[0])
    (folder / "model.onnx_data").write_bytes(values.tobytes())
    (folder / "model.onnx").write_bytes(with_weights_at("model.onnx_data").SerializeToString())
    Classifier(ModelFolder(folder), Options())
    both = sum((folder / name).stat().st_size for name in ("model.onnx", "model.onnx_data"))
    assert check_model(folder / "model.onnx", folder).size == both
    (folder / "model.onnx_data").unlink()
    with pytest.raises(ProviderRefused, match="not there"):
        Classifier(ModelFolder(folder), Options())


@pytest.mark.parametrize("domain", ["com.example", "ai.onnx.contrib", "org.pytorch.aten"])
def test_operators_of_others_are_refused(tmp_path: Path, domain: str) -> None:
    folder, made = write_classifier(tmp_path), classifier()
    made.graph.node.append(helper.make_node("Steal", ["logits"], ["more"], domain=domain))
    made.opset_import.append(helper.make_opsetid(domain, 1))
    onnx.save(made, folder / "model.onnx")
    with pytest.raises(ProviderRefused, match=rf"{domain}\.Steal.*not loaded"):
        Classifier(ModelFolder(folder), Options())


def test_functions_of_the_file_itself_are_no_operators_of_others(tmp_path: Path) -> None:
    folder, made = write_classifier(tmp_path), classifier()
    body = [helper.make_node("Identity", ["x"], ["y"])]
    opset = [helper.make_opsetid("", 17)]
    made.functions.append(helper.make_function("own", "Same", ["x"], ["y"], body, opset))
    made.opset_import.append(helper.make_opsetid("own", 1))
    made.graph.node[-1].output[0] = "before"
    made.graph.node.append(helper.make_node("Same", ["before"], ["logits"], domain="own"))
    onnx.save(made, folder / "model.onnx")
    assert references(folder / "model.onnx").foreign == []
    Classifier(ModelFolder(folder), Options())


def test_what_is_read_of_a_file_is_what_onnx_reads(exported: Exported) -> None:
    """Operators in graphs and in their branches, of the files that Optimum wrote."""
    for path in exported.folder.glob("*/*.onnx"):
        graphs, known = [onnx.load(path).graph], set()
        while graphs:
            for node in graphs.pop().node:
                known.add((node.domain, node.op_type))
                graphs += [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
        assert references(path).operators == known


def test_files_that_are_cut_off_or_no_models_are_refused(tmp_path: Path) -> None:
    whole, path = classifier().SerializeToString(), tmp_path / "model.onnx"
    draws = np.random.default_rng(1)
    bad = [b"", b"\0", b"<html></html>", b"\xff" * 100, draws.bytes(4096)]
    bad += [whole[: len(whole) * part // 10] for part in range(1, 10)]
    for data in bad:
        path.write_bytes(data)
        with pytest.raises(ProviderRefused, match=r"model\.onnx"):
            Session(path, tmp_path, 1)


def test_graphs_in_graphs_without_end_are_refused(tmp_path: Path) -> None:
    def field(number: int, data: bytes) -> bytes:
        size = bytes([len(data) & 0x7F | 0x80, len(data) >> 7 & 0x7F | 0x80, len(data) >> 14])
        return bytes([number << 3 | 2]) + size + data

    graph = b""
    for _ in range(1000):  # a branch of an attribute of a node of a graph
        graph = field(1, field(5, field(6, graph)))
    path = tmp_path / "model.onnx"
    path.write_bytes(field(7, graph))
    with pytest.raises(ProviderRefused, match="nested too deeply"):
        references(path)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    (folder / "model.onnx").rename(tmp_path / "model.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "model.onnx")
    with pytest.raises(ProviderRefused, match="link out of its folder"):
        Classifier(ModelFolder(folder), Options())


def test_a_folder_says_what_is_missing(tmp_path: Path) -> None:
    folder = write_captioner(tmp_path / "model", past=False)
    with pytest.raises(
        ProviderRefused, match=r"no model_int8\.onnx; ONNX files in it: decoder_model"
    ):
        ModelFolder(folder, "int8").captions()
    with pytest.raises(ProviderRefused, match="no variant"):
        ModelFolder(folder, "../x")
    with pytest.raises(ProviderRefused, match="no folder"):
        ModelFolder(tmp_path / "absent")
    (folder / "tokenizer.json").write_text('{"version": 3}')
    with pytest.raises(ProviderRefused, match=r"tokenizer\.json cannot be read"):
        Captioner(ModelFolder(folder), Options())
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ProviderRefused, match=r"no tokenizer\.json"):
        Captioner(ModelFolder(folder), Options())
    (folder / "generation_config.json").write_text("[1]")
    with pytest.raises(ProviderRefused, match=r"generation_config\.json"):
        Captioner(ModelFolder(folder), Options())


def test_a_variant_and_the_folder_of_the_hub_are_found(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    (folder / "onnx").mkdir()
    (folder / "model.onnx").rename(folder / "onnx" / "model_quantized.onnx")
    Classifier(ModelFolder(folder, "quantized"), Options())
    assert ModelFolder(folder, "quantized").fingerprint() != ModelFolder(folder).fingerprint()


@pytest.mark.parametrize("at", [0, -1])
def test_a_model_that_is_changed_has_another_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """At its beginning or its end, which is all that is read of one much larger."""
    monkeypatch.setattr(folders, "SAMPLE_BYTES", 32)
    folder = write_classifier(tmp_path / "model")
    before = ModelFolder(folder).fingerprint()
    assert ModelFolder(write_classifier(tmp_path / "same")).fingerprint() == before
    path = folder / "model.onnx"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert ModelFolder(folder).fingerprint() != before


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"id2label": {}}, "no id2label"),
        ({"id2label": {"0": "a", "2": "b"}}, "leaves numbers out"),
        ({"id2label": {"a": "b"}}, "no number"),
        ({"id2label": {"0": "a", "1": "b"}}, "score for each of the 2 labels"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, config: dict[str, object], why: str
) -> None:
    folder = write_classifier(tmp_path, **config)
    with pytest.raises(ProviderRefused, match=why):
        Classifier(ModelFolder(folder), Options())


def test_inputs_that_are_not_known_are_refused(tmp_path: Path) -> None:
    folder = write_captioner(tmp_path, past=True)
    made = decoder(weights(5), past=True)
    made.graph.input.append(tensor("secret_switch", ["batch"]))
    onnx.save(made, folder / "decoder_model_merged.onnx")
    with pytest.raises(ProviderRefused, match="secret_switch"):
        Captioner(ModelFolder(folder), Options())
    made = classifier()
    made.graph.input[0].name = "pictures"
    made.graph.node[0].input[0] = "pictures"
    other = write_classifier(tmp_path / "other")
    onnx.save(made, other / "model.onnx")
    with pytest.raises(ProviderRefused, match="pixel_values"):
        Classifier(ModelFolder(other), Options())
