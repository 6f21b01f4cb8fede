from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.release.captions import prompt_to_caption
from pipeline_lib.settings.templates import template_to_prompt

TEMPLATES = ("{subject}", "an {modality} image of {subject}", "dense {subject}, {subject} in focus")
WORDS = st.text("abc", min_size=1, max_size=8)


@given(template=st.sampled_from(TEMPLATES), noun=WORDS, identifier=st.sampled_from(["zqx", "sks"]))
def test_a_plain_caption_is_the_prompt_of_the_class(template, noun, identifier):
    taught = {"identifier": identifier, "noun": noun}
    drawn, plain = (
        template_to_prompt(template, "oblique", noun, word) for word in (identifier, "")
    )
    assert prompt_to_caption(drawn, taught, "plain") == plain
    assert prompt_to_caption(plain, taught, "plain") == plain
    assert prompt_to_caption(drawn, taught, "prompt") == drawn
