"""Remake `src/gatling/vectors.npz`, the token table of `gatling.text`, from WordLlama's token embeddings.

    python refit/vectors.py

WordLlama l2_supercat_256 (https://github.com/dleemiller/WordLlama, MIT) maps 32,000 tokens to 256
dimensions. Installing it brings some 100 MB of packages that the audit never uses, so its table is cut to
its first principal components, quantised to one byte per value, and shipped. The principal axes are taken
without centring, so that inner products, and with them cosines of mean-pooled texts, are what is kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import wordllama
from safetensors.numpy import load_file

DIMENSIONS = 192


def main() -> None:
    """Write the table and say how much of it was kept."""
    package = Path(wordllama.__file__).parent
    tokenizer = json.loads((package / "tokenizers/l2_supercat_tokenizer_config.json").read_text())
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    tokens = sorted(vocabulary, key=lambda token: vocabulary[token])
    table = load_file(package / "weights/l2_supercat_256.safetensors")["embedding.weight"].astype(np.float64)
    _, axes = np.linalg.eigh(table.T @ table)
    axes = axes[:, ::-1][:, :DIMENSIONS]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(DIMENSIONS)])  # an axis has no sign of its own
    reduced = table @ axes
    kept = float((reduced**2).sum() / (table**2).sum())
    scale = np.abs(reduced).max(1) / 127
    codes = np.rint(reduced / scale[:, None]).astype(np.int8)
    target = Path(__file__).parents[1] / "src/gatling/vectors.npz"
    joined = np.frombuffer("\n".join(t.replace("\n", " ") for t in tokens).encode(), np.uint8)
    np.savez(target, tokens=joined, codes=codes, scale=scale.astype(np.float32))
    print(
        f"{len(tokens)} tokens, {DIMENSIONS} dimensions keep {kept:.3f} of the squared norm, "
        f"{target.stat().st_size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
