"""Identifier tokens, ranked by how weak a prior the base model is measured to have for them.

The DreamBooth paper (arXiv 2208.12242, section 3.2) takes rare tokens of at most three letters from
a range of T5's vocabulary. The range does not carry over to CLIP's, and rare is not weak: what a
token means to a model is measured here instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import CLIPTokenizer

from pipeline_lib.models.conditioning import PromptEmbedding, encode_prompts, prompts_to_tokens
from pipeline_lib.models.denoising import draw_latents, predict
from pipeline_lib.models.loading import BaseModel
from pipeline_lib.models.schedulers import noise_schedule
from pipeline_lib.randomness import key_of, keys_to_noise
from pipeline_lib.settings.denoising import Denoising

WORD_END = "</w>"
SHORT_WORDS = """
a i am an as at be by do go he hi if in is it me my no of oh ok on or so to up us we abs ace act
add ado age ago aid aim air ale all and ant any ape apt arc are ark arm art ash ask ate awe axe
bad bag ban bar bat bay bed bee beg bet bid big bin bit boa bob bow box boy bra bud bug bun bus
but buy bye cab cam can cap car cat cop cow coy cry cub cue cup cut dab dad dam day den dew did
die dig dim din dip dog dot dry dub due dug dye ear eat ebb eel egg ego eke elf elk elm end era
eve ewe eye fab fad fan far fat fax fed fee few fig fin fir fit fix fly foe fog for fox fry fun
fur gag gap gas gel gem get gig gin god got gum gun gut guy gym had ham has hat hay hem hen her
hex hey hid him hip his hit hob hog hop hot how hub hue hug hum hut ice icy ill imp ink inn ion
ire irk its ivy jab jam jar jaw jay jet jig job jog jot joy jug keg key kid kin kit lab lad lap
law lay led lee leg let lid lie lip lit log lot low lug mad man map mat may men met mid mix mob
mod mom mop mow mud mug nab nag nap net new nil nip nod nor not now nun nut oak oar oat odd ode
off oil old one opt orb ore our out owe owl own pad pal pan par pat paw pay pea peg pen pep per
pet pie pig pin pit ply pod pop pot pro pub pug pun pup put rag ram ran rap rat raw ray red rib
rid rig rim rip rob rod roe rot row rub rug rum run rut rye sac sad sag sap sat saw say sea see
set sew sex she shy sin sip sir sit six ski sky sly sob sod son sow soy spa spy sub sue sum sun
tab tad tag tan tap tar tax tea ted tee ten the thy tic tie tin tip toe tom ton too top tow toy
try tub tug two urn use van vat vet via vie vow wag war was wax way web wed wee wet who why wig
win wit woe wok won woo wow yak yam yap yes yet yew you zap zen zip zoo
"""
UNITS_AND_TERMS = """
um nm mm cm dm km ml ul nl pl mg ug ng kg ms ns ps hz khz mhz ghz kb mb gb tb px dpi pm mol mpa
kpa pa bar psi rpm kv mv ma db ev kev rgb hsv fps iso iii ii iv vi dic fov psf roi dna rna gfp tif
jpg png gif raw cho hek
"""
PICTURES = 4
TIMESTEPS = (200, 500, 800)
CLASS_SAMPLER = Denoising(scheduler="ddim", steps=10, guidance=1)


@dataclass(frozen=True)
class Candidate:
    """A token that could be an identifier."""

    token: str
    token_id: int


@dataclass(frozen=True)
class Identifier:
    """A measured candidate; rank 1 has the weakest prior."""

    token: str
    token_id: int
    text_distance: float
    prediction_distance: float
    rank: int


def tokenizers_to_candidates(
    tokenizers: Sequence[CLIPTokenizer], count: int, avoid: Collection[str] = ()
) -> list[Candidate]:
    """Return the rarest short tokens of a vocabulary.

    Parameters
    ----------
    tokenizers : sequence of CLIPTokenizer
        Of the model; a candidate is a single token for each of them.
    count : int
        Candidates wanted at most.
    avoid : collection of str
        Words of the prompts.

    Returns
    -------
    list of Candidate
        One to three Latin letters ending a word, no English word, unit or term of microscopy. The
        vocabulary of a byte-pair encoding is in the order of its merges, frequent ones first: the
        highest ids come first here.
    """
    vocabulary = tokenizers[0].get_vocab()
    pattern = re.compile(rf"[a-z]{{1,3}}{WORD_END}")
    spoken = {*SHORT_WORDS.split(), *UNITS_AND_TERMS.split(), *avoid}
    found = [
        Candidate(token.removesuffix(WORD_END), token_id)
        for token, token_id in sorted(vocabulary.items(), key=lambda item: -item[1])
        if pattern.fullmatch(token) and token.removesuffix(WORD_END) not in spoken
    ]
    single = [
        candidate
        for candidate in found
        if all(len(tokenizer.tokenize(candidate.token)) == 1 for tokenizer in tokenizers)
    ]
    return single[:count]


@torch.no_grad()
def measure_identifiers(
    model: BaseModel,
    candidates: Sequence[Candidate],
    identifier_to_prompt: Callable[[str], str],
    size: int,
    seed: int = 0,
    on_candidate: Callable[[int], object] | None = None,
) -> list[Identifier]:
    """Measure how much each candidate changes what the frozen model does, and rank them.

    Parameters
    ----------
    model : BaseModel
        The frozen base model.
    candidates : sequence of Candidate
        Tokens to measure.
    identifier_to_prompt : callable
        Returns the prompt with an identifier; with the empty one the prompt of the class.
    size : int
        Side of the pictures in pixels.
    seed : int
        Seed of the pictures and noises that they are all measured on.
    on_candidate : callable, optional
        Called with 1 after each candidate.

    Returns
    -------
    list of Identifier
        In the order of rank: the smallest sum of both distances' ranks first, ties by the
        prediction's.

    Notes
    -----
    text_distance is 1 - the cosine between the end token's states with and without identifier.
    prediction_distance is the root mean square change of the UNet's prediction relative to the
    prediction's own, over pictures of the class that the model draws itself, noised to
    `TIMESTEPS`.
    """
    plain = identifier_to_prompt("")
    embedding = encode_prompts(model, [plain])
    summary = _end_state(model, plain, embedding)
    noisy, timesteps = _noisy_pictures(model, embedding, size, seed)
    reference = predict(model, noisy, timesteps, embedding.repeated(len(noisy)), size)
    measured = []
    for candidate in candidates:
        prompt = identifier_to_prompt(candidate.token)
        changed = encode_prompts(model, [prompt])
        state = _end_state(model, prompt, changed)
        text = 1 - torch.nn.functional.cosine_similarity(state, summary, dim=0).item()
        other = predict(model, noisy, timesteps, changed.repeated(len(noisy)), size)
        prediction = ((other - reference).square().mean() / reference.square().mean()).sqrt()
        measured.append((candidate, text, prediction.item()))
        if on_candidate is not None:
            on_candidate(1)
    return rank_identifiers(measured)


def rank_identifiers(measured: Sequence[tuple[Candidate, float, float]]) -> list[Identifier]:
    """Return measured candidates in the order of the sum of both distances' ranks.

    Parameters
    ----------
    measured : sequence of (Candidate, float, float)
        Candidate, text distance, prediction distance.

    Returns
    -------
    list of Identifier
        Ranks from 1.
    """
    texts, predictions = (np.array([row[column] for row in measured]) for column in (1, 2))
    points = texts.argsort().argsort() + predictions.argsort().argsort()
    order = sorted(range(len(measured)), key=lambda row: (points[row], predictions[row]))
    return [
        Identifier(
            measured[row][0].token,
            measured[row][0].token_id,
            float(texts[row]),
            float(predictions[row]),
            rank,
        )
        for rank, row in enumerate(order, start=1)
    ]


def _end_state(model: BaseModel, prompt: str, embedding: PromptEmbedding) -> torch.Tensor:
    """Return the text encoder's state at the end token: its summary of the prompt."""
    tokens = prompts_to_tokens(model, [prompt])[0]
    end = (tokens == model.tokenizers[0].eos_token_id).int().argmax()
    return embedding.hidden[0, end].float()


def _noisy_pictures(
    model: BaseModel, embedding: PromptEmbedding, size: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw pictures of the class and noise each to every time step."""
    keys = [key_of("identifier", seed, "picture", index) for index in range(PICTURES)]
    clean = draw_latents(model, embedding, embedding, keys, CLASS_SAMPLER, size)
    scheduler = noise_schedule(model.scheduler_config)
    noise_keys = [key_of("identifier", seed, "noise", index) for index in range(PICTURES)]
    noise = torch.from_numpy(keys_to_noise(noise_keys, clean.shape[1:])).to(clean.device)
    timesteps = torch.tensor(TIMESTEPS, device=clean.device).repeat_interleave(PICTURES)
    times = (len(TIMESTEPS), 1, 1, 1)
    return scheduler.add_noise(clean.repeat(times), noise.repeat(times), timesteps), timesteps
