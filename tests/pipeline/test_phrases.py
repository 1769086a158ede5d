import numpy as np
import pytest

from pipeline.contrast import common_phrases, contrastive_phrases
from pipeline.phrases import PhraseTable

TEMPLATE = "\nAnswer with the correct letter and explain why."


def of(*groups):
    return PhraseTable.of(groups)


def test_phrases_stand_in_the_texts():
    """A phrase is words in a row of one clause, between words of content."""
    cards = ["the credit limit of my card", "raise my credit limit", "is my credit limit low"]
    cards += ["why credit, limit"]
    (first, *_), (second, *_) = contrastive_phrases(of(cards, ["bake a cake", "cake tin"]))
    assert (first, second) == ("credit limit", "cake")


def test_a_template_of_several_groups_names_none():
    """A clause that three groups hold word for word is left out before counting."""
    groups = [[f"{word} {n}{TEMPLATE}" for n in range(4)] for word in ("zebra", "lemon", "onyx")]
    assert contrastive_phrases(of(*groups)) == [("zebra",), ("lemon",), ("onyx",)]


def test_a_template_of_one_group_names_it():
    """What only this group is asked says what it is."""
    cloze = [f"Complete the sentence: {name} went home" for name in ("Ann", "Bob", "Cid", "Dan")]
    (first, *_), _ = contrastive_phrases(of(cloze, ["bake a cake", "cake tin", "a cake"]))
    assert first == "complete the sentence"


def test_text_of_the_template_alone_is_kept():
    """Nothing but shared clauses is still something to name by."""
    groups = [["Say hello", "Say hello"], ["Say hello", "Say hello"], ["Say hello"] * 2]
    assert contrastive_phrases(of(*groups)) == [(), (), ()]


def test_no_word_is_said_twice():
    """Phrases of one group share no word, nor forms of one."""
    texts = ["book a flight", "booking flights", "flight booking", "a flight to Rome", "to Rome"]
    (found, _) = contrastive_phrases(of(texts, ["bake a cake", "cake tin"]))
    assert sorted(found) == ["flight", "rome"] or sorted(found) == ["booking", "flight", "rome"]
    assert len({word[:4] for phrase in found for word in phrase.split()}) == len(found)


def test_instruction_alone_is_no_phrase():
    """Please explain and give an example: of what?"""
    groups = (["please explain briefly"] * 3, ["give an example"] * 3)
    assert contrastive_phrases(of(*groups)) == [(), ()]


def test_scripts_without_spaces():
    """Characters in a row are a phrase."""
    groups = (["我想取消订单", "请取消订单"], ["今天天气怎么样", "明天天气好吗"])
    (first, *_), (second, *_) = contrastive_phrases(of(*groups))
    assert "订单" in first
    assert "天气" in second


@pytest.mark.parametrize("groups", [[], [[]], [["one"]], [["", " "]], [["…?!"], ["12 34", "12"]]])
def test_nothing_to_say(groups):
    """Without a word said twice there is no phrase."""
    assert contrastive_phrases(of(*groups)) == [() for _ in groups]


def test_row_order_is_irrelevant_for_few_texts():
    """Counting does not depend on who comes first."""
    texts = ["sort a list", "a list of names", "names to sort", "sort names"]
    rest = ["bake a cake", "cake tin"]
    assert contrastive_phrases(of(texts, rest)) == contrastive_phrases(of(texts[::-1], rest))


def test_fit_chooses_among_phrases():
    """Of two that occur alike the one that means the group goes first; what does not fit is out."""
    table = of(["zebra crossing lion"] * 3, ["bake a cake", "cake tin"])
    asked = []

    def fit(phrases):
        asked.extend(phrases)
        return [np.array([float("lion" in phrase) for phrase in own]) for own in phrases]

    first, _ = contrastive_phrases(table, fit=fit)
    assert all("lion" in phrase for phrase in first)
    assert len(asked) == 2
    assert set(asked[0]) >= {"zebra", "lion"}


def test_a_family_is_named_by_what_most_of_its_groups_share():
    """The cards have the card in common, whichever group is the larger; no one else has."""
    table = of(
        ["freeze my credit card"] * 30,
        ["credit card limit", "raise the credit card limit"],
        ["a credit card for Rome", "a credit card to travel"],
        ["bake a cake", "cake tin"],
        ["a cake with plums", "plum cake"],
    )
    cards, cakes = common_phrases(table, [[0, 1, 2], [3, 4]])
    assert (cards[0], cakes[0]) == ("credit card", "cake")
    assert not any("freeze" in phrase for phrase in cards)


def test_a_family_of_nothing_in_common_has_no_phrase():
    """A word of one group out of three is no name for all."""
    table = of(["zebra"] * 3, ["lemon"] * 3, ["onyx"] * 3, ["bake a cake", "cake tin"])
    assert common_phrases(table, [[0, 1, 2], [3]]) == [(), ("cake",)]
