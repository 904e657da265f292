#!/usr/bin/env python3
"""Compares the moderation model with others, on lines of sources that none of ours learned.

    cargo xtask train --lines lines.jsonl
    pip install alt-profanity-check==1.9.1 scikit-learn==1.9.1
    python3 moderation-wasm/train/compare.py --data ../shared/data lines.jsonl

Each fold of the lines leaves out some sources: our model and the TF-IDF baseline are trained
without them. Others are as they are published, whatever they have learned.
"""

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
from profanity_check import predict_prob
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score

# Not learned by ours either: see the model card.
SHARE_ALIKE = {"kocohub", "stormfront", "told-br"}


def read_training(folder):
    with lzma.open(folder / "train.tsv.xz", "rt", encoding="utf-8", newline="\n") as file:
        columns = next(file).rstrip("\n").split("\t")
        rows = [dict(zip(columns, row.rstrip("\n").split("\t"))) for row in file]
    return [row for row in rows if row["source"] not in SHARE_ALIKE]


def tfidf(training, texts):
    """A linear model over words, pairs of words, and runs of two to five letters."""
    known = [row for row in training if row["labels"] == "clean" or "toxic" in row["labels"]]
    learned = [row["text"] for row in known]
    word = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True, max_features=300_000)
    letters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=5, sublinear_tf=True, max_features=400_000
    )
    features = hstack([word.fit_transform(learned), letters.fit_transform(learned)]).tocsr()
    model = SGDClassifier(loss="log_loss", alpha=2e-6, max_iter=12, tol=None, random_state=1)
    model.fit(features, ["toxic" in row["labels"] for row in known])
    asked = hstack([word.transform(texts), letters.transform(texts)]).tocsr()
    return model.decision_function(asked)


def auc(abuse, clean):
    labels = np.r_[np.ones(len(abuse)), np.zeros(len(clean))]
    return roc_auc_score(labels, np.r_[abuse, clean])


def recall(abuse, chat):
    """Of the abuse, what scores more than all but one in a hundred lines of chat."""
    highest = np.sort(chat)[int(np.ceil(len(chat) * 0.99)) - 1]
    return np.mean(abuse > highest)


def figures(lines, scores):
    """The rows of a fold: by moderator, English abuse beside clean lines and beside chat."""
    is_english = np.array([line["language"] == "en" for line in lines])
    is_abuse = np.array([line["abuse"] is True for line in lines])
    is_clean = np.array([line["abuse"] is False for line in lines])
    is_chat = np.array([line["chat"] for line in lines])
    languages = sorted({line["language"] for line in lines} - {"en"})
    for name, score in scores.items():
        abuse, chat = score[is_english & is_abuse], score[is_chat]
        others = []
        for language in languages:
            spoken = np.array([line["language"] == language for line in lines])
            if spoken.sum() >= 100 and (spoken & is_abuse).any() and (spoken & is_clean).any():
                others.append(auc(score[spoken & is_abuse], score[spoken & is_clean]))
        mean = f"{np.mean(others):.3f}" if others else ""
        clean = score[is_english & is_clean]
        flagged = np.mean(chat >= np.quantile(abuse, 0.1))
        print(
            f"| {name} | {auc(abuse, clean):.3f} | {recall(abuse, chat):.3f} "
            f"| {flagged * 100:.1f} % | {mean} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("lines", type=Path, help="what `cargo xtask train --lines` wrote")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train.tsv.xz")
    parser.add_argument(
        "--scores",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="scores of another moderator, a number a line, in the order of the lines",
    )
    arguments = parser.parse_args()
    with arguments.lines.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    texts = [line["text"] for line in lines]
    given = {"alt-profanity-check": predict_prob(texts)}
    for other in arguments.scores:
        name, path = other.split("=", 1)
        given[name] = np.loadtxt(path)
        if len(given[name]) != len(lines):
            parser.error(f"{path} has {len(given[name])} scores for {len(lines)} lines")
    training = read_training(arguments.data)
    for fold in dict.fromkeys(line["fold"] for line in lines):
        chosen = [i for i, line in enumerate(lines) if line["fold"] == fold and not line["own"]]
        of_fold = [lines[i] for i in chosen]
        unseen = {line["source"] for line in of_fold} if fold else set()
        learned = [row for row in training if row["source"] not in unseen]
        scores = {
            "ours, the model": np.array([line["model"] for line in of_fold]),
            "ours, with rules": np.array([line["both"] for line in of_fold]),
            "TF-IDF": tfidf(learned, [line["text"] for line in of_fold]),
        }
        scores |= {name: score[chosen] for name, score in given.items()}
        print(f"\n{fold or 'lines held back, of learned sources'}\n")
        print("| | AUC | found at 1 % of chat | chat flagged at 90 % | other languages, AUC |")
        print("|---|--:|--:|--:|--:|", flush=True)
        figures(of_fold, scores)


if __name__ == "__main__":
    main()
