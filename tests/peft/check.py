"""Does an adapter trained by Candor say the same in Python's peft?

Loads the GGUF base with transformers and the adapter with peft, computes each label's probability for some texts, and
compares with what `candor classify --json` says. Ends with status 1 where a probability differs by more than 1e-3.

    pip install torch transformers peft accelerate gguf
    python tests/peft/check.py MODEL.gguf TASK.toml ADAPTER TEXTS.jsonl [ROWS] [CANDOR]

The task must be a plain prompt without examples (chat = false), whose labels differ in their first tokens.
"""

import json
import os
import subprocess
import sys
import tomllib

os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from peft import PeftModel  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

LARGEST = 1e-3


def candor_predictions(candor, model, task, adapter, texts):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    command = [candor, "classify", "--json", "--model", model, "--task", task, "--adapter", adapter, "-"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    model_file, task_file, adapter, texts_file = sys.argv[1:5]
    rows = int(sys.argv[5]) if len(sys.argv) > 5 else 50
    candor = sys.argv[6] if len(sys.argv) > 6 else "candor"
    with open(task_file, "rb") as file:
        task = tomllib.load(file)
    if task.get("chat") or task.get("examples") or task.get("instruction") or task.get("system"):
        sys.exit("the task must be a plain prompt: a template and nothing else")
    with open(texts_file, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file][:rows]

    folder, name = os.path.split(os.path.abspath(model_file))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(base, adapter).eval()
    first = {
        label["name"]: sorted({tokenizer(form, add_special_tokens=False)["input_ids"][0] for form in label["forms"]})
        for label in task["labels"]
    }

    ours = candor_predictions(candor, model_file, task_file, adapter, texts)
    largest, moved = 0.0, 0.0
    with torch.no_grad():
        for text, prediction in zip(texts, ours, strict=True):
            prompt = task["template"].replace("{text}", text)
            ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
            shares = torch.softmax(tuned(ids).logits[0, -1].double(), 0)
            with tuned.disable_adapter():
                before = torch.softmax(tuned(ids).logits[0, -1].double(), 0)
            for label, tokens in first.items():
                theirs = float(shares[tokens].sum())
                mine = 2.718281828459045 ** prediction["labels"][label]["logprob"]
                largest = max(largest, abs(theirs - mine))
                moved = max(moved, abs(theirs - float(before[tokens].sum())))
    print(f"{len(texts)} texts: largest difference of a label's probability {largest:.2e}; the adapter moves it by up to {moved:.2f}")
    if moved < 0.01:
        sys.exit("the adapter does nothing: this shows nothing")
    if largest > LARGEST:
        sys.exit(f"a probability differs by more than {LARGEST}")


if __name__ == "__main__":
    main()
