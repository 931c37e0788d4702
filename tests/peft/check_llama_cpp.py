"""Does an adapter trained by Candor say the same in llama.cpp?

Loads the GGUF base and `adapter.gguf` with llama-cpp-python, computes each label's share for some texts, and compares with
what `candor classify --json` says. llama.cpp rounds activations to eight bits, so small differences are its own: the base
without the adapter is compared too, and the adapter's differences may not be much larger. Ends with status 1 where they
are, or where an answer differs whose label is not nearly a tie.

    pip install llama-cpp-python
    python tests/peft/check_llama_cpp.py MODEL.gguf TASK.toml ADAPTER TEXTS.jsonl [ROWS] [CANDOR]

The task must be a plain prompt without examples (chat = false), whose labels differ in their first tokens.
"""

import json
import math
import subprocess
import sys
import tomllib
from pathlib import Path

from llama_cpp import Llama

TIE = 0.1


def candor_shares(candor, model, task, adapter, texts):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    command = [candor, "classify", "--json", "--model", model, "--task", task]
    command += ["--adapter", adapter] if adapter else []
    done = subprocess.run([*command, "-"], input=lines, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [{name: label["share"] for name, label in row["labels"].items()} for row in rows]


def llama_shares(model, task, adapter, texts):
    options = {"lora_path": str(Path(adapter) / "adapter.gguf")} if adapter else {}
    llama = Llama(model_path=model, n_ctx=512, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False, **options)
    first = {}
    for label in task["labels"]:
        ids = {llama.tokenize(form.encode(), add_bos=False, special=False)[0] for form in label["forms"]}
        first[label["name"]] = ids
    shares = []
    for text in texts:
        ids = llama.tokenize(task["template"].replace("{text}", text).encode(), add_bos=False, special=False)
        llama.reset()
        llama.eval(ids)
        logits = llama.scores[len(ids) - 1]
        most = max(float(x) for x in logits)
        mass = {name: sum(math.exp(float(logits[i]) - most) for i in ids) for name, ids in first.items()}
        total = sum(mass.values())
        shares.append({name: part / total for name, part in mass.items()})
    return shares


def main():
    model, task_file, adapter, texts_file = sys.argv[1:5]
    rows = int(sys.argv[5]) if len(sys.argv) > 5 else 40
    candor = sys.argv[6] if len(sys.argv) > 6 else "candor"
    with open(task_file, "rb") as file:
        task = tomllib.load(file)
    with open(texts_file, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file][:rows]
    largest, other = {}, 0
    for name, which in [("base", None), ("adapter", adapter)]:
        ours = candor_shares(candor, model, task_file, which, texts)
        theirs = llama_shares(model, task, which, texts)
        apart = [max(abs(a[label] - b[label]) for label in a) for a, b in zip(ours, theirs)]
        best = [(max(a, key=a.get), max(b, key=b.get)) for a, b in zip(ours, theirs)]
        clear = [sorted(a.values())[-1] - sorted(a.values())[-2] > TIE for a in ours]
        other += sum(a != b and sure for (a, b), sure in zip(best, clear))
        largest[name] = max(apart)
        agree = sum(a == b for a, b in best)
        print(f"{name}: {agree} of {len(texts)} labels agree; label shares differ by "
              f"{sum(apart) / len(apart):.4f} on average, {max(apart):.4f} at most")
    if other or largest["adapter"] > 3 * largest["base"] + 0.02:
        print("llama.cpp does not say the same with this adapter")
        sys.exit(1)


if __name__ == "__main__":
    main()
