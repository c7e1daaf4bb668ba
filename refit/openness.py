"""Refit `src/gatling/openness.npz` on requests, and say how it carries over to a writer left out.

    python refit/openness.py

`requests.jsonl` beside this file holds 2,640 requests, 80 of each class by each of eleven writers: language
models that were given the classes, a field, two or three languages and a temper, and nothing else (no data
set, no suite). Half of the closed ones are near misses. Prints, for each writer left out, how the fit and the
rules of `gatling.delegation` tell his open requests from the rest.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from gatling import openness
from gatling.delegation import handings

HERE = Path(__file__).parent
OUT = HERE.parent / "src/gatling/openness.npz"
STRENGTH = 8.0
"""Inverse of the penalty."""


def fit(texts: list[str], classes: list[int]) -> tuple[TfidfVectorizer, LogisticRegression]:
    """The grams that stand in two requests or more, with their rarity, and the classifier on them."""
    vectorizer = TfidfVectorizer(analyzer=openness.grams, sublinear_tf=True, min_df=2)
    model = LogisticRegression(C=STRENGTH, max_iter=2000)
    return vectorizer, model.fit(vectorizer.fit_transform(texts), classes)


def handed_over(text: str) -> bool:
    """Whether the rules see an open task handed over."""
    return any(not handing.effects for handing in handings("", text))


def main() -> None:
    """Fit with each writer left out, then on all, and write the weights."""
    rows = [json.loads(line) for line in (HERE / "requests.jsonl").read_text("utf-8").splitlines()]
    texts = [row["text"] for row in rows]
    classes = [openness.CLASSES.index(row["class"]) for row in rows]
    writers = np.array([row["writer"] for row in rows])
    found = []
    print("left out  AUC, open or not  accuracy of three classes  rules: recall of open, false alarms")
    for writer in sorted(set(writers)):
        rest, own = np.flatnonzero(writers != writer), np.flatnonzero(writers == writer)
        vectorizer, model = fit([texts[i] for i in rest], [classes[i] for i in rest])
        likely = model.predict_proba(vectorizer.transform([texts[i] for i in own]))
        truth = np.array(classes)[own]
        rules = np.array([handed_over(texts[i]) for i in own])
        found.append(
            (
                roc_auc_score(truth == 0, likely[:, 0]),
                (likely.argmax(1) == truth).mean(),
                rules[truth == 0].mean(),
                rules[truth != 0].mean(),
            )
        )
        print(f"{writer:10s}" + "  ".join(f"{x:.3f}" for x in found[-1]))
    print(f"{'mean':10s}" + "  ".join(f"{x:.3f}" for x in np.mean(found, axis=0)))
    vectorizer, model = fit(texts, classes)
    grams = vectorizer.get_feature_names_out()
    np.savez_compressed(
        OUT,
        grams=np.frombuffer("\n".join(grams).encode(), np.uint8),
        rarity=vectorizer.idf_.astype(np.float16),
        weights=model.coef_.T.astype(np.float16),
        bias=model.intercept_.astype(np.float32),
    )
    print(f"{OUT}: {len(grams)} grams, {OUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
