"""A small CLIP tokenizer of our own, with rare short tokens that no caption uses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from pydoc_data import topics

import numpy as np
from tokenizers import trainers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer

from pipeline_lib.models.recipe.settings import TokenizerRecipe
from pipeline_lib.settings.base import UserError

START, END, SUFFIX = "<|startoftext|>", "<|endoftext|>", "</w>"
CONSONANTS = "bcdfghjklmnpqrstvwxz"
SEED = 7
LABORATORY_WEIGHT = 50

# Words that people at a microscope use and that the captions may lack.
LABORATORY_WORDS = """
a an the of in on at with and or cell cells single several many few sparse dense confluent
subconfluent clustered isolated dividing mitotic apoptotic dead living live stained unstained
brightfield bright field darkfield phase contrast oblique illumination dic differential
interference microscopy microscope micrograph microscopic image images picture photograph photo
photomicrograph grayscale greyscale black white dark light grey gray background focus focused
defocused blurred sharp noisy objective magnification condenser aperture well wells edge plate
dish flask chamber slide coverslip channel microfluidic medium debris dust bubble bead beads
microbead sphere droplet particle yeast budding fission saccharomyces cerevisiae pombe candida
bacteria bacterium bacterial rod coccus cocci escherichia coli bacillus subtilis staphylococcus
pseudomonas salmonella colony biofilm alga algae chlamydomonas diatom plankton protist paramecium
fungus fungal hypha hyphae spore pollen plant root leaf tissue organoid spheroid embryo oocyte
sperm zebrafish worm elegans mammalian human mouse rat hamster ovary cho hek hela vero cos jurkat
huvec ips ipsc stem progenitor neuron neurons neuronal glia astrocyte microglia fibroblast
fibroblasts keratinocyte hepatocyte hepatocytes myoblast myotube cardiomyocyte adipocyte
osteoblast chondrocyte endothelial epithelial epithelium macrophage monocyte lymphocyte leukocyte
erythrocyte red white blood platelet tumour tumor cancer carcinoma melanoma adherent suspension
spread round elongated spindle granular vacuole nucleus nuclei membrane cytoplasm filopodia
lamellipodia scratch wound assay monolayer layer culture cultured clone cloning passage treated
untreated control healthy sick infected transfected label free
"""


def train_tokenizer(captions: Sequence[str], recipe: TokenizerRecipe) -> CLIPTokenizer:
    """Learn a byte-level byte-pair vocabulary.

    Parameters
    ----------
    captions : sequence of str
        Captions of pictures.
    recipe : TokenizerRecipe
        Size of the vocabulary.

    Returns
    -------
    transformers.CLIPTokenizer
        Every text can be tokenised; words of captions and of the laboratory mostly are one token.
    """
    texts = [*captions, *plain_english(), *(LABORATORY_WORDS,) * LABORATORY_WEIGHT]
    merges = _texts_to_merges(texts, recipe.vocabulary - 2 * recipe.rare_tokens)
    rare = _draw_rare_tokens(" ".join(texts).lower(), recipe)
    merges += itertools.chain(*map(_token_to_merges, rare))
    return _merges_to_tokenizer(merges, recipe.length)


def rare_tokens(tokenizer: CLIPTokenizer, recipe: TokenizerRecipe) -> list[str]:
    """Return the rare tokens of a tokenizer of `train_tokenizer`: the last of its vocabulary."""
    ordered = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    last = [token for token, _ in ordered if token not in (START, END)][-2 * recipe.rare_tokens :]
    return [token.removesuffix(SUFFIX) for token in last if token.endswith(SUFFIX)]


def plain_english() -> list[str]:
    """Return plain English: Python's own manual, which its standard library carries."""
    return [line for text in topics.topics.values() for line in text.splitlines()]


def _texts_to_merges(texts: Iterable[str], vocabulary: int) -> list[tuple[str, str]]:
    """Learn merges of byte pairs, most useful first, until vocabulary and bytes fill the number."""
    tokenizer = CLIPTokenizer().backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        end_of_word_suffix=SUFFIX,
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return merges[: vocabulary - len(_byte_tokens()) - 2]


def _byte_tokens() -> list[str]:
    """Return the tokens of single bytes, inside and at the end of a word."""
    alphabet = sorted(ByteLevel.alphabet())
    return alphabet + [letter + SUFFIX for letter in alphabet]


def _merges_to_tokenizer(merges: list[tuple[str, str]], length: int) -> CLIPTokenizer:
    """Return the tokenizer of some merges: bytes first, then merges, then start and end."""
    names = dict.fromkeys([*_byte_tokens(), *("".join(pair) for pair in merges), START, END])
    vocabulary = {name: number for number, name in enumerate(names)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def _token_to_merges(token: str) -> list[tuple[str, str]]:
    """Return the two merges that make a token of three letters."""
    first, second, third = token
    return [(first, second), (first + second, third + SUFFIX)]


def _draw_rare_tokens(words: str, recipe: TokenizerRecipe) -> list[str]:
    """Choose three consonants whose first pair occurs in no word and begins no other choice."""
    pairs = ["".join(pair) for pair in itertools.permutations(CONSONANTS, 2)]
    free = [pair for pair in pairs if pair not in words]
    generator = np.random.Generator(np.random.Philox(SEED))
    chosen = generator.permutation(free)[: recipe.rare_tokens]
    if len(chosen) < recipe.rare_tokens:
        raise UserError(
            f"{len(free)} pairs of consonants occur in no word, but rare_tokens is "
            f"{recipe.rare_tokens}: lower rare_tokens"
        )
    tokens = []
    for pair in chosen:
        thirds = [c for c in CONSONANTS if pair[1] + c not in words and c not in pair]
        tokens.append(pair + str(generator.choice(thirds)))
    return tokens
