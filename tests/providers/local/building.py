"""Small ONNX models built node by node: a captioner whose arithmetic is simple, and bad ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY, SIZE, SIDE, END = 12, 4, 6, 11
OPSET = [helper.make_opsetid("", 17)]


def weights(seed: int) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    shapes = {"picture": (3, SIZE), "words": (VOCABULARY, SIZE), "out": (SIZE, VOCABULARY)}
    return {name: draws.normal(0, 1.5, shape).astype(np.float32) for name, shape in shapes.items()}


def tensor(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray],
) -> onnx.ModelProto:
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, initial)
    return helper.make_model(graph, opset_imports=OPSET, ir_version=8)


def encoder(known: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Rows of the picture become parts: the mean colour of each, projected."""
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["means"], axes=[3], keepdims=0),
        helper.make_node("Transpose", ["means"], ["rows"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["rows", "picture"], ["last_hidden_state"]),
    ]
    return model(
        nodes, [tensor("pixel_values", ["batch", 3, SIDE, SIDE])],
        [tensor("last_hidden_state", ["batch", SIDE, SIZE])], {"picture": known["picture"]},
    )  # fmt: skip


def decoder(known: dict[str, np.ndarray], *, past: bool, masked: bool = False) -> onnx.ModelProto:
    """Scores are tanh(sum of the words so far, halved, + mean of the picture) @ out.

    With `past` it remembers the words as (batch, 1, length, size). When `masked` it wants a mask
    and positions as well, and words as 32-bit integers; its scores are wrong where those are.
    """
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["given"]),
        helper.make_node("Unsqueeze", ["given", "one"], ["as_head"]),
        helper.make_node("Concat", ["past_key_values.0.key", "as_head"], ["present.0.key"], axis=2)
        if past else helper.make_node("Identity", ["as_head"], ["present.0.key"]),
        helper.make_node("ReduceSum", ["present.0.key", "two"], ["summed"], keepdims=0),
        helper.make_node("Mul", ["summed", "half"], ["halved"]),
        helper.make_node("ReduceMean", ["encoder_hidden_states"], ["seen"], axes=[1], keepdims=1),
        helper.make_node("Add", ["halved", "seen"], ["both"]),
        helper.make_node("Tanh", ["both"], ["bent"]),
        helper.make_node("MatMul", ["bent", "out"], ["logits"]),
    ]  # fmt: skip
    inputs = [
        tensor("input_ids", ["batch", "length"], TensorProto.INT64),
        tensor("encoder_hidden_states", ["batch", SIDE, SIZE]),
    ]
    if past:
        inputs += [tensor("past_key_values.0.key", ["batch", 1, "past", SIZE])]
    outputs = [tensor("logits", ["batch", 1, VOCABULARY])]
    outputs += [tensor("present.0.key", ["batch", 1, "total", SIZE])]
    constants = {
        "words": known["words"], "out": known["out"], "half": np.array(0.5, np.float32),
        "one": np.array([1], np.int64), "two": np.array([2], np.int64),
    }  # fmt: skip
    if masked:
        inputs[0] = tensor("input_ids", ["batch", "length"], TensorProto.INT32)
        more = {
            "attention_mask": ["batch", "total"],
            "position_ids": ["batch", "length"],
            "cache_position": ["length"],
            "encoder_attention_mask": ["batch", SIDE],
        }
        inputs += [tensor(name, shape, TensorProto.INT64) for name, shape in more.items()]
        constants |= {"minus": np.array([SIDE - 2], np.int64), "all": np.array([1], np.int64)}
        nodes[-1].output[0] = "right"
        nodes += [
            helper.make_node("Shape", ["present.0.key"], ["total"], start=2, end=3),
            helper.make_node("ReduceSum", ["attention_mask", "all"], ["shown"], keepdims=1),
            helper.make_node("ReduceSum", ["encoder_attention_mask", "all"], ["parts"], keepdims=1),
            helper.make_node("ReduceMax", ["position_ids"], ["place"], axes=[1], keepdims=1),
            helper.make_node("ReduceMax", ["cache_position"], ["at"], axes=[0], keepdims=1),
            helper.make_node("Sum", ["shown_f", "place_f", "at_f", "parts_f"], ["sum"]),
            # shown + place + at + parts = 3 total - 2 + SIDE
            helper.make_node("Sum", ["total_f", "total_f", "total_f", "minus_f"], ["wanted"]),
            helper.make_node("Sub", ["sum", "wanted"], ["wrong"]),
            helper.make_node("Unsqueeze", ["wrong", "one"], ["wrong_as_head"]),
            helper.make_node("Mul", ["wrong_as_head", "noise"], ["distortion"]),
            helper.make_node("Add", ["right", "distortion"], ["logits"]),
        ]
        for at, name in ((-6, "shown"), (-6, "place"), (-6, "at"), (-6, "parts"), (-6, "total"),
                         (-6, "minus")):  # fmt: skip
            cast = helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT)
            nodes.insert(len(nodes) + at, cast)
        constants["noise"] = known["words"][:, 0] * 9
    return model(nodes, inputs, outputs, constants)


def classifier(seed: int = 3) -> onnx.ModelProto:
    """Scores are the mean colour, projected."""
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["colour"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["colour", "out"], ["logits"]),
    ]
    out = np.random.default_rng(seed).normal(0, 2, (3, 4)).astype(np.float32)
    return model(
        nodes, [tensor("pixel_values", ["batch", 3, "height", "width"])],
        [tensor("logits", ["batch", 4])], {"out": out},
    )  # fmt: skip


def write_classifier(folder: Path, size: Any = None, **config: Any) -> Path:
    """Write a classifier of four colours with all its files."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(classifier(), folder / "model.onnx")
    names = {"0": "red", "1": "green", "2": "blue", "3": "grey"}
    _json(folder / "config.json", {"id2label": names, **config})
    _processor(folder, size or {"height": SIDE, "width": SIDE})
    return folder


def write_captioner(folder: Path, *, past: bool, seed: int = 5, **generation: Any) -> Path:
    """Write a captioner with all its files, whose words are letters and whose end is 11."""
    folder.mkdir(parents=True, exist_ok=True)
    known = weights(seed)
    onnx.save(encoder(known), folder / "encoder_model.onnx")
    name = "decoder_model_merged" if past else "decoder_model"
    onnx.save(decoder(known, past=past), folder / f"{name}.onnx")
    said = {"decoder_start_token_id": END, "eos_token_id": END, "max_length": 9}
    _json(folder / "generation_config.json", said | generation)
    _json(folder / "config.json", {"model_type": "vision-encoder-decoder"})
    _processor(folder, {"height": SIDE, "width": SIDE})
    letters = {chr(97 + n): n for n in range(END)} | {"<end>": END}
    _json(folder / "tokenizer.json", {
        "version": "1.0", "added_tokens": [
            {"id": END, "content": "<end>", "special": True, "single_word": False,
             "lstrip": False, "rstrip": False, "normalized": False}],
        "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None,
        "decoder": None, "model": {"type": "WordLevel", "vocab": letters, "unk_token": "<end>"},
    })  # fmt: skip
    return folder


def _processor(folder: Path, size: Any) -> None:
    said = {"image_processor_type": "ViTImageProcessor", "size": size, "resample": 2}
    _json(folder / "preprocessor_config.json", said)


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))
