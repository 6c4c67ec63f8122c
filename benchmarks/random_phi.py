"""A model of Phi-4's sizes (14.66 billion parameters) with random weights, to see what training one takes.

    python benchmarks/random_phi.py data/train.jsonl phi/
    mcpbench train finetune --model phi/ --data data/ --output out/ ...

Sizes: https://huggingface.co/microsoft/phi-4/blob/main/config.json. The weights take 29 GB on disk, and in memory or
on the GPU while they are made; the tokenizer is trained on the rows. `--layers 2` makes a small one.
"""

import argparse
from pathlib import Path

import torch
import transformers
from tokenizers import ByteLevelBPETokenizer

TURNS = ("<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(rows: Path) -> transformers.PreTrainedTokenizerFast:
    """A byte-level tokenizer of the rows' words, with turns as Phi-4 writes them."""
    words = ByteLevelBPETokenizer()
    words.train([str(rows)], vocab_size=50_000, show_progress=False, special_tokens=["<s>", "<pad>", *TURNS])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words._tokenizer, bos_token="<s>", eos_token=TURNS[1], pad_token="<pad>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(layers: int) -> transformers.Phi3ForCausalLM:
    """The model in bfloat16, on the GPU where there is one."""
    config = transformers.Phi3Config(
        vocab_size=100_352,
        hidden_size=5_120,
        intermediate_size=17_920,
        num_hidden_layers=layers,
        num_attention_heads=40,
        num_key_value_heads=10,
        max_position_embeddings=16_384,
        rope_theta=250_000.0,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=3,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        return transformers.Phi3ForCausalLM(config)


def main() -> None:
    """Write tokenizer and model into the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="case file to train the tokenizer on")
    parser.add_argument("folder", type=Path, help="where the model goes")
    parser.add_argument("--layers", type=int, default=40, help="of Phi-4's 40")
    given = parser.parse_args()
    make_tokenizer(given.rows).save_pretrained(given.folder)
    model = make_model(given.layers)
    model.save_pretrained(given.folder)
    print(f"{given.folder}: {sum(parameter.numel() for parameter in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
