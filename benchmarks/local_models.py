"""Captions of a local model: what a batch of 8 is worth against one at a time, two threads, a past.

    .venv/bin/python benchmarks/local_models.py [--model FOLDER --variant quantized] [--rounds 5]

Without a folder it builds a captioner of ViT-GPT2's shape with random weights, a third of its
width; captions then have all 16 tokens. Ratios hold for the machine, not seconds. Questions go
through the provider, as jobs ask them, each way in turn.
"""

import argparse
import asyncio
import io
import json
import os
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow

from mediamill.adapters.providers.config import Configured
from mediamill.adapters.providers.opening import open_provider
from mediamill.adapters.providers.port import Deadline, Image, Kind, Provider, Question

WIDTH, HEADS, LAYERS, VOCABULARY, PATCH, SIDE, LENGTH, PICTURES = 256, 4, 6, 16_384, 16, 224, 16, 8


class Graph:
    """Puts layers of a transformer into an ONNX graph."""

    def __init__(self, seed: int) -> None:
        self.nodes, self.constants = list[onnx.NodeProto](), list[onnx.TensorProto]()
        self._draws = np.random.default_rng(seed)

    def add(self, kind: str, *inputs: str, to: str = "", **more: object) -> str:
        name = to or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **more))
        return name

    def const(self, value: object, kind: type = np.int64) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, kind), name))
        return name

    def weights(self, *shape: int) -> str:
        return self.const(self._draws.normal(0, 0.05, shape), np.float32)

    def linear(self, x: str, inside: int, outside: int) -> str:
        return self.add("MatMul", x, self.weights(inside, outside))

    def norm(self, x: str) -> str:
        ones, zeros = (
            self.const(np.ones(WIDTH), np.float32),
            self.const(np.zeros(WIDTH), np.float32),
        )
        return self.add("LayerNormalization", x, ones, zeros)

    def heads(self, x: str) -> str:
        """(batch, length, width) → (batch, heads, length, width of a head)."""
        shape = self.const([0, 0, HEADS, WIDTH // HEADS])
        return self.add("Transpose", self.add("Reshape", x, shape), perm=[0, 2, 1, 3])

    def attended(self, queries: str, keys: str, values: str) -> str:
        turned = self.add("Transpose", keys, perm=[0, 1, 3, 2])
        scale = self.const((WIDTH // HEADS) ** -0.5, np.float32)
        scores = self.add("Mul", self.add("MatMul", queries, turned), scale)
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), values)
        flat = self.add("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.linear(self.add("Reshape", flat, self.const([0, 0, WIDTH])), WIDTH, WIDTH)

    def attention(self, x: str, other: str, past: str = "") -> str:
        """Attend from `x` to `other`; a `past` is joined to, and given on."""
        normed = self.norm(x)
        seen = normed if other == x else other
        queries = self.heads(self.linear(normed, WIDTH, WIDTH))
        keys, values = (self.heads(self.linear(seen, WIDTH, WIDTH)) for _ in range(2))
        if past:
            keys, values = (
                self.add("Concat", f"past_key_values.{past}.{kind}", one, axis=2,
                         to=f"present.{past}.{kind}")
                for kind, one in (("key", keys), ("value", values))
            )  # fmt: skip
        return self.add("Add", x, self.attended(queries, keys, values))

    def feed(self, x: str) -> str:
        inner = self.linear(self.norm(x), WIDTH, 4 * WIDTH)
        return self.add("Add", x, self.linear(self.add("Tanh", inner), 4 * WIDTH, WIDTH))

    def save(self, path: Path, inputs: dict[str, tuple], outputs: dict[str, tuple]) -> None:
        def told(side: dict[str, tuple]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(
                    name, TensorProto.INT64 if name == "input_ids" else TensorProto.FLOAT, shape
                )
                for name, shape in side.items()
            ]

        given, made = told(inputs), told(outputs)
        graph = helper.make_graph(self.nodes, "bench", given, made, self.constants)
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def build(folder: Path, *, past: bool) -> None:
    """Write a captioner with random weights; without `past` it sees all tokens at each step.

    Without a past it has no mask, which costs the same and would say other words.
    """
    folder.mkdir()
    parts = (SIDE // PATCH) ** 2
    graph = Graph(1)
    patches = graph.add("Conv", "pixel_values", graph.weights(WIDTH, 3, PATCH, PATCH),
                        strides=[PATCH, PATCH])  # fmt: skip
    x = graph.add("Reshape", patches, graph.const([0, WIDTH, parts]))
    x = graph.add("Transpose", x, perm=[0, 2, 1])
    for _ in range(LAYERS):
        x = graph.feed(graph.attention(x, x))
    graph.add("Identity", x, to="last_hidden_state")
    graph.save(folder / "encoder_model.onnx", {"pixel_values": ("batch", 3, SIDE, SIDE)},
               {"last_hidden_state": ("batch", parts, WIDTH)})  # fmt: skip
    graph = Graph(2)
    x = graph.add("Gather", graph.weights(VOCABULARY, WIDTH), "input_ids")
    for layer in range(LAYERS):
        x = graph.attention(x, x, str(layer) if past else "")
        x = graph.feed(graph.attention(x, "encoder_hidden_states"))
    graph.add("MatMul", graph.norm(x), graph.weights(WIDTH, VOCABULARY), to="logits")
    shape = ("batch", HEADS, "past", WIDTH // HEADS)
    kinds = [f"{n}.{kind}" for n in range(LAYERS) for kind in ("key", "value")] if past else []
    inputs = {"input_ids": ("batch", "length"), "encoder_hidden_states": ("batch", parts, WIDTH)}
    outputs = {"logits": ("batch", "length", VOCABULARY)}
    graph.save(folder / f"decoder_model{'_merged' if past else ''}.onnx",
               inputs | {f"past_key_values.{kind}": shape for kind in kinds},
               outputs | {f"present.{kind}": shape for kind in kinds})  # fmt: skip
    words = {f"w{n}": n for n in range(VOCABULARY)}
    for name, said in {
        "generation_config": {"decoder_start_token_id": 0, "eos_token_id": 0,
                              "max_length": LENGTH, "min_length": LENGTH},
        "preprocessor_config": {"size": SIDE}, "config": {},
        "tokenizer": {"version": "1.0", "added_tokens": [], "normalizer": None, "decoder": None,
                      "pre_tokenizer": None, "post_processor": None,
                      "model": {"type": "WordLevel", "vocab": words, "unk_token": "w0"}},
    }.items():  # fmt: skip
        (folder / f"{name}.json").write_text(json.dumps(said))


def questions() -> list[Question]:
    draws, made = np.random.default_rng(3), []
    for _ in range(PICTURES):
        small = Pillow.fromarray(draws.integers(0, 255, (6, 8, 3)).astype(np.uint8))
        out = io.BytesIO()
        small.resize((640, 480)).save(out, "jpeg")
        made.append(Question(Kind.CAPTION, (Image(out.getvalue(), "image/jpeg", 640, 480),)))
    return made


@asynccontextmanager
async def asking(folder: Path, options: str):
    address = f"local:{folder}?wait=0.02&{options}"
    provider = open_provider(Configured(address, address, from_settings=True))
    try:
        await provider.ask(questions()[0], Deadline(600))  # loads it
        yield provider
    finally:
        await provider.close()


async def seconds(provider: Provider, asked: list[Question]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(provider.ask(question, Deadline(600)) for question in asked))
    return time.perf_counter() - began


async def measure(folders: dict[str, Path], variant: str, rounds: int) -> None:
    """Ask the eight questions in each way in turn; print medians and ratios."""
    ending = f"&variant={variant}" if variant else ""
    ways = {
        "one at a time, 1 thread": (folders["past"], "batch=1&threads=1"),
        "batch of 8, 1 thread": (folders["past"], "batch=8&threads=1"),
        "one at a time, 2 threads": (folders["past"], "batch=1&threads=2"),
        "batch of 8, 2 threads": (folders["past"], "batch=8&threads=2"),
        "batch of 8, 2 threads, 4 beams": (folders["past"], "batch=8&threads=2&beams=4"),
    }
    if "whole" in folders:
        ways["batch of 8, 2 threads, no past"] = (folders["whole"], "batch=8&threads=2")
    asked, taken = questions(), {name: list[float]() for name in ways}
    async with AsyncExitStack() as stack:
        providers = {
            name: await stack.enter_async_context(asking(folder, options + ending))
            for name, (folder, options) in ways.items()
        }
        for _ in range(rounds):  # each in turn, so that what else runs weighs on all alike
            for name, provider in providers.items():
                taken[name].append(await seconds(provider, asked))
    each = {name: median(values) / PICTURES for name, values in taken.items()}
    print(f"load {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} cores")
    for name, value in each.items():
        print(f"{name:32} {value * 1000:7.1f} ms a picture")
    one, two = each["one at a time, 1 thread"], each["one at a time, 2 threads"]
    many, both = each["batch of 8, 1 thread"], each["batch of 8, 2 threads"]
    print(f"batch of 8 / one at a time: {one / many:.2f} × (1 thread), {two / both:.2f} × (2)")
    print(f"2 threads / 1: {one / two:.2f} × (one at a time), {many / both:.2f} × (batch of 8)")
    if "whole" in folders:
        ratio = each["batch of 8, 2 threads, no past"] / both
        print(f"with a past / without: {ratio:.2f} ×")


def main() -> None:
    """Build a model, or take that of a folder, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--variant", default="")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = {"past": given.model}
        if given.model is None:
            folders = {"past": Path(name) / "past", "whole": Path(name) / "whole"}
            for kind, folder in folders.items():
                build(folder, past=kind == "past")
        asyncio.run(measure(folders, given.variant, given.rounds))


if __name__ == "__main__":
    main()
