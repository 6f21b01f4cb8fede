"""The standing texts of the pages: how to read them, and where they end."""

from __future__ import annotations

from collections.abc import Sequence

READING = (
    "Held-out tiles were kept from training and from every choice. All headline distances are "
    "measured to them.",
    "Tuned: synthetic images of the model after fine-tuning. Untuned: the same number of images "
    "of the base model before it, with the class noun alone.",
    "Floor: the real training tiles against the held-out ones. Nothing synthetic can be expected "
    "to come nearer than real images do.",
    "VAE's cost: the held-out tiles themselves, sent through the model's autoencoder and back, "
    "with the camera's noise if synthetic images have it. Whatever is lost there, no fine-tuning "
    "of the denoiser brings back.",
    "A good result lies far below untuned and close to the larger of floor and VAE's cost.",
    "An interval is given only where at least five independent source images stand on each side: "
    "tiles of one image are not independent.",
    "Copies: each synthetic image is looked for in whole training fields. What real tiles that "
    "were never trained on reach there is resemblance at most; what training tiles reach that went "
    "through the autoencoder is a copy.",
)
SCRATCH_READING = (
    "This model was trained from scratch: where a word speaks of fine-tuning, its training is "
    "meant. It does not stem from the untuned base, which stands for what there was before; nearer "
    "means nearer than that base's images."
)
PIXEL_READING = (
    "It draws pixels, without an autoencoder: the VAE's cost is that of the base, and the camera's "
    "noise was given back to the untuned images and the VAE's alone."
)
STUDY_READING = (
    "Each mark is measured to tiles that the run's training never saw. Compare runs only where "
    "their held-out tiles and their numbers of images are the same.",
    "Floor is real against real; VAE's cost is what the base model's autoencoder loses. No run can "
    "be expected to come nearer than the larger of both.",
    "With many runs, the best of them is partly the luckiest. A difference within the intervals "
    "is no difference.",
    "Minutes are those of the training's steps, checkpoints and previews. They compare where all "
    "runs had one device for themselves.",
)
LIMITS = (
    "The images are synthetic. They show what the model learned cells look like, not cells: no "
    "biological finding may rest on them.",
    "The features come from a network that learned on photographs. It may miss what matters in "
    "microscopy and mind what does not, so look at the images and at the spectrum too.",
    "A small distance does not promise that a detector trained on these images gets better. Only "
    "a trial of that use tells.",
    "The search for copies finds whole images, shifted or in another valid orientation. It does "
    "not find single cells copied into a new surrounding.",
)
DIRECTED_LIGHT = (
    "The light came from one side ({modality}): the direction of the shadows is physics, so images "
    "were neither flipped nor turned, neither in training nor in the search for copies."
)
ONE_SOURCE = (
    "All {role} tiles come from one field. How the model does on another field, day or microscope "
    "is unknown."
)
SHARED_SOURCE = (
    "Training and held-out tiles are regions of the same field. They share light, focus and "
    "culture, so the floor is lower, and the task easier, than with separate fields."
)


def data_to_limits(
    modality: str, train_sources: Sequence[str], holdout_sources: Sequence[str]
) -> list[str]:
    """Say what the choice of data keeps this page from knowing.

    Parameters
    ----------
    modality : str
        Illumination.
    train_sources, holdout_sources : sequence of str
        The field of each tile.

    Returns
    -------
    list of str
        Sentences; empty where there is nothing to say.
    """
    limits = []
    train, holdout = set(train_sources), set(holdout_sources)
    if train & holdout:
        limits.append(SHARED_SOURCE)
    else:
        roles = {"held-out": holdout, "training": train}
        limits += [
            ONE_SOURCE.format(role=role) for role, fields in roles.items() if len(fields) == 1
        ]
    if modality in ("oblique", "dic"):
        limits.append(DIRECTED_LIGHT.format(modality=modality))
    return limits
